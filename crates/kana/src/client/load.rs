//! When is the next request due, and when is it enough?
//!
//! In a closed loop a request is due when the one before it has been answered. In an open loop it is due at its time,
//! whatever became of the others, and its latency counts from then: a gateway that stalls is charged for every
//! request that it kept from being sent. This file only decides and never sleeps.

use std::time::Duration;

/// How requests follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// Always this many on their way, each sender sending its next when its last is answered.
    Closed {
        /// How many; at least one.
        concurrency: usize,
    },
    /// This many a second, evenly spaced.
    Open {
        /// How many; more than zero.
        per_second: f64,
    },
}

/// When it is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// After so many requests.
    Requests(u64),
    /// After so long; what is on its way then is waited for.
    Elapsed(Duration),
}

impl Until {
    /// Whether the request of `number` (from 0), due `at` after the beginning, is still to be sent.
    pub(super) fn includes(self, number: u64, at: Duration) -> bool {
        match self {
            Self::Requests(count) => number < count,
            Self::Elapsed(span) => at < span,
        }
    }
}

impl Load {
    /// When the request of `number` (from 0) is due, from the beginning; `None` where that depends on answers.
    pub(super) fn due(self, number: u64) -> Option<Duration> {
        match self {
            Self::Closed { .. } => None,
            Self::Open { per_second } => {
                let seconds = number as f64 / per_second.max(f64::MIN_POSITIVE);
                Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_loop_is_due_by_the_clock_alone() {
        let load = Load::Open { per_second: 50.0 };

        assert_eq!(load.due(0), Some(Duration::ZERO));
        assert_eq!(load.due(100), Some(Duration::from_secs(2)));
        assert_eq!(Load::Open { per_second: 0.0 }.due(1), Some(Duration::MAX));
    }

    #[test]
    fn it_ends_by_number_or_by_time() {
        assert!(Until::Requests(3).includes(2, Duration::MAX) && !Until::Requests(3).includes(3, Duration::ZERO));

        let second = Duration::from_secs(1);
        assert!(Until::Elapsed(second).includes(u64::MAX, second / 2) && !Until::Elapsed(second).includes(0, second));
    }
}
