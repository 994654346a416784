//! How does one file hold a queue for many processes?
//!
//! Each process has two connections, each on a thread of its own: `writer` does many calls in one commit, and `reader`
//! only reads. The decisions are the same `rules` as in memory. Waiting processes are woken through `wakeup`, and
//! `fsync` says what a power cut can take: no job that was accepted. A process that is killed takes nothing at all. A
//! full disk is an error until there is limit, and takes nothing either.

mod delivery;
mod fsync;
mod operations;
mod reader;
mod row;
mod schema;
mod transitions;
mod wakeup;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::WorkerId;
use crate::clock::Clock;
use crate::job::{BatchId, JobId, Status};

use super::poll::Poll;
use super::{
    Cancellation, Cause, Changes, Claim, Cursor, DeadLetter, Depth, Error, Hold, Lease, Limits, Queue, Receipt,
    Settled, Settlement, Submission,
};
use delivery::DroppedLeases;
use fsync::LogSync;
use reader::Reader;
use schema::OpenError;
use wakeup::Wakeup;
use writer::{Durability, Writer, WriterThread};

/// How often a waiting call looks again without a wakeup: none comes when a lease expires.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often it looks where no wakeup can reach it: slow enough to cost nothing, fast enough to go on working.
const LOOK_WITHOUT_WAKEUP: Duration = Duration::from_millis(100);

/// A queue in one file.
pub struct Sqlite {
    writer: Writer,
    reader: Reader,
    waiting_grew: Arc<Wakeup>,
    changed: Arc<Wakeup>,
    look_again: Duration,
}

impl Sqlite {
    /// Opens the file at `path`, and creates it where there is none.
    ///
    /// # Errors
    /// [`Error::Unavailable`], naming the file, where it cannot be opened, is no queue, or is one of a newer kana.
    pub fn open(path: &Path, limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Self::start(path, limits, clock).map_err(|source| Error::Unavailable { action: "open the queue", source })
    }

    /// Makes waiting calls look again only on a wakeup or at the end of their wait, for tests of the wakeups.
    #[cfg(feature = "conformance")]
    #[must_use]
    pub fn without_looking(self) -> Self {
        Self { look_again: Duration::MAX, ..self }
    }

    fn start(
        path: &Path,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let connection = schema::open(path)?;
        let looking = schema::open_reader(path)?;
        let name = path.display().to_string();
        let unopened = |source| OpenError::Unopened { path: path.to_owned(), source };
        let folder = pipes(path);
        let waiting_grew = Arc::new(Wakeup::new(&folder, "jobs-"));
        let changed = Arc::new(Wakeup::new(&folder, "changes-"));
        let writer = Writer::start(WriterThread {
            connection,
            path: name.clone(),
            limits,
            clock: Arc::clone(&clock),
            waiting_grew: Arc::clone(&waiting_grew),
            changed: Arc::clone(&changed),
            log: LogSync::start(path).map_err(unopened)?,
            dropped: DroppedLeases::default(),
        });
        let writer = writer.map_err(unopened)?;
        let reader = Reader::start(looking, name, clock).map_err(unopened)?;
        Ok(Self { writer, reader, waiting_grew, changed, look_again: LOOK_AGAIN })
    }

    /// Begins a wait for `wakeup`, which other processes can send once a call really waits.
    fn poll<'a>(&self, wakeup: &'a Wakeup, wait: Duration) -> Poll<'a> {
        let interval = if wait.is_zero() || wakeup.listen() { self.look_again } else { LOOK_WITHOUT_WAKEUP };
        Poll::new(wakeup.notify(), wait, interval)
    }
}

/// The folder of the pipes of the queue at `path`. Its name is the same in every kana, whose processes share it.
fn pipes(path: &Path) -> PathBuf {
    let mut folder = path.as_os_str().to_owned();
    folder.push(".bells");
    folder.into()
}

#[async_trait]
impl Queue for Sqlite {
    async fn submit(&self, submission: Submission) -> Result<Receipt, Error> {
        self.writer.ask("submit jobs", Durability::Before, move |operations| operations.submit(&submission)).await
    }

    async fn claim(&self, worker: &WorkerId, limit: usize, wait: Duration) -> Result<Vec<Claim>, Error> {
        let mut poll = self.poll(&self.waiting_grew, wait);
        loop {
            let claims = delivery::claim(&self.writer, worker, limit).await?;
            if !claims.is_empty() || !poll.again().await {
                return Ok(claims);
            }
        }
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        let leases = leases.to_vec();
        self.writer.ask("extend leases", Durability::Eventual, move |operations| operations.extend(&leases)).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        let leases = leases.to_vec();
        self.writer.ask("release jobs", Durability::Eventual, move |operations| operations.release(&leases)).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, Error> {
        self.writer.ask("settle jobs", Durability::After, move |operations| operations.settle(&settlements)).await
    }

    async fn reclaim(&self, worker: &WorkerId, cause: Cause) -> Result<usize, Error> {
        let worker = worker.to_owned();
        self.writer.ask("reclaim jobs", Durability::After, move |operations| operations.reclaim(&worker, cause)).await
    }

    async fn sweep(&self) -> Result<(), Error> {
        // Rows that expired go a few at a time, each few in a transaction of their own.
        while self.writer.ask("sweep the queue", Durability::Eventual, |operations| Ok(operations.catch_up()?)).await? {
        }
        Ok(())
    }

    async fn statuses(&self, jobs: &[JobId]) -> Result<Vec<Option<Status>>, Error> {
        let jobs = jobs.to_vec();
        self.reader.ask("look jobs up", move |reader| reader.statuses(&jobs)).await
    }

    async fn batch(&self, batch: BatchId) -> Result<Vec<Status>, Error> {
        self.reader.ask("look a batch up", move |reader| reader.batch(batch)).await
    }

    async fn cancel(&self, job: JobId) -> Result<Cancellation, Error> {
        self.writer.ask("cancel a job", Durability::Before, move |operations| operations.cancel(job)).await
    }

    async fn depth(&self) -> Result<Depth, Error> {
        self.reader.ask("count jobs", |reader| reader.depth()).await
    }

    async fn latest(&self) -> Result<Cursor, Error> {
        self.reader.ask("find the latest change", |reader| reader.latest()).await
    }

    async fn changes(&self, after: Cursor, wait: Duration) -> Result<Changes, Error> {
        let mut poll = self.poll(&self.changed, wait);
        loop {
            let changes = self.reader.ask("read changes", move |reader| reader.changes(after)).await?;
            if !changes.jobs.is_empty() || !poll.again().await {
                return Ok(changes);
            }
        }
    }

    async fn dead(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.reader.ask("list dead letters", move |reader| reader.dead(limit)).await
    }

    async fn replay(&self, job: JobId) -> Result<bool, Error> {
        self.writer.ask("replay a dead letter", Durability::Before, move |operations| operations.replay(job)).await
    }

    async fn discard(&self, job: JobId) -> Result<bool, Error> {
        self.writer.ask("discard a dead letter", Durability::Before, move |operations| operations.discard(job)).await
    }
}
