//! What does a queue look like with nothing but its promises?
//!
//! [`Memory`] lives and dies with its process. It is what tests and simulations run against, and the plainest reading
//! of what [`Queue`] means: its decisions are in `operations` and `rules`, and this file only adds a lock, a clock and
//! two notifications.

mod deadlines;
mod operations;
mod reader;
mod transitions;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::WorkerId;
use crate::clock::{Clock, Timestamp};
use crate::job::{BatchId, JobId, Status};

use super::poll::Poll;
use super::{
    Cancellation, Cause, Changes, Claim, Cursor, DeadLetter, Depth, Error, Hold, Lease, Limits, Queue, Receipt,
    Settled, Settlement, Submission,
};
use operations::Jobs;

/// How often a waiting claim looks again without a notification: none comes when a lease expires.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A queue in this process's memory.
pub struct Memory {
    jobs: Mutex<Jobs>,
    clock: Arc<dyn Clock>,
    waiting_grew: Notify,
    changed: Notify,
}

impl Memory {
    /// Creates an empty queue.
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let (waiting_grew, changed) = (Notify::new(), Notify::new());
        Self { jobs: Mutex::new(Jobs::new(limits)), clock, waiting_grew, changed }
    }

    /// Does one operation, and wakes the callers that wait for its effects.
    fn write<T>(&self, operation: impl FnOnce(&mut Jobs, Timestamp) -> T) -> T {
        let mut jobs = self.jobs.lock();
        let (waiting, latest) = (jobs.waiting(), jobs.latest());
        let answer = operation(&mut jobs, self.clock.now());
        if jobs.waiting() > waiting {
            self.waiting_grew.notify_waiters();
        }
        if jobs.latest() > latest {
            self.changed.notify_waiters();
        }
        answer
    }
}

#[async_trait]
impl Queue for Memory {
    async fn submit(&self, submission: Submission) -> Result<Receipt, Error> {
        self.write(|jobs, now| jobs.submit(submission, now))
    }

    async fn claim(&self, worker: &WorkerId, limit: usize, wait: Duration) -> Result<Vec<Claim>, Error> {
        let mut poll = Poll::new(&self.waiting_grew, wait, LOOK_AGAIN);
        loop {
            let claims = self.write(|jobs, now| jobs.claim(worker, limit, now));
            if !claims.is_empty() || !poll.again().await {
                return Ok(claims);
            }
        }
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        Ok(self.write(|jobs, now| jobs.extend(leases, now)))
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        Ok(self.write(|jobs, now| jobs.release(leases, now)))
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, Error> {
        Ok(self.write(|jobs, now| jobs.settle(settlements, now)))
    }

    async fn reclaim(&self, worker: &WorkerId, cause: Cause) -> Result<usize, Error> {
        Ok(self.write(|jobs, now| jobs.reclaim(worker, cause, now)))
    }

    async fn sweep(&self) -> Result<(), Error> {
        self.write(Jobs::catch_up);
        Ok(())
    }

    async fn statuses(&self, jobs: &[JobId]) -> Result<Vec<Option<Status>>, Error> {
        Ok(self.jobs.lock().statuses(jobs, self.clock.now()))
    }

    async fn batch(&self, batch: BatchId) -> Result<Vec<Status>, Error> {
        Ok(self.jobs.lock().batch(batch, self.clock.now()))
    }

    async fn cancel(&self, job: JobId) -> Result<Cancellation, Error> {
        Ok(self.write(|jobs, now| jobs.cancel(job, now)))
    }

    async fn depth(&self) -> Result<Depth, Error> {
        Ok(self.jobs.lock().depth())
    }

    async fn latest(&self) -> Result<Cursor, Error> {
        Ok(Cursor(self.jobs.lock().latest()))
    }

    async fn changes(&self, after: Cursor, wait: Duration) -> Result<Changes, Error> {
        let mut poll = Poll::new(&self.changed, wait, LOOK_AGAIN);
        loop {
            let changes = self.jobs.lock().changes(after);
            if !changes.jobs.is_empty() || !poll.again().await {
                return Ok(changes);
            }
        }
    }

    async fn dead(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        Ok(self.jobs.lock().dead(limit))
    }

    async fn replay(&self, job: JobId) -> Result<bool, Error> {
        self.write(|jobs, now| jobs.replay(job, now))
    }

    async fn discard(&self, job: JobId) -> Result<bool, Error> {
        Ok(self.write(|jobs, now| jobs.discard(job, now)))
    }
}
