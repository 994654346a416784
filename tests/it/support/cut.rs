//! What is a queue that can be cut off?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use kana::job::{BatchId, JobId, Status};
use kana::queue::{
    Cancellation, Cause, Changes, Claim, Cursor, DeadLetter, Depth, Error, Hold, Lease, Queue, Receipt, Settled,
    Settlement, Submission,
};

/// A queue that answers nothing but errors while it is cut off. It lets nothing through then, not even in secret.
pub struct Cuttable {
    queue: Arc<dyn Queue>,
    cut: AtomicBool,
    extensions: AtomicUsize,
}

impl Cuttable {
    pub fn new(queue: Arc<dyn Queue>) -> Self {
        Self { queue, cut: AtomicBool::new(false), extensions: AtomicUsize::new(0) }
    }

    pub fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }

    /// How many times leases were extended.
    pub fn extensions(&self) -> usize {
        self.extensions.load(Ordering::SeqCst)
    }

    fn through(&self) -> Result<&dyn Queue, Error> {
        match self.cut.load(Ordering::SeqCst) {
            false => Ok(self.queue.as_ref()),
            true => Err(Error::Unavailable { action: "reach the queue", source: "the test has cut it off".into() }),
        }
    }
}

#[async_trait]
impl Queue for Cuttable {
    async fn submit(&self, submission: Submission) -> Result<Receipt, Error> {
        self.through()?.submit(submission).await
    }

    async fn claim(&self, worker: &str, room: usize, wait: Duration) -> Result<Vec<Claim>, Error> {
        self.through()?.claim(worker, room, wait).await
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        let holds = self.through()?.extend(leases).await;
        self.extensions.fetch_add(1, Ordering::SeqCst);
        holds
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        self.through()?.release(leases).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, Error> {
        self.through()?.settle(settlements).await
    }

    async fn abandon(&self, worker: &str, cause: Cause) -> Result<usize, Error> {
        self.through()?.abandon(worker, cause).await
    }

    async fn sweep(&self) -> Result<(), Error> {
        self.through()?.sweep().await
    }

    async fn statuses(&self, jobs: &[JobId]) -> Result<Vec<Option<Status>>, Error> {
        self.through()?.statuses(jobs).await
    }

    async fn batch(&self, batch: BatchId) -> Result<Vec<Status>, Error> {
        self.through()?.batch(batch).await
    }

    async fn cancel(&self, job: JobId) -> Result<Cancellation, Error> {
        self.through()?.cancel(job).await
    }

    async fn depth(&self) -> Result<Depth, Error> {
        self.through()?.depth().await
    }

    async fn latest(&self) -> Result<Cursor, Error> {
        self.through()?.latest().await
    }

    async fn changes(&self, after: Cursor, wait: Duration) -> Result<Changes, Error> {
        self.through()?.changes(after, wait).await
    }

    async fn dead(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.through()?.dead(limit).await
    }

    async fn replay(&self, job: JobId) -> Result<bool, Error> {
        self.through()?.replay(job).await
    }

    async fn discard(&self, job: JobId) -> Result<bool, Error> {
        self.through()?.discard(job).await
    }
}
