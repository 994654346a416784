//! What is kept of jobs and runs for people to look at?
//!
//! How attempts ended that brought no outcome, the names of runs, and the latest pictures. None of it decides anything, so
//! all of it is bounded, and the oldest goes first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::job::{BatchId, Job, JobId};
use crate::queue::pictures::Pictures;
use crate::queue::rules::{LOST_PER_JOB_MAX, RUNS_MAX};
use crate::queue::{LostAttempt, Run};
use kana_engine::image::Image;

use super::deadlines::Deadlines;

/// Jobs whose lost attempts are kept: 1 MB where each lost one.
const LOST_JOBS_MAX: usize = 10_000;

/// What people may look at.
#[derive(Debug)]
pub struct History {
    lost: HashMap<JobId, Vec<LostAttempt>>,
    lost_ends: Deadlines<JobId>,
    runs: BTreeMap<BatchId, String>,
    pictures: Pictures,
}

impl History {
    pub fn new() -> Self {
        Self { lost: HashMap::new(), lost_ends: Deadlines::new(), runs: BTreeMap::new(), pictures: Pictures::default() }
    }

    /// Keeps a lost attempt of a job, unless it is known, until `ends` at least.
    pub fn lose(&mut self, id: JobId, attempt: LostAttempt, ends: Timestamp) {
        let attempts = self.lost.entry(id).or_default();
        if !attempts.contains(&attempt) {
            // A journal that was tidied has them in another order.
            let at = attempts.partition_point(|other| other.ended <= attempt.ended);
            attempts.insert(at, attempt);
            attempts.drain(..attempts.len().saturating_sub(LOST_PER_JOB_MAX));
        }
        self.lost_ends.set(id, self.lost_ends.ends(&id).map_or(ends, |before| before.max(ends)));
        if self.lost.len() > LOST_JOBS_MAX
            && let Some(oldest) = self.lost_ends.pop(Timestamp::from_millis(u64::MAX))
        {
            self.lost.remove(&oldest);
        }
    }

    /// Keeps what a job lost as long as its outcome.
    pub fn settle(&mut self, id: JobId, ends: Timestamp) {
        if self.lost.contains_key(&id) {
            self.lost_ends.set(id, ends);
        }
    }

    /// The attempts of a job that were lost, oldest first.
    pub fn lost(&self, id: JobId) -> Vec<LostAttempt> {
        self.lost.get(&id).cloned().unwrap_or_default()
    }

    /// Until when a lost attempt is kept; `None` where it no longer is.
    pub fn lost_ends(&self, id: JobId) -> Option<Timestamp> {
        self.lost_ends.ends(&id)
    }

    /// Forgets what is over. What was lost of a job that still has no outcome is kept for another `span`.
    pub fn expire(&mut self, now: Timestamp, span: Duration, is_unsettled: impl Fn(JobId) -> bool) {
        self.lost_ends.cut(now, span);
        while let Some(id) = self.lost_ends.pop(now) {
            if is_unsettled(id) {
                self.lost_ends.set(id, now.after(span));
            } else {
                self.lost.remove(&id);
            }
        }
    }

    /// Begins a run, unless it was begun before.
    pub fn begin(&mut self, run: Run) {
        self.runs.entry(run.batch).or_insert(run.name);
        while self.runs.len() > RUNS_MAX {
            self.runs.pop_first();
        }
    }

    pub fn has_run(&self, batch: BatchId) -> bool {
        self.runs.contains_key(&batch)
    }

    /// Up to `limit` runs, newest first, that were begun before `before`.
    pub fn runs(&self, before: Option<BatchId>, limit: usize) -> Vec<Run> {
        let run = |(batch, name): (&BatchId, &String)| Run { batch: *batch, name: name.clone() };
        match before {
            Some(before) => self.runs.range(..before).rev().take(limit).map(run).collect(),
            None => self.runs.iter().rev().take(limit).map(run).collect(),
        }
    }

    /// Keeps the pixels of a job that is over.
    pub fn picture(&mut self, job: Arc<Job>) {
        self.pictures.keep(job);
    }

    pub fn image(&self, id: JobId) -> Option<&Image> {
        self.pictures.image(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Loss;

    fn an_attempt(ended: u64) -> LostAttempt {
        let (began, ended) = (Timestamp::from_millis(ended - 1), Timestamp::from_millis(ended));
        LostAttempt { worker: "w".into(), began, ended, loss: Loss::Stopped }
    }

    #[test]
    fn lost_attempts_come_in_order_however_they_were_written() {
        let (mut history, id, ends) = (History::new(), JobId::new(), Timestamp::from_millis(99));

        for ended in [7, 3, 7, 5] {
            history.lose(id, an_attempt(ended), ends);
        }

        assert_eq!(history.lost(id), [3, 5, 7].map(an_attempt));
    }

    #[test]
    fn what_a_job_lost_is_kept_until_its_outcome_ends_and_meanwhile_however_long_that_takes() {
        let (mut history, id, span) = (History::new(), JobId::new(), Duration::from_millis(10));
        let at = Timestamp::from_millis;
        history.lose(id, an_attempt(3), at(13));

        history.expire(at(50), span, |_| true);
        assert_eq!(history.lost_ends(id), Some(at(60)));

        history.settle(id, at(58));
        history.expire(at(57), span, |_| false);
        assert_eq!(history.lost(id).len(), 1);
        history.expire(at(58), span, |_| false);
        assert!(history.lost(id).is_empty());
    }

    #[test]
    fn the_oldest_run_goes_where_there_are_too_many() {
        let mut history = History::new();
        let all: Vec<BatchId> = (0..=RUNS_MAX).map(|_| BatchId::new()).collect();

        let begin = |history: &mut History, batch| history.begin(Run { batch, name: String::new() });
        all.iter().for_each(|batch| begin(&mut history, *batch));

        let kept: Vec<BatchId> = history.runs(None, 2 * RUNS_MAX).into_iter().map(|run| run.batch).collect();
        assert_eq!(kept, all[1..].iter().rev().copied().collect::<Vec<_>>());
        assert_eq!(history.runs(Some(all[2]), 9).len(), 1);
    }
}
