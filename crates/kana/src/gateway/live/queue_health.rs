//! Does the queue answer?
//!
//! As of the last time that it was asked, which is once a second at least. Probes read this instead of asking again.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Age at which an answer no longer counts: three rounds of the maintenance.
const ANSWER_AGE_MAX: Duration = Duration::from_secs(3);

/// What is known of the queue's answers.
#[derive(Default)]
pub struct QueueHealth(Mutex<Answers>);

#[derive(Default)]
struct Answers {
    /// When the queue answered last; `None` while it never has.
    latest: Option<Instant>,
    /// Whether it has failed since.
    is_failing: bool,
}

impl QueueHealth {
    /// Records an answer of the queue.
    pub fn record_answer(&self, now: Instant) {
        *self.0.lock() = Answers { latest: Some(now), is_failing: false };
    }

    /// Records that the queue failed to answer.
    pub fn record_failure(&self) {
        self.0.lock().is_failing = true;
    }

    /// Whether the queue answered when it was last asked, not long ago.
    pub fn answers(&self, now: Instant) -> bool {
        let answers = self.0.lock();
        !answers.is_failing
            && answers.latest.is_some_and(|latest| now.saturating_duration_since(latest) <= ANSWER_AGE_MAX)
    }

    /// Whether the queue has ever answered.
    pub fn has_answered(&self) -> bool {
        self.0.lock().latest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_until_a_failure_or_until_it_is_old() {
        let (health, now) = (QueueHealth::default(), Instant::now());
        assert!(!health.answers(now) && !health.has_answered());

        health.record_answer(now);
        assert!(health.answers(now + ANSWER_AGE_MAX));
        assert!(!health.answers(now + ANSWER_AGE_MAX + Duration::from_millis(1)));

        health.record_failure();
        assert!(!health.answers(now) && health.has_answered());
    }
}
