//! What changed, and has a reader missed any of it?
//!
//! Every change is an entry of one stream, told by the script that made it, and holds where its jobs stand. The stream
//! is bounded; whoever has been away for longer is told that it missed some, and looks for itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use redis::{Value, cmd, pipe};
use tokio::time::Instant;

use crate::job::{JobId, Status};
use crate::queue::{CHANGES_MAX, Changes, Cursor, Error};

use super::layout;
use super::link::Link;
use super::reply::{Reply, exactly, field};

/// How long one wait lasts before the stream is looked at anew, in case it was deleted under the waiting call.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Entries read at once: some 200 KB of full ones.
const ENTRIES_MAX: usize = 32;

/// Bits of a cursor that count the entries of one millisecond.
const SEQUENCE_BITS: u32 = 22;

const ACTION: &str = "read changes";

/// Follows changes.
pub struct Follower {
    link: Arc<Link>,
}

impl Follower {
    pub fn new(link: Arc<Link>) -> Self {
        Self { link }
    }

    pub async fn latest(&self) -> Result<Cursor, Error> {
        let bounds = self.link.ask("find the latest change", &self.link.scripts.call("bounds")).await?;
        let (_, last) = bounds_of(bounds).ok_or_else(|| self.link.unexpected(ACTION))?;
        Ok(last.unwrap_or_default())
    }

    pub async fn changes(&self, after: Cursor, wait: Duration) -> Result<Changes, Error> {
        let deadline = Instant::now().checked_add(wait);
        loop {
            let changes = self.look(after).await?;
            let left = deadline.map_or(LOOK_AGAIN, |deadline| deadline.saturating_duration_since(Instant::now()));
            if !changes.jobs.is_empty() || changes.missed || left.is_zero() {
                return Ok(changes);
            }
            self.wait(after, left.min(LOOK_AGAIN)).await?;
        }
    }

    async fn look(&self, after: Cursor) -> Result<Changes, Error> {
        let mut changes = Changes { cursor: after, ..Changes::default() };
        let mut latest = Latest::default();
        let (mut from, mut is_first) = (after, true);
        loop {
            let (bounds, entries) = self.page(from, is_first).await?;
            if let Some((first, last)) = bounds {
                // A queue that never came so far has begun again, and what lies before its first change is forgotten.
                let has_begun_again = last.unwrap_or_default() < after;
                changes.missed = has_begun_again || (after != Cursor(0) && first.is_some_and(|first| first > after));
                if has_begun_again && from == after {
                    from = Cursor(0);
                    is_first = false;
                    changes.cursor = from;
                    continue;
                }
            }
            is_first = false;
            let page = entries.len();
            for (cursor, change) in entries {
                if !latest.add(change) {
                    changes.jobs = latest.in_order();
                    return Ok(changes);
                }
                changes.cursor = cursor;
            }
            if page < ENTRIES_MAX {
                changes.jobs = latest.in_order();
                return Ok(changes);
            }
            from = changes.cursor;
        }
    }

    /// The entries behind a cursor, and with the first page what the stream's bounds are.
    async fn page(&self, from: Cursor, with_bounds: bool) -> Result<(Option<Bounds>, Vec<Change>), Error> {
        let mut asking = pipe();
        if with_bounds {
            asking.add_command(self.link.scripts.call("bounds"));
        }
        asking.cmd("XRANGE").arg(&self.link.scripts.changes).arg(format!("({}", id_of(from))).arg("+");
        asking.arg("COUNT").arg(ENTRIES_MAX);
        let mut answers = self.link.ask_all(ACTION, &asking).await?;
        let mut read = || {
            let entries = answers.pop()?.array()?.into_iter().map(entry_of).collect::<Option<_>>()?;
            let bounds = match answers.pop() {
                Some(bounds) => Some(bounds_of(bounds)?),
                None => None,
            };
            Some((bounds, entries))
        };
        read().ok_or_else(|| self.link.unexpected(ACTION))
    }

    /// Waits until there is a change behind `after`, or for as long as told.
    async fn wait(&self, after: Cursor, wait: Duration) -> Result<(), Error> {
        let mut dedicated = self.link.dedicated(ACTION).await?;
        let mut waiting = pipe();
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
        waiting.cmd("XREAD").arg("COUNT").arg(1).arg("BLOCK").arg(millis);
        waiting.arg("STREAMS").arg(&self.link.scripts.changes).arg(id_of(after));
        match dedicated.ask(&waiting, wait).await {
            Ok(Some(_)) => self.link.keep(dedicated),
            // Looking again says what is the matter.
            Ok(None) => {}
            Err(source) => return Err(Error::Unavailable { action: ACTION, source: Box::new(source) }),
        }
        Ok(())
    }

    /// Dead letters as Redis keeps them, newest first.
    pub async fn dead(&self, limit: usize) -> Result<Vec<crate::queue::DeadLetter>, Error> {
        let action = "list dead letters";
        let mut listing = cmd("XREVRANGE");
        listing.arg(&self.link.scripts.dead).arg("+").arg("-").arg("COUNT").arg(limit.min(i32::MAX as usize));
        let answer = self.link.ask(action, &listing).await?;
        let read = || {
            let letters = answer.array()?.into_iter().map(|entry| {
                let [_, fields] = exactly(entry.array()?)?;
                let mut fields = fields.array()?;
                let (job, image) = (field(&mut fields, "job")?, field(&mut fields, "image")?);
                layout::dead_letter(&job, &image, &field(&mut fields, "letter")?)
            });
            letters.collect::<Option<Vec<_>>>()
        };
        read().ok_or_else(|| self.link.unexpected(action))
    }
}

/// One entry, and its jobs, each with where it stands.
type Change = (Cursor, Vec<(JobId, Vec<u8>)>);

/// The first and the last change there is.
type Bounds = (Option<Cursor>, Option<Cursor>);

/// Jobs as they stand after their latest change.
#[derive(Default)]
struct Latest {
    statuses: HashMap<JobId, (usize, Status)>,
    count: usize,
}

impl Latest {
    /// Adds one entry's jobs; `false`, adding none, where they would become more than are answered at once.
    fn add(&mut self, told: Vec<(JobId, Vec<u8>)>) -> bool {
        let fresh = told.iter().filter(|(id, _)| !self.statuses.contains_key(id)).count();
        if self.statuses.len() + fresh > CHANGES_MAX {
            return false;
        }
        for (id, body) in told {
            if let Some(status) = layout::status(id, &body) {
                self.count += 1;
                self.statuses.insert(id, (self.count, status));
            }
        }
        true
    }

    fn in_order(self) -> Vec<Status> {
        let mut statuses: Vec<(usize, Status)> = self.statuses.into_values().collect();
        statuses.sort_unstable_by_key(|(at, _)| *at);
        statuses.into_iter().map(|(_, status)| status).collect()
    }
}

fn entry_of(entry: Value) -> Option<Change> {
    let [id, fields] = exactly(entry.array()?)?;
    let cursor = cursor_of(&id.bytes()?)?;
    let (mut fields, mut told) = (fields.array()?.into_iter(), Vec::new());
    while let Some((job, body)) = fields.next().zip(fields.next()) {
        told.push((JobId::from_bytes(job.bytes()?.try_into().ok()?), body.bytes()?));
    }
    Some((cursor, told))
}

fn bounds_of(answer: Value) -> Option<Bounds> {
    let [first, last] = exactly(answer.array()?)?;
    Some((cursor_of(&first.bytes()?), cursor_of(&last.bytes()?)))
}

/// A stream's entry as a number: its milliseconds, then its place among the entries of that millisecond. What goes
/// beyond the bits there are for it, after a clock was set far back, counts as later milliseconds.
fn cursor_of(id: &[u8]) -> Option<Cursor> {
    let (millis, sequence) = std::str::from_utf8(id).ok()?.split_once('-')?;
    let (millis, sequence): (u64, u64) = (millis.parse().ok()?, sequence.parse().ok()?);
    Some(Cursor((millis << SEQUENCE_BITS).saturating_add(sequence)))
}

fn id_of(Cursor(cursor): Cursor) -> String {
    format!("{}-{}", cursor >> SEQUENCE_BITS, cursor & ((1 << SEQUENCE_BITS) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_the_entry_that_it_came_from() {
        let cursor = cursor_of(b"1800000000123-42").expect("a cursor");

        assert_eq!(id_of(cursor), "1800000000123-42");
        assert!(cursor < cursor_of(b"1800000000123-43").expect("a cursor"));
        assert!(cursor < cursor_of(b"1800000000124-0").expect("a cursor"));
    }
}
