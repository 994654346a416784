//! How long may a worker that was asked to end still work?
//!
//! Its end is promised within two seconds of SIGTERM: [`BATCH_PATIENCE`] for the batch in the engine, the rest for
//! saying what came of it. All patience counts from the same moment, so that stages in a row do not add up.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;

use crate::shutdown::Shutdown;

/// How long the batch in the engine may still take.
pub const BATCH_PATIENCE: Duration = Duration::from_millis(1_500);

/// How long the queue may take to hear the last word. What it does not hear lapses by itself.
pub const QUEUE_PATIENCE: Duration = Duration::from_millis(1_850);

/// The end of one worker.
#[derive(Debug)]
pub struct Drain {
    shutdown: Shutdown,
    begun: OnceLock<Instant>,
}

impl Drain {
    /// Begins when `shutdown` does.
    pub fn new(shutdown: Shutdown) -> Self {
        Self { shutdown, begun: OnceLock::new() }
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.shutdown.has_begun()
    }

    /// Waits until it begins.
    pub async fn begun(&self) {
        self.shutdown.begun().await;
    }

    /// Waits until `patience` has passed since it began; never ends before that.
    pub async fn over(&self, patience: Duration) {
        self.shutdown.begun().await;
        // The consumer waits here in all that it does, so the first to notice notices at once.
        let begun = *self.begun.get_or_init(Instant::now);
        tokio::time::sleep_until(begun + patience).await;
    }
}
