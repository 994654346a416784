//! How does a job move between waiting, running and settled?
//!
//! The transitions that the verbs of [`Jobs`] are made of: each keeps the lines, the leases and the changes consistent.

use crate::WorkerId;
use crate::clock::Timestamp;
use crate::job::{Job, JobId, Outcome, Progress, Status, Verdict};
use crate::queue::log::Expired;
use crate::queue::rules::{Attempts, End};
use crate::queue::{DeadLetter, Settled};
use kana_engine::image::{Image, Shape};

use super::operations::{DeadEntry, Entry, Jobs, State};

/// A job's outcome, but for the time.
pub(super) struct Conclusion {
    /// The worker that settled it; `None` where no worker did.
    pub(super) worker: Option<WorkerId>,
    pub(super) verdict: Verdict,
}

impl Jobs {
    /// Takes a job in, unless it is known: then its sender, unsure of our answer, sent it once more.
    pub(super) fn admit(&mut self, job: Job, place: u64, again: bool) {
        if self.entries.contains_key(&job.id) {
            return;
        }
        let id = job.id;
        self.batches.entry(job.batch).or_default().insert(place, id);
        let (attempts, state) = (Attempts::default(), State::Waiting);
        self.entries.insert(id, Entry { job, place, attempts, again, changed: 0, claimed: None, state });
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

    /// Records that a job changed, and returns the number of that change.
    pub(super) fn change(&mut self, id: JobId) -> u64 {
        self.changed += 1;
        let changed = self.changed;
        let before = std::mem::replace(&mut self.entry(id).changed, changed);
        self.changes.remove(&before);
        self.changes.insert(changed, id);
        changed
    }

    /// Ends the attempt under way without an outcome: the job waits for another, or is dead-lettered.
    pub(super) fn end(&mut self, id: JobId, end: End<'_>, now: Timestamp) -> Settled {
        let limits = self.limits;
        self.leave(id);
        let entry = self.entry(id);
        entry.attempts = entry.attempts.ended(end);
        entry.again = true;
        let State::Running { worker, .. } = std::mem::replace(&mut entry.state, State::Waiting) else {
            return Settled::Late;
        };
        if end == End::Expired {
            Expired { job: id, worker: worker.clone() }.log();
        }
        if !entry.attempts.are_exhausted(&limits) {
            self.wait(id);
            return Settled::Retried;
        }
        let (place, job) = (entry.place, entry.job.clone());
        let (attempts, reason) = (entry.attempts.claims, entry.attempts.reason(&limits, &worker, end));
        let settler = matches!(end, End::Failed(_)).then(|| worker.clone());
        let verdict = Verdict::Failed { reason: reason.clone() };
        self.conclude(id, Conclusion { worker: settler, verdict }, now);
        let letter = DeadLetter { job, attempts, reason, worker: Some(worker), died: now };
        self.dead.insert(self.changed, DeadEntry { place, letter });
        self.dead_ends.set(self.changed, now.after(limits.dead_ttl));
        while self.dead.len() > limits.dead_max
            && let Some((oldest, _)) = self.dead.pop_first()
        {
            self.dead_ends.remove(&oldest);
        }
        Settled::Dead
    }

    /// Gives a job its outcome, and drops its pixels.
    pub(super) fn conclude(&mut self, id: JobId, conclusion: Conclusion, now: Timestamp) {
        let Conclusion { worker, verdict } = conclusion;
        self.leave(id);
        self.change(id);
        self.outcomes.set(id, now.after(self.limits.outcome_ttl));
        let entry = self.entry(id);
        let queued = entry.claimed.unwrap_or(now).since(entry.job.submitted);
        entry.job.image = no_image();
        entry.state = State::Settled(Outcome { settled: now, worker, queued, verdict });
    }

    /// Removes a job whose outcome has expired.
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
        let Entry { job, attempts, state, .. } = self.entries.get(&id)?;
        let progress = match state {
            State::Waiting => Progress::Queued,
            State::Running { worker, .. } => Progress::Running { worker: worker.clone() },
            State::Settled(outcome) => Progress::Settled(outcome.clone()),
        };
        let (batch, filename, submitted) = (job.batch, job.filename.clone(), job.submitted);
        Some(Status { id, batch, filename, submitted, attempts: attempts.claims, progress })
    }
}

/// An image without pixels, for jobs that are over.
fn no_image() -> Image {
    let nothing = Shape { channels: 0, height: 0, width: 0 };
    Image::new(nothing, Vec::new()).expect("BUG: no bytes are exactly as many as no pixels have")
}
