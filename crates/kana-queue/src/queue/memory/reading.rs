//! What may be asked of a ledger, and what may be done with its dead?

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::job::{BatchId, JobId, Status};
use crate::queue::rules;
use crate::queue::{CHANGES_MAX, Changes, Cursor, DeadLetter, Depth, Error};

use super::ledger::{Grave, Ledger, State};

impl Ledger {
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

    /// Where a job stands, and nothing where its outcome has expired and nobody has swept it away yet.
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

    /// What changed behind `after`; from the beginning where `after` is a place that this queue has never reached.
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
        self.dead.values().rev().take(limit).map(|grave| grave.letter.clone()).collect()
    }

    pub fn replay(&mut self, id: JobId, now: Timestamp) -> Result<bool, Error> {
        self.catch_up(now);
        let Some(death) = self.death(id) else { return Ok(false) };
        if self.unsettled() >= self.limits.jobs_max {
            return Err(Error::Full { limit: self.limits.jobs_max });
        }
        let Some(Grave { place, letter }) = self.bury(death) else { return Ok(false) };
        self.forget(id);
        self.admit(letter.job, place, true);
        Ok(true)
    }

    pub fn discard(&mut self, id: JobId, now: Timestamp) -> bool {
        self.catch_up(now);
        self.death(id).and_then(|death| self.bury(death)).is_some()
    }

    fn death(&self, id: JobId) -> Option<u64> {
        self.dead.iter().find(|(_, grave)| grave.letter.job.id == id).map(|(death, _)| *death)
    }

    fn bury(&mut self, death: u64) -> Option<Grave> {
        self.dead_ends.remove(&death);
        self.dead.remove(&death)
    }
}
