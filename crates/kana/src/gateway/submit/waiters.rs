//! Which request waits for which job?
//!
//! A request that waits registers its jobs before they are submitted, so that none can be settled unseen, and sleeps
//! until the follower has reported every one. Dropping a [`Waiter`], as when its client disconnects, unregisters it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use kana_queue::job::{JobId, Progress, Status};

/// All requests that wait.
#[derive(Default)]
pub struct Waiters {
    by_job: Mutex<HashMap<JobId, Vec<Arc<Wait>>>>,
}

/// The jobs that one request waits for.
#[derive(Default)]
struct Wait {
    state: Mutex<WaitState>,
    complete: Notify,
}

#[derive(Default)]
struct WaitState {
    missing: HashSet<JobId>,
    settled: HashMap<JobId, Status>,
}

/// A request that waits.
pub struct Waiter {
    waiters: Arc<Waiters>,
    wait: Arc<Wait>,
    jobs: Vec<JobId>,
}

impl Waiters {
    /// Registers a request that waits for `jobs`.
    pub fn register(self: &Arc<Self>, jobs: impl IntoIterator<Item = JobId>) -> Waiter {
        let jobs: Vec<JobId> = jobs.into_iter().collect();
        let wait = Arc::new(Wait::default());
        wait.state.lock().missing.extend(&jobs);
        let mut by_job = self.by_job.lock();
        for job in &jobs {
            by_job.entry(*job).or_default().push(wait.clone());
        }
        drop(by_job);
        Waiter { waiters: self.clone(), wait, jobs }
    }

    /// Notifies the requests that wait for this job, if it is settled.
    pub fn notify(&self, status: &Status) {
        if !matches!(status.progress, Progress::Settled(_)) {
            return;
        }
        let waits = self.by_job.lock().get(&status.id).cloned().unwrap_or_default();
        for wait in waits {
            wait.record_settled(status);
        }
    }

    /// Returns every job that some request waits for.
    pub fn jobs(&self) -> Vec<JobId> {
        self.by_job.lock().keys().copied().collect()
    }
}

impl Wait {
    fn record_settled(&self, status: &Status) {
        let mut state = self.state.lock();
        if state.missing.remove(&status.id) {
            state.settled.insert(status.id, status.clone());
        }
        if state.missing.is_empty() {
            self.complete.notify_one();
        }
    }
}

impl Waiter {
    /// Waits until every job is settled.
    pub async fn complete(&self) {
        let is_complete = self.wait.state.lock().missing.is_empty();
        if !is_complete {
            // `record_settled` leaves a permit, so a settlement between these two lines is not missed.
            self.wait.complete.notified().await;
        }
    }

    /// Records the status of a job, which the caller has read from the queue.
    pub fn record(&self, status: &Status) {
        if matches!(status.progress, Progress::Settled(_)) {
            self.wait.record_settled(status);
        }
    }

    /// Returns the jobs that this request waits for.
    pub fn jobs(&self) -> &[JobId] {
        &self.jobs
    }

    /// Returns the jobs settled so far.
    pub fn settled(&self) -> HashMap<JobId, Status> {
        self.wait.state.lock().settled.clone()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut by_job = self.waiters.by_job.lock();
        for job in &self.jobs {
            if let Some(waits) = by_job.get_mut(job) {
                waits.retain(|wait| !Arc::ptr_eq(wait, &self.wait));
                if waits.is_empty() {
                    by_job.remove(job);
                }
            }
        }
    }
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

        waiters.notify(&settled(jobs[0]));
        assert!(waiter.complete().now_or_never().is_none());

        waiters.notify(&settled(jobs[1]));
        assert!(waiter.complete().now_or_never().is_some());
        assert_eq!(waiter.settled().len(), 2);
    }

    #[test]
    fn a_job_that_only_started_wakes_nobody() {
        let waiters = Arc::new(Waiters::default());
        let job = JobId::new();
        let waiter = waiters.register([job]);

        waiters.notify(&status(job, Progress::Running { worker: "w".into() }));

        assert!(waiter.complete().now_or_never().is_none());
    }

    #[test]
    fn everybody_who_waits_for_a_job_is_notified() {
        let waiters = Arc::new(Waiters::default());
        let job = JobId::new();
        let (first, second) = (waiters.register([job]), waiters.register([job]));

        waiters.notify(&settled(job));

        assert!(first.complete().now_or_never().is_some() && second.complete().now_or_never().is_some());
    }

    #[test]
    fn a_dropped_waiter_is_unregistered() {
        let waiters = Arc::new(Waiters::default());
        let job = JobId::new();
        let (first, second) = (waiters.register([job]), waiters.register([job]));

        drop(first);
        assert_eq!(waiters.jobs(), [job]);

        drop(second);
        assert!(waiters.jobs().is_empty());
    }
}
