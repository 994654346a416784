//! Where does a job wait, and who may say that it is done?
//!
//! A [`Queue`] is durable, bounded and shared: any number of gateways submit and read, any number of workers claim and
//! settle, and any of them may die between two lines of code. It makes seven promises; each has a test of the same
//! words, `tests/it/conformance.rs`, that every implementation passes:
//!
//! 1. A job accepted is never lost: it ends in exactly one outcome, or waits.
//! 2. Workers get a job at least once, readers get exactly one outcome: the first settle wins, later ones are told so.
//! 3. A lease that lapses goes to another worker; `extend` keeps it alive; a worker that lost its lease is told.
//! 4. `release` gives work back at once and costs no attempt.
//! 5. After [`Limits::attempts_max`] failed attempts a job is dead-lettered with its reason. On a second attempt a job
//!    is claimed alone, so that one poison image never takes its neighbours with it.
//! 6. The queue is bounded: submit answers [`Error::Full`] and takes nothing; nothing is ever trimmed.
//! 7. Outcomes are kept, however often they are read, until their time-to-live ends.
//!
//! An attempt has failed when its worker says so, when its lease lapses, or when its worker crashed. A worker that was
//! stopped from outside ([`Cause::Stopped`]) proves nothing against its jobs: they are claimed again, alone, without
//! a failed attempt to their name, up to [`Limits::claims_max`] times.

pub mod memory;
pub mod sqlite;
mod url;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::job::{BatchId, Job, JobId, Status};
use crate::prediction::Prediction;

pub use url::Url;

/// The bounds of a queue. Every process that opens the same queue should be given the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many jobs may be unsettled (waiting or running) at once.
    pub jobs_max: usize,
    /// How long a claim holds without being extended.
    pub lease: Duration,
    /// How many failed attempts make a dead letter.
    pub attempts_max: u32,
    /// How many claims make a dead letter, failed or not: what ends a job whose worker is always "stopped" in the
    /// middle of it, as by an out-of-memory killer.
    pub claims_max: u32,
    /// How long an outcome is kept, and an idempotency key remembered.
    pub outcome_ttl: Duration,
    /// How long a dead letter is kept.
    pub dead_ttl: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // 10,000 jobs of 784 bytes are 8 MB, and some ten seconds of one worker's time.
            jobs_max: 10_000,
            // Three missed heartbeats of a worker that no one saw die. A batch takes a quarter of a second.
            lease: Duration::from_secs(6),
            attempts_max: 3,
            claims_max: 25,
            outcome_ttl: Duration::from_secs(60 * 60),
            // A weekend and the days around it: time for a person to look.
            dead_ttl: Duration::from_secs(7 * 24 * 60 * 60),
        }
    }
}

/// What may go wrong with a queue.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Caller: 429 and `Retry-After`. Nothing of the submission was taken.
    #[error("queue is full at {limit} jobs")]
    Full {
        /// [`Limits::jobs_max`].
        limit: usize,
    },
    /// Caller: 422.
    #[error("idempotency key {key:?} was used before with another body")]
    KeyReused {
        /// The key.
        key: String,
    },
    /// Caller: back off and try again; nothing is known to have happened.
    #[error("could not {action}")]
    Unavailable {
        /// What was attempted.
        action: &'static str,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Jobs to be taken in together, all or none.
#[derive(Clone, Debug)]
pub struct Submission {
    /// What the jobs are submitted as; each job names the same one.
    pub batch: BatchId,
    /// One or more, fewer than [`Limits::jobs_max`].
    pub jobs: Vec<Job>,
    /// Makes a second submission of the same a repetition instead.
    pub idempotency: Option<Idempotency>,
}

/// A sender's own name for a submission.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// The sender's key.
    pub key: String,
    /// SHA-256 of what the sender sent, to tell repetition from reuse.
    pub fingerprint: [u8; 32],
    /// What the gateway will need to give the same answer again; the queue keeps it and never reads it.
    pub answer: String,
}

/// What became of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// Its jobs are safe.
    Accepted,
    /// It was taken in before, under its idempotency key; nothing was taken now.
    Repeated {
        /// The batch that it was taken in as.
        batch: BatchId,
        /// The first submission's [`Idempotency::answer`].
        answer: String,
    },
}

/// The right to settle a job, for a while.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// Who holds it.
    pub worker: String,
    /// Tells this claim from every other claim of the same job.
    pub token: u64,
}

/// A job, handed to a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The right to settle it.
    pub lease: Lease,
    /// The job.
    pub job: Job,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// Whether a lease still held when it was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It held.
    Kept,
    /// It had lapsed, or its job was over. Caller: drop the work.
    Lost,
}

/// A worker's word on one job.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// The right to say it.
    pub lease: Lease,
    /// The classifier's answer, or why the attempt failed.
    pub result: Result<Inference, String>,
}

/// A classifier's answer and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Inference {
    /// The answer.
    pub prediction: Prediction,
    /// The job's share of its batch's time in the classifier.
    pub elapsed: Duration,
}

/// What a settlement came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The answer is the job's outcome. An answer whose lease has lapsed still wins when it comes first.
    Done,
    /// The failed attempt is counted, and the job waits for another.
    Retried,
    /// The failed attempt was the last: the job is a dead letter, and that is its outcome.
    Dead,
    /// Nothing changed: another outcome came first, or a failure came from a lease that was lost.
    Late,
}

/// Why a worker is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody stopped it: its jobs are not to blame.
    Stopped,
    /// It crashed: one of its jobs may be to blame, and each is charged a failed attempt.
    Crashed,
}

/// What became of an attempt to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// It had not started, and now never will: its outcome is `Cancelled`.
    Cancelled,
    /// Too late: a worker has it.
    Running,
    /// Too late: it is over.
    Settled,
    /// There is no such job, or no longer.
    Unknown,
}

/// How much there is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Jobs that wait for a worker.
    pub waiting: usize,
    /// Jobs leased, by worker; workers without any are absent.
    pub running: BTreeMap<String, usize>,
    /// Dead letters kept.
    pub dead: usize,
    /// When the job that has waited longest was submitted.
    pub oldest: Option<Timestamp>,
}

impl Depth {
    /// Jobs leased.
    pub fn in_flight(&self) -> usize {
        self.running.values().sum()
    }
}

/// A place in the order in which jobs change; each queue counts its own way, upwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor(pub u64);

/// The jobs that changed behind a cursor, each as it stands now; several changes of one job may show as one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// In order of their last change, at most [`CHANGES_MAX`].
    pub jobs: Vec<Status>,
    /// Where to go on from.
    pub cursor: Cursor,
}

/// Changes answered at once, at most: some 400 KB.
pub const CHANGES_MAX: usize = 1_000;

/// A job that every attempt failed.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// The job, pixels included.
    pub job: Job,
    /// How often it was claimed.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub reason: String,
    /// The worker of the last attempt.
    pub worker: Option<String>,
    /// When it was given up.
    pub died: Timestamp,
}

/// A durable, bounded queue of jobs with leases and outcomes; its promises are in the [module's words](self).
///
/// Every method may be called from any task, any number at once. None of them blocks the thread that polls it.
/// Dropping a future leaves the queue whole: what it asked for has happened completely or not at all.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Takes jobs in, all or none. Once this answers `Accepted` they survive the death of every process.
    ///
    /// # Errors
    /// [`Error::Full`] where they would exceed [`Limits::jobs_max`], [`Error::KeyReused`], [`Error::Unavailable`].
    async fn submit(&self, submission: Submission) -> Result<Receipt, Error>;

    /// Leases up to `room` waiting jobs to `worker`, oldest first: either first attempts, or one single job that has
    /// been attempted before. Answers at once where there are any, otherwise when there are or when `wait` has passed,
    /// then with none. Lapsed leases count as waiting.
    async fn claim(&self, worker: &str, room: usize, wait: Duration) -> Result<Vec<Claim>, Error>;

    /// Makes leases last [`Limits::lease`] from now. Answers in the order given.
    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error>;

    /// Gives jobs back unfinished: they wait again, first in line, as though never claimed. Answers in the order given.
    async fn release(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error>;

    /// Says what became of jobs. Answers in the order given; saying the same again is harmless.
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, Error>;

    /// Takes back all that a worker known to be dead still holds, without waiting for its leases to lapse. Answers how
    /// many jobs that were.
    async fn abandon(&self, worker: &str, cause: Cause) -> Result<usize, Error>;

    /// Does what time asks for: lapsed leases are taken back, exhausted jobs buried, expired outcomes forgotten.
    /// Claiming does this by itself; call it now and then so that it also happens where no worker claims.
    async fn sweep(&self) -> Result<(), Error>;

    /// Where jobs stand, in the order asked; `None` for those unknown or expired.
    async fn statuses(&self, jobs: &[JobId]) -> Result<Vec<Option<Status>>, Error>;

    /// Where the jobs of a batch stand, in the order submitted; empty where it is unknown or expired.
    async fn batch(&self, batch: BatchId) -> Result<Vec<Status>, Error>;

    /// Takes back a job that has not started.
    async fn cancel(&self, job: JobId) -> Result<Cancellation, Error>;

    /// How much there is to do.
    async fn depth(&self) -> Result<Depth, Error>;

    /// The place behind the latest change.
    async fn latest(&self) -> Result<Cursor, Error>;

    /// What changed behind `after`. Answers at once where something did, otherwise when something does or when `wait`
    /// has passed, then with nothing and the same cursor.
    async fn changes(&self, after: Cursor, wait: Duration) -> Result<Changes, Error>;

    /// Up to `limit` dead letters, newest first.
    async fn dead(&self, limit: usize) -> Result<Vec<DeadLetter>, Error>;

    /// Queues a dead letter again, with every attempt before it. `false` where there is no such dead letter.
    async fn replay(&self, job: JobId) -> Result<bool, Error>;

    /// Forgets a dead letter; its outcome stays until it expires. `false` where there is no such dead letter.
    async fn discard(&self, job: JobId) -> Result<bool, Error>;
}
