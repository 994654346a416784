//! Which events does a queue log?
//!
//! Only what nobody else sees: a lease that expired. Workers log what they claim, settle and release; gateways log what
//! they accept and what became of it. A Redis expires leases by itself, unseen by any process: there the job's next
//! delivery is the first line.

use tracing::info;

use crate::WorkerId;
use crate::job::JobId;

/// The end of an attempt whose lease expired.
#[derive(Clone, Debug)]
pub struct Expired {
    pub job: JobId,
    pub worker: WorkerId,
}

impl Expired {
    /// Writes the line. Call this once the end is committed.
    pub fn log(&self) {
        let Self { job, worker } = self;
        info!(job.id = %job, worker = %worker, "the lease of worker {worker} on job {job} expired");
    }
}
