//! How long does a worker keep working after it was asked to stop?
//!
//! The worker ends within two seconds of SIGTERM: [`BATCH_PATIENCE`] for the batch in the engine, the rest for settling
//! or releasing jobs. All limits count from the same moment, so that stages in a row do not add up.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;

use crate::shutdown::Shutdown;

/// Time that the batch in the engine has, from the beginning of the drain.
pub const BATCH_PATIENCE: Duration = Duration::from_millis(1_500);

/// Time that the queue has to take settlements and releases, from the beginning of the drain. Leases that it could not
/// release expire by themselves.
pub const QUEUE_PATIENCE: Duration = Duration::from_millis(1_850);

/// Orderly end of one worker.
#[derive(Debug)]
pub struct Drain {
    shutdown: Shutdown,
    begun: OnceLock<Instant>,
}

impl Drain {
    /// Creates a drain that begins when `shutdown` does.
    pub fn new(shutdown: Shutdown) -> Self {
        Self { shutdown, begun: OnceLock::new() }
    }

    /// Whether the drain has begun.
    pub fn has_begun(&self) -> bool {
        self.shutdown.has_begun()
    }

    /// Returns why the drain began, in words for people.
    pub fn reason(&self) -> &str {
        self.shutdown.reason()
    }

    /// Waits until the drain begins.
    pub async fn begun(&self) {
        self.shutdown.begun().await;
    }

    /// Waits until `patience` has passed since the drain began; never ends where it does not begin.
    pub async fn over(&self, patience: Duration) {
        self.shutdown.begun().await;
        // The consumer waits here in all that it does, so the first to notice notices at once.
        let begun = *self.begun.get_or_init(Instant::now);
        tokio::time::sleep_until(begun + patience).await;
    }
}
