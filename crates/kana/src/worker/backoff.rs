//! How long to leave a queue alone that does not answer?

use std::time::Duration;

/// The first pause: about what a lock held by a neighbour lasts.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// The longest pause: how long work waits, at most, once the queue is back.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Pauses that double up to [`PAUSE_MAX`], each shortened by chance so that many workers do not come back together.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How long to pause now. `chance` is a random number in [0, 1).
    pub fn pause(&mut self, chance: f64) -> Duration {
        let pause = PAUSE_MIN.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        pause.mul_f64(0.5 + 0.5 * chance)
    }

    /// The queue has answered.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_stay_bounded() {
        let mut backoff = Backoff::default();

        let pauses: Vec<_> = (0..40).map(|_| backoff.pause(1.0).as_millis()).collect();

        assert_eq!(pauses[..8], [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(pauses[39], 2000);
    }

    #[test]
    fn chance_takes_half_of_a_pause_at_most() {
        assert_eq!(Backoff::default().pause(0.0).as_millis(), 25);
    }

    #[test]
    fn an_answer_makes_the_next_pause_short_again() {
        let mut backoff = Backoff::default();
        backoff.pause(1.0);
        backoff.pause(1.0);

        backoff.reset();

        assert_eq!(backoff.pause(1.0).as_millis(), 50);
    }
}
