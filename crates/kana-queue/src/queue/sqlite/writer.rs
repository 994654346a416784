//! How do many calls share one commit?
//!
//! One thread owns the connection that writes. It takes every call that is waiting, does all of them in one
//! transaction, and answers after the commit. Where that transaction fails, each call gets one of its own, so that
//! no call fails because of another.

use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::queue::log::Expired;
use crate::queue::{Error, Limits};

use super::delivery::DroppedLeases;
use super::fsync::LogSync;
use super::operations::{OperationError, Operations};
use super::transitions::{Effects, is_claimable};
use super::wakeup::Wakeup;

/// Calls that may wait for the thread; further ones wait in their own tasks.
const WAITING_MAX: usize = 1_024;

/// Calls in one transaction, at most: a bound on how long other processes wait for it.
const GROUP_MAX: usize = 256;

/// When the disk has what a call wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Before the call is answered.
    Before,
    /// Right after the call is answered.
    After,
    /// At some time: what a power cut takes is only done again.
    Eventual,
}

/// An error of the file, shared by every call that it concerns.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the queue's file {path} failed")]
pub struct FileError {
    path: String,
    no_space: bool,
    source: Arc<dyn std::error::Error + Send + Sync>,
}

impl FileError {
    pub fn new(path: &str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { path: path.to_owned(), no_space: false, source: Arc::new(source) }
    }

    /// Wraps SQLite's error; a full disk is told from everything else, because a person can make room.
    pub fn of_sqlite(path: &str, source: rusqlite::Error) -> Self {
        let no_space = source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull);
        Self { no_space, ..Self::new(path, source) }
    }

    /// The error for a caller that attempted `action`.
    pub fn during(&self, action: &'static str) -> Error {
        let source = Box::new(self.clone());
        if self.no_space { Error::NoSpace { action, source } } else { Error::Unavailable { action, source } }
    }
}

/// A call, waiting to be done.
pub trait Task: Send {
    fn durability(&self) -> Durability;

    /// Whether the call does nothing where there is nothing to claim.
    fn only_claims(&self) -> bool;

    /// Does the call. A transaction that fails is tried again, and so is the call.
    fn run(&mut self, operations: &mut Operations<'_>) -> rusqlite::Result<()>;

    fn fail(&mut self, error: &FileError);

    fn reply(self: Box<Self>);
}

/// A call: what it does, and where its answer goes.
pub struct Call<T, F, R> {
    pub action: &'static str,
    pub durability: Durability,
    /// The answer where there is nothing to claim, for a call that only claims.
    pub otherwise: Option<T>,
    pub work: F,
    pub reply: R,
    pub answer: Option<Result<T, Error>>,
}

impl<T, F, R> Task for Call<T, F, R>
where
    T: Send,
    F: FnMut(&mut Operations<'_>) -> Result<T, OperationError> + Send,
    R: FnOnce(Result<T, Error>) + Send,
{
    fn durability(&self) -> Durability {
        self.durability
    }

    fn only_claims(&self) -> bool {
        self.otherwise.is_some()
    }

    fn run(&mut self, operations: &mut Operations<'_>) -> rusqlite::Result<()> {
        self.answer = Some(match (self.work)(operations) {
            Ok(answer) => Ok(answer),
            Err(OperationError::Refused(error)) => Err(error),
            Err(OperationError::Failed(error)) => return Err(error),
        });
        Ok(())
    }

    fn fail(&mut self, error: &FileError) {
        self.answer = Some(Err(error.during(self.action)));
    }

    fn reply(self: Box<Self>) {
        if let Some(answer) = self.answer.or(self.otherwise.map(Ok)) {
            (self.reply)(answer);
        }
    }
}

/// A handle of the thread that writes.
pub struct Writer {
    calls: Option<mpsc::Sender<Box<dyn Task>>>,
    dropped: DroppedLeases,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread that owns the connection.
    pub fn start(writer: WriterThread) -> std::io::Result<Self> {
        let (calls, waiting) = mpsc::channel(WAITING_MAX);
        let dropped = writer.dropped.clone();
        let run = move || writer.serve(waiting);
        let thread = std::thread::Builder::new().name("kana-queue".to_owned()).spawn(run)?;
        Ok(Self { calls: Some(calls), dropped, thread: Some(thread) })
    }

    /// Does `work` in a transaction, and returns its answer after the commit.
    pub async fn ask<T, F>(&self, action: &'static str, durability: Durability, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Operations<'_>) -> Result<T, OperationError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        // A caller that was dropped needs no answer.
        let reply = |answer| drop(sender.send(answer));
        self.send(Box::new(Call { action, durability, otherwise: None, work, reply, answer: None })).await;
        receiver.await.unwrap_or_else(|source| Err(Error::Unavailable { action, source: Box::new(source) }))
    }

    /// Hands a task to the thread. Where the thread has ended the task is dropped, and with it the sender of its answer.
    pub async fn send(&self, task: Box<dyn Task>) {
        if let Some(calls) = &self.calls {
            drop(calls.send(task).await);
        }
    }

    /// The leases whose callers were dropped.
    pub fn dropped(&self) -> &DroppedLeases {
        &self.dropped
    }

    /// A sender of tasks that does not keep the thread from ending.
    pub fn weak(&self) -> Option<mpsc::WeakSender<Box<dyn Task>>> {
        self.calls.as_ref().map(mpsc::Sender::downgrade)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.calls = None;
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// The thread that writes, and all that it works with.
pub struct WriterThread {
    pub connection: Connection,
    pub path: String,
    pub limits: Limits,
    pub clock: Arc<dyn Clock>,
    pub waiting_grew: Arc<Wakeup>,
    pub changed: Arc<Wakeup>,
    pub log: LogSync,
    pub dropped: DroppedLeases,
}

impl WriterThread {
    fn serve(mut self, mut waiting: mpsc::Receiver<Box<dyn Task>>) {
        while let Some(first) = waiting.blocking_recv() {
            let mut group: Vec<_> = self.dropped.task().into_iter().chain([first]).collect();
            while let Some(next) = (group.len() < GROUP_MAX).then(|| waiting.try_recv().ok()).flatten() {
                group.push(next);
            }
            self.handle(&mut group);
            self.answer(group);
        }
    }

    fn handle(&mut self, group: &mut [Box<dyn Task>]) {
        let Err(error) = self.commit(group) else { return };
        let is_room_made = error.sqlite_error_code() == Some(ErrorCode::DiskFull) && self.make_room();
        match group {
            [only] if !is_room_made => only.fail(&FileError::new(&self.path, error)),
            each => each.chunks_mut(1).for_each(|one| self.handle_alone(one)),
        }
    }

    fn handle_alone(&mut self, one: &mut [Box<dyn Task>]) {
        if let Err(error) = self.commit(one) {
            let error = FileError::new(&self.path, error);
            one.iter_mut().for_each(|task| task.fail(&error));
        }
    }

    /// Copies the write-ahead log into the file, so that the space that it takes can be used again: on a full disk, jobs
    /// that were accepted can still be finished. Returns whether that worked.
    fn make_room(&self) -> bool {
        let copied = self.connection.query_row("PRAGMA wal_checkpoint", [], |row| {
            let (logged, copied): (i64, i64) = (row.get(1)?, row.get(2)?);
            Ok(logged == copied)
        });
        copied.unwrap_or(false)
    }

    /// Does a group of calls in one transaction, all or none of them.
    fn commit(&mut self, group: &mut [Box<dyn Task>]) -> rusqlite::Result<()> {
        let looks_only = group.iter().all(|task| task.only_claims());
        if looks_only && !is_claimable(&self.connection, &self.limits, self.clock.now())? {
            return Ok(());
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // The time is read once the lock is held: waiting for it may have taken a while.
        let mut operations = Operations::begin(&transaction, self.limits, self.clock.now())?;
        operations.catch_up()?;
        for task in group {
            task.run(&mut operations)?;
        }
        let Effects { waiting_grew, changed, expired } = operations.close()?;
        transaction.commit()?;
        expired.iter().for_each(Expired::log);
        if waiting_grew {
            self.waiting_grew.send();
        }
        if changed {
            self.changed.send();
        }
        Ok(())
    }

    /// Answers the calls that do not wait for the disk, and leaves the rest to the thread that syncs.
    fn answer(&self, group: Vec<Box<dyn Task>>) {
        let is_synced = group.iter().any(|task| task.durability() != Durability::Eventual);
        let (after, now): (Vec<_>, Vec<_>) =
            group.into_iter().partition(|task| task.durability() == Durability::Before);
        now.into_iter().for_each(Task::reply);
        if is_synced {
            self.log.sync(after);
        }
    }
}
