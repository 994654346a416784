//! When is a change of the ledger certain?
//!
//! All that has piled up is taken as one group, written at once and synced where a submission is in it; then the answers
//! that waited are let go. A thread does that, which may wait for the disk; what is only to be written is written by
//! whoever changed it, unless the thread is at work. What is not urgent goes with the next group. A group without a
//! submission is synced a moment later: only a power cut within [`SYNC_AFTER`] takes an outcome that was told, and its
//! job then runs again.
//!
//! On a full disk submissions are taken back and refused. What was accepted is finished in the space of a file that was
//! kept for this. After a failed sync nothing is let go until everything since the last good one is written anew.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::queue::ledger::{Fault, PendingSubmission, Record, Scribe, Shared, State, Write};

use super::disk::{self, Disk};
use super::log::{Log, frame};
use super::tidying::Tidying;

/// Time after which outcomes are synced where no submission syncs them before.
pub const SYNC_AFTER: Duration = Duration::from_millis(5);

/// Time between two attempts on a disk that fails.
const RETRY: Duration = Duration::from_millis(200);

/// Time between two looks whether a full disk has room again.
const LOOK_FOR_ROOM: Duration = Duration::from_secs(1);

/// Bytes of the buffer of a group that are kept for the next.
const FRAMES_KEPT: usize = 1 << 20;

/// The file that keeps space for finishing what was accepted.
const RESERVE: &str = "reserve";

/// Bytes kept, at most: the outcomes of 10,000 jobs take 3 MB, those of a model with many labels more.
const RESERVE_BYTES_MAX: u64 = 8 << 20;

/// On a small disk, this part of what is free is kept: a job takes three times the space of its outcome.
const RESERVE_PART: u64 = 4;

/// Bytes kept for each job that has no outcome yet, at least.
const RESERVE_BYTES_PER_JOB: u64 = 512;

/// Bytes kept, at least.
const RESERVE_BYTES_MIN: u64 = 64 << 10;

/// The thread's side of a queue that is kept on a disk.
pub struct Journal<D: Disk> {
    log: Log<D>,
    shared: Arc<Shared>,
    path: String,
    frames: Vec<u8>,
    /// The latest group that is in the log, and the latest change that is in it.
    appended: (u64, u64),
    reserve_bytes: u64,
    /// Whether the space kept for a full disk is in use.
    is_reserve_spent: bool,
    tidying: Option<Tidying>,
    /// Before this nothing is tried again.
    retry_at: Option<Instant>,
    /// When what is written is synced, although no submission asks for it.
    sync_at: Option<Instant>,
    /// When to look for room again.
    look_at: Option<Instant>,
}

/// What is written at once.
struct Group {
    number: u64,
    /// The latest change that is in it or in one before.
    changed: u64,
    writes: Vec<Write>,
    records: Vec<Record>,
    submissions: Vec<PendingSubmission>,
}

impl<D: Disk> Journal<D> {
    /// Creates the journal of the queue `shared`, which was restored from `log`.
    pub fn new(log: Log<D>, shared: Arc<Shared>, path: String) -> Self {
        // What an earlier process kept is free again, for this one to keep or, on a full disk, to use.
        drop(log.disk().remove(RESERVE));
        let unsettled = shared.state.lock().jobs.with_pixels() as u64;
        let part = log.disk().free().unwrap_or(u64::MAX) / RESERVE_PART;
        let reserve_bytes = part.max(unsettled * RESERVE_BYTES_PER_JOB).clamp(RESERVE_BYTES_MIN, RESERVE_BYTES_MAX);
        let mut journal = Self {
            log,
            shared,
            path,
            frames: Vec::new(),
            appended: (0, 0),
            reserve_bytes,
            is_reserve_spent: true,
            tidying: None,
            retry_at: None,
            sync_at: None,
            look_at: None,
        };
        journal.look_for_room();
        journal
    }

    /// When there is something to do although nothing is urgent.
    fn next(&self) -> Option<Instant> {
        [self.retry_at, self.sync_at, self.look_at].into_iter().flatten().min()
    }

    /// Writes one group, and does what it is time for.
    pub fn turn(&mut self) {
        let now = Instant::now();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.look_at) {
            self.look_for_room();
        }
        self.retry_at = None;
        let group = take(&mut self.shared.state.lock());
        if let Some(submissions) = self.write(group) {
            if !submissions.is_empty() || self.log.is_broken() || is_due(self.sync_at) {
                self.sync(submissions);
            }
            self.tidy();
        }
    }

    /// Writes one group. Returns the submissions in it, which wait for the disk; `None` where it could not be written.
    fn write(&mut self, group: Group) -> Option<Vec<PendingSubmission>> {
        if let Err(error) = self.append(&group.records) {
            self.fail(group, error);
            return None;
        }
        self.appended = (group.number, group.changed);
        if !self.log.is_broken() {
            self.publish_written();
        }
        if self.log.is_unsynced() && self.sync_at.is_none() {
            self.sync_at = Instant::now().checked_add(SYNC_AFTER);
        }
        Some(group.submissions)
    }

    /// Makes it time for everything that waits for a moment, for simulations.
    #[cfg(test)]
    pub fn hurry(&mut self) {
        self.sync_at = Some(Instant::now());
        if self.look_at.is_some() {
            self.look_at = Some(Instant::now());
        }
    }

    fn append(&mut self, records: &[Record]) -> io::Result<()> {
        self.frames.clear();
        let mut ends = Vec::with_capacity(records.len());
        for record in records {
            frame::write(record, &mut self.frames);
            ends.push(self.frames.len());
        }
        if !self.frames.is_empty() {
            self.log.append(&self.frames, records, &ends)?;
        }
        // What a burst took is not kept.
        self.frames.shrink_to(FRAMES_KEPT);
        Ok(())
    }

    /// Lets go of what waited until it was written.
    fn publish_written(&self) {
        let (group, changed) = self.appended;
        self.shared.state.lock().jobs.archive(changed);
        self.shared.progress.send_modify(|progress| progress.written = group);
    }

    /// Syncs, and answers the submissions that waited for it.
    fn sync(&mut self, submissions: Vec<PendingSubmission>) {
        let was_broken = self.log.is_broken();
        let synced = self.log.sync().map_err(|error| self.fault(error));
        self.sync_at = None;
        match &synced {
            Ok(()) if was_broken => self.publish_written(),
            Ok(()) => {}
            Err(_) => self.retry_at = Instant::now().checked_add(RETRY),
        }
        for submission in submissions {
            // A sender that is gone needs no answer.
            drop(submission.answer.send(synced.clone()));
        }
        if let Err(error) = self.log.roll() {
            tracing::warn!(%error, "could not begin another file of the queue's journal: going on with a large one");
        }
    }

    fn fault(&self, source: io::Error) -> Fault {
        Fault { path: self.path.clone(), no_space: disk::is_no_space(&source), source: Arc::new(source) }
    }

    /// Takes back the submissions of a group that could not be written, and keeps the rest for the next attempt.
    fn fail(&mut self, group: Group, error: io::Error) {
        if disk::is_file_too_large(&error) {
            drop(self.log.begin_next());
        }
        let fault = self.fault(error);
        let mut state = self.shared.state.lock();
        if state.refusal.is_none() {
            tracing::warn!(error = %fault, "could not write the queue's journal: nothing is accepted until that works");
        }
        for PendingSubmission { jobs, key, .. } in &group.submissions {
            state.jobs.retract(jobs, key.as_deref());
        }
        let is_kept = |write: &Write| !matches!(write, Write::Submission(..));
        state.jobs.writes.put_back(group.writes.into_iter().filter(is_kept).collect());
        state.refusal = Some(fault.clone());
        drop(state);
        self.shared.progress.send_modify(|progress| progress.retracted += group.submissions.len() as u64);
        for submission in group.submissions {
            drop(submission.answer.send(Err(fault.clone())));
        }
        self.look_at = Instant::now().checked_add(LOOK_FOR_ROOM);
        if self.is_reserve_spent {
            self.retry_at = Instant::now().checked_add(RETRY);
        } else {
            // From here on what was accepted is finished in the space that was kept.
            self.is_reserve_spent = self.log.disk().remove(RESERVE).is_ok();
        }
    }

    /// Keeps space for a full disk, and accepts submissions where there is enough.
    fn look_for_room(&mut self) {
        let disk = self.log.disk();
        let is_enough = disk.free().is_ok_and(|free| free / 2 >= self.reserve_bytes);
        let reserved =
            if is_enough { disk.reserve(RESERVE, self.reserve_bytes) } else { Err(rustix::io::Errno::NOSPC.into()) };
        let refusal = reserved.err().map(|error| self.fault(error));
        self.is_reserve_spent = refusal.is_some();
        self.look_at = refusal.as_ref().and_then(|_| Instant::now().checked_add(LOOK_FOR_ROOM));
        let before = std::mem::replace(&mut self.shared.state.lock().refusal, refusal.clone());
        match (before, refusal) {
            (Some(_), None) => tracing::info!("the queue's journal has room again"),
            (None, Some(fault)) => tracing::warn!(error = %fault, "there is no room to accept jobs"),
            _ => {}
        }
    }

    /// Tidies away a part of the oldest file.
    fn tidy(&mut self) {
        let tidying = match self.tidying.take() {
            Some(tidying) => Some(tidying),
            None => Tidying::begin(&self.log, &self.shared, self.is_reserve_spent),
        };
        let (group, is_synced) = (self.appended.0, !self.log.is_unsynced());
        self.tidying = tidying.and_then(|tidying| tidying.go_on(&mut self.log, &self.shared, group, is_synced));
    }

    /// Leaves a mark that everything is on the disk.
    fn close(&mut self) {
        let mut frames = Vec::new();
        frame::write(&Record::Closed, &mut frames);
        let end = frames.len();
        let closed = self.log.append(&frames, &[Record::Closed], &[end]).and_then(|()| self.log.sync());
        if let Err(error) = closed {
            tracing::warn!(%error, "could not close the queue's journal in order: it is read with more care next time");
        }
        self.shared.progress.send_modify(|progress| progress.is_over = true);
    }
}

/// Takes everything that is to be written.
fn take(state: &mut State) -> Group {
    let State { jobs, submissions, .. } = state;
    let number = jobs.writes.group();
    let writes = jobs.writes.take();
    let records = jobs.records(&writes);
    Group { number, changed: jobs.latest(), writes, records, submissions: std::mem::take(submissions) }
}

impl<D: Disk> Scribe for Journal<D> {
    fn write_here(&mut self) -> bool {
        if self.retry_at.is_some() || self.log.is_broken() {
            return true;
        }
        let mut state = self.shared.state.lock();
        if !state.submissions.is_empty() {
            // Whoever submits wakes the thread.
            return false;
        }
        let group = take(&mut state);
        drop(state);
        self.write(group);
        self.next().is_some()
    }
}

/// Writes and syncs until the queue is closed.
pub fn run<D: Disk>(journal: &Mutex<Journal<D>>, shared: &Shared) {
    // For a moment after a turn the thread looks whether others have written what is to be synced.
    let mut linger = None;
    loop {
        let (next, is_failing) = {
            let journal = journal.lock();
            (journal.next(), journal.retry_at.is_some())
        };
        let mut state = shared.state.lock();
        if state.is_closing {
            break;
        }
        let is_wanted = state.jobs.writes.is_urgent() && !is_failing;
        let now = Instant::now();
        match next.or(linger) {
            _ if is_wanted => {}
            Some(at) if at <= now && next.is_some() => {}
            Some(at) if at <= now => {
                linger = None;
                continue;
            }
            Some(at) => {
                shared.wake.wait_until(&mut state, at);
                continue;
            }
            None => {
                state.is_thread_asleep = true;
                shared.wake.wait(&mut state);
                state.is_thread_asleep = false;
                continue;
            }
        }
        drop(state);
        journal.lock().turn();
        linger = now.checked_add(SYNC_AFTER);
    }
    let mut journal = journal.lock();
    journal.turn();
    journal.close();
}
