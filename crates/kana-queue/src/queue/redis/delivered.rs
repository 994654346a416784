//! Which jobs were delivered to which worker?
//!
//! Redis assigns a job to a worker when it answers, and the answer may get lost. This record tells the jobs that
//! reached a worker from those that were assigned to it and never arrived.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::RwLock;
use tokio::time::Instant;

use crate::WorkerId;
use crate::job::JobId;
use crate::queue::Lease;

use super::claim::LOOK_AGAIN;

/// Time for which Redis may go on assigning jobs by a read that broke off, because it has not noticed that the connection
/// is closed: as long as a read blocks, at most.
const LATE_MAX: Duration = LOOK_AGAIN;

/// The jobs delivered to the workers of this process.
#[derive(Default)]
pub struct Delivered(Mutex<HashMap<WorkerId, Jobs>>);

/// One worker's jobs.
#[derive(Default)]
struct Jobs {
    ids: HashSet<JobId>,
    /// Where an answer got lost, and jobs with it: until when Redis may still assign some that nobody receives.
    lost_until: Option<Instant>,
    /// Held by those that read jobs, until the jobs are recorded here; alone by who releases what is not.
    reading: Arc<RwLock<()>>,
}

impl Jobs {
    fn is_needed(&self) -> bool {
        self.lost_until.is_some() || !self.ids.is_empty() || Arc::strong_count(&self.reading) > 1
    }
}

impl Delivered {
    /// Records that jobs reached a worker.
    pub fn add(&self, worker: &WorkerId, jobs: impl Iterator<Item = JobId>) {
        self.0.lock().entry(worker.to_owned()).or_default().ids.extend(jobs);
    }

    /// The lock that is shared by those that read jobs for a worker until they have recorded them, and taken alone to
    /// release what never reached the worker: in between, jobs are on their way that look just like those.
    pub fn reading(&self, worker: &WorkerId) -> Arc<RwLock<()>> {
        Arc::clone(&self.0.lock().entry(worker.to_owned()).or_default().reading)
    }

    /// The jobs that a worker has.
    pub fn jobs(&self, worker: &WorkerId) -> Vec<JobId> {
        self.0.lock().get(worker).map(|jobs| jobs.ids.iter().copied().collect()).unwrap_or_default()
    }

    /// Records that jobs may have been assigned to a worker that never reached it, or will be within [`LATE_MAX`].
    pub fn record_lost_answer(&self, worker: &WorkerId) {
        self.record_undelivered(worker, Instant::now() + LATE_MAX);
    }

    /// Records that jobs may be assigned to a worker until then that never reach it.
    pub fn record_undelivered(&self, worker: &WorkerId, until: Instant) {
        let mut workers = self.0.lock();
        let jobs = workers.entry(worker.to_owned()).or_default();
        jobs.lost_until = jobs.lost_until.max(Some(until));
    }

    /// Records that every job was released which had not reached a worker at the time `asked`.
    pub fn record_release(&self, worker: &WorkerId, asked: Instant) {
        if let Some(jobs) = self.0.lock().get_mut(worker) {
            jobs.lost_until = jobs.lost_until.filter(|until| asked < *until);
        }
    }

    /// Whether jobs may have been assigned to a worker that never reached it.
    pub fn has_lost_answer(&self, worker: &WorkerId) -> bool {
        self.0.lock().get(worker).is_some_and(|jobs| jobs.lost_until.is_some())
    }

    /// Removes jobs whose leases are over, whoever ended them.
    pub fn remove<'a>(&self, leases: impl Iterator<Item = &'a Lease>) {
        let mut workers = self.0.lock();
        for lease in leases {
            if let Some(jobs) = workers.get_mut(&lease.worker) {
                jobs.ids.remove(&lease.job);
            }
        }
        workers.retain(|_, jobs| jobs.is_needed());
    }
}
