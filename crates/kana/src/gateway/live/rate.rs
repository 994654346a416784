//! How fast does the queue drain, and when will there be room again?
//!
//! This file only computes: it is given counts and times.

use std::time::Duration;

/// Time constant of the average: an event this old weighs a third of a new one.
const TIME_CONSTANT: Duration = Duration::from_secs(5);

/// Rate below which the result is zero: one job in a hundred seconds.
const RATE_MIN: f64 = 0.01;

/// Shortest time that a client is asked to wait, in seconds; `Retry-After` has no fractions.
const RETRY_MIN_SECONDS: u32 = 1;

/// Longest time that a client is asked to wait, in seconds: the current rate predicts no longer time.
const RETRY_MAX_SECONDS: u32 = 60;

/// Time that a client is asked to wait while the queue does not drain, in seconds: a pod takes about as long to start.
const RETRY_UNKNOWN_SECONDS: u32 = 2;

/// An exponentially weighted rate of events a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rate {
    sum: f64,
    weight: f64,
}

impl Rate {
    /// Records `events` in the last `span`.
    pub fn record(&mut self, events: u64, span: Duration) {
        let seconds = span.as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let decay = (-seconds / TIME_CONSTANT.as_secs_f64()).exp();
        self.sum = self.sum * decay + (events as f64 / seconds) * (1.0 - decay);
        // The share of the average that has been observed, so that a new rate is not too low.
        self.weight = self.weight * decay + (1.0 - decay);
    }

    /// Returns the events per second, rounded to two decimal places.
    pub fn per_second(&self) -> f64 {
        let rate = if self.weight > 0.0 { self.sum / self.weight } else { 0.0 };
        if rate < RATE_MIN { 0.0 } else { (rate * 100.0).round() / 100.0 }
    }
}

/// Estimates the seconds until a queue that drains at `per_second` has room for `missing` more jobs than now. If the
/// queue does not drain, the time is unknown: workers may be about to start, so the client is asked to retry soon.
pub fn retry_after_seconds(missing: usize, per_second: f64) -> u32 {
    let (min, max) = (f64::from(RETRY_MIN_SECONDS), f64::from(RETRY_MAX_SECONDS));
    if per_second < RATE_MIN {
        return RETRY_UNKNOWN_SECONDS;
    }
    // The clamp keeps it inside u32.
    (missing as f64 / per_second).ceil().clamp(min, max) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_steady_rate_is_known_at_once() {
        let mut rate = Rate::default();

        rate.record(40, SECOND);

        assert_eq!(rate.per_second(), 40.0);
    }

    #[test]
    fn a_rate_decays_to_zero_when_events_stop() {
        let mut rate = Rate::default();
        rate.record(100, SECOND);

        (0..5).for_each(|_| rate.record(0, SECOND));
        let soon = rate.per_second();
        (0..60).for_each(|_| rate.record(0, SECOND));

        assert!(soon < 50.0 && soon > 0.0, "{soon}");
        assert_eq!(rate.per_second(), 0.0);
    }

    #[test]
    fn an_empty_span_changes_nothing() {
        let mut rate = Rate::default();

        rate.record(7, Duration::ZERO);

        assert_eq!(rate.per_second(), 0.0);
    }

    #[test]
    fn a_client_waits_until_there_is_room() {
        assert_eq!(retry_after_seconds(100, 10.0), 10);
        assert_eq!(retry_after_seconds(101, 10.0), 11);
    }

    #[test]
    fn a_client_waits_a_second_at_least_and_a_minute_at_most() {
        assert_eq!(retry_after_seconds(0, 10.0), 1);
        assert_eq!(retry_after_seconds(1, 5_000.0), 1);
        assert_eq!(retry_after_seconds(10_000, 1.0), 60);
    }

    #[test]
    fn a_client_retries_soon_where_nothing_drains_yet() {
        assert_eq!(retry_after_seconds(1, 0.0), 2);
    }
}
