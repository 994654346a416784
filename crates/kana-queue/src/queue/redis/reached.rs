//! Which jobs reached which worker?
//!
//! Redis delivers a job when it answers, and the answer may get lost. What is noted here tells the jobs that a worker
//! has from those that it was given and never saw.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::WorkerId;
use crate::job::JobId;
use crate::queue::Lease;

/// What reached the workers of this process.
#[derive(Default)]
pub struct Reached(Mutex<HashMap<WorkerId, Hands>>);

/// What is in one worker's hands.
#[derive(Default)]
struct Hands {
    jobs: HashSet<JobId>,
    /// An answer got lost: jobs may have been delivered that never arrived.
    is_unsure: bool,
}

impl Reached {
    /// Notes that jobs reached a worker.
    pub fn add(&self, worker: &WorkerId, jobs: impl Iterator<Item = JobId>) {
        self.hands().entry(worker.to_owned()).or_default().jobs.extend(jobs);
    }

    /// The jobs that a worker has.
    pub fn jobs(&self, worker: &WorkerId) -> Vec<JobId> {
        self.hands().get(worker).map(|hands| hands.jobs.iter().copied().collect()).unwrap_or_default()
    }

    /// Notes that jobs may have been delivered to a worker that never reached it.
    pub fn doubt(&self, worker: &WorkerId) {
        self.hands().entry(worker.to_owned()).or_default().is_unsure = true;
    }

    /// Notes that all that did not reach a worker was given back.
    pub fn trust(&self, worker: &WorkerId) {
        if let Some(hands) = self.hands().get_mut(worker) {
            hands.is_unsure = false;
        }
    }

    /// Whether jobs may have been delivered to a worker that never reached it.
    pub fn is_unsure(&self, worker: &WorkerId) -> bool {
        self.hands().get(worker).is_some_and(|hands| hands.is_unsure)
    }

    /// Notes that leases are over, whoever ended them.
    pub fn forget<'a>(&self, leases: impl Iterator<Item = &'a Lease>) {
        let mut hands = self.hands();
        for lease in leases {
            if let Some(hands) = hands.get_mut(&lease.worker) {
                hands.jobs.remove(&lease.job);
            }
        }
        hands.retain(|_, hands| hands.is_unsure || !hands.jobs.is_empty());
    }

    fn hands(&self) -> MutexGuard<'_, HashMap<WorkerId, Hands>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
