//! Where does a job stand, in every order in which jobs are asked for?
//!
//! The moves that [`Ledger`]'s verbs are made of: each keeps the lines, the leases and the changes in step.

use crate::WorkerId;
use crate::clock::Timestamp;
use crate::job::{Job, JobId, Outcome, Progress, Status, Verdict};
use crate::queue::rules::{End, Tally};
use crate::queue::{DeadLetter, Settled};
use kana_engine::image::{Image, Shape};

use super::ledger::{Entry, Grave, Ledger, State};

impl Ledger {
    /// Takes a job in, unless it is known: then its sender, unsure of our answer, sent it once more.
    pub(super) fn admit(&mut self, job: Job, place: u64, again: bool) {
        if self.entries.contains_key(&job.id) {
            return;
        }
        let id = job.id;
        self.batches.entry(job.batch).or_default().insert(place, id);
        let (tally, state) = (Tally::default(), State::Waiting);
        self.entries.insert(id, Entry { job, place, tally, again, changed: 0, claimed: None, state });
        self.wait(id);
    }

    /// Puts a job back in line, at the place that it was given when it was submitted.
    pub(super) fn wait(&mut self, id: JobId) {
        let entry = self.entry(id);
        entry.state = State::Waiting;
        let place = entry.place;
        if entry.again {
            self.again.insert(place, id)
        } else {
            self.first.insert(place, id)
        };
        self.change(id);
    }

    /// Takes a job out of wherever it waits or runs.
    pub(super) fn leave(&mut self, id: JobId) {
        let place = self.entry(id).place;
        self.first.remove(&place);
        self.again.remove(&place);
        self.leases.remove(&id);
    }

    /// Notes that a job changed, and answers with the number of that change.
    pub(super) fn change(&mut self, id: JobId) -> u64 {
        self.changed += 1;
        let changed = self.changed;
        let before = std::mem::replace(&mut self.entry(id).changed, changed);
        self.changes.remove(&before);
        self.changes.insert(changed, id);
        changed
    }

    /// Ends the attempt under way without an outcome: the job waits for another, or is buried.
    pub(super) fn end(&mut self, id: JobId, end: End<'_>, now: Timestamp) -> Settled {
        let limits = self.limits;
        self.leave(id);
        let entry = self.entry(id);
        entry.tally = entry.tally.after(end);
        entry.again = true;
        let State::Running { worker, .. } = std::mem::replace(&mut entry.state, State::Waiting) else {
            return Settled::Late;
        };
        if !entry.tally.is_spent(&limits) {
            self.wait(id);
            return Settled::Retried;
        }
        let (place, job) = (entry.place, entry.job.clone());
        let (attempts, reason) = (entry.tally.claims, entry.tally.reason(&limits, &worker, end));
        let settler = matches!(end, End::Failed(_)).then(|| worker.clone());
        self.conclude(id, (settler, Verdict::Failed { reason: reason.clone() }), now);
        let letter = DeadLetter { job, attempts, reason, worker: Some(worker), died: now };
        self.dead.insert(self.changed, Grave { place, letter });
        self.dead_ends.set(self.changed, now.after(limits.dead_ttl));
        Settled::Dead
    }

    /// Gives a job its outcome, and lets go of its pixels.
    pub(super) fn conclude(&mut self, id: JobId, (worker, verdict): (Option<WorkerId>, Verdict), now: Timestamp) {
        self.leave(id);
        self.change(id);
        self.outcomes.set(id, now.after(self.limits.outcome_ttl));
        let entry = self.entry(id);
        let queued = entry.claimed.unwrap_or(now).since(entry.job.submitted);
        entry.job.image = no_image();
        entry.state = State::Settled(Outcome { settled: now, worker, queued, verdict });
    }

    /// Lets go of a job whose outcome has expired.
    pub(super) fn forget(&mut self, id: JobId) {
        let Some(entry) = self.entries.remove(&id) else { return };
        self.changes.remove(&entry.changed);
        self.outcomes.remove(&id);
        let Some(batch) = self.batches.get_mut(&entry.job.batch) else { return };
        batch.remove(&entry.place);
        if batch.is_empty() {
            self.batches.remove(&entry.job.batch);
        }
    }

    pub(super) fn entry(&mut self, id: JobId) -> &mut Entry {
        self.entries.get_mut(&id).expect("BUG: lines and leases name only jobs that have an entry")
    }

    pub(super) fn status(&self, id: JobId) -> Option<Status> {
        let Entry { job, tally, state, .. } = self.entries.get(&id)?;
        let progress = match state {
            State::Waiting => Progress::Queued,
            State::Running { worker, .. } => Progress::Running { worker: worker.clone() },
            State::Settled(outcome) => Progress::Settled(outcome.clone()),
        };
        let (batch, filename, submitted) = (job.batch, job.filename.clone(), job.submitted);
        Some(Status { id, batch, filename, submitted, attempts: tally.claims, progress })
    }
}

/// What stands in for pixels that nobody needs any more.
fn no_image() -> Image {
    let nothing = Shape { channels: 0, height: 0, width: 0 };
    Image::new(nothing, Vec::new()).expect("BUG: no bytes are exactly as many as no pixels have")
}
