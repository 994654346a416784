//! How does a file of the journal go that is hardly needed any more?
//!
//! A part at a time, so that no submission waits for it: what is still needed of the oldest file is written to the newest
//! one, and once the disk has that, the file is removed. Always the oldest, because a record may only go once all that
//! it overrules are gone.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::job::JobId;
use crate::queue::ledger::{Record, Shared};
use crate::queue::rules;

use super::disk::Disk;
use super::log::Log;
use super::log::frame::Frames;
use super::log::segment::START;

/// A file that is being tidied away.
pub struct Tidying {
    number: u64,
    bytes: Vec<u8>,
    at: usize,
    /// The group in which the last of what is still needed is written elsewhere.
    last_group: u64,
}

impl Tidying {
    /// Begins with the oldest file, where too much lies about.
    pub fn begin<D: Disk>(log: &Log<D>, shared: &Shared, is_full: bool) -> Option<Self> {
        let now = shared.clock.now();
        let with_pixels = || shared.state.lock().jobs.with_pixels();
        let number = log.oldest_to_tidy(with_pixels, is_full, now)?;
        // A file that cannot be read now is looked at again with the next group.
        let bytes = log.oldest().ok()?;
        Some(Self { number, bytes, at: START as usize, last_group: 0 })
    }

    /// Does the next part. Returns `None` once the file is removed. `written` is the latest group that is in the log.
    pub fn go_on<D: Disk>(
        mut self,
        log: &mut Log<D>,
        shared: &Arc<Shared>,
        written: u64,
        is_synced: bool,
    ) -> Option<Self> {
        if self.at < self.bytes.len() {
            self.keep_part(log, shared);
            return Some(self);
        }
        if self.last_group > written || !is_synced || log.remove_oldest().is_err() {
            return Some(self);
        }
        None
    }

    fn keep_part<D: Disk>(&mut self, log: &Log<D>, shared: &Shared) {
        let now = shared.clock.now();
        let end = self.at + log.sizes().tidied_at_once;
        let mut frames = Frames::new(&self.bytes, self.at);
        let mut records = Vec::new();
        while frames.end() < end
            && let Some((at, record)) = frames.next()
        {
            if self.is_latest(log, at.start, &record, now) {
                records.push(record);
            }
        }
        // Nothing follows a frame that is not whole.
        self.at = if frames.end() < end { self.bytes.len() } else { frames.end() };
        let mut state = shared.state.lock();
        let jobs = &mut state.jobs;
        let mut copies = Vec::new();
        for record in records {
            match record {
                Record::Submission { jobs: submitted, repeat } => {
                    let ids = submitted.iter().map(|job| job.job.id);
                    let unsettled: Vec<JobId> = ids.filter(|id| jobs.is_unsettled(*id)).collect();
                    unsettled.into_iter().for_each(|id| jobs.writes.job(id));
                    if let Some(repeat) = repeat.filter(|repeat| !rules::is_over(repeat.ends, now)) {
                        copies.push(Record::Submission { jobs: Vec::new(), repeat: Some(repeat) });
                    }
                }
                Record::Outcome(outcome) if !jobs.is_unsettled(outcome.status.id) => {
                    copies.push(Record::Outcome(outcome));
                }
                Record::Death { death, .. } if jobs.is_dead(death) => jobs.writes.death(death),
                // Without it the next opening would take this one's number, and give its places and changes once more.
                Record::Opened { epoch } if epoch == jobs.epoch() => copies.push(Record::Opened { epoch }),
                Record::Lost { job, attempt, .. } => {
                    copies.extend(jobs.history.lost_ends(job).map(|ends| Record::Lost { job, attempt, ends }));
                }
                Record::Run(run) if jobs.history.has_run(run.batch) => copies.push(Record::Run(run)),
                _ => {}
            }
        }
        if !copies.is_empty() {
            jobs.writes.copies(copies);
        }
        // Asks for another turn, until the whole file is done.
        jobs.writes.ask();
        self.last_group = jobs.writes.group();
    }

    /// Whether a record may still be needed: an outcome is where it has not expired and no later one replaced it.
    fn is_latest<D: Disk>(&self, log: &Log<D>, offset: usize, record: &Record, now: Timestamp) -> bool {
        let Record::Outcome(outcome) = record else { return true };
        // An index that cannot be read keeps the record.
        let is_latest = || log.archive().is_latest(outcome.status.id, self.number, offset as u64).unwrap_or(true);
        !rules::is_over(outcome.ends, now) && is_latest()
    }
}
