//! Which jobs were delivered to which worker?
//!
//! Redis assigns a job to a worker when it answers, and the answer may get lost. This record tells the jobs that
//! reached a worker from those that were assigned to it and never arrived.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::RwLock;

use crate::WorkerId;
use crate::job::JobId;
use crate::queue::Lease;

/// The jobs delivered to the workers of this process.
#[derive(Default)]
pub struct Delivered(Mutex<HashMap<WorkerId, Jobs>>);

/// One worker's jobs.
#[derive(Default)]
struct Jobs {
    ids: HashSet<JobId>,
    /// Whether an answer got lost, and jobs with it.
    has_lost_answer: bool,
    /// Held by those that read jobs, until the jobs are recorded here; alone by who releases what is not.
    reading: Arc<RwLock<()>>,
}

impl Jobs {
    fn is_needed(&self) -> bool {
        self.has_lost_answer || !self.ids.is_empty() || Arc::strong_count(&self.reading) > 1
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

    /// Records that jobs may have been assigned to a worker that never reached it.
    pub fn record_lost_answer(&self, worker: &WorkerId) {
        self.0.lock().entry(worker.to_owned()).or_default().has_lost_answer = true;
    }

    /// Records that every job which did not reach a worker was released.
    pub fn clear_lost_answer(&self, worker: &WorkerId) {
        if let Some(jobs) = self.0.lock().get_mut(worker) {
            jobs.has_lost_answer = false;
        }
    }

    /// Whether jobs may have been assigned to a worker that never reached it.
    pub fn has_lost_answer(&self, worker: &WorkerId) -> bool {
        self.0.lock().get(worker).is_some_and(|jobs| jobs.has_lost_answer)
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
