//! What does a journal keep of a ledger, and how is a ledger restored from it?
//!
//! Records are read in the order in which they were written, and the later one of a job wins. Leases are not kept: what
//! was claimed when its holder ended waits again, alone where the journal knows of the claim.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::job::{Job, JobId, Status};
use crate::queue::rules::{self, Attempts};
use crate::queue::{DeadLetter, LostAttempt, Run};

use super::operations::{DeadEntry, Jobs, Repeat, State};
use super::writes::{Write, Writes};

/// Bits of a change's number that count within one opening of the journal; the bits above count the openings, so that no
/// number is ever used twice.
const CHANGE_BITS: u32 = 40;

/// One entry of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// The journal was opened for the so-manieth time.
    Opened { epoch: u64 },
    /// Jobs that wait, all or none of them, and the idempotency key of their submission.
    Submission { jobs: Vec<JobRecord>, repeat: Option<Repeat> },
    /// The attempts of a job that waits.
    Attempts { job: JobId, attempts: Attempts, again: bool },
    /// The outcome of a job.
    Outcome(Box<OutcomeRecord>),
    /// A dead letter.
    Death { death: u64, place: u64, letter: Box<DeadLetter>, ends: Timestamp },
    /// The end of a dead letter before its time.
    Burial { death: u64 },
    /// The journal was closed in order: everything before this is on the disk.
    Closed,
    /// An attempt that ended without an outcome, and until when it is kept at least.
    Lost { job: JobId, attempt: LostAttempt, ends: Timestamp },
    /// A batch that people may want to look at again.
    Run(Run),
}

/// A job that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    pub place: u64,
    pub attempts: Attempts,
    pub again: bool,
    pub job: Arc<Job>,
}

/// The outcome of a job, which readers may ask for until it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutcomeRecord {
    pub place: u64,
    /// The number of the change in which the job was settled.
    pub changed: u64,
    pub ends: Timestamp,
    pub status: Status,
}

impl Jobs {
    /// Looks up how each thing that is to be written stands now. Nothing is written of what is gone or changes again
    /// later in the same group.
    pub fn records(&self, writes: &[Write]) -> Vec<Record> {
        let mut records = Vec::with_capacity(writes.len());
        for write in writes {
            match write {
                Write::Copies(copies) => records.extend_from_slice(copies),
                _ => records.extend(self.record(write)),
            }
        }
        records
    }

    fn record(&self, write: &Write) -> Option<Record> {
        match write {
            Write::Submission(ids, key) => {
                let jobs: Vec<_> = ids.iter().filter_map(|id| self.job_record(*id)).collect();
                let repeat = key.as_ref().and_then(|key| self.repeats.get(key)).cloned();
                (!jobs.is_empty() || repeat.is_some()).then_some(Record::Submission { jobs, repeat })
            }
            Write::Job(id) => self.job_record(*id).map(|job| Record::Submission { jobs: vec![job], repeat: None }),
            Write::Attempts(id) => {
                let entry = self.entries.get(id).filter(|entry| !matches!(entry.state, State::Settled(_)))?;
                Some(Record::Attempts { job: *id, attempts: entry.attempts, again: entry.again })
            }
            Write::Outcome(id) => {
                let (entry, ends) = (self.entries.get(id)?, self.outcomes.ends(id)?);
                let status = self.status(*id)?;
                let (place, changed) = (entry.place, entry.changed);
                Some(Record::Outcome(Box::new(OutcomeRecord { place, changed, ends, status })))
            }
            Write::Death(death) => {
                let (dead, ends) = (self.dead.get(death)?, self.dead_ends.ends(death)?);
                let letter = Box::new(dead.letter.clone());
                Some(Record::Death { death: *death, place: dead.place, letter, ends })
            }
            Write::Burial(death) => Some(Record::Burial { death: *death }),
            Write::Opened(epoch) => Some(Record::Opened { epoch: *epoch }),
            Write::Copies(_) => None,
        }
    }

    fn job_record(&self, id: JobId) -> Option<JobRecord> {
        let entry = self.entries.get(&id).filter(|entry| !matches!(entry.state, State::Settled(_)))?;
        let (place, attempts, again) = (entry.place, entry.attempts, entry.again);
        Some(JobRecord { place, attempts, again, job: Arc::clone(&entry.job) })
    }

    /// Does again what a record says. An outcome only ends its job here: it stays where the record is.
    pub fn restore(&mut self, record: Record, now: Timestamp) {
        match record {
            Record::Submission { jobs, repeat } => {
                for job in jobs {
                    self.restore_job(job);
                }
                if let Some(repeat) = repeat.filter(|repeat| !rules::is_over(repeat.ends, now)) {
                    self.remember(repeat);
                }
            }
            Record::Attempts { job, attempts, again } => {
                if let Some(entry) = self.entries.get(&job) {
                    let (place, job) = (entry.place, Arc::clone(&entry.job));
                    self.restore_job(JobRecord { place, attempts, again, job });
                }
            }
            Record::Outcome(outcome) => {
                let id = outcome.status.id;
                if let Some(entry) = self.entries.get(&id) {
                    self.history.picture(Arc::clone(&entry.job));
                }
                self.history.settle(id, outcome.ends);
                self.drop_job(id);
            }
            Record::Death { death, place, letter, ends } => {
                self.bury(death, DeadEntry { place, letter: *letter }, ends)
            }
            Record::Burial { death } => drop(self.remove_dead_letter(death)),
            Record::Opened { .. } | Record::Closed => {}
            Record::Lost { job, attempt, ends } => self.history.lose(job, attempt, ends),
            Record::Run(run) => self.history.begin(run),
        }
    }

    fn restore_job(&mut self, record: JobRecord) {
        let JobRecord { place, attempts, again, job } = record;
        self.drop_job(job.id);
        // Whatever was claimed when the holder ended may have been what ended it.
        self.admit(job, place, attempts, again || attempts.claims > 0);
    }

    /// Begins to collect what the journal has to write, once everything is restored. `kept` settled jobs, and as many
    /// idempotency keys, stay in memory although the journal has them.
    pub fn begin_journal(&mut self, epoch: u64, kept: usize) {
        self.kept_in_memory = kept;
        self.changed = epoch << CHANGE_BITS;
        // Outcomes of earlier openings are in the journal alone.
        self.archived = if epoch > 1 { self.changed } else { 0 };
        self.writes = Writes::journaled(epoch);
    }

    /// How many times the journal was opened, this time included.
    pub fn epoch(&self) -> u64 {
        self.changed >> CHANGE_BITS
    }

    /// Takes back a submission that could not be written, as though it had never been made.
    pub fn retract(&mut self, jobs: &[JobId], key: Option<&str>) {
        for id in jobs {
            self.drop_job(*id);
        }
        if let Some(key) = key {
            self.repeats.remove(key);
            self.repeat_ends.remove(&key.to_owned());
        }
    }

    fn drop_job(&mut self, id: JobId) {
        if self.entries.contains_key(&id) {
            self.leave(id);
            self.forget(id);
        }
    }

    /// Leaves old outcomes and keys to the journal. Those up to the change `written` are in it.
    pub fn archive(&mut self, written: u64) {
        while let Some((changed, id)) = self.settled.front().copied().filter(|(changed, _)| *changed <= written)
            && self.settled.len() > self.kept_in_memory
        {
            self.settled.pop_front();
            // Unless it expired or was replayed since.
            if let Some(entry) = self.entries.get(&id).filter(|entry| entry.changed == changed) {
                self.archived = self.archived.max(changed);
                self.archived_submission = self.archived_submission.max(entry.job.submitted);
                self.forget(id);
            }
        }
        while self.repeats.len() > self.kept_in_memory {
            let Some(key) = self.repeat_ends.keys().next().cloned() else { return };
            self.repeat_ends.remove(&key);
            self.repeats.remove(&key);
        }
    }

    /// Whether a job may be in the archive alone: the latest job there was submitted no earlier.
    pub fn may_be_archived(&self, job: &Job) -> bool {
        job.submitted <= self.archived_submission
    }

    /// Whether an outcome has expired: one from before the clock was set back is kept no longer than any other.
    pub fn is_expired(&self, outcome: &OutcomeRecord, now: Timestamp) -> bool {
        let cuts = self.setbacks.iter().filter(|(changed, _)| outcome.changed <= *changed).map(|(_, latest)| *latest);
        rules::is_over(cuts.fold(outcome.ends, Timestamp::min), now)
    }

    /// Whether the ledger has this job, in whatever state.
    pub fn has(&self, id: JobId) -> bool {
        self.entries.contains_key(&id)
    }

    /// Whether the ledger has this job, and no outcome of it.
    pub fn is_unsettled(&self, id: JobId) -> bool {
        self.entries.get(&id).is_some_and(|entry| !matches!(entry.state, State::Settled(_)))
    }

    /// Whether a dead letter is kept.
    pub fn is_dead(&self, death: u64) -> bool {
        self.dead.contains_key(&death)
    }

    /// The jobs whose pixels are kept: those that wait or run, and dead letters.
    pub fn with_pixels(&self) -> usize {
        self.unsettled() + self.dead.len()
    }
}
