//! What was taken in and settled since this gateway started?

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::gateway::live::rate::Rate;
use crate::gateway::view;
use kana_queue::WorkerId;
use kana_queue::job::{Outcome, Verdict};

/// Pods counted at once: far more than live at once, because a pod that is replaced gets a new name.
const PODS_MAX: usize = 10_000;

/// Counts since the start.
#[derive(Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    accepted: u64,
    done: u64,
    failed: u64,
    by_pod: HashMap<String, u64>,
    rate: Rate,
    /// `done + failed` when the rate was last told, and when that was.
    told: (u64, Option<Instant>),
}

impl Tally {
    /// Jobs were taken in.
    pub fn accept(&self, jobs: usize) {
        self.counts().accepted += jobs as u64;
    }

    /// A job was settled.
    pub fn settle(&self, outcome: &Outcome) {
        let mut counts = self.counts();
        match outcome.verdict {
            Verdict::Done { .. } => counts.done += 1,
            Verdict::Failed { .. } | Verdict::Cancelled => counts.failed += 1,
        }
        let Some(pod) = outcome.worker.as_ref().map(WorkerId::pod) else { return };
        if let Some(completed) = counts.by_pod.get_mut(pod) {
            *completed += 1;
        } else if counts.by_pod.len() < PODS_MAX {
            counts.by_pod.insert(pod.to_owned(), 1);
        }
    }

    /// How many jobs a pod has settled.
    pub fn completed(&self, pod: &str) -> u64 {
        self.counts().by_pod.get(pod).copied().unwrap_or(0)
    }

    /// A pod will not be asked for any more.
    pub fn forget(&self, pod: &str) {
        self.counts().by_pod.remove(pod);
    }

    /// Brings the rate up to date; call it at a steady pace.
    pub fn tick(&self, now: Instant) {
        let mut counts = self.counts();
        let settled = counts.done + counts.failed;
        if let (before, Some(then)) = counts.told {
            counts.rate.record(settled - before, now.duration_since(then));
        }
        counts.told = (settled, Some(now));
    }

    /// Jobs settled a second, lately.
    pub fn per_second(&self) -> f64 {
        self.counts().rate.per_second()
    }

    /// The queue with these counts.
    pub fn counted(&self, queue: view::Queue) -> view::Queue {
        let counts = self.counts();
        view::Queue {
            accepted: counts.accepted,
            done: counts.done,
            failed: counts.failed,
            per_second: counts.rate.per_second(),
            ..queue
        }
    }

    /// Nothing panics while it holds this lock, so what it guards is whole.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
