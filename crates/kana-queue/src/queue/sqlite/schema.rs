//! What is in the file, and is this file one of ours?

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

/// Marks a file as a queue of kana's, in the header's `application_id`: "kana" in ASCII.
const APPLICATION_ID: i32 = 0x6b61_6e61;

/// The schema that this kana reads and writes, in the header's `user_version`.
const VERSION: i32 = 1;

/// The states of a job, as column `state` holds them.
pub const FIRST: i64 = 0;
/// Waiting, and attempted before.
pub const AGAIN: i64 = 1;
/// Leased.
pub const RUNNING: i64 = 2;
/// Over.
pub const SETTLED: i64 = 3;

/// Pixels are apart from their jobs, so that a job's many changes never rewrite them. `place` is the number of the
/// change that took the job in: places are never reused, and lower ones are older. `ends` is a lease's end while a
/// job runs and an outcome's once it is settled. Each partial index is one order in which jobs are asked for.
const SCHEMA: &str = "
CREATE TABLE jobs (
    place INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, batch BLOB NOT NULL, filename TEXT NOT NULL,
    submitted INTEGER NOT NULL, state INTEGER NOT NULL, again INTEGER NOT NULL, claims INTEGER NOT NULL,
    faults INTEGER NOT NULL, changed INTEGER NOT NULL, worker TEXT, token INTEGER, claimed INTEGER, ends INTEGER,
    settled INTEGER, queued INTEGER, verdict INTEGER, said TEXT, class INTEGER, scores BLOB, inference INTEGER
) STRICT;
CREATE UNIQUE INDEX jobs_changed ON jobs (changed);
CREATE INDEX jobs_batch ON jobs (batch, place);
CREATE INDEX jobs_first ON jobs (place) WHERE state = 0;
CREATE INDEX jobs_again ON jobs (place) WHERE state = 1;
CREATE INDEX jobs_leases ON jobs (ends) WHERE state = 2;
CREATE INDEX jobs_holders ON jobs (worker) WHERE state = 2;
CREATE INDEX jobs_outcomes ON jobs (ends) WHERE state = 3;
CREATE TABLE pixels (
    place INTEGER PRIMARY KEY, channels INTEGER NOT NULL, height INTEGER NOT NULL, width INTEGER NOT NULL,
    samples BLOB NOT NULL
) STRICT;
CREATE TABLE dead (
    death INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, place INTEGER NOT NULL, batch BLOB NOT NULL,
    filename TEXT NOT NULL, submitted INTEGER NOT NULL, attempts INTEGER NOT NULL, reason TEXT NOT NULL, worker TEXT,
    died INTEGER NOT NULL, ends INTEGER NOT NULL
) STRICT;
CREATE INDEX dead_ends ON dead (ends);
CREATE TABLE repeats (
    key TEXT PRIMARY KEY, fingerprint BLOB NOT NULL, batch BLOB NOT NULL, answer TEXT NOT NULL, ends INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX repeats_ends ON repeats (ends);
CREATE TABLE book (
    id INTEGER PRIMARY KEY CHECK (id = 1), changed INTEGER NOT NULL, waiting INTEGER NOT NULL, running INTEGER NOT NULL,
    dead INTEGER NOT NULL, last INTEGER NOT NULL
) STRICT;
INSERT INTO book VALUES (1, 0, 0, 0, 0, 0);
";

/// Memory for pages, a connection, in KiB: a worker process has two connections and 40 MB for everything.
const CACHE_KIB: i32 = 1_024;

/// Pages in the write-ahead log that make the next commit copy them into the file: 1,000 × 4 KiB are 4 MiB. Fewer
/// would make more commits wait for the disk, more would let the log take room that a small disk lacks elsewhere.
const WAL_PAGES_MAX: i32 = 1_000;

/// Bytes that the write-ahead log keeps once it is copied; what a burst added beyond is freed.
const WAL_BYTES_KEPT: i64 = 4 << 20;

/// Statements kept prepared, a connection; there are fewer than that.
const STATEMENTS_MAX: usize = 64;

/// How long a transaction waits for those of other processes: far longer than thousands of them take.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// Time between two looks at a lock that another process holds: a transaction takes less.
const BUSY_LOOK: Duration = Duration::from_micros(500);

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("could not create or open {path}")]
    Unopened { path: PathBuf, source: std::io::Error },
    #[error("{path} is a database of another program")]
    Foreign { path: PathBuf },
    #[error("{path} was written by a newer kana: its schema is version {found} and this one knows {VERSION}")]
    Newer { path: PathBuf, found: i32 },
    #[error("{path} cannot be used as a queue")]
    Broken { path: PathBuf, source: rusqlite::Error },
}

/// Creates the file where there is none, readable by its owner alone, and opens it for writing.
pub fn open(path: &Path) -> Result<Connection, OpenError> {
    // Only a new file is opened here: closing one that this process has open already would take its locks away.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(source) if source.kind() != ErrorKind::AlreadyExists => {
            return Err(OpenError::Unopened { path: path.to_owned(), source });
        }
        _ => {}
    }
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// Opens the file for reading only.
pub fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    // Opened for writing all the same: a reader may have to make the index of the write-ahead log.
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "query_only", true).map_err(|source| broken(path, source))?;
    Ok(connection)
}

fn connect(path: &Path, access: OpenFlags) -> Result<Connection, OpenError> {
    let set_up = || {
        let mut connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_handler(Some(look_again))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        // The write-ahead log is synced by `fsync`, which knows which calls wait for it.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX)?;
        connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
        Ok(connection)
    };
    set_up().map_err(|source| broken(path, source))
}

fn broken(path: &Path, source: rusqlite::Error) -> OpenError {
    OpenError::Broken { path: path.to_owned(), source }
}

/// SQLite's own handler sleeps for up to 100 ms at a time, and whoever waits for a job would feel it.
fn look_again(looks: i32) -> bool {
    let waited = BUSY_LOOK.saturating_mul(u32::try_from(looks).unwrap_or(u32::MAX));
    if waited >= BUSY_MAX {
        return false;
    }
    #[expect(clippy::disallowed_methods, reason = "runs on a thread of the queue's own, which has nothing else to do")]
    std::thread::sleep(BUSY_LOOK);
    true
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    if is_current(connection, path)? {
        return Ok(());
    }
    let make = |connection: &mut Connection| {
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been here first.
        if pragma(&transaction, "user_version")? == 0 {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()
    };
    make(connection).map_err(|source| broken(path, source))
}

/// Whether the file is a queue already; an empty one is not, and anything else is refused.
fn is_current(connection: &Connection, path: &Path) -> Result<bool, OpenError> {
    let header = || {
        let tables = connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
        Ok((tables, pragma(connection, "application_id")?, pragma(connection, "user_version")?))
    };
    match header().map_err(|source| broken(path, source))? {
        (0, 0, 0) => Ok(false),
        (_, APPLICATION_ID, VERSION) => Ok(true),
        (_, APPLICATION_ID, found) => Err(OpenError::Newer { path: path.to_owned(), found }),
        _ => Err(OpenError::Foreign { path: path.to_owned() }),
    }
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}
