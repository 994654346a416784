//! Is this worker alive, and may it be given work?
//!
//! Alive is progress: whatever the consumer starts, it says by when it will be heard of again. A worker that waits for
//! work or for its queue keeps saying so; one whose engine is stuck does not, and only a new process can help it.
//! Ready is narrower: the model is loaded and the queue answers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// What the consumer says of itself, for its health routes and for whoever started it.
#[derive(Debug)]
pub struct Vitals {
    born: Instant,
    /// Milliseconds after `born` by which the consumer will be heard of again.
    heard_by: AtomicU64,
    ready: watch::Sender<bool>,
}

impl Vitals {
    /// Those of a worker that has just been born: alive for `grace`, and not ready.
    pub fn new(grace: Duration) -> Self {
        let vitals = Self { born: Instant::now(), heard_by: AtomicU64::new(0), ready: watch::Sender::new(false) };
        vitals.expect_within(grace);
        vitals
    }

    /// The consumer makes progress, and will again within `span`.
    pub fn expect_within(&self, span: Duration) {
        self.expect_by(Instant::now() + span);
    }

    /// Whether the consumer has kept its word so far.
    pub fn is_alive(&self) -> bool {
        self.is_alive_at(Instant::now())
    }

    fn expect_by(&self, moment: Instant) {
        self.heard_by.store(millis(moment - self.born), Ordering::Relaxed);
    }

    fn is_alive_at(&self, moment: Instant) -> bool {
        millis(moment - self.born) <= self.heard_by.load(Ordering::Relaxed)
    }

    /// Whether the worker may be given work.
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Says whether the worker may be given work.
    pub fn set_ready(&self, ready: bool) {
        self.ready.send_if_modified(|before| std::mem::replace(before, ready) != ready);
    }

    /// Follows readiness.
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
    fn a_worker_that_is_not_heard_of_in_time_is_not_alive() {
        let vitals = Vitals::new(Duration::ZERO);

        vitals.expect_by(vitals.born + BOUND);

        assert!(vitals.is_alive_at(vitals.born + BOUND));
        assert!(!vitals.is_alive_at(vitals.born + BOUND + TICK));
    }

    #[test]
    fn progress_renews_life() {
        let vitals = Vitals::new(BOUND);

        vitals.expect_by(vitals.born + BOUND + BOUND);

        assert!(vitals.is_alive_at(vitals.born + BOUND + TICK));
    }
}
