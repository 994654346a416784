//! What do callers pass to a queue, and what does it return?

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::WorkerId;
use crate::clock::Timestamp;
use crate::job::{BatchId, Job, JobId, Status};
use kana_engine::Prediction;

/// Jobs to be accepted together, all or none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Submission {
    /// The batch of the jobs; each of them names the same one.
    pub batch: BatchId,
    /// One or more, fewer than [`Limits::jobs_max`](super::Limits::jobs_max).
    pub jobs: Vec<Job>,
    /// The key that makes a second submission of the same a repetition.
    pub idempotency: Option<Idempotency>,
    /// The name of the run that the batch is, perhaps an empty one; `None` where it is to be in no list. The first
    /// submission of a batch decides.
    pub name: Option<String>,
}

/// A batch that people may want to look at again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The batch.
    pub batch: BatchId,
    /// The sender's name for it; only for people.
    pub name: String,
}

/// An attempt that ended without an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostAttempt {
    /// The worker that made it.
    pub worker: WorkerId,
    /// When the worker claimed the job. A queue that does not know says when the worker was last heard of.
    pub began: Timestamp,
    /// When the queue learnt that it was over.
    pub ended: Timestamp,
    /// How it ended.
    pub loss: Loss,
}

/// How an attempt ended that brought no outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Loss {
    /// The worker said that it failed, and why; cut where that is long.
    Failed(String),
    /// The worker's lease expired.
    Expired,
    /// The worker crashed.
    Crashed,
    /// The worker was stopped from outside.
    Stopped,
}

/// A sender's own name for a submission.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Idempotency {
    /// The sender's key.
    pub key: String,
    /// SHA-256 of what the sender sent, to tell repetition from reuse.
    pub fingerprint: [u8; 32],
    /// The text that the gateway needs to give the same answer again; the queue keeps it and never reads it.
    pub answer: String,
}

/// The result of a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Receipt {
    /// The jobs are safe.
    Accepted,
    /// The submission was accepted before, under its idempotency key; nothing was accepted now.
    Repeated {
        /// The batch of the first submission.
        batch: BatchId,
        /// The first submission's [`Idempotency::answer`].
        answer: String,
    },
}

/// The right to settle a job, for a while.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// The worker that holds it.
    pub worker: WorkerId,
    /// The number that tells this claim from every other claim of the same job.
    pub token: u64,
}

/// A job, leased to a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The right to settle it.
    pub lease: Lease,
    /// The job.
    pub job: Job,
    /// The number of this attempt, from 1.
    pub attempt: u32,
}

/// Whether a worker still held a lease when it used it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hold {
    /// The worker held the lease.
    Kept,
    /// The lease had expired, or its job was over. Caller: drop the work.
    Lost,
}

/// A worker's result of one job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settlement {
    /// The right to settle the job.
    pub lease: Lease,
    /// The classifier's answer, or why the attempt failed.
    pub result: Result<Inference, String>,
}

/// A classifier's answer and what it cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inference {
    /// The answer.
    pub prediction: Prediction,
    /// The job's share of its batch's time in the classifier.
    pub elapsed: Duration,
    /// Whether the image shows nothing, so that the answer has no meaning.
    pub blank: bool,
}

/// The effect of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Settled {
    /// The answer is the job's outcome. An answer whose lease has expired still wins when it comes first.
    Done,
    /// The failed attempt is counted, and the job waits for another.
    Retried,
    /// The failed attempt was the last: the job is a dead letter, and that is its outcome.
    Dead,
    /// Nothing changed: another outcome came first, or a failure came from a lease that was lost.
    Late,
}

/// Why a worker died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The worker was stopped from outside: its jobs are not to blame.
    Stopped,
    /// The worker crashed: one of its jobs may be to blame, and each is charged a failed attempt.
    Crashed,
}

/// The effect of a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cancellation {
    /// The job had not started, and now never will: its outcome is `Cancelled`.
    Cancelled,
    /// Too late: a worker has it.
    Running,
    /// Too late: the job has its outcome.
    Settled,
    /// The job is unknown, or expired.
    Unknown,
}

/// Counts of the jobs in a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Depth {
    /// Jobs that wait for a worker.
    pub waiting: usize,
    /// Jobs leased, by worker; workers without any are absent.
    pub running: BTreeMap<WorkerId, usize>,
    /// Dead letters kept.
    pub dead: usize,
    /// The time at which the job that has waited longest was submitted.
    pub oldest: Option<Timestamp>,
}

impl Depth {
    /// Jobs that a pod holds, in all its incarnations.
    pub fn held_by(&self, pod: &str) -> usize {
        // A pod's incarnations are neighbours in this order, and the worker without one is the first of them.
        let workers = self.running.range(WorkerId::of_pod(pod)..);
        workers.take_while(|(worker, _)| worker.pod() == pod).map(|(_, held)| held).sum()
    }

    /// Jobs leased.
    pub fn in_flight(&self) -> usize {
        self.running.values().sum()
    }
}

/// A position in the order in which jobs change; each queue counts in its own way, upwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cursor(pub u64);

/// The jobs that changed after a cursor, each as it stands now; several changes of one job may show as one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// In order of their last change, at most [`CHANGES_MAX`].
    pub jobs: Vec<Status>,
    /// The cursor to continue from.
    pub cursor: Cursor,
    /// Whether the queue no longer has some of the changes after the cursor. Caller: read the statuses that matter.
    pub missed: bool,
}

/// Changes returned at once, at most: some 400 KB.
pub const CHANGES_MAX: usize = 1_000;

/// A job whose every attempt failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The job, pixels included.
    pub job: Job,
    /// The number of times that it was claimed.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub reason: String,
    /// The worker of the last attempt.
    pub worker: Option<WorkerId>,
    /// The time at which it was given up.
    pub died: Timestamp,
}
