//! What does a queue do that fails when told to?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use kana_engine::image::Image;
use kana_queue::job::{BatchId, JobId, Status};
use kana_queue::{
    Cancellation, Cause, Changes, Claim, Cursor, DeadLetter, Depth, Error, Hold, Lease, LostAttempt, Queue, Receipt,
    Run, Settled, Settlement, Submission, WorkerId,
};

/// A queue that does not answer while it is down.
pub struct Faulty {
    inner: Arc<dyn Queue>,
    down: AtomicBool,
    cursed: AtomicBool,
    mute: AtomicBool,
    extensions: AtomicUsize,
    looks: AtomicUsize,
}

impl Faulty {
    pub fn new(inner: Arc<dyn Queue>) -> Self {
        let (down, cursed, mute) = (AtomicBool::new(false), AtomicBool::new(false), AtomicBool::new(false));
        Self { inner, down, cursed, mute, extensions: AtomicUsize::new(0), looks: AtomicUsize::new(0) }
    }

    /// Fails every call from now on, those under way too.
    pub fn fail(&self) {
        self.down.store(true, Ordering::SeqCst);
    }

    /// Panics at the next question about a batch.
    pub fn curse(&self) {
        self.cursed.store(true, Ordering::SeqCst);
    }

    /// Neither answers nor fails when asked how much there is to do.
    pub fn fall_silent(&self) {
        self.mute.store(true, Ordering::SeqCst);
    }

    /// Answers again.
    pub fn mend(&self) {
        self.down.store(false, Ordering::SeqCst);
    }

    /// The queue itself, which never fails.
    pub fn behind_the_scenes(&self) -> &dyn Queue {
        &*self.inner
    }

    /// How many times leases were extended.
    pub fn extensions(&self) -> usize {
        self.extensions.load(Ordering::SeqCst)
    }

    /// How many times it was asked how much there is to do.
    pub fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }

    fn check(&self, action: &'static str) -> Result<(), Error> {
        if self.down.load(Ordering::SeqCst) {
            return Err(Error::Unavailable { action, source: "/secret/path is on fire".into() });
        }
        Ok(())
    }
}

#[async_trait]
impl Queue for Faulty {
    async fn submit(&self, submission: Submission) -> Result<Receipt, Error> {
        self.check("submit")?;
        self.inner.submit(submission).await
    }

    async fn claim(&self, worker: &WorkerId, room: usize, wait: Duration) -> Result<Vec<Claim>, Error> {
        self.check("claim")?;
        self.inner.claim(worker, room, wait).await
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        self.check("extend")?;
        let holds = self.inner.extend(leases).await;
        self.extensions.fetch_add(1, Ordering::SeqCst);
        holds
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        self.check("release")?;
        self.inner.release(leases).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, Error> {
        self.check("settle")?;
        self.inner.settle(settlements).await
    }

    async fn reclaim(&self, worker: &WorkerId, cause: Cause) -> Result<usize, Error> {
        self.check("reclaim")?;
        self.inner.reclaim(worker, cause).await
    }

    async fn sweep(&self) -> Result<(), Error> {
        self.check("sweep")?;
        self.inner.sweep().await
    }

    async fn statuses(&self, jobs: &[JobId]) -> Result<Vec<Option<Status>>, Error> {
        self.check("statuses")?;
        self.inner.statuses(jobs).await
    }

    async fn batch(&self, batch: BatchId) -> Result<Vec<Status>, Error> {
        self.check("batch")?;
        assert!(!self.cursed.swap(false, Ordering::SeqCst), "as asked for");
        self.inner.batch(batch).await
    }

    async fn lost(&self, jobs: &[JobId]) -> Result<Vec<Vec<LostAttempt>>, Error> {
        self.check("lost")?;
        self.inner.lost(jobs).await
    }

    async fn runs(&self, before: Option<BatchId>, limit: usize) -> Result<Vec<Run>, Error> {
        self.check("runs")?;
        self.inner.runs(before, limit).await
    }

    async fn image(&self, job: JobId) -> Result<Option<Image>, Error> {
        self.check("image")?;
        self.inner.image(job).await
    }

    async fn cancel(&self, job: JobId) -> Result<Cancellation, Error> {
        self.check("cancel")?;
        self.inner.cancel(job).await
    }

    async fn depth(&self) -> Result<Depth, Error> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.check("depth")?;
        if self.mute.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.inner.depth().await
    }

    async fn latest(&self) -> Result<Cursor, Error> {
        self.check("latest")?;
        self.inner.latest().await
    }

    async fn changes(&self, after: Cursor, wait: Duration) -> Result<Changes, Error> {
        self.check("changes")?;
        let changes = self.inner.changes(after, wait).await?;
        self.check("changes")?;
        Ok(changes)
    }

    async fn dead(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.check("dead")?;
        self.inner.dead(limit).await
    }

    async fn replay(&self, job: JobId) -> Result<bool, Error> {
        self.check("replay")?;
        self.inner.replay(job).await
    }

    async fn discard(&self, job: JobId) -> Result<bool, Error> {
        self.check("discard")?;
        self.inner.discard(job).await
    }
}
