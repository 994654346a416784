//! How does a job move between waiting, running and settled?
//!
//! The transitions that the verbs of [`Operations`] are made of: each keeps the rows and the counters consistent.

use rusqlite::{Connection, OptionalExtension, Params, Result, Row, params};

use crate::WorkerId;
use crate::clock::Timestamp;
use crate::job::{JobId, Verdict};
use crate::queue::log::Expired;
use crate::queue::rules::{self, Attempts, End, Line};
use crate::queue::{Limits, Settled};

use super::operations::{Counters, ENTRY, Entry, Operations};
use super::row::{Columns, moment, number, unsigned};
use super::schema::{AGAIN, FIRST, RUNNING, SETTLED};

/// Expired rows deleted in one transaction, at most, so that none holds the others up for more than milliseconds.
const EXPIRED_MAX: i64 = 500;

impl<'a> Operations<'a> {
    /// Reads the counters. The connection is in a transaction, and stays in it until this is [closed](Self::close).
    pub fn begin(connection: &'a Connection, limits: Limits, now: Timestamp) -> Result<Self> {
        let counters = Counters::read(connection)?;
        Ok(Self {
            connection,
            limits,
            now,
            counters,
            counters_before: counters,
            waiting_grew: false,
            expired: Vec::new(),
        })
    }

    /// Writes the counters back, and returns what others may be waiting for.
    pub fn close(self) -> Result<Effects> {
        let Counters { changed, waiting, running, dead, last } = self.counters;
        if self.counters != self.counters_before {
            let sql = "UPDATE book SET changed = ?, waiting = ?, running = ?, dead = ?, last = ?";
            let values = params![number(changed), number(waiting), number(running), number(dead), last == Line::Again];
            self.connection.prepare_cached(sql)?.execute(values)?;
        }
        let changed = changed != self.counters_before.changed;
        Ok(Effects { waiting_grew: self.waiting_grew, changed, expired: self.expired })
    }

    /// Does what time asks for. Returns whether expired rows are left for another time.
    pub fn catch_up(&mut self) -> Result<bool> {
        self.cut()?;
        let now = moment(self.now);
        let sql = format!("SELECT {ENTRY} FROM jobs WHERE state = 2 AND ends <= ? ORDER BY ends");
        for entry in self.entries(&sql, [now])? {
            self.end(&entry, End::Expired)?;
        }
        let mut left = false;
        for sql in [
            "DELETE FROM jobs WHERE place IN (SELECT place FROM jobs WHERE state = 3 AND ends <= ? LIMIT ?)",
            "DELETE FROM repeats WHERE key IN (SELECT key FROM repeats WHERE ends <= ? LIMIT ?)",
        ] {
            let deleted = self.connection.prepare_cached(sql)?.execute([now, EXPIRED_MAX])?;
            left |= number(deleted) == EXPIRED_MAX;
        }
        let sql = "SELECT death, place FROM dead WHERE ends <= ? LIMIT ?";
        let mut select = self.connection.prepare_cached(sql)?;
        let deaths = select.query_map([now, EXPIRED_MAX], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for (death, place) in deaths.collect::<Result<Vec<(i64, i64)>>>()? {
            self.remove_dead_letter(death)?;
            self.drop_pixels(place)?;
        }
        Ok(left)
    }

    /// Cuts every end to the latest possible one: later ones began before the clock was set back.
    fn cut(&self) -> Result<()> {
        let Limits { lease, outcome_ttl, dead_ttl, .. } = self.limits;
        for (sql, span) in [
            ("UPDATE jobs SET ends = ?1 WHERE state = 2 AND ends > ?1", lease),
            ("UPDATE jobs SET ends = ?1 WHERE state = 3 AND ends > ?1", outcome_ttl),
            ("UPDATE repeats SET ends = ?1 WHERE ends > ?1", outcome_ttl),
            ("UPDATE dead SET ends = ?1 WHERE ends > ?1", dead_ttl),
        ] {
            self.connection.prepare_cached(sql)?.execute([moment(rules::ends_latest(self.now, span))])?;
        }
        Ok(())
    }

    pub(super) fn next_change(&mut self) -> i64 {
        self.counters.changed += 1;
        number(self.counters.changed)
    }

    /// The job, unless it is unknown or its outcome has expired.
    pub(super) fn entry(&self, id: JobId) -> Result<Option<Entry>> {
        let sql = format!("SELECT {ENTRY} FROM jobs WHERE id = ? AND NOT (state = 3 AND ends <= ?)");
        let values = params![id.as_bytes(), moment(self.now)];
        self.connection.prepare_cached(&sql)?.query_row(values, Entry::read).optional()
    }

    pub(super) fn entries(&self, sql: &str, values: impl Params) -> Result<Vec<Entry>> {
        self.connection.prepare_cached(sql)?.query_map(values, Entry::read)?.collect()
    }

    /// Puts a job back in line, at the place that it was given when it was submitted.
    pub(super) fn wait(&mut self, entry: &Entry, attempts: Attempts, again: bool) -> Result<()> {
        let changed = self.next_change();
        let sql =
            "UPDATE jobs SET state = ?, again = ?, claims = ?, faults = ?, changed = ?, worker = NULL, token = NULL,
                   ends = NULL WHERE place = ?";
        let state = if again { AGAIN } else { FIRST };
        let values = params![state, again, attempts.claims, attempts.failures, changed, entry.place];
        self.connection.prepare_cached(sql)?.execute(values)?;
        self.leave(entry);
        self.join_line();
        Ok(())
    }

    /// Ends the attempt under way without an outcome: the job waits for another, or is dead-lettered.
    pub(super) fn end(&mut self, entry: &Entry, end: End<'_>) -> Result<Settled> {
        let attempts = entry.attempts.ended(end);
        let nobody = WorkerId::of_pod("");
        let worker = entry.worker.as_ref().unwrap_or(&nobody);
        if end == End::Expired {
            self.expired.push(Expired { job: entry.id, worker: worker.clone() });
        }
        if !attempts.are_exhausted(&self.limits) {
            self.wait(entry, attempts, true)?;
            return Ok(Settled::Retried);
        }
        let reason = attempts.reason(&self.limits, worker, end);
        let settler = matches!(end, End::Failed(_)).then_some(worker);
        self.conclude(entry, settler, &Verdict::Failed { reason: reason.clone() })?;
        let sql =
            "INSERT INTO dead (death, id, place, batch, filename, submitted, attempts, reason, worker, died, ends)
                   SELECT changed, id, place, batch, filename, submitted, claims, ?, ?, ?, ? FROM jobs WHERE place = ?";
        let ends = moment(self.now.after(self.limits.dead_ttl));
        let values = params![reason, worker, moment(self.now), ends, entry.place];
        self.connection.prepare_cached(sql)?.execute(values)?;
        self.counters.dead += 1;
        Ok(Settled::Dead)
    }

    /// Gives a job its outcome. Its pixels are the caller's to drop, or to keep with the dead.
    pub(super) fn conclude(&mut self, entry: &Entry, worker: Option<&WorkerId>, verdict: &Verdict) -> Result<()> {
        let changed = self.next_change();
        let sql = "UPDATE jobs SET state = ?, changed = ?, worker = ?, token = NULL, ends = ?, settled = ?, queued = ?,
                   verdict = ?, said = ?, class = ?, scores = ?, inference = ? WHERE place = ?";
        let (now, ends) = (moment(self.now), moment(self.now.after(self.limits.outcome_ttl)));
        let queued = number(entry.claimed.unwrap_or(self.now).since(entry.submitted).as_millis());
        let Columns { verdict, said, class, scores, inference } = verdict.into();
        let values =
            params![SETTLED, changed, worker, ends, now, queued, verdict, said, class, scores, inference, entry.place];
        self.connection.prepare_cached(sql)?.execute(values)?;
        self.leave(entry);
        Ok(())
    }

    pub(super) fn join_line(&mut self) {
        self.counters.waiting += 1;
        self.waiting_grew = true;
    }

    /// Removes a job from the count of where it was.
    fn leave(&mut self, entry: &Entry) {
        match entry.state {
            RUNNING => self.counters.running -= 1,
            FIRST | AGAIN => self.counters.waiting -= 1,
            _ => {}
        }
    }

    pub(super) fn drop_pixels(&self, place: i64) -> Result<()> {
        self.connection.prepare_cached("DELETE FROM pixels WHERE place = ?")?.execute([place])?;
        Ok(())
    }

    /// Removes a dead letter, but not its pixels.
    pub(super) fn remove_dead_letter(&mut self, death: i64) -> Result<()> {
        self.connection.prepare_cached("DELETE FROM dead WHERE death = ?")?.execute([death])?;
        self.counters.dead -= 1;
        Ok(())
    }
}

/// What a transaction did that others may be waiting for.
pub struct Effects {
    pub waiting_grew: bool,
    pub changed: bool,
    pub expired: Vec<Expired>,
}

impl Counters {
    pub fn read(connection: &Connection) -> Result<Self> {
        let read = |row: &Row<'_>| {
            Ok(Self {
                changed: unsigned(row, 0)?,
                waiting: unsigned(row, 1)?,
                running: unsigned(row, 2)?,
                dead: unsigned(row, 3)?,
                last: if row.get(4)? { Line::Again } else { Line::First },
            })
        };
        connection.prepare_cached("SELECT changed, waiting, running, dead, last FROM book")?.query_row([], read)
    }
}

/// Whether a claim at this moment would find anything, expired leases included.
pub fn is_claimable(connection: &Connection, limits: &Limits, now: Timestamp) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 0) OR EXISTS (SELECT 1 FROM jobs WHERE state = 1)
               OR EXISTS (SELECT 1 FROM jobs WHERE state = 2 AND ends <= ?)
               OR EXISTS (SELECT 1 FROM jobs WHERE state = 2 AND ends > ?)";
    let latest = moment(rules::ends_latest(now, limits.lease));
    connection.prepare_cached(sql)?.query_row([moment(now), latest], |row| row.get(0))
}
