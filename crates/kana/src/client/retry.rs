//! When is a request worth sending again, and after how long?
//!
//! When it may not have arrived, or when the gateway says "later". Every request that is sent again is one that may be
//! taken in twice without harm. This file only decides: it is told how much time has passed and never sleeps.

use std::time::Duration;

/// The wait before the second attempt; doubled before each one after it.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait between two attempts that nobody asked for: a restarted gateway is found within this.
const LONGEST: Duration = Duration::from_secs(5);

/// How much shorter a wait may be made at random, so that clients refused together do not come back together.
const JITTER: f64 = 0.25;

/// What came of an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No answer, or only a part of one.
    Connection,
    /// An answer of this status, and how long it asks to wait.
    Status(u16, Option<Duration>),
}

impl Failure {
    /// Whether the same request may succeed later: it met no gateway, a full queue (429) or disk (507), or something
    /// behind the gateway that does not answer (502, 503, 504; a proxy says the same of the gateway).
    pub fn may_pass(self) -> bool {
        matches!(self, Self::Connection | Self::Status(429 | 502 | 503 | 504 | 507, _))
    }

    /// How long to wait before attempt number `next` (the first is 1), `random` being from 0 to 1.
    pub fn wait(self, next: u32, random: f64) -> Duration {
        if let Self::Status(_, Some(asked)) = self {
            return asked;
        }
        let doubled = FIRST.saturating_mul(2_u32.saturating_pow(next.saturating_sub(2)));
        doubled.min(LONGEST).mul_f64(1.0 - JITTER * random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits: Vec<u128> = (2..10).map(|next| Failure::Connection.wait(next, 0.0).as_millis()).collect();

        assert_eq!(waits, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert_eq!(Failure::Connection.wait(u32::MAX, 1.0), Duration::from_millis(3_750));
    }

    #[test]
    fn a_wait_that_the_gateway_asks_for_is_kept_to() {
        let asked = Duration::from_secs(7);

        assert_eq!(Failure::Status(429, Some(asked)).wait(2, 0.5), asked);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let again = |status| Failure::Status(status, None).may_pass();

        assert!(Failure::Connection.may_pass());
        assert!([429, 502, 503, 504, 507].into_iter().all(again));
        assert!(![400, 401, 404, 413, 422, 500].into_iter().any(again));
    }
}
