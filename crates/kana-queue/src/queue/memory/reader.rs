//! What may be asked of a queue in memory?
//!
//! Nothing here writes: a job whose outcome has expired is answered as unknown, though nothing has removed it yet.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::job::{BatchId, JobId, Status};
use crate::queue::rules;
use crate::queue::{CHANGES_MAX, Changes, Cursor, DeadLetter, Depth};

use super::operations::{Jobs, State};

impl Jobs {
    pub fn statuses(&self, jobs: &[JobId], now: Timestamp) -> Vec<Option<Status>> {
        jobs.iter().map(|id| self.status_now(*id, now)).collect()
    }

    pub fn batch(&self, batch: BatchId, now: Timestamp) -> Vec<Status> {
        self.batches
            .get(&batch)
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter_map(|id| self.status_now(*id, now))
            .collect()
    }

    /// Where a job stands; `None` where its outcome has expired.
    fn status_now(&self, id: JobId, now: Timestamp) -> Option<Status> {
        let expired = self.outcomes.ends(&id).is_some_and(|ends| rules::is_over(ends, now));
        if expired { None } else { self.status(id) }
    }

    pub fn depth(&self) -> Depth {
        let mut running = BTreeMap::new();
        for id in self.leases.keys() {
            if let Some(State::Running { worker, .. }) = self.entries.get(id).map(|entry| &entry.state) {
                *running.entry(worker.clone()).or_default() += 1;
            }
        }
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
        Changes { jobs, cursor, missed: false }
    }

    pub fn dead(&self, limit: usize) -> Vec<DeadLetter> {
        self.dead.values().rev().take(limit).map(|dead| dead.letter.clone()).collect()
    }
}
