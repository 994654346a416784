//! How do the jobs of a dead worker get to the others without waiting for a lease to expire?
//!
//! Those who see a worker die reclaim its jobs here. A queue that does not answer is no reason to try again: the leases
//! expire by themselves, only later.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use tracing::{info, warn};

use kana_queue::{Cause, Queue, WorkerId};

/// Workers whose jobs are reclaimed concurrently: a node that dies with a hundred should not block the queue.
const CONCURRENCY_MAX: usize = 8;

/// Returns a dead worker's jobs to the queue at once. Where the queue does not answer, their leases expire instead.
pub async fn reclaim(queue: Arc<dyn Queue>, worker: WorkerId, cause: Cause) {
    match queue.reclaim(&worker, cause).await {
        Ok(0) => {}
        Ok(jobs) => info!(worker = %worker, pod = worker.pod(), jobs, "reclaimed {jobs} jobs of {worker}"),
        Err(error) => {
            let (pod, error) = (worker.pod(), format!("{:#}", anyhow::Error::from(error)));
            warn!(worker = %worker, pod, error = %error, "could not reclaim the jobs of {worker}, their leases will expire");
        }
    }
}

/// Returns the jobs of these lost pods to the queue at once, whichever of a pod's workers held them. However many pods
/// there are, the queue is asked only once who holds jobs.
pub async fn reclaim_from_pods(queue: &Arc<dyn Queue>, pods: &BTreeMap<String, Cause>) {
    if pods.is_empty() {
        return;
    }
    match queue.depth().await {
        Ok(depth) => {
            let holders = depth.running.into_keys().filter_map(|worker| {
                let cause = *pods.get(worker.pod())?;
                Some((worker, cause))
            });
            reclaim_from_all(queue, holders).await;
        }
        Err(error) => {
            let (count, error) = (pods.len(), format!("{:#}", anyhow::Error::from(error)));
            warn!(error = %error, "could not look up the jobs of {count} lost pods, their leases will expire");
        }
    }
}

/// Returns the jobs of all these dead workers to the queue at once.
pub async fn reclaim_from_all(queue: &Arc<dyn Queue>, dead: impl IntoIterator<Item = (WorkerId, Cause)>) {
    let calls = dead.into_iter().map(|(worker, cause)| reclaim(queue.clone(), worker, cause));
    futures::stream::iter(calls).buffer_unordered(CONCURRENCY_MAX).collect::<()>().await;
}
