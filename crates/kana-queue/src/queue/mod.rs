//! What does every queue promise, and what are its limits and errors?
//!
//! The promises stand at [`Queue`]. Each implementation has a room of its own; the decisions that they share are in
//! `rules`, and `conformance` tests each promise on each of them.

pub mod embedded;
mod ledger;
mod log;
pub mod memory;
mod message;
mod pictures;
mod poll;
pub mod redis;
mod rules;
mod url;

use std::time::Duration;

use async_trait::async_trait;

use crate::WorkerId;
use crate::job::{BatchId, JobId, Status};
use kana_engine::image::Image;

pub use message::{
    CHANGES_MAX, Cancellation, Cause, Changes, Claim, Cursor, DeadLetter, Depth, Hold, Idempotency, Inference, Lease,
    Loss, LostAttempt, Receipt, Run, Settled, Settlement, Submission,
};
pub use url::{Url, connect, open};

/// The limits of a queue. Every process that opens the same queue should have the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Jobs that may be unsettled (waiting or running) at once.
    pub jobs_max: usize,
    /// Time after which the lease of an unextended claim expires.
    pub lease: Duration,
    /// Failed attempts after which a job is a dead letter.
    pub attempts_max: u32,
    /// Claims after which a job is a dead letter, failed or not: this ends a job whose worker is always stopped in the
    /// middle of it, as by an out-of-memory killer.
    pub claims_max: u32,
    /// Time for which an outcome and an idempotency key are kept.
    pub outcome_ttl: Duration,
    /// Time for which a dead letter is kept.
    pub dead_ttl: Duration,
    /// Dead letters kept at most; beyond it the oldest goes, and its outcome stays.
    pub dead_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // 10,000 jobs of 784 bytes are 8 MB, and some ten seconds of one worker's time.
            jobs_max: 10_000,
            // Three missed heartbeats of a worker whose death was not seen. A batch takes a quarter of a second.
            lease: Duration::from_secs(6),
            attempts_max: 3,
            claims_max: 25,
            outcome_ttl: Duration::from_secs(60 * 60),
            // A weekend and the days around it: time for a person to look.
            dead_ttl: Duration::from_secs(7 * 24 * 60 * 60),
            // As many as may wait: 8 MB of 784 bytes, 1.5 GB of colour images.
            dead_max: 10_000,
        }
    }
}

/// Why a queue did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The queue is full, and nothing of the submission was accepted. Caller: 429 and `Retry-After`.
    #[error("queue is full at {limit} jobs")]
    Full {
        /// [`Limits::jobs_max`].
        limit: usize,
    },
    /// The idempotency key names another submission. Caller: 422.
    #[error("idempotency key {key:?} was used before with another body")]
    KeyReused {
        /// The key.
        key: String,
    },
    /// The disk, or the memory of Redis, is full, and nothing happened. Caller: 507, until a person makes room.
    #[error("could not {action}: no space left for the queue")]
    NoSpace {
        /// What was attempted.
        action: &'static str,
        /// The store's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store did not answer; the call may or may not have happened. Caller: back off and try again.
    #[error("could not {action}")]
    Unavailable {
        /// What was attempted.
        action: &'static str,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A durable, bounded queue of jobs with leases and outcomes.
///
/// Any number of gateways submit and read, any number of workers claim and settle, and any of them may die between two
/// lines of code. Every implementation makes seven promises, and the suite in `conformance` tests each of them:
///
/// 1. An accepted job is never lost: it ends in exactly one outcome, or waits.
/// 2. Workers get a job at least once, readers get exactly one outcome: the first settlement wins, later ones are late.
/// 3. A job whose lease expires goes to another worker. `extend` keeps a lease alive, and a worker that lost one learns
///    of it.
/// 4. `release` lets jobs wait again at once and costs them no attempt.
/// 5. After [`Limits::attempts_max`] failed attempts a job is a dead letter with its reason. On a second attempt a job
///    is claimed alone, so that one poison image never takes its neighbours with it.
/// 6. The queue is bounded: `submit` returns [`Error::Full`] and accepts nothing. Nothing is ever trimmed.
/// 7. Outcomes are kept, however often they are read, until their time-to-live ends.
///
/// A claimed job returns to the queue in three ways: its holder releases it, somebody who saw the holder die reclaims
/// it, or its lease expires. An attempt has failed when its worker says so, when its lease expires, or when its worker
/// crashed. A worker that was stopped from outside ([`Cause::Stopped`]) proves nothing against its jobs: they are
/// claimed again, alone, without a failed attempt, up to [`Limits::claims_max`] times.
///
/// Every method may be called from any task, any number at once. None of them blocks the thread that polls it.
/// Dropping a future leaves the queue consistent: what it asked for has happened completely or not at all.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Accepts jobs, all or none. Once this returns [`Receipt::Accepted`] they survive the death of every process.
    ///
    /// # Errors
    /// [`Error::Full`] where they would exceed [`Limits::jobs_max`], [`Error::KeyReused`], [`Error::Unavailable`].
    async fn submit(&self, submission: Submission) -> Result<Receipt, Error>;

    /// Leases up to `limit` waiting jobs to `worker`, oldest first: either first attempts, or one single job that has
    /// been attempted before. Returns at once where there are any, otherwise when there are or, with none, when `wait`
    /// has passed. Jobs whose leases have expired count as waiting.
    async fn claim(&self, worker: &WorkerId, limit: usize, wait: Duration) -> Result<Vec<Claim>, Error>;

    /// Extends leases to [`Limits::lease`] from now. The results are in the order given.
    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error>;

    /// Releases jobs unfinished: they wait again, at their old place in line, as though never claimed. The results are
    /// in the order given.
    async fn release(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error>;

    /// Settles jobs. The results are in the order given; settling again is harmless.
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, Error>;

    /// Returns every job that a dead worker still holds to the queue, without waiting for its leases to expire, and
    /// answers how many jobs that were. `cause` says whether each is charged a failed attempt.
    async fn reclaim(&self, worker: &WorkerId, cause: Cause) -> Result<usize, Error>;

    /// Does what time asks for: returns jobs whose leases have expired, dead-letters exhausted ones, and removes expired
    /// outcomes. Claiming does this too; call it now and then so that it also happens where no worker claims.
    async fn sweep(&self) -> Result<(), Error>;

    /// Reads where jobs stand, in the order asked; `None` for those unknown or expired.
    async fn statuses(&self, jobs: &[JobId]) -> Result<Vec<Option<Status>>, Error>;

    /// Reads where the jobs of a batch stand, in the order submitted; empty where it is unknown or expired.
    async fn batch(&self, batch: BatchId) -> Result<Vec<Status>, Error>;

    /// Reads which attempts of these jobs ended without an outcome, in the order asked, each job's oldest first; empty where
    /// none did, and where that is no longer known. It is kept as long as an outcome would be, of the latest jobs.
    async fn lost(&self, jobs: &[JobId]) -> Result<Vec<Vec<LostAttempt>>, Error>;

    /// Lists up to `limit` [named](Submission::name) runs, newest first, that were begun before `before`. The latest are
    /// kept; those whose outcomes have expired may be among them.
    async fn runs(&self, before: Option<BatchId>, limit: usize) -> Result<Vec<Run>, Error>;

    /// Reads the pixels of a job: as long as it waits, runs or is a dead letter, and of the latest jobs afterwards, where
    /// this process knows them.
    async fn image(&self, job: JobId) -> Result<Option<Image>, Error>;

    /// Cancels a job that has not started.
    async fn cancel(&self, job: JobId) -> Result<Cancellation, Error>;

    /// Counts the jobs that wait, run and are dead.
    async fn depth(&self) -> Result<Depth, Error>;

    /// Returns the cursor of the latest change.
    async fn latest(&self) -> Result<Cursor, Error>;

    /// Reads what changed after a cursor. Returns at once where something did, otherwise when something does or, with
    /// nothing and the same cursor, when `wait` has passed.
    async fn changes(&self, after: Cursor, wait: Duration) -> Result<Changes, Error>;

    /// Says which settings of the store may lose accepted jobs, in words for an operator; empty where none does, or where
    /// the store has not answered yet.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Lists up to `limit` dead letters, newest first.
    async fn dead(&self, limit: usize) -> Result<Vec<DeadLetter>, Error>;

    /// Queues a dead letter again, with all its attempts before it. `false` where there is no such dead letter.
    async fn replay(&self, job: JobId) -> Result<bool, Error>;

    /// Removes a dead letter; its outcome stays until it expires. `false` where there is no such dead letter.
    async fn discard(&self, job: JobId) -> Result<bool, Error>;
}
