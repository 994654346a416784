//! What does every call do to the file, inside one transaction?
//!
//! The same verbs as in `memory`, over the same rules; the orders that are trees there are indexes here. Every verb
//! checks before it writes, so that a refusal leaves no trace in the transaction it shares.

use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::WorkerId;
use crate::clock::Timestamp;
use crate::job::{Job, JobId, Verdict};
use crate::queue::log::Expired;
use crate::queue::rules::{self, Attempts, End, Line};
use crate::queue::{
    Cancellation, Cause, Claim, Error, Hold, Idempotency, Inference, Lease, Limits, Receipt, Settled, Settlement,
    Submission,
};

use super::row::{self, moment, number, unsigned};
use super::schema::{AGAIN, FIRST, RUNNING, SETTLED};

/// Why a verb did nothing.
#[derive(Debug)]
pub enum OperationError {
    /// The queue refused the call; the transaction goes on.
    Refused(Error),
    /// The file failed; the transaction is over.
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for OperationError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

/// The queue's verbs during one transaction, all of which happens at one moment.
pub struct Operations<'a> {
    pub(super) connection: &'a Connection,
    pub(super) limits: Limits,
    pub(super) now: Timestamp,
    pub(super) counters: Counters,
    /// The counters as the transaction found them.
    pub(super) counters_before: Counters,
    pub(super) waiting_grew: bool,
    /// What to log once the transaction is committed.
    pub(super) expired: Vec<Expired>,
}

/// Counts that would take too long to make, and the number of the latest change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    pub changed: u64,
    pub waiting: usize,
    pub running: usize,
    pub dead: usize,
    pub last: Line,
}

/// What the transitions need to know of a job.
pub(super) struct Entry {
    pub(super) id: JobId,
    pub(super) place: i64,
    pub(super) state: i64,
    again: bool,
    pub(super) attempts: Attempts,
    pub(super) worker: Option<WorkerId>,
    token: Option<i64>,
    pub(super) claimed: Option<Timestamp>,
    pub(super) submitted: Timestamp,
}

/// The columns that [`Entry::read`] reads, in its order.
pub(super) const ENTRY: &str = "place, state, again, claims, faults, worker, token, claimed, submitted, id";

impl Entry {
    pub(super) fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            place: row.get(0)?,
            state: row.get(1)?,
            again: row.get(2)?,
            attempts: Attempts { claims: unsigned(row, 3)?, failures: unsigned(row, 4)? },
            worker: row.get(5)?,
            token: row.get(6)?,
            claimed: row.get::<_, Option<i64>>(7)?.map(|_| row::timestamp(row, 7)).transpose()?,
            submitted: row::timestamp(row, 8)?,
            id: row::job_id(row, 9)?,
        })
    }

    fn is_held_under(&self, lease: &Lease) -> bool {
        let (token, worker) = (self.token == Some(number(lease.token)), self.worker.as_ref() == Some(&lease.worker));
        self.state == RUNNING && token && worker
    }
}

impl Operations<'_> {
    pub fn submit(&mut self, submission: &Submission) -> Result<Receipt, OperationError> {
        if let Some(receipt) = self.repeated(submission.idempotency.as_ref())? {
            return Ok(receipt);
        }
        let mut fresh = Vec::with_capacity(submission.jobs.len());
        for job in &submission.jobs {
            // A job that is known was sent once more by a sender unsure of our answer.
            if self.entry(job.id)?.is_none() {
                fresh.push(job);
            }
        }
        self.check_room(fresh.len())?;
        for job in fresh {
            self.admit(job)?;
        }
        if let Some(Idempotency { key, fingerprint, answer }) = &submission.idempotency {
            let sql = "INSERT OR REPLACE INTO repeats (key, fingerprint, batch, answer, ends) VALUES (?, ?, ?, ?, ?)";
            let ends = moment(self.now.after(self.limits.outcome_ttl));
            let batch = submission.batch.as_bytes();
            self.connection.prepare_cached(sql)?.execute(params![key, fingerprint, batch, answer, ends])?;
        }
        Ok(Receipt::Accepted)
    }

    fn repeated(&self, idempotency: Option<&Idempotency>) -> Result<Option<Receipt>, OperationError> {
        let Some(Idempotency { key, fingerprint, .. }) = idempotency else { return Ok(None) };
        let sql = "SELECT fingerprint, batch, answer FROM repeats WHERE key = ? AND ends > ?";
        let read = |row: &Row<'_>| Ok((row.get::<_, [u8; 32]>(0)?, row::batch_id(row, 1)?, row.get(2)?));
        match self.connection.prepare_cached(sql)?.query_row(params![key, moment(self.now)], read).optional()? {
            None => Ok(None),
            Some((known, ..)) if known != *fingerprint => {
                Err(OperationError::Refused(Error::KeyReused { key: key.clone() }))
            }
            Some((_, batch, answer)) => Ok(Some(Receipt::Repeated { batch, answer })),
        }
    }

    pub(super) fn check_room(&self, jobs: usize) -> Result<(), OperationError> {
        let limit = self.limits.jobs_max;
        if self.counters.waiting + self.counters.running + jobs > limit {
            Err(OperationError::Refused(Error::Full { limit }))
        } else {
            Ok(())
        }
    }

    fn admit(&mut self, job: &Job) -> Result<()> {
        let place = self.next_change();
        let sql =
            "INSERT OR REPLACE INTO jobs (place, id, batch, filename, submitted, state, again, claims, faults, changed)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, FALSE, 0, 0, ?1)";
        let (id, batch) = (job.id.as_bytes(), job.batch.as_bytes());
        let values = params![place, id, batch, job.filename, moment(job.submitted), FIRST];
        self.connection.prepare_cached(sql)?.execute(values)?;
        let sql = "INSERT OR REPLACE INTO pixels (place, channels, height, width, samples) VALUES (?, ?, ?, ?, ?)";
        let shape = job.image.shape();
        let (channels, height, width) = (number(shape.channels), number(shape.height), number(shape.width));
        self.connection.prepare_cached(sql)?.execute(params![place, channels, height, width, job.image.pixels()])?;
        self.join_line();
        Ok(())
    }

    pub fn claim(&mut self, worker: &WorkerId, limit: usize) -> Result<Vec<Claim>, OperationError> {
        let line = rules::line_next(self.waits(FIRST)?, self.waits(AGAIN)?, self.counters.last);
        let Some(line) = line.filter(|_| limit > 0) else { return Ok(Vec::new()) };
        self.counters.last = line;
        // The state is spelled out, because only then does the line's own index answer.
        let (sql, count) = match line {
            Line::First => ("SELECT place FROM jobs WHERE state = 0 ORDER BY place LIMIT ?", limit),
            Line::Again => ("SELECT place FROM jobs WHERE state = 1 ORDER BY place LIMIT ?", 1),
        };
        let mut select = self.connection.prepare_cached(sql)?;
        let places = select.query_map([number(count)], |row| row.get(0))?.collect::<Result<Vec<i64>>>()?;
        Ok(places.into_iter().map(|place| self.lease(place, worker)).collect::<Result<_>>()?)
    }

    fn waits(&self, state: i64) -> Result<bool> {
        let sql = if state == FIRST {
            "SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 0)"
        } else {
            "SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 1)"
        };
        self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
    }

    fn lease(&mut self, place: i64, worker: &WorkerId) -> Result<Claim> {
        let token = self.next_change();
        let sql =
            "UPDATE jobs SET state = ?1, claims = claims + 1, changed = ?2, worker = ?3, token = ?2, claimed = ?4,
                   ends = ?5 WHERE place = ?6";
        let ends = moment(self.now.after(self.limits.lease));
        let values = params![RUNNING, token, worker, moment(self.now), ends, place];
        self.connection.prepare_cached(sql)?.execute(values)?;
        self.counters.waiting -= 1;
        self.counters.running += 1;
        let sql = "SELECT claims, id, batch, filename, submitted, channels, height, width, samples
                   FROM jobs JOIN pixels USING (place) WHERE place = ?";
        let read = |row: &Row<'_>| Ok((unsigned(row, 0)?, row::job(row, 1)?));
        let (attempt, job) = self.connection.prepare_cached(sql)?.query_row([place], read)?;
        let lease = Lease { job: job.id, worker: worker.to_owned(), token: self.counters.changed };
        Ok(Claim { lease, job, attempt })
    }

    pub fn extend(&mut self, leases: &[Lease]) -> Result<Vec<Hold>, OperationError> {
        let ends = moment(self.now.after(self.limits.lease));
        let extend = |lease: &Lease| {
            let sql = "UPDATE jobs SET ends = ? WHERE id = ? AND state = 2 AND token = ? AND worker = ?";
            let values = params![ends, lease.job.as_bytes(), number(lease.token), lease.worker];
            let held = self.connection.prepare_cached(sql)?.execute(values)? > 0;
            Ok(if held { Hold::Kept } else { Hold::Lost })
        };
        leases.iter().map(extend).collect()
    }

    pub fn release(&mut self, leases: &[Lease]) -> Result<Vec<Hold>, OperationError> {
        let mut holds = Vec::with_capacity(leases.len());
        for lease in leases {
            let held = self.entry(lease.job)?.filter(|entry| entry.is_held_under(lease));
            holds.push(if held.is_some() { Hold::Kept } else { Hold::Lost });
            if let Some(entry) = held {
                self.wait(&entry, entry.attempts.released(), entry.again)?;
            }
        }
        Ok(holds)
    }

    pub fn settle(&mut self, settlements: &[Settlement]) -> Result<Vec<Settled>, OperationError> {
        Ok(settlements.iter().map(|settlement| self.settle_one(settlement)).collect::<Result<_>>()?)
    }

    fn settle_one(&mut self, Settlement { lease, result }: &Settlement) -> Result<Settled> {
        let Some(entry) = self.entry(lease.job)?.filter(|entry| entry.state != SETTLED) else {
            return Ok(Settled::Late);
        };
        match result {
            Ok(Inference { prediction, elapsed, blank }) => {
                let verdict = Verdict::Done { prediction: prediction.clone(), inference: *elapsed, blank: *blank };
                self.conclude(&entry, Some(&lease.worker), &verdict)?;
                self.drop_pixels(entry.place)?;
                Ok(Settled::Done)
            }
            Err(_) if !entry.is_held_under(lease) => Ok(Settled::Late),
            Err(why) => self.end(&entry, End::Failed(why)),
        }
    }

    pub fn reclaim(&mut self, worker: &WorkerId, cause: Cause) -> Result<usize, OperationError> {
        let sql = format!("SELECT {ENTRY} FROM jobs WHERE state = 2 AND worker = ? ORDER BY place");
        let held = self.entries(&sql, params![worker])?;
        let end = match cause {
            Cause::Stopped => End::Stopped,
            Cause::Crashed => End::Crashed,
        };
        for entry in &held {
            self.end(entry, end)?;
        }
        Ok(held.len())
    }

    pub fn cancel(&mut self, job: JobId) -> Result<Cancellation, OperationError> {
        let Some(entry) = self.entry(job)? else { return Ok(Cancellation::Unknown) };
        Ok(match entry.state {
            RUNNING => Cancellation::Running,
            SETTLED => Cancellation::Settled,
            _ => {
                self.conclude(&entry, None, &Verdict::Cancelled)?;
                self.drop_pixels(entry.place)?;
                Cancellation::Cancelled
            }
        })
    }

    pub fn replay(&mut self, job: JobId) -> Result<bool, OperationError> {
        let Some((death, _)) = self.dead_letter(job)? else { return Ok(false) };
        self.check_room(1)?;
        let changed = self.next_change();
        let sql = "INSERT OR REPLACE INTO jobs
                   (place, id, batch, filename, submitted, state, again, claims, faults, changed)
                   SELECT place, id, batch, filename, submitted, ?, TRUE, 0, 0, ? FROM dead WHERE death = ?";
        self.connection.prepare_cached(sql)?.execute(params![AGAIN, changed, death])?;
        self.remove_dead_letter(death)?;
        self.join_line();
        Ok(true)
    }

    pub fn discard(&mut self, job: JobId) -> Result<bool, OperationError> {
        let Some((death, place)) = self.dead_letter(job)? else { return Ok(false) };
        self.remove_dead_letter(death)?;
        self.drop_pixels(place)?;
        Ok(true)
    }

    fn dead_letter(&self, job: JobId) -> Result<Option<(i64, i64)>> {
        let sql = "SELECT death, place FROM dead WHERE id = ?";
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        self.connection.prepare_cached(sql)?.query_row([job.as_bytes()], read).optional()
    }
}
