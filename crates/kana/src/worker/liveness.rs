//! Is this worker alive, and does it take work?
//!
//! Alive means progress: before each step the consumer states a deadline for its next sign of progress. A worker that
//! waits for jobs or for its queue keeps moving that deadline; one whose engine is stuck does not, and only a new
//! process helps it. Ready is narrower: the model is loaded and the queue answers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Progress and readiness of the consumer, for its health routes and for the process that started it.
#[derive(Debug)]
pub struct Liveness {
    start: Instant,
    /// Milliseconds after `start` by which the consumer must show progress again.
    deadline: AtomicU64,
    /// Milliseconds after `start` at which the consumer last showed progress.
    progress: AtomicU64,
    ready: watch::Sender<bool>,
}

impl Liveness {
    /// Creates the state of a worker that has just started: alive for `grace`, and not ready.
    pub fn new(grace: Duration) -> Self {
        let (deadline, progress) = (AtomicU64::new(0), AtomicU64::new(0));
        let liveness = Self { start: Instant::now(), deadline, progress, ready: watch::Sender::new(false) };
        liveness.expect_within(grace);
        liveness
    }

    /// Records progress, and sets the deadline for the next progress to `span` from now.
    pub fn expect_within(&self, span: Duration) {
        self.expect_by(Instant::now() + span);
        self.progress.store(millis(self.start.elapsed()), Ordering::Relaxed);
    }

    /// Time since the consumer last showed progress.
    pub fn progress_age(&self) -> Duration {
        self.start.elapsed().saturating_sub(Duration::from_millis(self.progress.load(Ordering::Relaxed)))
    }

    /// Whether the latest deadline has not passed yet.
    pub fn is_alive(&self) -> bool {
        self.is_alive_at(Instant::now())
    }

    fn expect_by(&self, moment: Instant) {
        self.deadline.store(millis(moment - self.start), Ordering::Relaxed);
    }

    fn is_alive_at(&self, moment: Instant) -> bool {
        millis(moment - self.start) <= self.deadline.load(Ordering::Relaxed)
    }

    /// Whether the worker takes work.
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Marks the worker as able to take work. Returns whether it was not before.
    pub fn mark_ready(&self) -> bool {
        self.ready.send_if_modified(|ready| !std::mem::replace(ready, true))
    }

    /// Marks the worker as unable to take work. Returns whether it was able before.
    pub fn mark_unready(&self) -> bool {
        self.ready.send_if_modified(|ready| std::mem::replace(ready, false))
    }

    /// Subscribes to readiness.
    pub fn readiness(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(30);
    const TICK: Duration = Duration::from_millis(1);

    #[test]
    fn a_worker_without_progress_by_its_deadline_is_not_alive() {
        let liveness = Liveness::new(Duration::ZERO);

        liveness.expect_by(liveness.start + BOUND);

        assert!(liveness.is_alive_at(liveness.start + BOUND));
        assert!(!liveness.is_alive_at(liveness.start + BOUND + TICK));
    }

    #[test]
    fn progress_moves_the_deadline() {
        let liveness = Liveness::new(BOUND);

        liveness.expect_by(liveness.start + BOUND + BOUND);

        assert!(liveness.is_alive_at(liveness.start + BOUND + TICK));
    }

    #[test]
    fn only_a_change_of_readiness_is_reported_as_one() {
        let liveness = Liveness::new(BOUND);

        assert!(!liveness.mark_unready());
        assert!(liveness.mark_ready() && !liveness.mark_ready());
        assert!(liveness.mark_unready() && !liveness.is_ready());
    }
}
