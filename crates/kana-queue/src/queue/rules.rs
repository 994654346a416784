//! Who is next, when does a lease lapse, and when has a job failed often enough?
//!
//! The decisions that every queue takes, without the storage that they are taken over: each implementation asks here,
//! so that a job fares the same wherever it waits. Nothing in this file waits, stores or reads a clock.

use std::time::Duration;

use crate::WorkerId;
use crate::clock::Timestamp;

use super::Limits;

/// What a job has been through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Claims that were not given back.
    pub claims: u32,
    /// Attempts that failed.
    pub faults: u32,
}

/// How an attempt ended without an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End<'a> {
    /// The worker said so, and why.
    Failed(&'a str),
    /// The worker was not heard of for as long as its lease lasted.
    Lapsed,
    /// The worker is known to have crashed.
    Crashed,
    /// The worker was stopped from outside, which proves nothing against the job.
    Stopped,
}

/// Which line of waiting jobs is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Line {
    /// Jobs never attempted: claimed many at a time.
    #[default]
    First,
    /// Jobs attempted before: claimed alone.
    Again,
}

impl Tally {
    /// The tally once the attempt under way has ended so.
    pub fn after(self, end: End<'_>) -> Self {
        match end {
            End::Stopped => self,
            End::Failed(_) | End::Lapsed | End::Crashed => Self { faults: self.faults.saturating_add(1), ..self },
        }
    }

    /// The tally once the attempt under way is as though it had never begun.
    pub fn given_back(self) -> Self {
        Self { claims: self.claims.saturating_sub(1), ..self }
    }

    /// The tally once the job is claimed.
    pub fn claimed(self) -> Self {
        Self { claims: self.claims.saturating_add(1), ..self }
    }

    /// Whether the job gets no further attempt.
    pub fn is_spent(self, limits: &Limits) -> bool {
        self.faults >= limits.attempts_max || self.claims >= limits.claims_max
    }

    /// Why a job with this tally got no further attempt, in words for its sender.
    pub fn reason(self, limits: &Limits, worker: &WorkerId, end: End<'_>) -> String {
        let worker = worker.pod();
        let last = match end {
            End::Failed(why) => format!("worker {worker} failed: {why}"),
            End::Lapsed => format!("the lease of worker {worker} lapsed"),
            End::Crashed => format!("worker {worker} crashed"),
            End::Stopped => format!("worker {worker} was stopped"),
        };
        if self.faults >= limits.attempts_max {
            format!("{} of {} attempts failed; the last time, {last}", self.faults, limits.attempts_max)
        } else {
            format!("claimed {} times and never finished; the last time, {last}", self.claims)
        }
    }
}

/// The line that the next claim takes from, given which lines are not empty and which one the last claim took from.
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
    fn a_worker_that_was_stopped_leaves_no_fault_behind() {
        let once = Tally { claims: 1, faults: 0 };

        assert_eq!(once.after(End::Stopped), once);
        assert_eq!(once.after(End::Crashed).faults, 1);
    }

    #[test]
    fn a_job_is_spent_by_its_faults_or_by_its_claims() {
        let limits = Limits { attempts_max: 3, claims_max: 5, ..Limits::default() };

        assert!(!Tally { claims: 4, faults: 2 }.is_spent(&limits));
        assert!(Tally { claims: 3, faults: 3 }.is_spent(&limits));
        assert!(Tally { claims: 5, faults: 0 }.is_spent(&limits));
    }

    #[test]
    fn a_reason_names_the_worker_and_how_its_attempt_ended() {
        let limits = Limits { attempts_max: 3, ..Limits::default() };

        let reason = Tally { claims: 3, faults: 3 }.reason(&limits, &WorkerId::of_pod("w1"), End::Lapsed);

        assert_eq!(reason, "3 of 3 attempts failed; the last time, the lease of worker w1 lapsed");
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
