//! What does every call do to a queue, given the time?
//!
//! [`Jobs`] is a plain state machine: no lock, no clock, no waiting. Each verb is handed the moment at which it happens
//! and first does what time asked for until then, so that no answer depends on who swept last.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::WorkerId;
use crate::clock::Timestamp;
use crate::job::{BatchId, Job, JobId, Outcome, Verdict};
use crate::queue::rules::{self, Attempts, End, Line};
use crate::queue::{
    Cancellation, Cause, Claim, DeadLetter, Error, Hold, Idempotency, Inference, Lease, Limits, Receipt, Run, Settled,
    Settlement, Submission,
};

use super::deadlines::Deadlines;
use super::history::History;
use super::transitions::Conclusion;
use super::writes::Writes;

/// A clock that is set back by less is corrected by a moment.
const SETBACK: Duration = Duration::from_secs(1);

/// Times that the clock was set back that are remembered.
const SETBACKS_MAX: usize = 64;

/// Every job of a queue, and every order in which jobs are asked for.
#[derive(Debug)]
pub struct Jobs {
    pub(super) limits: Limits,
    pub(super) entries: HashMap<JobId, Entry>,
    pub(super) batches: HashMap<BatchId, BTreeMap<u64, JobId>>,
    /// Waiting jobs by place in line: never attempted, and attempted before.
    pub(super) first: BTreeMap<u64, JobId>,
    pub(super) again: BTreeMap<u64, JobId>,
    last: Line,
    pub(super) leases: Deadlines<JobId>,
    /// The jobs that each worker holds.
    pub(super) holders: BTreeMap<WorkerId, BTreeSet<JobId>>,
    pub(super) outcomes: Deadlines<JobId>,
    pub(super) repeats: HashMap<String, Repeat>,
    pub(super) repeat_ends: Deadlines<String>,
    /// Dead letters by the change in which they died.
    pub(super) dead: BTreeMap<u64, DeadEntry>,
    pub(super) dead_ends: Deadlines<u64>,
    pub(super) changes: BTreeMap<u64, JobId>,
    /// The number of the latest change.
    pub(super) changed: u64,
    /// The number of the latest change that is no longer here, because its job is in the archive alone.
    pub(super) archived: u64,
    /// When the latest of those jobs was submitted.
    pub(super) archived_submission: Timestamp,
    /// Settled jobs by their last change, oldest first, where a journal has an archive for them.
    pub(super) settled: VecDeque<(u64, JobId)>,
    pub(super) kept_in_memory: usize,
    /// When the queue was called last.
    heard: Option<Timestamp>,
    /// The latest change before the clock was set back, and the latest moment at which outcomes from before can end.
    pub(super) setbacks: VecDeque<(u64, Timestamp)>,
    /// What is kept for people to look at.
    pub history: History,
    /// What a journal has yet to write.
    pub writes: Writes,
}

/// One job, wherever it stands.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) job: Arc<Job>,
    pub(super) place: u64,
    pub(super) attempts: Attempts,
    /// Whether it was attempted before: attempts that were stopped, or before a replay, count too.
    pub(super) again: bool,
    pub(super) changed: u64,
    pub(super) claimed: Option<Timestamp>,
    /// The journal's group that makes certain what is told of this job.
    pub(super) group: u64,
    pub(super) state: State,
}

#[derive(Debug)]
pub(super) enum State {
    Waiting,
    Running { worker: WorkerId, token: u64 },
    Settled(Outcome),
}

/// A dead letter, and the place in line that its job had.
#[derive(Debug)]
pub(super) struct DeadEntry {
    pub(super) place: u64,
    pub(super) letter: DeadLetter,
}

/// The answer to a submission under an idempotency key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    pub key: String,
    pub fingerprint: [u8; 32],
    pub batch: BatchId,
    pub answer: String,
    /// When the key is forgotten.
    pub ends: Timestamp,
}

impl Repeat {
    /// The receipt for a submission that names this key.
    pub fn receipt(&self, asked: &Idempotency) -> Result<Receipt, Error> {
        if asked.fingerprint != self.fingerprint {
            return Err(Error::KeyReused { key: asked.key.clone() });
        }
        Ok(Receipt::Repeated { batch: self.batch, answer: self.answer.clone() })
    }
}

impl Jobs {
    /// Creates an empty queue. `writes` collects what a journal has to write, where there is one.
    pub fn new(limits: Limits, writes: Writes) -> Self {
        Self {
            limits,
            entries: HashMap::new(),
            batches: HashMap::new(),
            first: BTreeMap::new(),
            again: BTreeMap::new(),
            last: Line::First,
            leases: Deadlines::new(),
            holders: BTreeMap::new(),
            outcomes: Deadlines::new(),
            repeats: HashMap::new(),
            repeat_ends: Deadlines::new(),
            dead: BTreeMap::new(),
            dead_ends: Deadlines::new(),
            changes: BTreeMap::new(),
            changed: 0,
            archived: 0,
            archived_submission: Timestamp::default(),
            settled: VecDeque::new(),
            kept_in_memory: 0,
            heard: None,
            setbacks: VecDeque::new(),
            history: History::new(),
            writes,
        }
    }

    /// Jobs that wait for a worker.
    pub fn waiting(&self) -> usize {
        self.first.len() + self.again.len()
    }

    /// Waiting jobs that were never attempted.
    pub fn first_attempts(&self) -> usize {
        self.first.len()
    }

    /// Whether a worker holds jobs.
    pub fn is_busy(&self, worker: &WorkerId) -> bool {
        self.holders.contains_key(worker)
    }

    /// Jobs that wait or run: what the queue is bounded by.
    pub(super) fn unsettled(&self) -> usize {
        self.waiting() + self.leases.len()
    }

    /// The number of the latest change.
    pub fn latest(&self) -> u64 {
        self.changed
    }

    pub fn submit(&mut self, submission: Submission, now: Timestamp) -> Result<Receipt, Error> {
        self.catch_up(now);
        if let Some(receipt) = self.repeated(submission.idempotency.as_ref())? {
            return Ok(receipt);
        }
        let fresh = submission.jobs.iter().filter(|job| !self.entries.contains_key(&job.id)).count();
        if self.unsettled() + fresh > self.limits.jobs_max {
            return Err(Error::Full { limit: self.limits.jobs_max });
        }
        let ids = submission.jobs.iter().map(|job| job.id).collect();
        let key = submission.idempotency.as_ref().map(|idempotency| idempotency.key.clone());
        if let Some(name) = submission.name
            && !self.batches.contains_key(&submission.batch)
        {
            let run = Run { batch: submission.batch, name };
            self.writes.run(run.clone());
            self.history.begin(run);
        }
        self.writes.submission(ids, key);
        for job in submission.jobs {
            self.admit(Arc::new(job), self.changed + 1, Attempts::default(), false);
        }
        if let Some(Idempotency { key, fingerprint, answer }) = submission.idempotency {
            let ends = now.after(self.limits.outcome_ttl);
            self.remember(Repeat { key, fingerprint, batch: submission.batch, answer, ends });
        }
        Ok(Receipt::Accepted)
    }

    /// Keeps the answer to a submission under a key.
    pub fn remember(&mut self, repeat: Repeat) {
        self.repeat_ends.set(repeat.key.clone(), repeat.ends);
        self.repeats.insert(repeat.key.clone(), repeat);
    }

    fn repeated(&self, idempotency: Option<&Idempotency>) -> Result<Option<Receipt>, Error> {
        let known = idempotency.and_then(|asked| Some((asked, self.repeats.get(&asked.key)?)));
        known.map(|(asked, known)| known.receipt(asked)).transpose()
    }

    pub fn claim(&mut self, worker: &WorkerId, limit: usize, now: Timestamp) -> Vec<Claim> {
        self.catch_up(now);
        let Some(line) = rules::line_next(!self.first.is_empty(), !self.again.is_empty(), self.last) else {
            return Vec::new();
        };
        if limit == 0 {
            return Vec::new();
        }
        self.last = line;
        let ids: Vec<JobId> = match line {
            Line::First => self.first.values().take(limit).copied().collect(),
            Line::Again => self.again.values().take(1).copied().collect(),
        };
        ids.into_iter().map(|id| self.lease(id, worker, now)).collect()
    }

    fn lease(&mut self, id: JobId, worker: &WorkerId, now: Timestamp) -> Claim {
        self.leave(id);
        let token = self.change(id);
        self.leases.set(id, now.after(self.limits.lease));
        self.holders.entry(worker.clone()).or_default().insert(id);
        self.writes.attempts(id);
        let entry = self.entry(id);
        entry.attempts = entry.attempts.claimed();
        entry.claimed = Some(now);
        entry.state = State::Running { worker: worker.to_owned(), token };
        let lease = Lease { job: id, worker: worker.to_owned(), token };
        Claim { lease, job: Job::clone(&entry.job), attempt: entry.attempts.claims }
    }

    pub fn extend(&mut self, leases: &[Lease], now: Timestamp) -> Vec<Hold> {
        self.catch_up(now);
        let ends = now.after(self.limits.lease);
        leases.iter().map(|lease| self.if_held(lease, |jobs| jobs.leases.set(lease.job, ends))).collect()
    }

    pub fn release(&mut self, leases: &[Lease], now: Timestamp) -> Vec<Hold> {
        self.catch_up(now);
        let release = |jobs: &mut Self, id| {
            jobs.leave(id);
            let entry = jobs.entry(id);
            entry.attempts = entry.attempts.released();
            jobs.writes.attempts(id);
            jobs.wait(id);
        };
        leases.iter().map(|lease| self.if_held(lease, |jobs| release(jobs, lease.job))).collect()
    }

    fn if_held(&mut self, lease: &Lease, then: impl FnOnce(&mut Self)) -> Hold {
        if !self.is_held(lease) {
            return Hold::Lost;
        }
        then(self);
        Hold::Kept
    }

    fn is_held(&self, lease: &Lease) -> bool {
        self.entries.get(&lease.job).is_some_and(|entry| {
            matches!(&entry.state, State::Running { worker, token } if *token == lease.token && *worker == lease.worker)
        })
    }

    pub fn settle(&mut self, settlements: Vec<Settlement>, now: Timestamp) -> Vec<Settled> {
        self.catch_up(now);
        settlements.into_iter().map(|settlement| self.settle_one(settlement, now)).collect()
    }

    fn settle_one(&mut self, settlement: Settlement, now: Timestamp) -> Settled {
        let Settlement { lease, result } = settlement;
        match (result, self.entries.get(&lease.job).map(|entry| &entry.state)) {
            (_, None | Some(State::Settled(_))) => Settled::Late,
            (Ok(Inference { prediction, elapsed, blank }), Some(_)) => {
                let verdict = Verdict::Done { prediction, inference: elapsed, blank };
                self.conclude(lease.job, Conclusion { worker: Some(lease.worker), verdict }, now);
                Settled::Done
            }
            (Err(_), Some(_)) if !self.is_held(&lease) => Settled::Late,
            (Err(why), Some(_)) => self.end(lease.job, End::Failed(&why), now),
        }
    }

    pub fn reclaim(&mut self, worker: &WorkerId, cause: Cause, now: Timestamp) -> usize {
        self.catch_up(now);
        let held: Vec<JobId> = self.holders.get(worker).into_iter().flatten().copied().collect();
        let end = match cause {
            Cause::Stopped => End::Stopped,
            Cause::Crashed => End::Crashed,
        };
        for id in &held {
            self.end(*id, end, now);
        }
        held.len()
    }

    pub fn cancel(&mut self, id: JobId, now: Timestamp) -> Cancellation {
        self.catch_up(now);
        match self.entries.get(&id).map(|entry| &entry.state) {
            None => Cancellation::Unknown,
            Some(State::Running { .. }) => Cancellation::Running,
            Some(State::Settled(_)) => Cancellation::Settled,
            Some(State::Waiting) => {
                self.conclude(id, Conclusion { worker: None, verdict: Verdict::Cancelled }, now);
                Cancellation::Cancelled
            }
        }
    }

    pub fn replay(&mut self, id: JobId, now: Timestamp) -> Result<bool, Error> {
        self.catch_up(now);
        let Some(death) = self.death_of(id) else { return Ok(false) };
        if self.unsettled() >= self.limits.jobs_max {
            return Err(Error::Full { limit: self.limits.jobs_max });
        }
        let Some(DeadEntry { place, letter }) = self.remove_dead_letter(death) else { return Ok(false) };
        self.forget(id);
        self.writes.job(id);
        self.admit(Arc::new(letter.job), place, Attempts::default(), true);
        Ok(true)
    }

    pub fn discard(&mut self, id: JobId, now: Timestamp) -> bool {
        self.catch_up(now);
        self.death_of(id).and_then(|death| self.remove_dead_letter(death)).is_some()
    }

    fn death_of(&self, id: JobId) -> Option<u64> {
        self.dead.iter().find(|(_, dead)| dead.letter.job.id == id).map(|(death, _)| *death)
    }

    pub(super) fn remove_dead_letter(&mut self, death: u64) -> Option<DeadEntry> {
        self.writes.burial(death);
        self.dead_ends.remove(&death);
        self.dead.remove(&death)
    }

    /// Does what time has asked for since the last call. Where that is long ago, nobody could extend a lease meanwhile, and
    /// each is extended now.
    pub fn catch_up(&mut self, now: Timestamp) {
        let Limits { lease, outcome_ttl, dead_ttl, .. } = self.limits;
        if let Some(heard) = self.heard.replace(now) {
            if now.since(heard) > rules::SILENCE {
                self.leases.set_all(now.after(lease));
            }
            if heard.since(now) > SETBACK {
                self.setbacks.push_back((self.changed, rules::ends_latest(now, outcome_ttl)));
                self.setbacks.drain(..self.setbacks.len().saturating_sub(SETBACKS_MAX));
            }
        }
        self.leases.cut(now, lease);
        self.outcomes.cut(now, outcome_ttl);
        self.repeat_ends.cut(now, outcome_ttl);
        self.dead_ends.cut(now, dead_ttl);
        while let Some(id) = self.leases.pop(now) {
            self.end(id, End::Expired, now);
        }
        while let Some(id) = self.outcomes.pop(now) {
            self.forget(id);
        }
        while let Some(key) = self.repeat_ends.pop(now) {
            self.repeats.remove(&key);
        }
        while let Some(death) = self.dead_ends.pop(now) {
            self.dead.remove(&death);
        }
        let entries = &self.entries;
        let is_unsettled = |id: JobId| entries.get(&id).is_some_and(|entry| !matches!(entry.state, State::Settled(_)));
        self.history.expire(now, outcome_ttl, is_unsettled);
    }
}
