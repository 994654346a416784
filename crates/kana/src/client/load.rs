//! When is the next request due, and when does a run end?
//!
//! In a closed loop a request is due when the one before it has been answered. In an open loop it is due at a fixed
//! time, whether or not the others were answered, and its latency counts from then: a stall of the gateway shows in the
//! latency of every request that it delayed. This file only decides and never sleeps.

use std::time::Duration;

/// Rule by which requests follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// A fixed number of senders, each sending its next request when its last one is answered.
    Closed {
        /// Number of senders; at least one.
        concurrency: usize,
    },
    /// A fixed rate, evenly spaced.
    Open {
        /// Requests a second; more than zero.
        per_second: f64,
    },
}

/// End of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// After this number of requests.
    Requests(u64),
    /// After this time; requests sent before are still waited for.
    Elapsed(Duration),
}

impl Until {
    /// Whether request number `number` (from 0), due `at` after the beginning, is still part of the run.
    pub(super) fn includes(self, number: u64, at: Duration) -> bool {
        match self {
            Self::Requests(count) => number < count,
            Self::Elapsed(span) => at < span,
        }
    }
}

impl Load {
    /// Time from the beginning at which request number `number` (from 0) is due; `None` in a closed loop, where that
    /// depends on responses.
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
    fn in_an_open_loop_only_the_clock_decides_when_a_request_is_due() {
        let load = Load::Open { per_second: 50.0 };

        assert_eq!(load.due(0), Some(Duration::ZERO));
        assert_eq!(load.due(100), Some(Duration::from_secs(2)));
        assert_eq!(Load::Open { per_second: 0.0 }.due(1), Some(Duration::MAX));
    }

    #[test]
    fn a_run_ends_by_number_or_by_time() {
        assert!(Until::Requests(3).includes(2, Duration::MAX) && !Until::Requests(3).includes(3, Duration::ZERO));

        let second = Duration::from_secs(1);
        assert!(Until::Elapsed(second).includes(u64::MAX, second / 2) && !Until::Elapsed(second).includes(0, second));
    }
}
