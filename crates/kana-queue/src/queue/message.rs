//! What do a queue and its callers say to each other?

use std::collections::BTreeMap;
use std::time::Duration;

use crate::WorkerId;
use crate::clock::Timestamp;
use crate::job::{BatchId, Job, JobId, Status};
use kana_engine::Prediction;

/// Jobs to be taken in together, all or none.
#[derive(Clone, Debug)]
pub struct Submission {
    /// What the jobs are submitted as; each job names the same one.
    pub batch: BatchId,
    /// One or more, fewer than [`Limits::jobs_max`](super::Limits::jobs_max).
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
    pub worker: WorkerId,
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
    pub running: BTreeMap<WorkerId, usize>,
    /// Dead letters kept.
    pub dead: usize,
    /// When the job that has waited longest was submitted.
    pub oldest: Option<Timestamp>,
}

impl Depth {
    /// Jobs that a pod holds, in all its incarnations.
    pub fn held_by(&self, pod: &str) -> usize {
        // A pod's incarnations are neighbours in this order, and the one without a mark is the first of them.
        let workers = self.running.range(WorkerId::of_pod(pod)..);
        workers.take_while(|(worker, _)| worker.pod() == pod).map(|(_, held)| held).sum()
    }

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
    /// Whether the queue has forgotten some of what changed behind the cursor: look at what you wait for.
    pub missed: bool,
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
    pub worker: Option<WorkerId>,
    /// When it was given up.
    pub died: Timestamp,
}
