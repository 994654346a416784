//! What is in one file of the journal?
//!
//! A head, then frames. The head is only valid once the disk has what it vouches for; a file without a valid one is none
//! of the journal's, whatever is in it. It says where the file before this one ends: beyond that may lie
//! what the disk failed to take, which is then repeated here.

use std::io;

use parking_lot::RwLock;

use crate::clock::Timestamp;
use crate::queue::ledger::{OutcomeRecord, Record, Repeat};

use super::frame::{self, HEAD_BYTES};
use super::index::{Index, Key};
use crate::queue::embedded::disk::DiskFile;

/// Marks a file of the journal, in the form that this kana reads and writes.
const MAGIC: &[u8; 8] = b"kanalog2";

/// Bytes of the head: the mark, where the file before ends, and their checksum.
pub const START: u64 = 20;

/// A file of the journal, and what is known of it.
pub struct Segment<F> {
    pub number: u64,
    pub file: F,
    pub contents: RwLock<Contents>,
}

/// What is known of a file's records.
#[derive(Debug)]
pub struct Contents {
    /// Where the next frame begins.
    pub end: u64,
    jobs: Index,
    batches: Index,
    keys: Index,
    /// Jobs ever written here, and the bytes of their records.
    pub jobs_written: u64,
    pub job_bytes: u64,
    /// Bytes of the records of outcomes, and when the last of them expires.
    pub outcome_bytes: u64,
    pub outcomes_end: Timestamp,
}

/// The name of a file of the journal.
pub fn name_of(number: u64) -> String {
    format!("{number:016}.log")
}

/// The number of the file of this name, where it is one of the journal's.
pub fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(".log").filter(|digits| digits.len() == 16)?.parse().ok()
}

/// The key under which an idempotency key is found. Two may share one, as long as this process runs.
fn key_of(text: &str) -> Key {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let mut key = Key::default();
    key[..8].copy_from_slice(&hasher.finish().to_le_bytes());
    key
}

/// The bytes of a head.
pub fn head(previous_end: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(previous_end.to_le_bytes());
    let checksum = crc32fast::hash(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

/// Where the file before ends; `None` where the head is not valid.
pub fn read_head(bytes: &[u8]) -> Option<u64> {
    let (signed, checksum) = bytes.get(..START as usize)?.split_at(16);
    let is_valid = signed.starts_with(MAGIC) && crc32fast::hash(signed).to_le_bytes() == *checksum;
    signed[8..].first_chunk().filter(|_| is_valid).map(|end| u64::from_le_bytes(*end))
}

impl<F: DiskFile> Segment<F> {
    pub fn new(number: u64, file: F) -> Self {
        let contents = Contents {
            end: START,
            jobs: Index::default(),
            batches: Index::default(),
            keys: Index::default(),
            jobs_written: 0,
            job_bytes: 0,
            outcome_bytes: 0,
            outcomes_end: Timestamp::default(),
        };
        Self { number, file, contents: RwLock::new(contents) }
    }

    fn read(&self, offset: u32) -> io::Result<Record> {
        let mut head = [0; HEAD_BYTES];
        self.file.read_at(&mut head, offset.into())?;
        let (length, checksum) = frame::read_head(head);
        let mut payload = vec![0; length];
        self.file.read_at(&mut payload, u64::from(offset) + HEAD_BYTES as u64)?;
        frame::decode(&payload, checksum)
    }

    /// The latest outcome of a job here, and where its record begins.
    pub fn outcome(&self, key: &Key) -> io::Result<Option<(u32, OutcomeRecord)>> {
        let latest = self.contents.read().jobs.find(key).into_iter().max();
        let Some(offset) = latest else { return Ok(None) };
        Ok(outcome_of(self.read(offset)?).map(|outcome| (offset, outcome)))
    }

    /// The outcomes of a batch's jobs here, in the order written.
    pub fn batch(&self, key: &Key) -> io::Result<Vec<OutcomeRecord>> {
        let mut offsets = self.contents.read().batches.find(key);
        offsets.sort();
        let outcomes = offsets.into_iter().filter_map(|offset| self.read(offset).map(outcome_of).transpose());
        outcomes.collect()
    }

    /// The latest answer kept under an idempotency key here.
    pub fn repeat(&self, key: &str) -> io::Result<Option<Repeat>> {
        let mut offsets = self.contents.read().keys.find(&key_of(key));
        offsets.sort();
        for offset in offsets.into_iter().rev() {
            if let Record::Submission { repeat: Some(repeat), .. } = self.read(offset)?
                && repeat.key == key
            {
                return Ok(Some(repeat));
            }
        }
        Ok(None)
    }
}

fn outcome_of(record: Record) -> Option<OutcomeRecord> {
    match record {
        Record::Outcome(outcome) => Some(*outcome),
        _ => None,
    }
}

impl Contents {
    /// Notes a record whose frame begins at `offset` and takes `bytes`.
    pub fn note(&mut self, record: &Record, offset: u64, bytes: u64) {
        let offset = u32::try_from(offset).expect("BUG: a file of the journal is closed far below 4 GiB");
        match record {
            Record::Outcome(outcome) => {
                let OutcomeRecord { ends, status, .. } = &**outcome;
                self.jobs.add(*status.id.as_bytes(), offset);
                self.batches.add(*status.batch.as_bytes(), offset);
                self.outcome_bytes += bytes;
                self.outcomes_end = self.outcomes_end.max(*ends);
            }
            Record::Submission { jobs, repeat } => {
                self.jobs_written += jobs.len() as u64;
                self.job_bytes += bytes;
                if let Some(repeat) = repeat {
                    self.keys.add(key_of(&repeat.key), offset);
                    self.outcomes_end = self.outcomes_end.max(repeat.ends);
                }
            }
            _ => {}
        }
        self.end = u64::from(offset) + bytes;
    }

    /// Forgets what lies from `end` on.
    pub fn cut(&mut self, end: u64) {
        self.end = end;
        let end = u32::try_from(end).unwrap_or(u32::MAX);
        for index in [&mut self.jobs, &mut self.batches, &mut self.keys] {
            index.cut(end);
        }
    }

    pub fn seal(&mut self) {
        for index in [&mut self.jobs, &mut self.batches, &mut self.keys] {
            index.seal();
        }
    }
}
