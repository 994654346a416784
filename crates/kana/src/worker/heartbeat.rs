//! Who tells the queue that work is still being done?
//!
//! The heartbeat extends every lease held, three times in a lease's life. It falls silent once the worker makes no
//! progress any more: a stuck engine must not keep its jobs from other workers.

use std::time::Duration;

use tracing::warn;

use super::Desk;
use kana_queue::Hold;

/// Heartbeats in a lease's life: two may be missed.
const BEATS_A_LEASE: u32 = 3;

/// Beats for as long as it is polled.
pub async fn beat(desk: &Desk, lease: Duration) {
    loop {
        tokio::time::sleep(lease / BEATS_A_LEASE).await;
        let leases = desk.held.all();
        if leases.is_empty() || !desk.vitals.is_alive() {
            continue;
        }
        match desk.queue.extend(&leases).await {
            Ok(holds) => {
                let lost = leases.iter().zip(holds).filter(|(_, hold)| *hold == Hold::Lost).map(|(lease, _)| lease);
                for lease in lost.filter(|lease| desk.held.lost(lease)) {
                    desk.metrics.leases_lost.inc();
                    warn!(job.id = %lease.job, "lost the lease on {}: its result will be dropped", lease.job);
                }
            }
            // The consumer meets the same queue and steers readiness; a missed beat costs nothing by itself.
            Err(error) => warn!("could not extend {} leases: {:#}", leases.len(), anyhow::Error::from(error)),
        }
    }
}
