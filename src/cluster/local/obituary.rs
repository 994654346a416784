//! What is said and done when a child has died?

use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use super::respawn::Death;
use crate::queue::Queue;

/// A child's end, for the log.
#[derive(Clone, Copy, Debug)]
pub struct Obituary<'a> {
    /// The child.
    pub name: &'a str,
    /// How it ended.
    pub how: &'a str,
    /// Its last lines.
    pub tail: &'a [String],
}

impl Obituary<'_> {
    /// Of one that was asked to end.
    pub fn of_one_asked(&self) {
        info!("{} {}, as it was asked to", self.name, self.how);
    }

    /// Of one that will be replaced after `pause`.
    pub fn of_one_replaced(&self, death: Death, pause: Duration) {
        let Self { name, how, tail } = self;
        if pause.is_zero() {
            warn!("{name} {how}, and is replaced");
        } else {
            let (age, tail) = (death.age, tail.join("\n"));
            error!("{name} {how} {age:.1?} after its start; the next one waits {pause:?}; its last words:\n{tail}");
        }
    }
}

/// Gives a dead worker's jobs to the others at once. Where the queue does not answer, their leases lapse instead.
pub async fn take_back(queue: Arc<dyn Queue>, name: String, death: Death) {
    match queue.abandon(&name, death.cause).await {
        Ok(0) => {}
        Ok(jobs) => info!("took {jobs} jobs back from {name}"),
        Err(failure) => {
            let failure = anyhow::Error::from(failure);
            warn!("could not take the jobs of {name} back, their leases will lapse: {failure:#}");
        }
    }
}
