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
mod message;
mod poll;
pub mod redis;
mod rules;
pub mod sqlite;
mod url;

use std::time::Duration;

use async_trait::async_trait;

use crate::WorkerId;
use crate::job::{BatchId, JobId, Status};

pub use message::{
    CHANGES_MAX, Cancellation, Cause, Changes, Claim, Cursor, DeadLetter, Depth, Hold, Idempotency, Inference, Lease,
    Receipt, Settled, Settlement, Submission,
};
pub use url::{Url, open};

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
    /// Caller: 507, until a person makes room. Nothing happened.
    #[error("could not {action}: no space left for the queue")]
    NoSpace {
        /// What was attempted.
        action: &'static str,
        /// What the store said.
        source: Box<dyn std::error::Error + Send + Sync>,
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
    async fn claim(&self, worker: &WorkerId, room: usize, wait: Duration) -> Result<Vec<Claim>, Error>;

    /// Makes leases last [`Limits::lease`] from now. Answers in the order given.
    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error>;

    /// Gives jobs back unfinished: they wait again, first in line, as though never claimed. Answers in the order given.
    async fn release(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error>;

    /// Says what became of jobs. Answers in the order given; saying the same again is harmless.
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, Error>;

    /// Returns every job that a dead worker still holds to the queue, without waiting for its leases to expire, and
    /// answers how many jobs that were. `cause` says whether each is charged a failed attempt.
    async fn reclaim(&self, worker: &WorkerId, cause: Cause) -> Result<usize, Error>;

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
