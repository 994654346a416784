//! Which job is next, and when has a job failed often enough?
//!
//! The decisions that every queue takes, without the storage: each implementation asks here, so that a job is treated
//! the same wherever it waits. Nothing in this file waits, stores or reads a clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::WorkerId;
use crate::clock::Timestamp;

use super::{Limits, Loss};

/// Time without any call after which the queue has heard nobody, because the machine, the network or the queue itself was
/// paused; no lease expires in such a time. Two rounds of whoever sweeps: a live gateway does every second, and so does
/// a worker that waits.
pub const SILENCE: Duration = Duration::from_secs(2);

/// Lost attempts kept of one job: more than [`Limits::claims_max`] lets it have, unless somebody raised that.
pub const LOST_PER_JOB_MAX: usize = 32;

/// Runs kept: 100 KB, and more than anybody looks through.
pub const RUNS_MAX: usize = 1_000;

/// Bytes of a reason that are kept of a lost attempt.
const LOSS_REASON_BYTES_MAX: usize = 200;

/// The claims of one job so far, and how many of them failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// Claims that were not released.
    pub claims: u32,
    /// Attempts that failed.
    pub failures: u32,
}

/// How an attempt ended without an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End<'a> {
    /// The worker reported a failure, with this reason.
    Failed(&'a str),
    /// The lease ended before the worker extended it.
    Expired,
    /// The worker is known to have crashed.
    Crashed,
    /// The worker was stopped from outside, which proves nothing against the job.
    Stopped,
}

/// The line that a job waits in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Line {
    /// Jobs never attempted: claimed many at a time.
    #[default]
    First,
    /// Jobs attempted before: claimed alone.
    Again,
}

impl From<End<'_>> for Loss {
    fn from(end: End<'_>) -> Self {
        match end {
            End::Failed(why) => Self::Failed(why[..why.floor_char_boundary(LOSS_REASON_BYTES_MAX)].to_owned()),
            End::Expired => Self::Expired,
            End::Crashed => Self::Crashed,
            End::Stopped => Self::Stopped,
        }
    }
}

impl Attempts {
    /// The attempts once the one under way has ended so.
    pub fn ended(self, end: End<'_>) -> Self {
        match end {
            End::Stopped => self,
            End::Failed(_) | End::Expired | End::Crashed => Self { failures: self.failures.saturating_add(1), ..self },
        }
    }

    /// The attempts once the claim under way is released, as though it had never been made.
    pub fn released(self) -> Self {
        Self { claims: self.claims.saturating_sub(1), ..self }
    }

    /// The attempts once the job is claimed.
    pub fn claimed(self) -> Self {
        Self { claims: self.claims.saturating_add(1), ..self }
    }

    /// Whether the job gets no further attempt.
    pub fn are_exhausted(self, limits: &Limits) -> bool {
        self.failures >= limits.attempts_max || self.claims >= limits.claims_max
    }

    /// The reason why a job got no further attempt, in words for its sender.
    pub fn reason(self, limits: &Limits, worker: &WorkerId, end: End<'_>) -> String {
        let worker = worker.pod();
        let last = match end {
            End::Failed(why) => format!("worker {worker} failed: {why}"),
            End::Expired => format!("the lease of worker {worker} expired"),
            End::Crashed => format!("worker {worker} crashed"),
            End::Stopped => format!("worker {worker} was stopped"),
        };
        if self.failures >= limits.attempts_max {
            format!("{} of {} attempts failed; the last time, {last}", self.failures, limits.attempts_max)
        } else {
            format!("claimed {} times and never finished; the last time, {last}", self.claims)
        }
    }
}

/// Chooses the line that the next claim takes from, given which lines are not empty and which one the last claim took
/// from.
///
/// Jobs attempted before are older, so they go first; but never twice in a row while others wait, because each of
/// them takes a worker's whole claim. So neither line can starve the other.
pub fn line_next(first_waits: bool, again_waits: bool, last: Line) -> Option<Line> {
    match (first_waits, again_waits) {
        (false, false) => None,
        (true, false) => Some(Line::First),
        (false, true) => Some(Line::Again),
        (true, true) => Some(match last {
            Line::First => Line::Again,
            Line::Again => Line::First,
        }),
    }
}

/// Whether what ends at `ends` is over; at that very millisecond it is.
pub fn is_over(ends: Timestamp, now: Timestamp) -> bool {
    ends <= now
}

/// The latest moment at which something that lasts `span` can end. Whatever ends later than this began before the
/// clock was set back: it is cut to this, so that no job waits for hours for a dead worker's lease, and no live worker
/// loses one to a clock that was corrected by a millisecond.
pub fn ends_latest(now: Timestamp, span: Duration) -> Timestamp {
    now.after(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_was_stopped_adds_no_failure() {
        let once = Attempts { claims: 1, failures: 0 };

        assert_eq!(once.ended(End::Stopped), once);
        assert_eq!(once.ended(End::Crashed).failures, 1);
    }

    #[test]
    fn attempts_are_exhausted_by_failures_or_by_claims() {
        let limits = Limits { attempts_max: 3, claims_max: 5, ..Limits::default() };

        assert!(!Attempts { claims: 4, failures: 2 }.are_exhausted(&limits));
        assert!(Attempts { claims: 3, failures: 3 }.are_exhausted(&limits));
        assert!(Attempts { claims: 5, failures: 0 }.are_exhausted(&limits));
    }

    #[test]
    fn a_reason_names_the_worker_and_how_its_attempt_ended() {
        let limits = Limits { attempts_max: 3, ..Limits::default() };

        let reason = Attempts { claims: 3, failures: 3 }.reason(&limits, &WorkerId::of_pod("w1"), End::Expired);

        assert_eq!(reason, "3 of 3 attempts failed; the last time, the lease of worker w1 expired");
    }

    #[test]
    fn neither_line_goes_twice_in_a_row_while_the_other_waits() {
        let mut last = Line::First;

        for _ in 0..4 {
            let next = line_next(true, true, last).expect("both wait");
            assert_ne!(next, last);
            last = next;
        }
    }
}
