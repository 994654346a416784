//! What does a queue look like with nothing but its promises?
//!
//! [`Memory`] lives and dies with its process. It is what tests and simulations run against, and the plainest reading
//! of what [`Queue`] means: its decisions are in `ledger` and `rules`, and this file only lends them a lock, a clock and
//! two bells.

mod deadlines;
mod ledger;
mod reading;
mod shelf;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::WorkerId;
use crate::clock::{Clock, Timestamp};
use crate::job::{BatchId, JobId, Status};

use super::watch::Watch;
use super::{
    Cancellation, Cause, Changes, Claim, Cursor, DeadLetter, Depth, Error, Hold, Lease, Limits, Queue, Receipt,
    Settled, Settlement, Submission,
};
use ledger::Ledger;

/// How often a waiting claim looks again by itself: a lease lapses without anybody ringing.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A queue in this process's memory.
pub struct Memory {
    ledger: Mutex<Ledger>,
    clock: Arc<dyn Clock>,
    waiting_grew: Notify,
    changed: Notify,
}

impl Memory {
    /// An empty one.
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let (waiting_grew, changed) = (Notify::new(), Notify::new());
        Self { ledger: Mutex::new(Ledger::new(limits)), clock, waiting_grew, changed }
    }

    /// Does one thing to the ledger, and wakes whoever waits for what came of it.
    fn write<T>(&self, act: impl FnOnce(&mut Ledger, Timestamp) -> T) -> T {
        let mut ledger = self.ledger();
        let (waiting, latest) = (ledger.waiting(), ledger.latest());
        let answer = act(&mut ledger, self.clock.now());
        if ledger.waiting() > waiting {
            self.waiting_grew.notify_waiters();
        }
        if ledger.latest() > latest {
            self.changed.notify_waiters();
        }
        answer
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // A panic in the middle of a verb is a bug of the ledger's; the jobs that it holds are still owed an outcome.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Queue for Memory {
    async fn submit(&self, submission: Submission) -> Result<Receipt, Error> {
        self.write(|ledger, now| ledger.submit(submission, now))
    }

    async fn claim(&self, worker: &WorkerId, room: usize, wait: Duration) -> Result<Vec<Claim>, Error> {
        let mut watch = Watch::new(&self.waiting_grew, wait, LOOK_AGAIN);
        loop {
            let claims = self.write(|ledger, now| ledger.claim(worker, room, now));
            if !claims.is_empty() || !watch.again().await {
                return Ok(claims);
            }
        }
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        Ok(self.write(|ledger, now| ledger.extend(leases, now)))
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        Ok(self.write(|ledger, now| ledger.release(leases, now)))
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, Error> {
        Ok(self.write(|ledger, now| ledger.settle(settlements, now)))
    }

    async fn reclaim(&self, worker: &WorkerId, cause: Cause) -> Result<usize, Error> {
        Ok(self.write(|ledger, now| ledger.reclaim(worker, cause, now)))
    }

    async fn sweep(&self) -> Result<(), Error> {
        self.write(Ledger::catch_up);
        Ok(())
    }

    async fn statuses(&self, jobs: &[JobId]) -> Result<Vec<Option<Status>>, Error> {
        Ok(self.ledger().statuses(jobs, self.clock.now()))
    }

    async fn batch(&self, batch: BatchId) -> Result<Vec<Status>, Error> {
        Ok(self.ledger().batch(batch, self.clock.now()))
    }

    async fn cancel(&self, job: JobId) -> Result<Cancellation, Error> {
        Ok(self.write(|ledger, now| ledger.cancel(job, now)))
    }

    async fn depth(&self) -> Result<Depth, Error> {
        Ok(self.ledger().depth())
    }

    async fn latest(&self) -> Result<Cursor, Error> {
        Ok(Cursor(self.ledger().latest()))
    }

    async fn changes(&self, after: Cursor, wait: Duration) -> Result<Changes, Error> {
        let mut watch = Watch::new(&self.changed, wait, LOOK_AGAIN);
        loop {
            let changes = self.ledger().changes(after);
            if !changes.jobs.is_empty() || !watch.again().await {
                return Ok(changes);
            }
        }
    }

    async fn dead(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        Ok(self.ledger().dead(limit))
    }

    async fn replay(&self, job: JobId) -> Result<bool, Error> {
        self.write(|ledger, now| ledger.replay(job, now))
    }

    async fn discard(&self, job: JobId) -> Result<bool, Error> {
        Ok(self.write(|ledger, now| ledger.discard(job, now)))
    }
}
