//! What changed, and has a reader missed any of it?
//!
//! Every change is an entry of one stream, written by the function that made it, and holds where its jobs stand. The
//! stream is bounded: a reader that was away for longer learns that it missed some, and reads its jobs' statuses. One that
//! follows asks only for what comes next: what it gets is all there is, as long as it is less than a page, because no
//! trimming leaves so little.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use redis::{Cmd, Value, cmd, pipe};
use tokio::time::Instant;

use crate::job::{JobId, Status};
use crate::queue::{CHANGES_MAX, Changes, Cursor, Error};

use super::connection::Connection;
use super::encoding;
use super::reply::{Reply, exactly};

/// How long one wait lasts before the stream is looked at anew, in case it was deleted while the call was blocked.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Entries read at once: some 200 KB of full ones.
const ENTRIES_MAX: usize = 32;

/// Bits of a cursor that count the entries of one millisecond.
const SEQUENCE_BITS: u32 = 22;

const ACTION: &str = "read changes";

/// The stream of changes.
pub struct ChangeStream {
    connection: Arc<Connection>,
    /// Up to where a reader of this process has read all changes, and when the range of the stream was last looked at or
    /// went on from there.
    followed: Mutex<Option<(Cursor, Instant)>>,
}

impl ChangeStream {
    pub fn new(connection: Arc<Connection>) -> Self {
        Self { connection, followed: Mutex::default() }
    }

    pub async fn latest(&self) -> Result<Cursor, Error> {
        let action = "find the latest change";
        let range = self.connection.ask(action, &self.connection.functions.call("change_range")).await?;
        let Range { last, .. } = Range::read(range).ok_or_else(|| self.connection.unexpected(action))?;
        Ok(last.unwrap_or_default())
    }

    pub async fn changes(&self, after: Cursor, wait: Duration) -> Result<Changes, Error> {
        let deadline = Instant::now().checked_add(wait);
        let mut is_followed = !wait.is_zero() && self.is_followed(after);
        loop {
            if !is_followed {
                let changes = self.look(after).await?;
                self.follow(changes.cursor);
                let is_over = deadline.is_some_and(|deadline| deadline <= Instant::now());
                if !changes.jobs.is_empty() || changes.missed || is_over {
                    return Ok(changes);
                }
            }
            is_followed = false;
            let left = deadline.map_or(LOOK_AGAIN, |deadline| deadline.saturating_duration_since(Instant::now()));
            if let Some(changes) = self.wait(after, left.min(LOOK_AGAIN)).await? {
                self.follow(changes.cursor);
                return Ok(changes);
            }
        }
    }

    /// Whether all changes up to this cursor were read a moment ago.
    fn is_followed(&self, after: Cursor) -> bool {
        self.followed.lock().is_some_and(|(cursor, at)| cursor == after && at.elapsed() < LOOK_AGAIN)
    }

    fn follow(&self, cursor: Cursor) {
        *self.followed.lock() = Some((cursor, Instant::now()));
    }

    async fn look(&self, after: Cursor) -> Result<Changes, Error> {
        let mut changes = Changes { cursor: after, ..Changes::default() };
        let mut latest = Latest::default();
        let (mut from, mut is_first) = (after, true);
        loop {
            let (range, entries) = if is_first { self.first_page(from).await? } else { (None, self.page(from).await?) };
            if let Some(Range { first, last }) = range {
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
            for Change { cursor, jobs } in entries {
                if !latest.add(jobs) {
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

    /// Reads the entries after a cursor, and the range of the whole stream.
    async fn first_page(&self, from: Cursor) -> Result<(Option<Range>, Vec<Change>), Error> {
        let mut reading = pipe();
        reading.add_command(self.connection.functions.call("change_range"));
        reading.add_command(self.entries_after(from));
        let answers = self.connection.ask_all(ACTION, &reading).await?;
        let read = || {
            let [range, entries] = exactly(answers)?;
            Some((Some(Range::read(range)?), Change::read_all(entries)?))
        };
        read().ok_or_else(|| self.connection.unexpected(ACTION))
    }

    /// Reads the entries after a cursor.
    async fn page(&self, from: Cursor) -> Result<Vec<Change>, Error> {
        let answer = self.connection.ask(ACTION, &self.entries_after(from)).await?;
        Change::read_all(answer).ok_or_else(|| self.connection.unexpected(ACTION))
    }

    fn entries_after(&self, from: Cursor) -> Cmd {
        let mut reading = cmd("XRANGE");
        reading.arg(&self.connection.functions.changes).arg(format!("({}", id_of(from))).arg("+");
        reading.arg("COUNT").arg(ENTRIES_MAX);
        reading
    }

    /// Waits until there are changes after `after`, for at most `wait`, and returns them; `None` where there are none, or
    /// so many that some before them may be gone.
    async fn wait(&self, after: Cursor, wait: Duration) -> Result<Option<Changes>, Error> {
        let mut blocking = self.connection.blocking(ACTION).await?;
        let mut waiting = pipe();
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
        waiting.cmd("XREAD").arg("COUNT").arg(ENTRIES_MAX).arg("BLOCK").arg(millis);
        waiting.arg("STREAMS").arg(&self.connection.functions.changes).arg(id_of(after));
        let answers = match blocking.ask(&waiting, wait).await {
            Ok(Some(answers)) => answers,
            // The next look reports the error, if it lasts.
            Ok(None) => return Ok(None),
            Err(source) => return Err(Error::Unavailable { action: ACTION, source: Box::new(source) }),
        };
        self.connection.keep(blocking);
        let read = || {
            let [streams] = exactly(answers)?;
            let Some(stream) = streams.array()?.into_iter().next() else { return Some(Vec::new()) };
            let [_, entries] = exactly(stream.array()?)?;
            Change::read_all(entries)
        };
        let entries = read().ok_or_else(|| self.connection.unexpected(ACTION))?;
        if entries.is_empty() || entries.len() == ENTRIES_MAX {
            return Ok(None);
        }
        let (mut latest, mut cursor) = (Latest::default(), after);
        for Change { cursor: at, jobs } in entries {
            if !latest.add(jobs) {
                break;
            }
            cursor = at;
        }
        Ok(Some(Changes { jobs: latest.in_order(), cursor, missed: false }))
    }
}

/// One entry: its jobs, each with where it stands.
struct Change {
    cursor: Cursor,
    jobs: Vec<(JobId, Vec<u8>)>,
}

impl Change {
    fn read_all(answer: Value) -> Option<Vec<Self>> {
        answer.array()?.into_iter().map(Self::read).collect()
    }

    fn read(entry: Value) -> Option<Self> {
        let [id, fields] = exactly(entry.array()?)?;
        let cursor = cursor_of(&id.bytes()?)?;
        let (mut fields, mut jobs) = (fields.array()?.into_iter(), Vec::new());
        while let Some((job, body)) = fields.next().zip(fields.next()) {
            let id = job.bytes().and_then(|job| job.try_into().ok()).map(JobId::from_bytes);
            // What another program wrote is passed over: a reader that stopped at it would see nothing any more.
            jobs.extend(id.zip(body.bytes()));
        }
        Some(Self { cursor, jobs })
    }
}

/// The first and the last change in the stream, where it has any.
struct Range {
    first: Option<Cursor>,
    last: Option<Cursor>,
}

impl Range {
    fn read(answer: Value) -> Option<Self> {
        let [first, last] = exactly(answer.array()?)?;
        Some(Self { first: cursor_of(&first.bytes()?), last: cursor_of(&last.bytes()?) })
    }
}

/// Jobs as they stand after their latest change.
#[derive(Default)]
struct Latest {
    statuses: HashMap<JobId, (usize, Status)>,
    count: usize,
}

impl Latest {
    /// Adds one entry's jobs; `false`, adding none, where they would become more than [`CHANGES_MAX`].
    fn add(&mut self, jobs: Vec<(JobId, Vec<u8>)>) -> bool {
        let fresh = jobs.iter().filter(|(id, _)| !self.statuses.contains_key(id)).count();
        if self.statuses.len() + fresh > CHANGES_MAX {
            return false;
        }
        for (id, body) in jobs {
            if let Some(status) = encoding::status(id, &body) {
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
