//! How does a journal survive the end of a process, of a machine, and a disk that fails?
//!
//! As files that only grow, each of [frames](frame) in the order in which they were written. What a process wrote
//! outlives it; what was synced outlives the machine. Of what was not synced a power cut may leave any part, torn at any
//! byte: reading ends at the first frame that is not whole, and what follows it counts for nothing.
//!
//! After a failed sync the system may hold pages for written that the disk never got (Rebello et al., "Can Applications
//! Recover from fsync Failures?", USENIX ATC 2020). So nothing that came after the last good sync is trusted to the same
//! file again: it is kept in memory until the disk has it, and written anew to another file.

pub mod archive;
pub mod frame;
mod index;
pub mod segment;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::clock::Timestamp;
use crate::queue::ledger::Record;

use super::disk::{Disk, DiskFile, is_no_space};
use archive::Archive;
use frame::Frames;
use segment::{START, Segment, head, name_of, number_of};

/// How large the journal's parts are.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Bytes after which a file is closed and another begun.
    pub segment: u64,
    /// Bytes of old records that may lie about before a file is tidied away, beyond as many as are still needed.
    pub slack: u64,
    /// Bytes of a file that are tidied at once.
    pub tidied_at_once: usize,
    /// Settled jobs, and idempotency keys, that stay in memory although the journal has them.
    pub kept_in_memory: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            // What is read at once when an old file is tidied away: some 15,000 images of 28×28 and their outcomes.
            segment: 16 << 20,
            slack: 64 << 20,
            // Some hundred records, in about a millisecond.
            tidied_at_once: 128 << 10,
            // More than a reader of changes falls behind, and some 5 MB.
            kept_in_memory: 10_000,
        }
    }
}

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{name} is damaged at byte {offset}: what was written later would be lost")]
    Damaged { name: String, offset: u64 },
    #[error("{name}")]
    Disk { name: String, source: io::Error },
}

/// The files, and what of them the disk has.
pub struct Log<D: Disk> {
    disk: D,
    sizes: Sizes,
    archive: Arc<Archive<D::File>>,
    /// What was written since the last good sync, in case that the next one fails.
    unsynced: Vec<u8>,
    /// Whether a sync failed, and what is unsynced has to be written anew.
    is_broken: bool,
}

type File<D> = Arc<Segment<<D as Disk>::File>>;

impl<D: Disk> Log<D> {
    /// Reads all records, oldest first, and leaves the files ready to be written to.
    pub fn open(disk: D, sizes: Sizes, mut each: impl FnMut(Record)) -> Result<Self, OpenError> {
        let mut found = read_files(&disk)?;
        let mut segments = Vec::new();
        let mut is_closed = false;
        while let Some(Found { number, file, mut bytes, .. }) = found.pop_front() {
            // What the next file repeats does not count here.
            let limit = found.front().map(|next| next.previous_end);
            if let Some(limit) = limit {
                bytes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            }
            let segment = Segment::new(number, file);
            let mut frames = Frames::new(&bytes, START as usize);
            {
                let mut contents = segment.contents.write();
                for (at, record) in frames.by_ref() {
                    contents.note(&record, at.start as u64, at.len() as u64);
                    is_closed = record == Record::Closed;
                    each(record);
                }
                contents.end = frames.end() as u64;
            }
            let end = frames.end();
            if limit.is_some_and(|limit| (end as u64) < limit) {
                return Err(OpenError::Damaged { name: name_of(number), offset: end as u64 });
            }
            segments.push((Arc::new(segment), bytes));
        }
        let last = segments.pop();
        let files: Vec<File<D>> = segments.into_iter().map(|(segment, _)| segment).collect();
        files.iter().for_each(|segment| segment.contents.write().seal());
        let archive = Arc::new(Archive { segments: RwLock::new(files) });
        let mut log = Self { disk, sizes, archive, unsynced: Vec::new(), is_broken: false };
        let ready = log.continue_with(last, is_closed);
        ready.map_err(|source| OpenError::Disk { name: "the journal".to_owned(), source })?;
        Ok(log)
    }

    /// Makes the last file one that can be written to. Unless it was closed in order, the disk may lack some of what the
    /// system shows of it, even though every later sync succeeds: so it is written anew.
    fn continue_with(&mut self, last: Option<(File<D>, Vec<u8>)>, is_closed: bool) -> io::Result<()> {
        match last {
            None => self.begin(1, START, &[]),
            Some((segment, _)) if is_closed => {
                let end = segment.contents.read().end;
                segment.file.set_length(end)?;
                self.archive.segments.write().push(segment);
                Ok(())
            }
            Some((segment, bytes)) => {
                let Segment { number, contents, .. } = Arc::into_inner(segment).expect("BUG: nobody reads it yet");
                let (name, end) = (name_of(number), contents.read().end);
                let file = self.rewrite(&name, &bytes[..usize::try_from(end).unwrap_or_default()])?;
                self.archive.segments.write().push(Arc::new(Segment { number, file, contents }));
                Ok(())
            }
        }
    }

    /// Writes a file anew. On a full disk it is only cut to what is whole.
    fn rewrite(&self, name: &str, bytes: &[u8]) -> io::Result<D::File> {
        let copy = format!("{name}.new");
        let written = self.disk.create(&copy).and_then(|file| {
            file.write_at(bytes, 0)?;
            file.sync()?;
            self.disk.rename(&copy, name)?;
            Ok(file)
        });
        let file = match written {
            Err(error) if is_no_space(&error) => {
                self.disk.remove(&copy)?;
                let file = self.disk.open(name)?;
                file.set_length(bytes.len() as u64)?;
                file.sync()?;
                file
            }
            written => written?,
        };
        self.disk.sync_folder()?;
        Ok(file)
    }

    /// Begins a file with these frames, and returns once the disk has it. Its head comes last, so that without it nothing
    /// counts.
    fn begin(&mut self, number: u64, previous_end: u64, frames: &[u8]) -> io::Result<()> {
        let file = self.disk.create(&name_of(number))?;
        let segment = Segment::new(number, file);
        let mut contents = segment.contents.write();
        for (at, record) in Frames::new(frames, 0) {
            contents.note(&record, START + at.start as u64, at.len() as u64);
        }
        contents.end = START + frames.len() as u64;
        drop(contents);
        if !frames.is_empty() {
            segment.file.write_at(frames, START)?;
            segment.file.sync()?;
        }
        segment.file.write_at(&head(previous_end), 0)?;
        segment.file.sync()?;
        self.disk.sync_folder()?;
        self.archive.segments.write().push(Arc::new(segment));
        Ok(())
    }

    pub fn archive(&self) -> &Arc<Archive<D::File>> {
        &self.archive
    }

    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    pub fn disk(&self) -> &D {
        &self.disk
    }

    fn last(&self) -> File<D> {
        self.archive.segments.read().last().cloned().expect("BUG: a journal has a file from its opening on")
    }

    /// Writes a group of frames, which are these records and end there. The group outlives this process when this
    /// returns; where it fails, nothing of it counts.
    pub fn append(&mut self, frames: &[u8], records: &[Record], ends: &[usize]) -> io::Result<()> {
        let segment = self.last();
        let end = segment.contents.read().end;
        if let Err(error) = segment.file.write_at(frames, end) {
            // A process that is killed now must not find whole frames of what was refused. Where this fails too, the next
            // group is written over them.
            drop(segment.file.set_length(end));
            return Err(error);
        }
        self.unsynced.extend_from_slice(frames);
        let mut contents = segment.contents.write();
        let mut start = 0;
        for (record, frame_end) in records.iter().zip(ends) {
            contents.note(record, end + start as u64, (frame_end - start) as u64);
            start = *frame_end;
        }
        Ok(())
    }

    /// Whether something is written that the disk may not have.
    pub fn is_unsynced(&self) -> bool {
        !self.unsynced.is_empty()
    }

    /// Whether the last sync failed.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Returns once the disk has everything. Where its sync fails, or has failed before, all that it may lack is written
    /// anew to another file.
    pub fn sync(&mut self) -> io::Result<()> {
        let segment = self.last();
        if !self.is_broken {
            match segment.file.sync() {
                Ok(()) => {
                    self.unsynced.clear();
                    return Ok(());
                }
                Err(error) => {
                    tracing::warn!(%error, "the disk failed to sync the queue's journal: writing it anew");
                    self.is_broken = true;
                }
            }
        }
        let end = segment.contents.read().end - self.unsynced.len() as u64;
        let frames = std::mem::take(&mut self.unsynced);
        let begun = self.begin(segment.number + 1, end, &frames);
        self.unsynced = frames;
        begun?;
        segment.contents.write().cut(end);
        self.unsynced.clear();
        self.is_broken = false;
        Ok(())
    }

    /// Begins another file where the present one is large and the disk has it.
    pub fn roll(&mut self) -> io::Result<()> {
        let is_large = self.last().contents.read().end >= self.sizes.segment;
        if is_large && !self.is_unsynced() { self.begin_next() } else { Ok(()) }
    }

    /// Begins another file.
    pub fn begin_next(&mut self) -> io::Result<()> {
        self.sync()?;
        let segment = self.last();
        let end = segment.contents.read().end;
        self.begin(segment.number + 1, end, &[])?;
        segment.contents.write().seal();
        Ok(())
    }

    /// The number of the oldest file, where more of its kind is no longer needed than should lie about. `with_pixels` is
    /// how many jobs are still needed; where the disk is full nothing should lie about.
    pub fn oldest_to_tidy(&self, with_pixels: impl FnOnce() -> usize, is_full: bool, now: Timestamp) -> Option<u64> {
        let segments = self.archive.segments.read();
        if segments.len() < 2 {
            return None;
        }
        let (mut total, mut needed, mut jobs, mut job_bytes) = (0, 0, 0, 0);
        for segment in &*segments {
            let contents = segment.contents.read();
            total += contents.end;
            needed += if contents.outcomes_end > now { contents.outcome_bytes } else { 0 };
            jobs += contents.jobs_written;
            job_bytes += contents.job_bytes;
        }
        needed += job_bytes.checked_div(jobs).unwrap_or_default() * with_pixels() as u64;
        let slack = if is_full { self.sizes.segment } else { self.sizes.slack };
        (total > 2 * needed + slack).then(|| segments[0].number)
    }

    /// The bytes of the oldest file.
    pub fn oldest(&self) -> io::Result<Vec<u8>> {
        let Some(segment) = self.archive.segments.read().first().cloned() else { return Ok(Vec::new()) };
        let end = segment.contents.read().end;
        let mut bytes = vec![0; usize::try_from(end).unwrap_or_default()];
        segment.file.read_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// Removes the oldest file, all of whose records are elsewhere or over.
    pub fn remove_oldest(&mut self) -> io::Result<()> {
        let number = self.archive.segments.read().first().map_or(0, |oldest| oldest.number);
        self.disk.remove(&name_of(number))?;
        // The next one must not go before it: what that overrules would count again.
        self.disk.sync_folder()?;
        self.archive.segments.write().remove(0);
        Ok(())
    }
}

/// A file as it was found.
struct Found<F> {
    number: u64,
    file: F,
    bytes: Vec<u8>,
    /// How much of the file before counts.
    previous_end: u64,
}

/// Reads the files of the journal, oldest first, and removes those that never became valid.
fn read_files<D: Disk>(disk: &D) -> Result<VecDeque<Found<D::File>>, OpenError> {
    let at = |name: &str| {
        let name = name.to_owned();
        move |source| OpenError::Disk { name, source }
    };
    let mut numbers: Vec<u64> =
        disk.list().map_err(at("the journal"))?.iter().filter_map(|name| number_of(name)).collect();
    numbers.sort();
    let mut found = VecDeque::new();
    for number in numbers {
        let name = name_of(number);
        let read = || {
            let file = disk.open(&name)?;
            let mut bytes = vec![0; usize::try_from(file.length()?).unwrap_or_default()];
            file.read_at(&mut bytes, 0)?;
            Ok((file, bytes))
        };
        let (file, bytes) = read().map_err(at(&name))?;
        match segment::read_head(&bytes) {
            Some(previous_end) => found.push_back(Found { number, file, bytes, previous_end }),
            None => disk.remove(&name).map_err(at(&name))?,
        }
    }
    Ok(found)
}
