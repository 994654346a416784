//! How does a queue of your own prove that it keeps the promises?
//!
//! By passing the conformance suite. [`Counting`] is a small queue to try that with: it counts the jobs that it
//! accepts and leaves the rest to the queue in memory. The program prints each promise as it is kept, and panics at the
//! first that is not:
//!
//! ```text
//! cargo run -p kana-queue --example custom_queue --features conformance
//! ```
//!
//! In a test, `conformance_tests!` does the same with one `#[tokio::test]` for each promise.
#![expect(clippy::disallowed_macros, reason = "an example prints what it does")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use kana_engine::image::Image;
use kana_queue::clock::Clock;
use kana_queue::conformance::{Fixture, Harness, PROMISES, Promise};
use kana_queue::job::{BatchId, JobId, Status};
use kana_queue::memory::Memory;
use kana_queue::{
    Cancellation, Cause, Changes, Claim, Cursor, DeadLetter, Depth, Error, Hold, Lease, Limits, LostAttempt, Queue,
    Receipt, Run, Settled, Settlement, Submission, WorkerId,
};

/// A queue that counts the jobs that it accepts.
struct Counting {
    inner: Memory,
    accepted: Arc<AtomicUsize>,
}

#[async_trait]
impl Queue for Counting {
    async fn submit(&self, submission: Submission) -> Result<Receipt, Error> {
        let count = submission.jobs.len();
        let receipt = self.inner.submit(submission).await?;
        if receipt == Receipt::Accepted {
            self.accepted.fetch_add(count, Ordering::Relaxed);
        }
        Ok(receipt)
    }

    async fn claim(&self, worker: &WorkerId, limit: usize, wait: Duration) -> Result<Vec<Claim>, Error> {
        self.inner.claim(worker, limit, wait).await
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        self.inner.extend(leases).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        self.inner.release(leases).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, Error> {
        self.inner.settle(settlements).await
    }

    async fn reclaim(&self, worker: &WorkerId, cause: Cause) -> Result<usize, Error> {
        self.inner.reclaim(worker, cause).await
    }

    async fn sweep(&self) -> Result<(), Error> {
        self.inner.sweep().await
    }

    async fn statuses(&self, jobs: &[JobId]) -> Result<Vec<Option<Status>>, Error> {
        self.inner.statuses(jobs).await
    }

    async fn batch(&self, batch: BatchId) -> Result<Vec<Status>, Error> {
        self.inner.batch(batch).await
    }

    async fn lost(&self, jobs: &[JobId]) -> Result<Vec<Vec<LostAttempt>>, Error> {
        self.inner.lost(jobs).await
    }

    async fn runs(&self, before: Option<BatchId>, limit: usize) -> Result<Vec<Run>, Error> {
        self.inner.runs(before, limit).await
    }

    async fn image(&self, job: JobId) -> Result<Option<Image>, Error> {
        self.inner.image(job).await
    }

    async fn cancel(&self, job: JobId) -> Result<Cancellation, Error> {
        self.inner.cancel(job).await
    }

    async fn depth(&self) -> Result<Depth, Error> {
        self.inner.depth().await
    }

    async fn latest(&self) -> Result<Cursor, Error> {
        self.inner.latest().await
    }

    async fn changes(&self, after: Cursor, wait: Duration) -> Result<Changes, Error> {
        self.inner.changes(after, wait).await
    }

    async fn dead(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.inner.dead(limit).await
    }

    async fn replay(&self, job: JobId) -> Result<bool, Error> {
        self.inner.replay(job).await
    }

    async fn discard(&self, job: JobId) -> Result<bool, Error> {
        self.inner.discard(job).await
    }
}

/// Opens counting queues, which all count in one place.
struct CountingHarness {
    accepted: Arc<AtomicUsize>,
}

impl Harness for CountingHarness {
    fn open(&self, limits: Limits, clock: Arc<dyn Clock>) -> Box<dyn Queue> {
        Box::new(Counting { inner: Memory::new(limits, clock), accepted: Arc::clone(&self.accepted) })
    }
}

#[tokio::main]
async fn main() {
    let accepted = Arc::new(AtomicUsize::new(0));
    for Promise { subject, name, check } in PROMISES {
        let fixture = Fixture::new(CountingHarness { accepted: Arc::clone(&accepted) });
        check(&fixture).await;
        println!("{subject}: {} ... ok", name.replace('_', " "));
    }
    println!("{} promises kept, {} jobs accepted", PROMISES.len(), accepted.load(Ordering::Relaxed));
}
