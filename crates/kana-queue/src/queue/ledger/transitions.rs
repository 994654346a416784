//! How does a job move between waiting, running and settled?
//!
//! The transitions that the verbs of [`Jobs`] are made of: each keeps the lines, the leases and the changes consistent.

use std::sync::Arc;

use crate::WorkerId;
use crate::clock::Timestamp;
use crate::job::{Job, JobId, Outcome, Progress, Status, Verdict};
use crate::queue::log::Expired;
use crate::queue::rules::{Attempts, End};
use crate::queue::{DeadLetter, LostAttempt, Settled};
use kana_engine::image::{Image, Shape};

use super::operations::{DeadEntry, Entry, Jobs, State};
use super::records::Record;

/// A job's outcome, but for the time.
pub(super) struct Conclusion {
    /// The worker that settled it; `None` where no worker did.
    pub(super) worker: Option<WorkerId>,
    pub(super) verdict: Verdict,
}

impl Jobs {
    /// Takes a job in, unless it is known: then its sender, unsure of our answer, sent it once more.
    pub(super) fn admit(&mut self, job: Arc<Job>, place: u64, attempts: Attempts, again: bool) {
        if self.entries.contains_key(&job.id) {
            return;
        }
        let (id, group, state) = (job.id, self.writes.group(), State::Waiting);
        self.batches.entry(job.batch).or_default().insert(place, id);
        self.entries.insert(id, Entry { job, place, attempts, again, changed: 0, claimed: None, group, state });
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
        let entry = self.entries.get(&id).expect("BUG: lines and leases name only jobs that have an entry");
        if let State::Running { worker, .. } = &entry.state
            && let Some(held) = self.holders.get_mut(worker)
        {
            held.remove(&id);
            if held.is_empty() {
                self.holders.remove(worker);
            }
        }
        let place = entry.place;
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
        let (limits, group) = (self.limits, self.writes.group());
        self.leave(id);
        let entry = self.entry(id);
        entry.attempts = entry.attempts.ended(end);
        entry.again = true;
        let State::Running { worker, .. } = std::mem::replace(&mut entry.state, State::Waiting) else {
            return Settled::Late;
        };
        let began = entry.claimed.unwrap_or(now);
        if end == End::Expired {
            Expired { job: id, worker: worker.clone() }.log();
        }
        self.lose(id, LostAttempt { worker: worker.clone(), began, ended: now, loss: end.into() });
        let entry = self.entry(id);
        if !entry.attempts.are_exhausted(&limits) {
            entry.group = group;
            self.writes.failed_attempt(id);
            self.wait(id);
            return Settled::Retried;
        }
        let (place, job) = (entry.place, Job::clone(&entry.job));
        let (attempts, reason) = (entry.attempts.claims, entry.attempts.reason(&limits, &worker, end));
        let settler = matches!(end, End::Failed(_)).then(|| worker.clone());
        let verdict = Verdict::Failed { reason: reason.clone() };
        self.conclude(id, Conclusion { worker: settler, verdict }, now);
        let letter = DeadLetter { job, attempts, reason, worker: Some(worker), died: now };
        self.bury(self.changed, DeadEntry { place, letter }, now.after(limits.dead_ttl));
        self.writes.death(self.changed);
        while self.dead.len() > limits.dead_max
            && let Some(oldest) = self.dead.keys().next().copied()
        {
            self.remove_dead_letter(oldest);
        }
        Settled::Dead
    }

    /// Keeps how an attempt ended, for people to look at.
    fn lose(&mut self, job: JobId, attempt: LostAttempt) {
        let ends = attempt.ended.after(self.limits.outcome_ttl);
        self.writes.lost(Record::Lost { job, attempt: attempt.clone(), ends });
        self.history.lose(job, attempt, ends);
    }

    /// Gives a job its outcome. Its pixels are kept only for people to look at.
    pub(super) fn conclude(&mut self, id: JobId, conclusion: Conclusion, now: Timestamp) {
        let Conclusion { worker, verdict } = conclusion;
        self.leave(id);
        let changed = self.change(id);
        let ends = now.after(self.limits.outcome_ttl);
        self.outcomes.set(id, ends);
        self.history.settle(id, ends);
        if self.writes.outcome(id) {
            self.settled.push_back((changed, id));
        }
        let group = self.writes.group();
        let entry = self.entry(id);
        let queued = entry.claimed.unwrap_or(now).since(entry.job.submitted);
        let without_image = Arc::new(without_image(&entry.job));
        let job = std::mem::replace(&mut entry.job, without_image);
        entry.group = group;
        entry.state = State::Settled(Outcome { settled: now, worker, queued, verdict });
        self.history.picture(job);
    }

    /// Keeps a dead letter until `ends`.
    pub(super) fn bury(&mut self, death: u64, letter: DeadEntry, ends: Timestamp) {
        self.dead.insert(death, letter);
        self.dead_ends.set(death, ends);
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

/// The job without its pixels, for when it is over.
fn without_image(job: &Job) -> Job {
    let nothing = Shape { channels: 0, height: 0, width: 0 };
    let image = Image::new(nothing, Vec::new()).expect("BUG: no bytes are exactly as many as no pixels have");
    let Job { id, batch, submitted, .. } = *job;
    Job { id, batch, filename: job.filename.clone(), image, submitted }
}
