//! How does the queue know that work is still being done?
//!
//! The heartbeat extends every held lease three times in the duration of a lease. It stops when the worker makes no
//! progress any more: a stuck engine must not keep its jobs from other workers.

use std::time::Duration;

use tracing::warn;

use super::Context;
use crate::telemetry::Chain;
use kana_queue::Hold;

/// Heartbeats in the duration of a lease: two may be missed.
const HEARTBEATS_PER_LEASE: u32 = 3;

/// Extends all held leases periodically, for as long as the future is polled.
pub async fn extend_leases(context: &Context, lease: Duration) {
    let worker = &context.id;
    loop {
        tokio::time::sleep(lease / HEARTBEATS_PER_LEASE).await;
        let leases = context.leases.all();
        if leases.is_empty() || !context.liveness.is_alive() {
            continue;
        }
        match context.queue.extend(&leases).await {
            Ok(holds) => {
                let lost = leases.iter().zip(holds).filter(|(_, hold)| *hold == Hold::Lost).map(|(lease, _)| lease);
                for lease in lost.filter(|lease| context.leases.remove_lost(lease)) {
                    context.metrics.leases_lost.inc();
                    let job = lease.job;
                    warn!(job.id = %job, worker = %worker, "lost the lease on job {job}: its answer counts where it comes first");
                }
            }
            // The consumer calls the same queue and steers readiness; a missed heartbeat costs nothing by itself.
            Err(error) => {
                warn!(worker = %worker, error = %Chain(&error), "could not extend {} leases", leases.len());
            }
        }
    }
}
