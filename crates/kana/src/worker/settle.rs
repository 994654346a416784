//! How do the results of a batch reach the queue?
//!
//! The results are sent again until the queue answers or the worker must end. A failure whose lease was lost
//! is not sent: another worker has the job. An answer is: the queue takes the first, and a job that takes longer than its
//! lease would otherwise never end.

use std::sync::Arc;
use std::time::Instant;

use tracing::{debug, warn};

use super::drain::QUEUE_PATIENCE;
use super::{Context, QUEUE_BACKOFF};
use crate::telemetry::Chain;
use kana_queue::backoff::Backoff;
use kana_queue::{Settled, Settlement};

/// Settles a batch, however long the queue takes to answer; gives up only when the worker must end.
pub async fn settle(context: Arc<Context>, settlements: Vec<Settlement>) {
    let settlements = context.leases.begin_settling(settlements);
    if settlements.is_empty() {
        return;
    }
    let (worker, count) = (&context.id, settlements.len());
    let mut backoff = Backoff::new(QUEUE_BACKOFF);
    let started = Instant::now();
    loop {
        let answer = tokio::select! {
            answer = context.queue.settle(settlements.clone()) => answer,
            () = context.drain.over(QUEUE_PATIENCE) => break,
        };
        match answer {
            Ok(settled) => {
                context.metrics.record_settle(started.elapsed());
                return record(&context, &settlements, &settled);
            }
            Err(error) => {
                warn!(worker = %worker, error = %Chain(&error), "could not settle {count} jobs, trying again");
                context.liveness.mark_unready();
            }
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.fail()) => {}
            () = context.drain.over(QUEUE_PATIENCE) => break,
        }
    }
    warn!(worker = %worker, "ended before {count} jobs could be settled: another worker will claim them");
}

/// Logs and counts the result of each settlement, and removes its lease.
fn record(context: &Context, settlements: &[Settlement], settled: &[Settled]) {
    for (settlement, settled) in settlements.iter().zip(settled) {
        let outcome = match settled {
            Settled::Done => {
                context.metrics.images.inc();
                "done"
            }
            Settled::Retried => {
                context.metrics.attempts_failed.inc();
                "this attempt failed, another one follows"
            }
            Settled::Dead => {
                context.metrics.attempts_failed.inc();
                "the last attempt failed"
            }
            Settled::Late => {
                context.metrics.leases_lost.inc();
                "dropped, the lease was lost or the job was over"
            }
        };
        let job = settlement.lease.job;
        debug!(job.id = %job, worker = %context.id, "settled job {job}: {outcome}");
    }
    context.leases.remove(settlements.iter().map(|settlement| &settlement.lease));
}
