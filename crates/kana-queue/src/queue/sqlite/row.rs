//! How is a job encoded in columns?

use std::time::Duration;

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, Type, ValueRef};
use rusqlite::{Error, Result, Row};

use crate::WorkerId;
use crate::clock::Timestamp;
use crate::job::{BatchId, Job, JobId, Outcome, Progress, Status, Verdict};
use kana_engine::Prediction;
use kana_engine::image::{Image, Shape};

use super::schema::{RUNNING, SETTLED};

/// The columns that [`status`] reads, in its order.
pub const STATUS: &str = "id, batch, filename, submitted, claims, state, worker, settled, queued, verdict, said, class, \
                          scores, inference";

const DONE: i64 = 0;
const FAILED: i64 = 1;
const CANCELLED: i64 = 2;

/// The byte after the scores of a blank image.
const BLANK: u8 = 1;

/// Numbers that SQLite has: 63 bits. A time or a count never comes near.
pub fn number(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

pub fn moment(value: Timestamp) -> i64 {
    number(value.as_millis())
}

/// Column `index` as something that is never negative.
pub fn unsigned<T: TryFrom<i64>>(row: &Row<'_>, index: usize) -> Result<T> {
    let value: i64 = row.get(index)?;
    T::try_from(value).map_err(|_| Error::IntegralValueOutOfRange(index, value))
}

pub fn timestamp(row: &Row<'_>, index: usize) -> Result<Timestamp> {
    unsigned(row, index).map(Timestamp::from_millis)
}

pub fn job_id(row: &Row<'_>, index: usize) -> Result<JobId> {
    row.get(index).map(JobId::from_bytes)
}

pub fn batch_id(row: &Row<'_>, index: usize) -> Result<BatchId> {
    row.get(index).map(BatchId::from_bytes)
}

/// Reads `id, batch, filename, submitted, channels, height, width, samples`, from column `first` on.
pub fn job(row: &Row<'_>, first: usize) -> Result<Job> {
    let shape = Shape {
        channels: unsigned(row, first + 4)?,
        height: unsigned(row, first + 5)?,
        width: unsigned(row, first + 6)?,
    };
    let samples: Vec<u8> = row.get(first + 7)?;
    let image = Image::new(shape, samples).ok_or_else(|| unreadable(first + 7, "pixels of another shape"))?;
    Ok(Job {
        id: job_id(row, first)?,
        batch: batch_id(row, first + 1)?,
        filename: row.get(first + 2)?,
        image,
        submitted: timestamp(row, first + 3)?,
    })
}

/// Reads [`STATUS`].
pub fn status(row: &Row<'_>) -> Result<Status> {
    let progress = match row.get(5)? {
        RUNNING => Progress::Running { worker: row.get(6)? },
        SETTLED => Progress::Settled(outcome(row)?),
        _ => Progress::Queued,
    };
    Ok(Status {
        id: job_id(row, 0)?,
        batch: batch_id(row, 1)?,
        filename: row.get(2)?,
        submitted: timestamp(row, 3)?,
        attempts: unsigned(row, 4)?,
        progress,
    })
}

fn outcome(row: &Row<'_>) -> Result<Outcome> {
    let verdict = match row.get(9)? {
        DONE => done(row)?,
        FAILED => Verdict::Failed { reason: row.get(10)? },
        _ => Verdict::Cancelled,
    };
    let queued = Duration::from_millis(unsigned(row, 8)?);
    Ok(Outcome { settled: timestamp(row, 7)?, worker: row.get(6)?, queued, verdict })
}

fn done(row: &Row<'_>) -> Result<Verdict> {
    let scores: Vec<u8> = row.get(12)?;
    let (scores, rest) = scores.as_chunks::<4>();
    let blank = rest == [BLANK];
    let mut scores = scores.iter().map(|bytes| f32::from_le_bytes(*bytes));
    let confidence = scores.next().ok_or_else(|| unreadable(12, "no confidence"))?;
    let (label, class, probabilities) = (row.get(10)?, unsigned(row, 11)?, scores.collect());
    let prediction = Prediction { label, class, confidence, probabilities };
    Ok(Verdict::Done { prediction, inference: Duration::from_nanos(unsigned(row, 13)?), blank })
}

fn unreadable(column: usize, why: &'static str) -> Error {
    Error::FromSqlConversionFailure(column, Type::Blob, why.into())
}

impl ToSql for WorkerId {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(self.to_string().into())
    }
}

impl FromSql for WorkerId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str().map(Self::from)
    }
}

/// A verdict in columns `verdict, said, class, scores, inference`.
pub struct Columns<'a> {
    pub verdict: i64,
    pub said: Option<&'a str>,
    pub class: Option<i64>,
    /// The confidence, then the probabilities, bit by bit: a column of numbers could not hold one that is none. Then
    /// [`BLANK`] where the image is; earlier versions neither wrote nor read that.
    pub scores: Option<Vec<u8>>,
    pub inference: Option<i64>,
}

impl<'a> From<&'a Verdict> for Columns<'a> {
    fn from(verdict: &'a Verdict) -> Self {
        let none = Self { verdict: CANCELLED, said: None, class: None, scores: None, inference: None };
        match verdict {
            Verdict::Cancelled => none,
            Verdict::Failed { reason } => Self { verdict: FAILED, said: Some(reason), ..none },
            Verdict::Done { prediction: Prediction { label, class, confidence, probabilities }, inference, blank } => {
                let scores = [confidence].into_iter().chain(probabilities).flat_map(|score| score.to_le_bytes());
                Self {
                    verdict: DONE,
                    said: Some(label),
                    class: Some(number(*class)),
                    scores: Some(scores.chain(blank.then_some(BLANK)).collect()),
                    inference: Some(number(inference.as_nanos())),
                }
            }
        }
    }
}
