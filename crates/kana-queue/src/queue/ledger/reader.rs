//! What may be asked of a ledger?
//!
//! Nothing here writes: a job whose outcome has expired is answered as unknown, though nothing has removed it yet.

use crate::clock::Timestamp;
use crate::job::{BatchId, JobId, Status};
use crate::queue::rules;
use crate::queue::{CHANGES_MAX, Changes, Cursor, DeadLetter, Depth};
use kana_engine::image::Image;

use super::operations::Jobs;

impl Jobs {
    pub fn statuses(&self, jobs: &[JobId], now: Timestamp) -> Vec<Option<Status>> {
        jobs.iter().map(|id| self.status_now(*id, now)).collect()
    }

    /// Where the jobs of a batch stand, in the order of their places in line.
    pub fn batch(&self, batch: BatchId, now: Timestamp) -> Vec<(u64, Status)> {
        let jobs = self.batches.get(&batch).into_iter().flatten();
        jobs.filter_map(|(place, id)| Some((*place, self.status_now(*id, now)?))).collect()
    }

    /// Where a job stands; `None` where its outcome has expired.
    fn status_now(&self, id: JobId, now: Timestamp) -> Option<Status> {
        let expired = self.outcomes.ends(&id).is_some_and(|ends| rules::is_over(ends, now));
        if expired { None } else { self.status(id) }
    }

    /// The group of the journal that makes certain what is told of these jobs.
    pub fn group_of(&self, jobs: impl IntoIterator<Item = JobId>) -> u64 {
        jobs.into_iter().filter_map(|id| self.entries.get(&id)).map(|entry| entry.group).max().unwrap_or_default()
    }

    pub fn depth(&self) -> Depth {
        let running = self.holders.iter().map(|(worker, held)| (worker.clone(), held.len())).collect();
        let heads = [self.first.first_key_value(), self.again.first_key_value()];
        let oldest =
            heads.into_iter().flatten().filter_map(|(_, id)| self.entries.get(id)).map(|e| e.job.submitted).min();
        Depth { waiting: self.waiting(), running, dead: self.dead.len(), oldest }
    }

    /// The jobs that changed after `after`; from the beginning where this queue has never reached `after`.
    pub fn changes(&self, after: Cursor) -> Changes {
        let behind = if after.0 > self.changed { 0 } else { after.0 };
        let (mut jobs, mut cursor) = (Vec::new(), after);
        for (changed, id) in self.changes.range(behind + 1..).take(CHANGES_MAX) {
            jobs.extend(self.status(*id));
            cursor = Cursor(*changed);
        }
        Changes { jobs, cursor, missed: behind < self.archived }
    }

    /// The pixels of a job, where they are kept.
    pub fn image(&self, id: JobId) -> Option<&Image> {
        let of_entry = self.entries.get(&id).map(|entry| &entry.job.image);
        let of_letter = || self.dead.values().find(|dead| dead.letter.job.id == id).map(|dead| &dead.letter.job.image);
        of_entry.filter(|image| !image.pixels().is_empty()).or_else(|| self.history.image(id)).or_else(of_letter)
    }

    pub fn dead(&self, limit: usize) -> Vec<DeadLetter> {
        self.dead.values().rev().take(limit).map(|dead| dead.letter.clone()).collect()
    }
}
