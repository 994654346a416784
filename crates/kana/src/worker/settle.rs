//! How is the queue told what became of a batch?

use std::sync::Arc;

use tracing::{debug, warn};

use super::Desk;
use super::backoff::Backoff;
use super::drain::QUEUE_PATIENCE;
use kana_queue::{Settled, Settlement};

/// Settles a batch, however long the queue takes to answer; gives up only when the worker must end. Jobs whose lease
/// was lost are left out: another worker has them.
pub async fn settle(desk: Arc<Desk>, settlements: Vec<Settlement>) {
    let settlements = desk.held.settling(settlements);
    if settlements.is_empty() {
        return;
    }
    let mut backoff = Backoff::default();
    loop {
        let answer = tokio::select! {
            answer = desk.queue.settle(settlements.clone()) => answer,
            () = desk.drain.over(QUEUE_PATIENCE) => break,
        };
        match answer {
            Ok(settled) => return count(&desk, &settlements, &settled),
            Err(error) => {
                let error = anyhow::Error::from(error);
                warn!("could not settle {} jobs, trying again: {error:#}", settlements.len());
                desk.vitals.set_ready(false);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.pause(rand::random())) => {}
            () = desk.drain.over(QUEUE_PATIENCE) => break,
        }
    }
    warn!("ended before {} jobs could be settled: they will be done again", settlements.len());
}

fn count(desk: &Desk, settlements: &[Settlement], settled: &[Settled]) {
    for (settlement, settled) in settlements.iter().zip(settled) {
        let job = settlement.lease.job;
        match settled {
            Settled::Done => _ = desk.metrics.images.inc(),
            Settled::Retried | Settled::Dead => _ = desk.metrics.attempts_failed.inc(),
            Settled::Late => _ = desk.metrics.leases_lost.inc(),
        }
        debug!(job.id = %job, "settled job {job}: {settled:?}");
    }
    desk.held.settled(settlements.iter().map(|settlement| &settlement.lease));
}
