//! How does one file hold a queue for many processes?
//!
//! Each process has two connections, each on a thread of its own: `desk` writes, many calls to a commit, and `reading`
//! looks. What is decided is decided by the same rules as in memory. Waiting processes are woken through `bell`, and
//! `flush` says what a power cut can take: no job that was accepted. A process that is killed takes nothing at all. A
//! full disk is an error until there is room, and takes nothing either.

mod bell;
mod desk;
mod flush;
mod handover;
mod ledger;
mod reading;
mod row;
mod schema;
mod shelf;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::WorkerId;
use crate::clock::Clock;
use crate::job::{BatchId, JobId, Status};

use super::watch::Watch;
use super::{
    Cancellation, Cause, Changes, Claim, Cursor, DeadLetter, Depth, Error, Hold, Lease, Limits, Queue, Receipt,
    Settled, Settlement, Submission,
};
use bell::Bell;
use desk::{Desk, Flush, Writer};
use flush::Flusher;
use handover::Returns;
use reading::Reader;
use schema::Problem;

/// How often somebody who waits looks again by itself: a lease lapses without anybody ringing.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often it looks where nobody can ring: slow enough to cost nothing, fast enough to go on working.
const LOOK_UNRUNG: Duration = Duration::from_millis(100);

/// A queue in one file.
pub struct Sqlite {
    desk: Desk,
    reader: Reader,
    waiting_grew: Arc<Bell>,
    changed: Arc<Bell>,
    look_again: Duration,
}

impl Sqlite {
    /// Opens the file at `path`, and makes it where there is none.
    ///
    /// # Errors
    /// [`Error::Unavailable`], naming the file, where it cannot be opened, is no queue, or is one of a newer kana.
    pub fn open(path: &Path, limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Self::start(path, limits, clock).map_err(|source| Error::Unavailable { action: "open the queue", source })
    }

    /// This queue, but whoever waits is woken by nothing except a ring or the end of the wait, for tests of the bell.
    #[must_use]
    pub fn trusting_its_bell(self) -> Self {
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
        let unopened = |source| Problem::Unopened { path: path.to_owned(), source };
        let folder = bells(path);
        let (waiting_grew, changed) = (Arc::new(Bell::new(&folder, "jobs-")), Arc::new(Bell::new(&folder, "changes-")));
        let desk = Desk::start(Writer {
            connection,
            path: name.clone(),
            limits,
            clock: Arc::clone(&clock),
            waiting_grew: Arc::clone(&waiting_grew),
            changed: Arc::clone(&changed),
            flusher: Flusher::start(path).map_err(unopened)?,
            returns: Returns::default(),
        });
        let desk = desk.map_err(unopened)?;
        let reader = Reader::start(looking, name, clock).map_err(unopened)?;
        Ok(Self { desk, reader, waiting_grew, changed, look_again: LOOK_AGAIN })
    }

    /// A watch on `bell`, which others can ring once somebody really waits.
    fn watch<'a>(&self, bell: &'a Bell, wait: Duration) -> Watch<'a> {
        let every = if wait.is_zero() || bell.listen() { self.look_again } else { LOOK_UNRUNG };
        Watch::new(bell.rung(), wait, every)
    }
}

/// Where the bells of the queue at `path` hang.
fn bells(path: &Path) -> PathBuf {
    let mut folder = path.as_os_str().to_owned();
    folder.push(".bells");
    folder.into()
}

#[async_trait]
impl Queue for Sqlite {
    async fn submit(&self, submission: Submission) -> Result<Receipt, Error> {
        self.desk.ask("submit jobs", Flush::First, move |ledger| ledger.submit(&submission)).await
    }

    async fn claim(&self, worker: &WorkerId, room: usize, wait: Duration) -> Result<Vec<Claim>, Error> {
        let mut watch = self.watch(&self.waiting_grew, wait);
        loop {
            let claims = handover::claim(&self.desk, worker, room).await?;
            if !claims.is_empty() || !watch.again().await {
                return Ok(claims);
            }
        }
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        let leases = leases.to_vec();
        self.desk.ask("extend leases", Flush::Whenever, move |ledger| ledger.extend(&leases)).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        let leases = leases.to_vec();
        self.desk.ask("release jobs", Flush::Whenever, move |ledger| ledger.release(&leases)).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, Error> {
        self.desk.ask("settle jobs", Flush::Soon, move |ledger| ledger.settle(&settlements)).await
    }

    async fn reclaim(&self, worker: &WorkerId, cause: Cause) -> Result<usize, Error> {
        let worker = worker.to_owned();
        self.desk.ask("reclaim jobs", Flush::Soon, move |ledger| ledger.reclaim(&worker, cause)).await
    }

    async fn sweep(&self) -> Result<(), Error> {
        // Rows that expired go a few at a time, each few in a transaction of their own.
        while self.desk.ask("sweep the queue", Flush::Whenever, |ledger| Ok(ledger.catch_up()?)).await? {}
        Ok(())
    }

    async fn statuses(&self, jobs: &[JobId]) -> Result<Vec<Option<Status>>, Error> {
        let jobs = jobs.to_vec();
        self.reader.ask("look jobs up", move |reading| reading.statuses(&jobs)).await
    }

    async fn batch(&self, batch: BatchId) -> Result<Vec<Status>, Error> {
        self.reader.ask("look a batch up", move |reading| reading.batch(batch)).await
    }

    async fn cancel(&self, job: JobId) -> Result<Cancellation, Error> {
        self.desk.ask("cancel a job", Flush::First, move |ledger| ledger.cancel(job)).await
    }

    async fn depth(&self) -> Result<Depth, Error> {
        self.reader.ask("count jobs", |reading| reading.depth()).await
    }

    async fn latest(&self) -> Result<Cursor, Error> {
        self.reader.ask("find the latest change", |reading| reading.latest()).await
    }

    async fn changes(&self, after: Cursor, wait: Duration) -> Result<Changes, Error> {
        let mut watch = self.watch(&self.changed, wait);
        loop {
            let changes = self.reader.ask("read changes", move |reading| reading.changes(after)).await?;
            if !changes.jobs.is_empty() || !watch.again().await {
                return Ok(changes);
            }
        }
    }

    async fn dead(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.reader.ask("list dead letters", move |reading| reading.dead(limit)).await
    }

    async fn replay(&self, job: JobId) -> Result<bool, Error> {
        self.desk.ask("replay a dead letter", Flush::First, move |ledger| ledger.replay(job)).await
    }

    async fn discard(&self, job: JobId) -> Result<bool, Error> {
        self.desk.ask("discard a dead letter", Flush::First, move |ledger| ledger.discard(job)).await
    }
}
