//! How does a queue of an earlier version become one of this one?
//!
//! Versions before the journal kept a queue in a SQLite file at its path. Its jobs, outcomes, dead letters and idempotency
//! keys are written to the journal; once the disk has them, the file is removed. Where that is cut short it begins again:
//! what the journal has already is not written twice.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row};

use crate::WorkerId;
use crate::clock::Timestamp;
use crate::job::{BatchId, Job, JobId, Outcome, Progress, Status, Verdict};
use crate::queue::DeadLetter;
use crate::queue::ledger::{JobRecord, Jobs, OutcomeRecord, Record, Repeat};
use crate::queue::rules::Attempts;
use kana_engine::Prediction;
use kana_engine::image::{Image, Shape};

use super::disk::{Disk, sync_folder};
use super::log::{Log, frame};

/// How every SQLite file begins.
const SQLITE: &[u8; 16] = b"SQLite format 3\0";

/// Marks a file as a queue of kana's, in the header's `application_id`: "kana" in ASCII.
const APPLICATION_ID: i32 = 0x6b61_6e61;

/// The only schema there ever was, in the header's `user_version`.
const VERSION: i32 = 1;

/// Values of the column `verdict`.
const DONE: i64 = 0;
const FAILED: i64 = 1;

/// The byte after the scores of a blank image.
const BLANK: u8 = 1;

/// Records written to the journal at once.
const GROUP: usize = 256;

/// Why the file at the queue's path cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum TakeOverError {
    #[error("{path} is no queue of kana's: it is left as it is")]
    Foreign { path: PathBuf },
    #[error("{path} was written by a newer kana: its schema is version {found}, and this one knows {VERSION}")]
    Newer { path: PathBuf, found: i32 },
    #[error("could not take over {path}")]
    Broken { path: PathBuf, source: rusqlite::Error },
    #[error("could not take over {path}")]
    Disk { path: PathBuf, source: io::Error },
}

/// Takes over the file at `path`, where there is one.
pub fn take_over<D: Disk>(path: &Path, log: &mut Log<D>, jobs: &mut Jobs, now: Timestamp) -> Result<(), TakeOverError> {
    let broken = |source| TakeOverError::Broken { path: path.to_owned(), source };
    let disk = |source| TakeOverError::Disk { path: path.to_owned(), source };
    let Some(connection) = open(path)? else { return Ok(()) };
    let records = read(&connection).map_err(broken)?;
    let mut new = Vec::new();
    for record in records {
        if !is_known(&record, log, jobs).map_err(disk)? {
            new.push(record);
        }
    }
    for group in new.chunks(GROUP) {
        let (mut frames, mut ends) = (Vec::new(), Vec::new());
        for record in group {
            frame::write(record, &mut frames);
            ends.push(frames.len());
        }
        log.append(&frames, group, &ends).map_err(disk)?;
    }
    log.sync().map_err(disk)?;
    let count = new.len();
    new.into_iter().for_each(|record| jobs.restore(record, now));
    drop(connection);
    remove(path).map_err(disk)?;
    tracing::info!("took over the {count} records of {}, which an earlier version wrote", path.display());
    Ok(())
}

/// Opens the file for this process alone; `None` where there is none.
fn open(path: &Path) -> Result<Option<Connection>, TakeOverError> {
    let mut start = Vec::new();
    match File::open(path).and_then(|file| file.take(SQLITE.len() as u64).read_to_end(&mut start)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(TakeOverError::Disk { path: path.to_owned(), source }),
        // A file that its maker never came to fill.
        Ok(0) => return Ok(None),
        Ok(_) if start != SQLITE => return Err(TakeOverError::Foreign { path: path.to_owned() }),
        Ok(_) => {}
    }
    let broken = |source| TakeOverError::Broken { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(broken)?;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(broken);
    match (pragma("application_id")?, pragma("user_version")?) {
        (APPLICATION_ID, VERSION) => {}
        (APPLICATION_ID, found) => return Err(TakeOverError::Newer { path: path.to_owned(), found }),
        _ => return Err(TakeOverError::Foreign { path: path.to_owned() }),
    }
    // Nobody of an earlier version may be writing to it.
    connection.execute_batch("BEGIN EXCLUSIVE").map_err(broken)?;
    Ok(Some(connection))
}

fn is_known<D: Disk>(record: &Record, log: &Log<D>, jobs: &Jobs) -> io::Result<bool> {
    let is_settled = |id: JobId| Ok::<_, io::Error>(log.archive().outcome(id)?.is_some());
    Ok(match record {
        Record::Submission { jobs: new, .. } => match new.first() {
            Some(JobRecord { job, .. }) => jobs.has(job.id) || is_settled(job.id)?,
            None => false,
        },
        Record::Outcome(outcome) => jobs.has(outcome.status.id) || is_settled(outcome.status.id)?,
        Record::Death { death, .. } => jobs.is_dead(*death),
        _ => false,
    })
}

/// Removes the file, and what lies beside it.
fn remove(path: &Path) -> io::Result<()> {
    for suffix in ["-wal", "-shm", ".bells", ""] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let removed = if suffix == ".bells" { fs::remove_dir_all(&name) } else { fs::remove_file(&name) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync_folder(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// Reads everything, oldest first.
fn read(connection: &Connection) -> rusqlite::Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut each = |sql: &str, record: fn(&Row<'_>) -> rusqlite::Result<Record>| {
        records.extend(connection.prepare(sql)?.query_map([], record)?.collect::<rusqlite::Result<Vec<_>>>()?);
        Ok::<_, rusqlite::Error>(())
    };
    each(
        "SELECT id, batch, filename, submitted, channels, height, width, samples, place, claims, faults, again
         FROM jobs JOIN pixels USING (place) WHERE state != 3 ORDER BY place",
        waiting,
    )?;
    each(
        "SELECT id, batch, filename, submitted, place, ends, claims, settled, worker, queued, verdict, said, class,
         scores, inference FROM jobs WHERE state = 3 ORDER BY place",
        settled,
    )?;
    each(
        "SELECT id, batch, filename, submitted, channels, height, width, samples, place, death, attempts, reason, worker,
         died, ends FROM dead JOIN pixels USING (place) ORDER BY death",
        dead,
    )?;
    each("SELECT key, fingerprint, batch, answer, ends FROM repeats", repeat)?;
    Ok(records)
}

/// A column as something that is never negative.
fn unsigned<T: TryFrom<i64>>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let value: i64 = row.get(column)?;
    T::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, value))
}

fn moment(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    unsigned(row, column).map(Timestamp::from_millis)
}

fn worker(row: &Row<'_>) -> rusqlite::Result<Option<WorkerId>> {
    Ok(row.get::<_, Option<String>>("worker")?.map(|worker| worker.as_str().into()))
}

fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    let shape = Shape {
        channels: unsigned(row, "channels")?,
        height: unsigned(row, "height")?,
        width: unsigned(row, "width")?,
    };
    let image = Image::new(shape, row.get::<_, Vec<u8>>("samples")?);
    let unreadable =
        || rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, "pixels of another shape".into());
    Ok(Job {
        id: row.get("id").map(JobId::from_bytes)?,
        batch: row.get("batch").map(BatchId::from_bytes)?,
        filename: row.get("filename")?,
        image: image.ok_or_else(unreadable)?,
        submitted: moment(row, "submitted")?,
    })
}

fn waiting(row: &Row<'_>) -> rusqlite::Result<Record> {
    let attempts = Attempts { claims: unsigned(row, "claims")?, failures: unsigned(row, "faults")? };
    let (place, again, job) = (unsigned(row, "place")?, row.get("again")?, Arc::new(job(row)?));
    Ok(Record::Submission { jobs: vec![JobRecord { place, attempts, again, job }], repeat: None })
}

fn settled(row: &Row<'_>) -> rusqlite::Result<Record> {
    let verdict = match row.get("verdict")? {
        DONE => {
            let scores: Vec<u8> = row.get("scores")?;
            let (scores, rest) = scores.as_chunks::<4>();
            let blank = rest == [BLANK];
            let mut scores = scores.iter().map(|bytes| f32::from_le_bytes(*bytes));
            let confidence = scores.next().unwrap_or_default();
            let (label, class, probabilities) = (row.get("said")?, unsigned(row, "class")?, scores.collect());
            let prediction = Prediction { label, class, confidence, probabilities };
            Verdict::Done { prediction, inference: Duration::from_nanos(unsigned(row, "inference")?), blank }
        }
        FAILED => Verdict::Failed { reason: row.get("said")? },
        _ => Verdict::Cancelled,
    };
    let queued = Duration::from_millis(unsigned(row, "queued")?);
    let outcome = Outcome { settled: moment(row, "settled")?, worker: worker(row)?, queued, verdict };
    let status = Status {
        id: row.get("id").map(JobId::from_bytes)?,
        batch: row.get("batch").map(BatchId::from_bytes)?,
        filename: row.get("filename")?,
        submitted: moment(row, "submitted")?,
        attempts: unsigned(row, "claims")?,
        progress: Progress::Settled(outcome),
    };
    let (place, ends) = (unsigned(row, "place")?, moment(row, "ends")?);
    Ok(Record::Outcome(Box::new(OutcomeRecord { place, changed: 0, ends, status })))
}

fn dead(row: &Row<'_>) -> rusqlite::Result<Record> {
    let (attempts, reason) = (unsigned(row, "attempts")?, row.get("reason")?);
    let letter = DeadLetter { job: job(row)?, attempts, reason, worker: worker(row)?, died: moment(row, "died")? };
    let (death, place, ends) = (unsigned(row, "death")?, unsigned(row, "place")?, moment(row, "ends")?);
    Ok(Record::Death { death, place, letter: Box::new(letter), ends })
}

fn repeat(row: &Row<'_>) -> rusqlite::Result<Record> {
    let repeat = Repeat {
        key: row.get("key")?,
        fingerprint: row.get("fingerprint")?,
        batch: row.get("batch").map(BatchId::from_bytes)?,
        answer: row.get("answer")?,
        ends: moment(row, "ends")?,
    };
    Ok(Record::Submission { jobs: Vec::new(), repeat: Some(repeat) })
}
