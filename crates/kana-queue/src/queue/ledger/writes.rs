//! What has a journal yet to write?
//!
//! The ledger notes here what it changed, by name alone: the journal looks up how each thing stands when it writes, so
//! that a job that was submitted, claimed and settled within one group is written once. Groups are numbered; whatever is
//! noted now is written with the [present one](Writes::group) or, where that fails, with a later one.

use crate::job::JobId;
use crate::queue::Run;

use super::records::Record;

/// Something that the journal writes.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Jobs that were submitted together, and their idempotency key.
    Submission(Vec<JobId>, Option<String>),
    /// A job as it waits, with its pixels.
    Job(JobId),
    /// The attempts of a job that waits or runs.
    Attempts(JobId),
    /// The outcome of a job.
    Outcome(JobId),
    /// A dead letter, by the change in which its job died.
    Death(u64),
    /// The end of a dead letter that was replayed, discarded or pushed out by newer ones.
    Burial(u64),
    /// The number of times that the journal was opened.
    Opened(u64),
    /// Records of an old part of the journal that are still needed.
    Copies(Vec<Record>),
}

/// Everything that is not written yet, in order.
#[derive(Debug, Default)]
pub struct Writes {
    is_journaled: bool,
    group: u64,
    is_urgent: bool,
    writes: Vec<Write>,
}

impl Writes {
    /// For a queue without a journal: notes nothing.
    pub fn discarded() -> Self {
        Self::default()
    }

    /// For a queue with a journal that is opened for the so-manieth time; its first group is number 1.
    pub fn journaled(epoch: u64) -> Self {
        Self { is_journaled: true, group: 1, writes: vec![Write::Opened(epoch)], ..Self::default() }
    }

    /// The number of the group that is being collected; 0 where there is no journal, for which everything is certain.
    pub fn group(&self) -> u64 {
        self.group
    }

    /// Whether somebody waits for what is noted. The rest can wait for the next group.
    pub fn is_urgent(&self) -> bool {
        self.is_urgent
    }

    /// Asks for a group where there is anything to write.
    pub fn flush(&mut self) {
        self.is_urgent |= !self.writes.is_empty();
    }

    /// Takes the group, and begins the next.
    pub fn take(&mut self) -> Vec<Write> {
        self.group += 1;
        self.is_urgent = false;
        std::mem::take(&mut self.writes)
    }

    /// Puts back what could not be written, to be written first.
    pub fn put_back(&mut self, mut writes: Vec<Write>) {
        self.is_urgent = true;
        writes.append(&mut self.writes);
        self.writes = writes;
    }

    /// Asks for a group although nothing may have changed.
    pub fn ask(&mut self) {
        self.is_urgent = self.is_journaled;
    }

    pub fn copies(&mut self, records: Vec<Record>) {
        self.urgent(Write::Copies(records));
    }

    /// Notes a run: with the submission that begins it, or before.
    pub(super) fn run(&mut self, run: Run) {
        self.note(Write::Copies(vec![Record::Run(run)]));
    }

    /// Notes a lost attempt: with what became of its job, or before.
    pub(super) fn lost(&mut self, record: Record) {
        self.note(Write::Copies(vec![record]));
    }

    pub(super) fn submission(&mut self, jobs: Vec<JobId>, key: Option<String>) {
        self.urgent(Write::Submission(jobs, key));
    }

    pub fn job(&mut self, job: JobId) {
        self.urgent(Write::Job(job));
    }

    /// Notes attempts that need not be certain: what a crash forgets of them is at most a claim.
    pub(super) fn attempts(&mut self, job: JobId) {
        self.note(Write::Attempts(job));
    }

    pub(super) fn failed_attempt(&mut self, job: JobId) {
        self.urgent(Write::Attempts(job));
    }

    /// Notes an outcome. Returns whether a journal keeps it.
    pub(super) fn outcome(&mut self, job: JobId) -> bool {
        self.urgent(Write::Outcome(job));
        self.is_journaled
    }

    pub fn death(&mut self, death: u64) {
        self.urgent(Write::Death(death));
    }

    pub(super) fn burial(&mut self, death: u64) {
        self.urgent(Write::Burial(death));
    }

    fn urgent(&mut self, write: Write) {
        self.is_urgent = self.is_journaled;
        self.note(write);
    }

    fn note(&mut self, write: Write) {
        if self.is_journaled {
            self.writes.push(write);
        }
    }
}
