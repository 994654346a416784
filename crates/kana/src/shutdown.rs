//! When does a process shut down, and which tasks does it wait for?
//!
//! A process has one [`Shutdown`]. Tasks are spawned on its tracker and watch its token; the first SIGTERM or SIGINT
//! cancels the token, and [`Shutdown::finished`] waits for the tasks. It also knows why it began, for the log.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::{Origin, WithOrigin};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tokio_util::task::TaskTracker;

/// Stack of the thread that waits for signals, in bytes: it reads one short file and formats one line.
const STACK_BYTES: usize = 256 << 10;

/// Shutdown of a process, with the tasks that it waits for.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
    tracker: TaskTracker,
    reason: Arc<OnceLock<String>>,
}

impl Shutdown {
    /// Creates a shutdown that begins only by [`Shutdown::begin`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a shutdown that also begins at the first SIGTERM or SIGINT. From then on a file that may grow no further is
    /// an error of whoever writes it, and no longer the end of the process (SIGXFSZ).
    ///
    /// # Errors
    /// Where the signal handlers cannot be installed.
    pub fn on_signals() -> std::io::Result<Self> {
        let shutdown = Self::new();
        signal_hook::flag::register(SIGXFSZ, Arc::default())?;
        let mut signals = SignalsInfo::<WithOrigin>::new([SIGTERM, SIGINT])?;
        let by_signal = shutdown.clone();
        // Threads have the sender of a signal, and Tokio's streams of signals do not.
        std::thread::Builder::new().name("signals".into()).stack_size(STACK_BYTES).spawn(move || {
            if let Some(origin) = signals.forever().next() {
                by_signal.begin_because(describe(&origin));
            }
        })?;
        Ok(shutdown)
    }

    /// Begins the shutdown for a reason, such as "received SIGTERM". The first reason holds.
    pub fn begin_because(&self, reason: impl Into<String>) {
        let _ = self.reason.set(reason.into());
        self.token.cancel();
    }

    /// Returns why the shutdown began, in words for people.
    pub fn reason(&self) -> &str {
        self.reason.get().map_or("asked to end", String::as_str)
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

/// Describes a signal and, where the system tells, who sent it: "received SIGTERM from process 1 (init)".
fn describe(origin: &Origin) -> String {
    let signal = if origin.signal == SIGINT { "SIGINT" } else { "SIGTERM" };
    let Some(sender) = origin.process else { return format!("received {signal}") };
    match sender.pid {
        // Processes of other namespaces have no number here.
        0 => format!("received {signal} from outside of this container"),
        pid => {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let name = if name.is_empty() { name } else { format!(" ({})", name.trim_end()) };
            format!("received {signal} from process {pid}{name}")
        }
    }
}
