//! When does a process shut down, and which tasks does it wait for?
//!
//! A process has one [`Shutdown`]. Tasks are spawned on its tracker and watch its token; the first SIGTERM or SIGINT
//! cancels the token, and [`Shutdown::finished`] waits for the tasks.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tokio_util::task::TaskTracker;

/// Shutdown of a process, with the tasks that it waits for.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
    tracker: TaskTracker,
}

impl Shutdown {
    /// Creates a shutdown that begins only by [`Shutdown::begin`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a shutdown that also begins at the first SIGTERM or SIGINT.
    ///
    /// # Errors
    /// Where the signal handlers cannot be installed.
    #[expect(clippy::disallowed_methods, reason = "waits for a signal that may never come, so nothing may wait for it")]
    pub fn on_signals() -> std::io::Result<Self> {
        let shutdown = Self::new();
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let token = shutdown.token.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            token.cancel();
        });
        Ok(shutdown)
    }

    /// Begins the shutdown.
    pub fn begin(&self) {
        self.token.cancel();
    }

    /// Whether the shutdown has begun.
    pub fn has_begun(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until the shutdown begins.
    pub fn begun(&self) -> WaitForCancellationFuture<'_> {
        self.token.cancelled()
    }

    /// Runs a task that [`Shutdown::finished`] waits for.
    pub fn spawn<F>(&self, task: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tracker.spawn(task)
    }

    /// Waits until every spawned task has ended, at most `patience`. Returns whether they all have.
    pub async fn finished(&self, patience: Duration) -> bool {
        self.tracker.close();
        tokio::time::timeout(patience, self.tracker.wait()).await.is_ok()
    }
}
