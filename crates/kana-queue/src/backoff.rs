//! How long to wait before trying again?
//!
//! Exponential backoff with full jitter: the wait after failure *n* is drawn evenly from zero to
//! `min(longest, first · 2ⁿ⁻¹)`, so that many who failed together do not come back together. Compared with its
//! alternatives in Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. This file only decides:
//! it never sleeps.

use std::time::Duration;

/// The bounds of the waits between attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The longest that the first wait can be.
    pub first: Duration,
    /// The longest that any wait can be.
    pub longest: Duration,
}

impl Bounds {
    /// The longest that the wait after `failures` failures in a row can be.
    pub fn ceiling(self, failures: u32) -> Duration {
        let doublings = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(doublings).min(self.longest)
    }
}

/// Counts failures in a row, and answers how long to wait after each.
#[derive(Clone, Debug)]
pub struct Backoff {
    bounds: Bounds,
    failures: u32,
}

impl Backoff {
    /// Creates a backoff that has seen no failure.
    pub const fn new(bounds: Bounds) -> Self {
        Self { bounds, failures: 0 }
    }

    /// Counts one more failure, and returns how long to wait before the next attempt.
    pub fn fail(&mut self) -> Duration {
        self.fail_with(rand::random())
    }

    /// As [`fail`](Self::fail), with `share` in [0, 1] in place of a random number.
    fn fail_with(&mut self, share: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.bounds.ceiling(self.failures).mul_f64(share.clamp(0.0, 1.0))
    }

    /// Forgets the failures, after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { first: Duration::from_millis(50), longest: Duration::from_secs(2) };

    #[test]
    fn the_longest_wait_doubles_up_to_its_bound_and_stays_there() {
        let mut backoff = Backoff::new(BOUNDS);

        let waits: Vec<_> = (0..40).map(|_| backoff.fail_with(1.0).as_millis()).collect();

        assert_eq!(waits[..8], [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(waits[39], 2000);
    }

    #[test]
    fn jitter_is_full() {
        assert_eq!(Backoff::new(BOUNDS).fail_with(0.0), Duration::ZERO);
        assert_eq!(Backoff::new(BOUNDS).fail_with(0.5).as_millis(), 25);
    }

    #[test]
    fn a_success_makes_the_next_wait_short_again() {
        let mut backoff = Backoff::new(BOUNDS);
        backoff.fail_with(1.0);
        backoff.fail_with(1.0);

        backoff.reset();

        assert_eq!(backoff.failures(), 0);
        assert_eq!(backoff.fail_with(1.0).as_millis(), 50);
    }

    #[test]
    fn failures_without_end_wait_no_longer_than_the_longest() {
        assert_eq!(BOUNDS.ceiling(u32::MAX), BOUNDS.longest);
    }
}
