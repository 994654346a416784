//! How do the jobs of a terminated worker get to other workers before their leases expire?
//!
//! The process that sees a worker end reclaims its jobs here. If the queue does not answer, the call is not repeated:
//! the leases expire by themselves, only later.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use tracing::{info, warn};

use crate::telemetry::Chain;
use kana_queue::{Cause, Queue, WorkerId};

/// Largest number of workers whose jobs are reclaimed at once: a node that fails with a hundred should not block the
/// queue.
const CONCURRENCY_MAX: usize = 8;

/// Reclaims the jobs of a terminated worker, and returns how many there were. If the queue does not answer, their leases
/// expire instead.
pub async fn reclaim(queue: Arc<dyn Queue>, worker: WorkerId, cause: Cause) -> usize {
    match queue.reclaim(&worker, cause).await {
        Ok(0) => 0,
        Ok(jobs) => {
            info!(worker = %worker, pod = worker.pod(), jobs, "reclaimed {jobs} jobs of {worker}");
            jobs
        }
        Err(error) => {
            let (pod, error) = (worker.pod(), Chain(&error));
            warn!(worker = %worker, pod, error = %error, "could not reclaim the jobs of {worker}, their leases will expire");
            0
        }
    }
}

/// Reclaims the jobs of these lost pods, whichever of a pod's incarnations held them, and returns how many there were.
/// The queue is asked only once who holds jobs, however many pods there are.
pub async fn reclaim_from_pods(queue: &Arc<dyn Queue>, pods: &BTreeMap<String, Cause>) -> usize {
    if pods.is_empty() {
        return 0;
    }
    match queue.depth().await {
        Ok(depth) => {
            let holders = depth.running.into_keys().filter_map(|worker| {
                let cause = *pods.get(worker.pod())?;
                Some((worker, cause))
            });
            reclaim_from_all(queue, holders).await
        }
        Err(error) => {
            let (count, error) = (pods.len(), Chain(&error));
            warn!(error = %error, "could not look up the jobs of {count} lost pods, their leases will expire");
            0
        }
    }
}

/// Reclaims the jobs of all these terminated workers, and returns how many there were.
pub async fn reclaim_from_all(queue: &Arc<dyn Queue>, workers: impl IntoIterator<Item = (WorkerId, Cause)>) -> usize {
    let calls = workers.into_iter().map(|(worker, cause)| reclaim(queue.clone(), worker, cause));
    futures::stream::iter(calls).buffer_unordered(CONCURRENCY_MAX).fold(0, |sum, jobs| async move { sum + jobs }).await
}
