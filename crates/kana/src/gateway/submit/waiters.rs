//! Who waits for which job?
//!
//! A request that waits registers its jobs before they are submitted, so that none can be settled unseen, and sleeps
//! until the follower has told of every one. Dropping a [`Waiter`], as when its client goes away, forgets it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use kana_queue::job::{JobId, Progress, Status};

/// Everybody who waits.
#[derive(Default)]
pub struct Waiters {
    by_job: Mutex<HashMap<JobId, Vec<Arc<Watch>>>>,
}

/// One request's jobs.
#[derive(Default)]
struct Watch {
    state: Mutex<Seen>,
    complete: Notify,
}

#[derive(Default)]
struct Seen {
    missing: HashSet<JobId>,
    settled: HashMap<JobId, Status>,
}

/// A request that waits.
pub struct Waiter {
    waiters: Arc<Waiters>,
    watch: Arc<Watch>,
    jobs: Vec<JobId>,
}

impl Waiters {
    /// Waits for `jobs` from now on.
    pub fn register(self: &Arc<Self>, jobs: impl IntoIterator<Item = JobId>) -> Waiter {
        let jobs: Vec<JobId> = jobs.into_iter().collect();
        let watch = Arc::new(Watch::default());
        lock(&watch.state).missing.extend(&jobs);
        let mut by_job = lock(&self.by_job);
        for job in &jobs {
            by_job.entry(*job).or_default().push(watch.clone());
        }
        drop(by_job);
        Waiter { waiters: self.clone(), watch, jobs }
    }

    /// Tells those who wait for this job where it stands.
    pub fn tell(&self, status: &Status) {
        if !matches!(status.progress, Progress::Settled(_)) {
            return;
        }
        let watches = lock(&self.by_job).get(&status.id).cloned().unwrap_or_default();
        for watch in watches {
            watch.tell(status);
        }
    }

    /// Every job that somebody waits for.
    pub fn jobs(&self) -> Vec<JobId> {
        lock(&self.by_job).keys().copied().collect()
    }
}

impl Watch {
    fn tell(&self, status: &Status) {
        let mut seen = lock(&self.state);
        if seen.missing.remove(&status.id) {
            seen.settled.insert(status.id, status.clone());
        }
        if seen.missing.is_empty() {
            self.complete.notify_one();
        }
    }
}

impl Waiter {
    /// Returns when every job is settled.
    pub async fn complete(&self) {
        if !lock(&self.watch.state).missing.is_empty() {
            // `tell` leaves a permit, so a settlement between these two lines is not missed.
            self.watch.complete.notified().await;
        }
    }

    /// Takes note of what is known from elsewhere.
    pub fn note(&self, status: &Status) {
        if matches!(status.progress, Progress::Settled(_)) {
            self.watch.tell(status);
        }
    }

    /// The jobs waited for.
    pub fn jobs(&self) -> &[JobId] {
        &self.jobs
    }

    /// The outcomes seen so far.
    pub fn settled(&self) -> HashMap<JobId, Status> {
        lock(&self.watch.state).settled.clone()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut by_job = lock(&self.waiters.by_job);
        for job in &self.jobs {
            if let Some(watches) = by_job.get_mut(job) {
                watches.retain(|watch| !Arc::ptr_eq(watch, &self.watch));
                if watches.is_empty() {
                    by_job.remove(job);
                }
            }
        }
    }
}

/// Nothing panics while it holds one of these locks, so what they guard is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt as _;

    use super::*;
    use kana_queue::clock::Timestamp;
    use kana_queue::job::{BatchId, Outcome, Verdict};

    fn status(id: JobId, progress: Progress) -> Status {
        let submitted = Timestamp::default();
        Status { id, batch: BatchId::new(), filename: String::new(), submitted, attempts: 1, progress }
    }

    fn settled(id: JobId) -> Status {
        let outcome = Outcome {
            settled: Timestamp::default(),
            worker: None,
            queued: Duration::ZERO,
            verdict: Verdict::Cancelled,
        };
        status(id, Progress::Settled(outcome))
    }

    #[test]
    fn a_waiter_wakes_when_the_last_of_its_jobs_is_settled() {
        let waiters = Arc::new(Waiters::default());
        let jobs = [JobId::new(), JobId::new()];
        let waiter = waiters.register(jobs);

        waiters.tell(&settled(jobs[0]));
        assert!(waiter.complete().now_or_never().is_none());

        waiters.tell(&settled(jobs[1]));
        assert!(waiter.complete().now_or_never().is_some());
        assert_eq!(waiter.settled().len(), 2);
    }

    #[test]
    fn a_job_that_only_started_wakes_nobody() {
        let waiters = Arc::new(Waiters::default());
        let job = JobId::new();
        let waiter = waiters.register([job]);

        waiters.tell(&status(job, Progress::Running { worker: "w".into() }));

        assert!(waiter.complete().now_or_never().is_none());
    }

    #[test]
    fn everybody_who_waits_for_a_job_is_told() {
        let waiters = Arc::new(Waiters::default());
        let job = JobId::new();
        let (first, second) = (waiters.register([job]), waiters.register([job]));

        waiters.tell(&settled(job));

        assert!(first.complete().now_or_never().is_some() && second.complete().now_or_never().is_some());
    }

    #[test]
    fn a_waiter_that_goes_away_leaves_nothing_behind() {
        let waiters = Arc::new(Waiters::default());
        let job = JobId::new();
        let (first, second) = (waiters.register([job]), waiters.register([job]));

        drop(first);
        assert_eq!(waiters.jobs(), [job]);

        drop(second);
        assert!(waiters.jobs().is_empty());
    }
}
