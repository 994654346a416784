//! How does one process hold a queue that survives it?
//!
//! Its state is the [ledger](super::ledger), as in memory. Every change goes through a [journal], and an answer is given
//! when a restart would give the same one. What is over is left to the journal's [files](log), which outcomes are read
//! from for as long as they are kept. Other processes of the machine reach the queue over a [Unix socket](socket).

mod disk;
mod journal;
mod lock;
mod log;
#[cfg(test)]
mod simulation;
mod socket;
mod takeover;
mod tidying;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::WorkerId;
use crate::clock::Clock;
use crate::job::{BatchId, JobId, Status};
use kana_engine::image::Image;

use super::ledger::{Holder, Jobs, OutcomeRecord, Record, Shared, Writes};
use super::{
    Cancellation, Cause, Changes, Claim, Cursor, DeadLetter, Depth, Error, Hold, Lease, Limits, LostAttempt, Queue,
    Receipt, Run, Settled, Settlement, Submission,
};
use disk::Folder;
use journal::Journal;
use log::archive::Archive;
use log::{Log, Sizes};

pub use socket::Remote;

/// A queue that this process holds and a disk keeps.
pub struct Embedded {
    holder: Holder,
    archive: Arc<Archive<File>>,
    clock: Arc<dyn Clock>,
    /// What ends with the queue; not in the one that other processes are served with.
    _guard: Option<Guard>,
}

/// The journal's thread, the socket, and the right to hold this queue.
struct Guard {
    shared: Arc<Shared>,
    journal: Option<JoinHandle<()>>,
    socket: Option<socket::Server>,
    _lock: File,
}

/// The folder of the queue at `path`.
fn folder_of(path: &Path) -> PathBuf {
    let mut folder = path.as_os_str().to_owned();
    folder.push(".journal");
    folder.into()
}

impl Embedded {
    /// Opens the queue at `path`, and creates it where there is none: in the folder `PATH.journal`. Inside a tokio runtime,
    /// other processes can reach it until it is dropped. A file of earlier versions at `path` is taken over.
    ///
    /// # Errors
    /// [`Error::Unavailable`], naming the path, where another process holds it, which is named too, and where its files
    /// cannot be read or written.
    pub fn open(path: &Path, limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Self::start(path, limits, clock).map_err(|source| Error::Unavailable { action: "open the queue", source })
    }

    fn start(
        path: &Path,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let folder = folder_of(path);
        let at = |source| OpenError { path: path.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(at)?;
        let lock = lock::take(path, &folder)?;
        let now = clock.now();
        let mut jobs = Jobs::new(limits, Writes::discarded());
        let mut epoch = 0;
        let disk = Folder(folder.clone());
        let sizes = Sizes::default();
        let log = Log::open(disk, sizes, |record| {
            if let Record::Opened { epoch: opened } = record {
                epoch = epoch.max(opened);
            }
            jobs.restore(record, now);
        });
        let mut log = log.map_err(|source| Unreadable { path: folder.clone(), source })?;
        takeover::take_over(path, &mut log, &mut jobs, now)?;
        jobs.begin_journal(epoch + 1, sizes.kept_in_memory);
        let archive = log.archive().clone();
        let holder = Holder::of(jobs, clock.clone());
        let shared = holder.shared().clone();
        let journal = Journal::new(log, shared.clone(), folder.display().to_string());
        let journal = Arc::new(Mutex::new(journal));
        drop(shared.scribe.set(journal.clone()));
        let of_thread = shared.clone();
        let run = move || journal::run(&journal, &of_thread);
        let journal = std::thread::Builder::new().name("kana-journal".to_owned()).spawn(run);
        let journal = Some(journal.map_err(at)?);
        let mut guard = Guard { shared, journal, socket: None, _lock: lock };
        if tokio::runtime::Handle::try_current().is_ok() {
            let (holder, archive, clock) = (holder.clone(), archive.clone(), clock.clone());
            let served = Arc::new(Self { holder, archive, clock, _guard: None });
            guard.socket = Some(socket::Server::start(path, served, limits.lease).map_err(at)?);
        }
        Ok(Self { holder, archive, clock, _guard: Some(guard) })
    }
}

/// Why the queue's folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("could not create or open {path}")]
struct OpenError {
    path: PathBuf,
    source: io::Error,
}

/// Why the journal cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read the journal in {path}")]
struct Unreadable {
    path: PathBuf,
    source: log::OpenError,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Nobody reaches the queue any more, then the journal writes what is left.
        self.socket = None;
        self.shared.state.lock().is_closing = true;
        self.shared.wake.notify_one();
        // A journal that panicked has said so.
        drop(self.journal.take().map(JoinHandle::join));
    }
}

impl Embedded {
    /// Reads from the journal's files, off the reactor.
    async fn look_up<T: Send + 'static>(
        &self,
        action: &'static str,
        look: impl FnOnce(&Archive<File>) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let archive = self.archive.clone();
        let failed = |source| Error::Unavailable { action, source };
        let looked = tokio::task::spawn_blocking(move || look(&archive)).await;
        looked.map_err(|error| failed(Box::new(error)))?.map_err(|error| failed(Box::new(error)))
    }

    /// The outcomes of jobs that are in the files, unless they have expired.
    async fn outcomes(&self, action: &'static str, ids: Vec<JobId>) -> Result<Vec<OutcomeRecord>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let look = |archive: &Archive<File>| ids.into_iter().filter_map(|id| archive.outcome(id).transpose()).collect();
        Ok(self.unexpired(self.look_up(action, look).await?))
    }

    fn unexpired(&self, mut outcomes: Vec<OutcomeRecord>) -> Vec<OutcomeRecord> {
        let (state, now) = (self.holder.shared().state.lock(), self.clock.now());
        outcomes.retain(|outcome| !state.jobs.is_expired(outcome, now));
        outcomes
    }
}

#[async_trait]
impl Queue for Embedded {
    async fn submit(&self, mut submission: Submission) -> Result<Receipt, Error> {
        const ACTION: &str = "submit jobs";
        if let Some(asked) = submission.idempotency.clone() {
            let (key, now) = (asked.key.clone(), self.clock.now());
            if let Some(repeat) = self.look_up(ACTION, move |archive| archive.repeat(&key, now)).await? {
                return repeat.receipt(&asked);
            }
        }
        // A sender unsure of an answer may send what was long settled.
        let suspects = {
            let state = self.holder.shared().state.lock();
            let suspects = submission.jobs.iter().filter(|job| state.jobs.may_be_archived(job));
            suspects.map(|job| job.id).collect::<Vec<_>>()
        };
        for known in self.outcomes(ACTION, suspects).await? {
            submission.jobs.retain(|job| job.id != known.status.id);
        }
        self.holder.submit(submission).await
    }

    async fn claim(&self, worker: &WorkerId, limit: usize, wait: Duration) -> Result<Vec<Claim>, Error> {
        self.holder.claim(worker, limit, wait).await
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        self.holder.extend(leases).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        self.holder.release(leases).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, Error> {
        self.holder.settle(settlements).await
    }

    async fn reclaim(&self, worker: &WorkerId, cause: Cause) -> Result<usize, Error> {
        self.holder.reclaim(worker, cause).await
    }

    async fn sweep(&self) -> Result<(), Error> {
        self.holder.sweep().await
    }

    async fn statuses(&self, jobs: &[JobId]) -> Result<Vec<Option<Status>>, Error> {
        let mut statuses = self.holder.statuses(jobs).await?;
        let missing = jobs.iter().zip(&statuses).filter(|(_, status)| status.is_none()).map(|(id, _)| *id);
        let found = self.outcomes("look jobs up", missing.collect()).await?;
        let found: HashMap<JobId, Status> = found.into_iter().map(|it| (it.status.id, it.status)).collect();
        for (id, status) in jobs.iter().zip(&mut statuses) {
            if status.is_none() {
                *status = found.get(id).cloned();
            }
        }
        Ok(statuses)
    }

    async fn batch(&self, batch: BatchId) -> Result<Vec<Status>, Error> {
        const ACTION: &str = "look a batch up";
        // In this order, because jobs go from memory to the files.
        let in_memory = self.holder.batch_by_place(ACTION, batch).await?;
        let archived = self.unexpired(self.look_up(ACTION, move |archive| archive.batch(batch)).await?);
        let mut by_place: BTreeMap<u64, Status> = archived.into_iter().map(|it| (it.place, it.status)).collect();
        by_place.extend(in_memory);
        Ok(by_place.into_values().collect())
    }

    async fn lost(&self, jobs: &[JobId]) -> Result<Vec<Vec<LostAttempt>>, Error> {
        self.holder.lost(jobs).await
    }

    async fn runs(&self, before: Option<BatchId>, limit: usize) -> Result<Vec<Run>, Error> {
        self.holder.runs(before, limit).await
    }

    async fn image(&self, job: JobId) -> Result<Option<Image>, Error> {
        self.holder.image(job).await
    }

    async fn cancel(&self, job: JobId) -> Result<Cancellation, Error> {
        match self.holder.cancel(job).await? {
            Cancellation::Unknown if !self.outcomes("cancel a job", vec![job]).await?.is_empty() => {
                Ok(Cancellation::Settled)
            }
            cancellation => Ok(cancellation),
        }
    }

    async fn depth(&self) -> Result<Depth, Error> {
        self.holder.depth().await
    }

    async fn latest(&self) -> Result<Cursor, Error> {
        self.holder.latest().await
    }

    async fn changes(&self, after: Cursor, wait: Duration) -> Result<Changes, Error> {
        self.holder.changes(after, wait).await
    }

    async fn dead(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.holder.dead(limit).await
    }

    async fn replay(&self, job: JobId) -> Result<bool, Error> {
        self.holder.replay(job).await
    }

    async fn discard(&self, job: JobId) -> Result<bool, Error> {
        self.holder.discard(job).await
    }
}
