//! Which events of a job does a queue log?
//!
//! Those that a person looks for when a job took long or failed, and that the queue alone sees: a lease that expired, a
//! job that was delivered again, a job that was given up. A Redis expires leases by itself, unseen by any process: there
//! the delivery that follows is the first line.

use tracing::{info, warn};

use crate::WorkerId;
use crate::job::JobId;

use super::{Claim, Settled, Settlement};

/// The end of an attempt that is worth a line.
#[derive(Clone, Debug)]
pub enum Event {
    /// A lease expired.
    Expired { job: JobId, worker: WorkerId },
    /// A job was given up.
    DeadLettered { job: JobId, worker: WorkerId, reason: String },
}

impl Event {
    /// Writes the line. Call this once the event is committed.
    pub fn log(&self) {
        match self {
            Self::Expired { job, worker } => {
                info!(job.id = %job, worker = %worker, "the lease of worker {worker} on job {job} expired");
            }
            Self::DeadLettered { job, worker, reason } => {
                warn!(job.id = %job, worker = %worker, "dead-lettered job {job}: {reason}");
            }
        }
    }
}

/// Logs the claims of jobs that were delivered before.
pub fn redelivered(claims: &[Claim]) {
    for Claim { lease, attempt, .. } in claims.iter().filter(|claim| claim.attempt > 1) {
        let (job, worker) = (lease.job, &lease.worker);
        info!(job.id = %job, worker = %worker, attempt, "redelivered job {job} to worker {worker}: attempt {attempt}");
    }
}

/// Logs the settlements that gave a job up.
pub fn dead_lettered(settlements: &[Settlement], settled: &[Settled]) {
    let dead = settlements.iter().zip(settled).filter(|(_, settled)| **settled == Settled::Dead);
    for (Settlement { lease, result }, _) in dead {
        if let Err(reason) = result {
            let (job, worker, reason) = (lease.job, lease.worker.clone(), reason.clone());
            Event::DeadLettered { job, worker, reason }.log();
        }
    }
}
