//! How do a dead worker's jobs come to the others at once?

use std::sync::Arc;

use tracing::{info, warn};

use crate::pod;
use crate::queue::{Cause, Queue};

/// Gives a dead worker's jobs to the others at once. Where the queue does not answer, their leases lapse instead.
pub async fn take_back(queue: Arc<dyn Queue>, worker: String, cause: Cause) {
    match queue.abandon(&worker, cause).await {
        Ok(0) => {}
        Ok(jobs) => info!("took {jobs} jobs back from {worker}"),
        Err(failure) => {
            let failure = anyhow::Error::from(failure);
            warn!("could not take the jobs of {worker} back, their leases will lapse: {failure:#}");
        }
    }
}

/// Gives to the others at once what a pod held that is gone, in whichever of its lives.
pub async fn take_back_pod(queue: &Arc<dyn Queue>, pod: &str, cause: Cause) {
    match queue.depth().await {
        Ok(depth) => {
            for worker in depth.running.into_keys().filter(|worker| pod::of_worker(worker) == pod) {
                take_back(queue.clone(), worker, cause).await;
            }
        }
        Err(failure) => {
            let failure = anyhow::Error::from(failure);
            warn!("could not look for the jobs of {pod}, their leases will lapse: {failure:#}");
        }
    }
}
