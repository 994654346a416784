//! How is an outcome read that is no longer in memory?
//!
//! From the file that it was written to, newest file first, because a job that was replayed has two.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::clock::Timestamp;
use crate::job::{BatchId, JobId};
use crate::queue::embedded::disk::DiskFile;
use crate::queue::ledger::{OutcomeRecord, Repeat};
use crate::queue::rules;

use super::segment::Segment;

/// The files of a journal, oldest first.
pub struct Archive<F> {
    pub segments: RwLock<Vec<Arc<Segment<F>>>>,
}

/// The latest outcome of a job, and where it is.
struct Latest {
    segment: u64,
    offset: u32,
    outcome: OutcomeRecord,
}

impl<F: DiskFile> Archive<F> {
    fn newest_first(&self) -> Vec<Arc<Segment<F>>> {
        self.segments.read().iter().rev().cloned().collect()
    }

    /// The outcome of a job, expired or not.
    pub fn outcome(&self, id: JobId) -> io::Result<Option<OutcomeRecord>> {
        Ok(self.latest(id)?.map(|latest| latest.outcome))
    }

    /// Whether a record is the latest outcome of its job.
    pub fn is_latest(&self, id: JobId, segment: u64, offset: u64) -> io::Result<bool> {
        let latest = self.latest(id)?;
        Ok(latest.is_some_and(|latest| latest.segment == segment && u64::from(latest.offset) == offset))
    }

    fn latest(&self, id: JobId) -> io::Result<Option<Latest>> {
        for segment in self.newest_first() {
            if let Some((offset, outcome)) = segment.outcome(id.as_bytes())? {
                return Ok(Some(Latest { segment: segment.number, offset, outcome }));
            }
        }
        Ok(None)
    }

    /// The outcomes of a batch's jobs, expired or not, in no order.
    pub fn batch(&self, batch: BatchId) -> io::Result<Vec<OutcomeRecord>> {
        let mut latest: HashMap<JobId, OutcomeRecord> = HashMap::new();
        for segment in self.newest_first().into_iter().rev() {
            let outcomes = segment.batch(batch.as_bytes())?;
            latest.extend(outcomes.into_iter().map(|outcome| (outcome.status.id, outcome)));
        }
        Ok(latest.into_values().collect())
    }

    /// The answer kept under an idempotency key, unless it has expired.
    pub fn repeat(&self, key: &str, now: Timestamp) -> io::Result<Option<Repeat>> {
        for segment in self.newest_first() {
            if let Some(repeat) = segment.repeat(key)? {
                return Ok(Some(repeat).filter(|repeat| !rules::is_over(repeat.ends, now)));
            }
        }
        Ok(None)
    }
}
