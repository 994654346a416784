//! How many jobs were accepted and settled since this gateway started?

use std::time::Instant;

use parking_lot::Mutex;

use super::rate::Rate;
use crate::gateway::view;
use kana_queue::Depth;
use kana_queue::clock::Timestamp;
use kana_queue::job::Verdict;

/// Counts of jobs since this gateway started.
#[derive(Default)]
pub struct Counters(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    accepted: u64,
    done: u64,
    failed: u64,
    rate: Rate,
    sampled: Option<Sample>,
}

/// Count with which the rate was last updated.
#[derive(Clone, Copy)]
struct Sample {
    settled: u64,
    at: Instant,
}

impl Counters {
    /// Counts jobs that the queue accepted from this gateway.
    pub fn record_accepted(&self, jobs: usize) {
        self.0.lock().accepted += jobs as u64;
    }

    /// Counts a settled job, whichever gateway submitted it.
    pub fn record_settled(&self, verdict: &Verdict) {
        let mut counts = self.0.lock();
        match verdict {
            Verdict::Done { .. } => counts.done += 1,
            Verdict::Failed { .. } | Verdict::Cancelled => counts.failed += 1,
        }
    }

    /// Updates the rate with the jobs settled since the last call. Must be called regularly.
    pub fn update_rate(&self, now: Instant) {
        let mut counts = self.0.lock();
        let settled = counts.done + counts.failed;
        if let Some(before) = counts.sampled {
            counts.rate.record(settled - before.settled, now.duration_since(before.at));
        }
        counts.sampled = Some(Sample { settled, at: now });
    }

    /// Returns the jobs settled per second, averaged over the last seconds.
    pub fn per_second(&self) -> f64 {
        self.0.lock().rate.per_second()
    }

    /// Creates the view of the queue from its depth and these counts.
    pub fn queue_view(&self, depth: &Depth, now: Timestamp) -> view::Queue {
        let counts = self.0.lock();
        view::Queue {
            accepted: counts.accepted,
            done: counts.done,
            failed: counts.failed,
            per_second: counts.rate.per_second(),
            ..view::Queue::of_depth(depth, now)
        }
    }
}
