//! When does everything end, and who is waited for?
//!
//! One [`Shutdown`] a process. Tasks are spawned on its tracker and watch its token; the first SIGTERM or SIGINT
//! cancels the token, and [`Shutdown::finished`] waits for the tasks.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tokio_util::task::TaskTracker;

/// A process's end, and the tasks that it waits for.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
    tracker: TaskTracker,
}

impl Shutdown {
    /// One that nothing but [`Shutdown::begin`] sets off.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that SIGTERM and SIGINT set off.
    ///
    /// # Errors
    /// Where the handlers cannot be installed.
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

    /// Sets the end off.
    pub fn begin(&self) {
        self.token.cancel();
    }

    /// Whether it was set off.
    pub fn has_begun(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until it is set off.
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

    /// Waits until every spawned task has ended, at most `patience`; says whether they all have.
    pub async fn finished(&self, patience: Duration) -> bool {
        self.tracker.close();
        tokio::time::timeout(patience, self.tracker.wait()).await.is_ok()
    }
}
