//! How do many calls share one commit?
//!
//! One thread owns the connection that writes. It takes every call that is waiting, does all of them in one
//! transaction, and answers after the commit. Where that transaction fails, each call gets one of its own, so that
//! nobody's failure is another's.

use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::queue::{Error, Limits};

use super::bell::Bell;
use super::flush::Flusher;
use super::handover::Returns;
use super::ledger::{Ledger, Stop};
use super::shelf::is_claimable;

/// Calls that may wait for the thread; the next ones wait for room, in their own tasks.
const WAITING_MAX: usize = 1_024;

/// Calls in one transaction, at most: a bound on how long other processes wait for it.
const GROUP_MAX: usize = 256;

/// What a call needs of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// It is answered when the disk has it.
    First,
    /// It is answered, and the disk gets it right after.
    Soon,
    /// It may be lost in a power cut, and then only takes place again.
    Whenever,
}

/// Something that went wrong with the file, told to everybody whom it concerns.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the queue's file {path} failed")]
pub struct Trouble {
    path: String,
    no_space: bool,
    source: Arc<dyn std::error::Error + Send + Sync>,
}

impl Trouble {
    pub fn new(path: &str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { path: path.to_owned(), no_space: false, source: Arc::new(source) }
    }

    /// What SQLite said, a full disk told from everything else: a person can mend that.
    pub fn of_sqlite(path: &str, source: rusqlite::Error) -> Self {
        let no_space = source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull);
        Self { no_space, ..Self::new(path, source) }
    }

    /// The error for the caller who attempted `action`.
    pub fn told(&self, action: &'static str) -> Error {
        let source = Box::new(self.clone());
        if self.no_space { Error::NoSpace { action, source } } else { Error::Unavailable { action, source } }
    }
}

/// A call, waiting to be done.
pub trait Task: Send {
    fn flush(&self) -> Flush;

    /// Whether it would do nothing where there is nothing to claim.
    fn only_claims(&self) -> bool;

    /// Does it, for the last time or not: a transaction that fails is tried again.
    fn run(&mut self, ledger: &mut Ledger<'_>) -> rusqlite::Result<()>;

    fn fail(&mut self, trouble: &Trouble);

    fn reply(self: Box<Self>);
}

/// A call, what it does, and whom to tell.
pub struct Ask<T, F, R> {
    pub action: &'static str,
    pub flush: Flush,
    /// The answer where there is nothing to claim, for what only claims.
    pub otherwise: Option<T>,
    pub work: F,
    pub reply: R,
    pub answer: Option<Result<T, Error>>,
}

impl<T, F, R> Task for Ask<T, F, R>
where
    T: Send,
    F: FnMut(&mut Ledger<'_>) -> Result<T, Stop> + Send,
    R: FnOnce(Result<T, Error>) + Send,
{
    fn flush(&self) -> Flush {
        self.flush
    }

    fn only_claims(&self) -> bool {
        self.otherwise.is_some()
    }

    fn run(&mut self, ledger: &mut Ledger<'_>) -> rusqlite::Result<()> {
        self.answer = Some(match (self.work)(ledger) {
            Ok(answer) => Ok(answer),
            Err(Stop::Refused(error)) => Err(error),
            Err(Stop::Broken(error)) => return Err(error),
        });
        Ok(())
    }

    fn fail(&mut self, trouble: &Trouble) {
        self.answer = Some(Err(trouble.told(self.action)));
    }

    fn reply(self: Box<Self>) {
        if let Some(answer) = self.answer.or(self.otherwise.map(Ok)) {
            (self.reply)(answer);
        }
    }
}

/// The way to the thread that writes.
pub struct Desk {
    calls: Option<mpsc::Sender<Box<dyn Task>>>,
    returns: Returns,
    thread: Option<JoinHandle<()>>,
}

impl Desk {
    /// Lets a thread own the connection.
    pub fn start(writer: Writer) -> std::io::Result<Self> {
        let (calls, waiting) = mpsc::channel(WAITING_MAX);
        let returns = writer.returns.clone();
        let run = move || writer.serve(waiting);
        let thread = std::thread::Builder::new().name("kana-queue".to_owned()).spawn(run)?;
        Ok(Self { calls: Some(calls), returns, thread: Some(thread) })
    }

    /// Does `work` in a transaction, and answers after its commit.
    pub async fn ask<T, F>(&self, action: &'static str, flush: Flush, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Ledger<'_>) -> Result<T, Stop> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        // A caller who has gone away needs no answer.
        let reply = |answer| drop(tell.send(answer));
        self.send(Box::new(Ask { action, flush, otherwise: None, work, reply, answer: None })).await;
        told.await.unwrap_or_else(|gone| Err(Error::Unavailable { action, source: Box::new(gone) }))
    }

    /// Has a task done. Where the thread is gone the task is dropped, and with it its way to answer.
    pub async fn send(&self, task: Box<dyn Task>) {
        if let Some(calls) = &self.calls {
            drop(calls.send(task).await);
        }
    }

    /// Where claims go that nobody took.
    pub fn returns(&self) -> &Returns {
        &self.returns
    }

    /// A way to the thread that does not keep it from ending.
    pub fn weak(&self) -> Option<mpsc::WeakSender<Box<dyn Task>>> {
        self.calls.as_ref().map(mpsc::Sender::downgrade)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.calls = None;
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// The thread that writes, and all that it works with.
pub struct Writer {
    pub connection: Connection,
    pub path: String,
    pub limits: Limits,
    pub clock: Arc<dyn Clock>,
    pub waiting_grew: Arc<Bell>,
    pub changed: Arc<Bell>,
    pub flusher: Flusher,
    pub returns: Returns,
}

impl Writer {
    fn serve(mut self, mut waiting: mpsc::Receiver<Box<dyn Task>>) {
        while let Some(first) = waiting.blocking_recv() {
            let mut group: Vec<_> = self.returns.task().into_iter().chain([first]).collect();
            while let Some(next) = (group.len() < GROUP_MAX).then(|| waiting.try_recv().ok()).flatten() {
                group.push(next);
            }
            self.handle(&mut group);
            self.answer(group);
        }
    }

    fn handle(&mut self, group: &mut [Box<dyn Task>]) {
        let Err(error) = self.commit(group) else { return };
        let room_made = error.sqlite_error_code() == Some(ErrorCode::DiskFull) && self.make_room();
        match group {
            [only] if !room_made => only.fail(&Trouble::new(&self.path, error)),
            each => each.chunks_mut(1).for_each(|one| self.handle_alone(one)),
        }
    }

    fn handle_alone(&mut self, one: &mut [Box<dyn Task>]) {
        if let Err(error) = self.commit(one) {
            let trouble = Trouble::new(&self.path, error);
            one.iter_mut().for_each(|task| task.fail(&trouble));
        }
    }

    /// Copies the write-ahead log into the file, so that the room that it takes can be used again: on a full disk, jobs
    /// that were accepted can still be finished. Answers whether that worked.
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
        // The time is told once the lock is held: waiting for it may have taken a while.
        let mut ledger = Ledger::begin(&transaction, self.limits, self.clock.now())?;
        ledger.catch_up()?;
        for task in group {
            task.run(&mut ledger)?;
        }
        let news = ledger.close()?;
        transaction.commit()?;
        if news.waiting_grew {
            self.waiting_grew.ring();
        }
        if news.changed {
            self.changed.ring();
        }
        Ok(())
    }

    /// Answers at once whom the disk does not concern, and lets the flusher answer the rest.
    fn answer(&self, group: Vec<Box<dyn Task>>) {
        let flush = group.iter().any(|task| task.flush() != Flush::Whenever);
        let (after, now): (Vec<_>, Vec<_>) = group.into_iter().partition(|task| task.flush() == Flush::First);
        now.into_iter().for_each(Task::reply);
        if flush {
            self.flusher.flush(after);
        }
    }
}
