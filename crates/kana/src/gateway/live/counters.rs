//! How many jobs were accepted and settled since this gateway started?

use std::time::Instant;

use parking_lot::Mutex;

use super::rate::Rate;
use crate::gateway::view;
use kana_queue::Depth;
use kana_queue::clock::Timestamp;
use kana_queue::job::Verdict;

/// Counts since the start.
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

/// The count that the rate was last updated with.
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

    /// Counts a job that was settled, whoever submitted it.
    pub fn record_settled(&self, verdict: &Verdict) {
        let mut counts = self.0.lock();
        match verdict {
            Verdict::Done { .. } => counts.done += 1,
            Verdict::Failed { .. } | Verdict::Cancelled => counts.failed += 1,
        }
    }

    /// Updates the rate with the jobs settled since the last call. Called at a steady pace.
    pub fn update_rate(&self, now: Instant) {
        let mut counts = self.0.lock();
        let settled = counts.done + counts.failed;
        if let Some(before) = counts.sampled {
            counts.rate.record(settled - before.settled, now.duration_since(before.at));
        }
        counts.sampled = Some(Sample { settled, at: now });
    }

    /// Jobs settled per second of late.
    pub fn per_second(&self) -> f64 {
        self.0.lock().rate.per_second()
    }

    /// Joins the queue's depth with these counts, as readers see them.
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
