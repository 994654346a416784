//! What may be asked of the file without holding up those who write?
//!
//! A thread of its own owns a connection that only reads: SQLite's write-ahead log lets it see one consistent state
//! while other connections write.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use tokio::sync::{mpsc, oneshot};

use crate::WorkerId;
use crate::clock::{Clock, Timestamp};
use crate::job::{BatchId, JobId, Status};
use crate::queue::{CHANGES_MAX, Changes, Cursor, DeadLetter, Depth, Error};

use super::operations::Counters;
use super::row::{self, STATUS, moment, number, unsigned};
use super::writer::FileError;

/// Questions that may wait for the thread; further ones wait in their own tasks.
const WAITING_MAX: usize = 1_024;

type Question = Box<dyn FnOnce(&ReaderThread) + Send>;

/// A handle of the thread that reads.
pub struct Reader {
    questions: Option<mpsc::Sender<Question>>,
    thread: Option<JoinHandle<()>>,
    path: String,
}

impl Reader {
    /// Starts the thread that owns the connection.
    pub fn start(connection: Connection, path: String, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let (questions, mut waiting) = mpsc::channel::<Question>(WAITING_MAX);
        let reader = ReaderThread { connection, clock };
        let serve = move || {
            while let Some(question) = waiting.blocking_recv() {
                question(&reader);
            }
        };
        let thread = std::thread::Builder::new().name("kana-reader".to_owned()).spawn(serve)?;
        Ok(Self { questions: Some(questions), thread: Some(thread), path })
    }

    /// Answers `question` from one snapshot of the file.
    pub async fn ask<T, F>(&self, action: &'static str, question: F) -> std::result::Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&ReaderThread) -> Result<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let answer = move |reader: &ReaderThread| drop(sender.send(reader.snapshot(question)));
        if let Some(questions) = &self.questions {
            // Where the thread has ended the question is dropped, and with it the sender of its answer.
            drop(questions.send(Box::new(answer)).await);
        }
        match receiver.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(FileError::of_sqlite(&self.path, error).during(action)),
            Err(source) => Err(Error::Unavailable { action, source: Box::new(source) }),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.questions = None;
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// The thread that reads, and all that it works with.
pub struct ReaderThread {
    connection: Connection,
    clock: Arc<dyn Clock>,
}

impl ReaderThread {
    fn snapshot<T>(&self, question: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let transaction = self.connection.unchecked_transaction()?;
        let answer = question(self)?;
        transaction.commit()?;
        Ok(answer)
    }

    pub fn statuses(&self, jobs: &[JobId]) -> Result<Vec<Option<Status>>> {
        let sql = format!("SELECT {STATUS} FROM jobs WHERE id = ? AND NOT (state = 3 AND ends <= ?)");
        let mut select = self.connection.prepare_cached(&sql)?;
        let now = moment(self.clock.now());
        jobs.iter().map(|id| select.query_row(params![id.as_bytes(), now], row::status).optional()).collect()
    }

    pub fn batch(&self, batch: BatchId) -> Result<Vec<Status>> {
        let sql = format!("SELECT {STATUS} FROM jobs WHERE batch = ? AND NOT (state = 3 AND ends <= ?) ORDER BY place");
        let mut select = self.connection.prepare_cached(&sql)?;
        select.query_map(params![batch.as_bytes(), moment(self.clock.now())], row::status)?.collect()
    }

    pub fn depth(&self) -> Result<Depth> {
        let Counters { waiting, dead, .. } = Counters::read(&self.connection)?;
        let sql = "SELECT worker, COUNT(*) FROM jobs WHERE state = 2 GROUP BY worker";
        let mut select = self.connection.prepare_cached(sql)?;
        let running = select.query_map([], |row| Ok((row.get(0)?, unsigned(row, 1)?)))?;
        let running = running.collect::<Result<BTreeMap<WorkerId, usize>>>()?;
        let mut oldest: Option<Timestamp> = None;
        for sql in [
            "SELECT submitted FROM jobs WHERE state = 0 ORDER BY place LIMIT 1",
            "SELECT submitted FROM jobs WHERE state = 1 ORDER BY place LIMIT 1",
        ] {
            let head = self.connection.prepare_cached(sql)?.query_row([], |row| row::timestamp(row, 0)).optional()?;
            oldest = oldest.into_iter().chain(head).min();
        }
        Ok(Depth { waiting, running, dead, oldest })
    }

    pub fn latest(&self) -> Result<Cursor> {
        Ok(Cursor(Counters::read(&self.connection)?.changed))
    }

    /// The jobs that changed after `after`; from the beginning where this queue has never reached `after`.
    pub fn changes(&self, after: Cursor) -> Result<Changes> {
        let behind = if after > self.latest()? { 0 } else { after.0 };
        let sql = format!("SELECT {STATUS}, changed FROM jobs WHERE changed > ? ORDER BY changed LIMIT ?");
        let mut select = self.connection.prepare_cached(&sql)?;
        let (mut jobs, mut cursor) = (Vec::new(), after);
        let mut rows = select.query([number(behind), number(CHANGES_MAX)])?;
        while let Some(row) = rows.next()? {
            jobs.push(row::status(row)?);
            cursor = Cursor(unsigned(row, 14)?);
        }
        Ok(Changes { jobs, cursor, missed: false })
    }

    pub fn dead(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        let sql =
            "SELECT id, batch, filename, submitted, channels, height, width, samples, attempts, reason, worker, died
                   FROM dead JOIN pixels USING (place) ORDER BY death DESC LIMIT ?";
        let read = |row: &Row<'_>| {
            let (job, attempts, died) = (row::job(row, 0)?, unsigned(row, 8)?, row::timestamp(row, 11)?);
            Ok(DeadLetter { job, attempts, reason: row.get(9)?, worker: row.get(10)?, died })
        };
        self.connection.prepare_cached(sql)?.query_map([number(limit)], read)?.collect()
    }
}
