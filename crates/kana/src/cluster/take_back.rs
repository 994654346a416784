//! How do a dead worker's jobs come to the others at once?

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use tracing::{info, warn};

use kana_queue::{Cause, Queue, WorkerId};

/// Workers whose jobs are taken back at a time: a node that dies with a hundred should not hold the queue up.
const AT_ONCE: usize = 8;

/// Gives a dead worker's jobs to the others at once. Where the queue does not answer, their leases lapse instead.
pub async fn take_back(queue: Arc<dyn Queue>, worker: WorkerId, cause: Cause) {
    match queue.reclaim(&worker, cause).await {
        Ok(0) => {}
        Ok(jobs) => info!("took {jobs} jobs back from {worker}"),
        Err(failure) => {
            let failure = anyhow::Error::from(failure);
            warn!("could not take the jobs of {worker} back, their leases will lapse: {failure:#}");
        }
    }
}

/// Gives to the others at once what these pods held that are gone, in whichever of their lives. However many they are,
/// the queue is asked once who holds anything.
pub async fn take_back_pods(queue: &Arc<dyn Queue>, pods: &BTreeMap<String, Cause>) {
    if pods.is_empty() {
        return;
    }
    match queue.depth().await {
        Ok(depth) => {
            let held = depth.running.into_keys().filter_map(|worker| {
                let cause = *pods.get(worker.pod())?;
                Some((worker, cause))
            });
            take_all_back(queue, held).await;
        }
        Err(failure) => {
            let (count, failure) = (pods.len(), anyhow::Error::from(failure));
            warn!("could not look for the jobs of {count} pods, their leases will lapse: {failure:#}");
        }
    }
}

/// Gives the jobs of all these workers to the others at once.
pub async fn take_all_back(queue: &Arc<dyn Queue>, dead: impl IntoIterator<Item = (WorkerId, Cause)>) {
    let calls = dead.into_iter().map(|(worker, cause)| take_back(queue.clone(), worker, cause));
    futures::stream::iter(calls).buffer_unordered(AT_ONCE).collect::<()>().await;
}
