//! Who waits for jobs, and how many does each get?
//!
//! Jobs are shared out among those who wait: a worker that holds none gets its share first, the others, which only fetch
//! ahead, get what nobody idle takes. So a burst of 12 on 4 idle workers is 3 for each, and all of it goes to the only
//! worker that is idle.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use crate::WorkerId;
use crate::queue::Claim;

/// A call that waits for jobs.
#[derive(Debug)]
pub struct Claimer {
    id: u64,
    pub worker: WorkerId,
    pub limit: usize,
    pub claims: oneshot::Sender<Vec<Claim>>,
}

/// All calls that wait for jobs, in the order in which they came.
#[derive(Debug, Default)]
pub struct Claimers {
    waiting: VecDeque<Claimer>,
    next: u64,
}

impl Claimers {
    /// Adds a call. Returns its number, and where its jobs arrive.
    pub fn add(&mut self, worker: WorkerId, limit: usize) -> (u64, oneshot::Receiver<Vec<Claim>>) {
        let (claims, receiver) = oneshot::channel();
        self.next += 1;
        self.waiting.push_back(Claimer { id: self.next, worker, limit, claims });
        (self.next, receiver)
    }

    pub fn remove(&mut self, id: u64) {
        self.waiting.retain(|claimer| claimer.id != id);
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes the call that is to be served next, and the jobs that are its share of `waiting` ones.
    pub fn take(&mut self, waiting: usize, is_idle: impl Fn(&WorkerId) -> bool) -> Option<(Claimer, usize)> {
        let idle: Vec<usize> = (0..self.waiting.len()).filter(|n| is_idle(&self.waiting[*n].worker)).collect();
        let (at, among) = idle.first().map_or((0, self.waiting.len()), |first| (*first, idle.len()));
        let claimer = self.waiting.remove(at)?;
        let share = waiting.div_ceil(among).min(claimer.limit);
        Some((claimer, share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimers(workers: &[&str]) -> Claimers {
        let mut claimers = Claimers::default();
        for worker in workers {
            drop(claimers.add((*worker).into(), 12));
        }
        claimers
    }

    #[test]
    fn each_of_the_idle_gets_its_share() {
        let (mut claimers, mut waiting, mut shares) = (claimers(&["a", "b", "c", "d"]), 13, Vec::new());

        while let Some((_, share)) = claimers.take(waiting, |_| true) {
            shares.push(share);
            waiting -= share;
        }

        assert_eq!(shares, [4, 3, 3, 3]);
    }

    #[test]
    fn the_only_idle_worker_gets_as_many_as_it_takes() {
        let mut claimers = claimers(&["busy", "idle"]);

        let (claimer, share) = claimers.take(40, |worker| worker.pod() == "idle").expect("somebody waits");

        assert_eq!((claimer.worker.pod(), share), ("idle", 12));
    }

    #[test]
    fn who_only_fetches_ahead_is_served_when_nobody_is_idle() {
        let mut claimers = claimers(&["busy"]);

        assert!(claimers.take(1, |_| false).is_some_and(|(_, share)| share == 1));
    }
}
