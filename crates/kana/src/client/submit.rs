//! How do files become results, even when the gateway restarts on the way?
//!
//! Files are sent in groups, each under an idempotency key of its own: a group whose response was lost is sent again
//! and accepted once. Then the gateway is polled until every job has finished. Each file gives one JSON line, in the
//! order in which the files were named: its job, or its name and why it was rejected.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::connection::{self, Connection, Response};
use super::progress::Progress;
use super::upload::{self, Body, File};
use super::{Error, Target};
use kana_queue::backoff::{Backoff, Bounds};

/// Seconds that the gateway is asked to hold its response back until the jobs have finished. Well below what proxies
/// allow.
const WAIT_SECONDS: u64 = 20;

/// Waits between two requests for the state of a batch that has not finished.
const POLL_BACKOFF: Bounds = Bounds { first: Duration::from_millis(50), longest: Duration::from_secs(1) };

/// The configuration of `kana submit`.
#[derive(Clone, Debug)]
pub struct Config {
    /// The gateway.
    pub target: Target,
    /// The files, in the order in which their results are printed.
    pub files: Vec<PathBuf>,
    /// Time to keep trying where the gateway does not answer, or is too busy.
    pub patience: Duration,
    /// Time to wait for an accepted batch to finish.
    pub watch_max: Duration,
    /// The label that every file should get; any label where `None`.
    pub expected: Option<String>,
    /// The size of requests.
    pub limits: Limits,
}

/// The size of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Files in one request, at most.
    pub files_max: usize,
    /// Bytes of files in one request, at most; one larger file goes alone.
    pub bytes_max: u64,
    /// Requests at once, at most.
    pub requests_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // What one worker classifies in a tenth of a second, so that results appear steadily.
            files_max: 64,
            // A quarter of what a gateway accepts at once; four requests at a time are held in memory.
            bytes_max: 16 << 20,
            requests_max: 4,
        }
    }
}

impl Config {
    /// Creates the default configuration for sending `files` to `target`.
    pub fn new(target: Target, files: Vec<PathBuf>) -> Self {
        Self {
            target,
            files,
            // Enough for a restart of the whole service, or for a full queue to drain.
            patience: Duration::from_secs(60),
            // As long as a gateway keeps outcomes.
            watch_max: Duration::from_secs(60 * 60),
            expected: None,
            limits: Limits::default(),
        }
    }
}

/// Number of files by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Number of files classified.
    pub done: usize,
    /// Number of files accepted whose job failed or was cancelled.
    pub failed: usize,
    /// Number of files not accepted.
    pub rejected: usize,
    /// Number of files classified with another label than [`Config::expected`].
    pub unexpected: usize,
}

impl Summary {
    /// Whether every file has a result, and the expected one.
    pub fn is_complete(&self) -> bool {
        self.failed == 0 && self.rejected == 0 && self.unexpected == 0
    }
}

/// Sends the files, waits for their results and writes each to `output` as a line of JSON. After an error, the lines
/// written before it are valid.
///
/// # Errors
/// Every [`Error`]. A file that is no image is no error: its line says so, and it is counted.
pub async fn run(config: &Config, output: &mut (impl Write + Send)) -> Result<Summary, Error> {
    let files = upload::files(&config.files)?;
    let sender = Sender { connection: Connection::to(&config.target)?, config };
    let mut progress = Progress::new(files.len() as u64, "files");
    let groups = upload::groups(files, config.limits.files_max.max(1), config.limits.bytes_max);
    let mut results =
        stream::iter(groups).map(|group| sender.settle(group)).buffered(config.limits.requests_max.max(1));
    let mut summary = Summary::default();
    while let Some(lines) = results.next().await {
        let lines = lines?;
        progress.suspend(|| lines.iter().try_for_each(|line| writeln!(output, "{line}")))?;
        output.flush()?;
        lines.iter().for_each(|line| summary.count(line, config.expected.as_deref()));
        progress.add(lines.len() as u64);
    }
    Ok(summary)
}

impl Summary {
    fn count(&mut self, line: &Value, expected: Option<&str>) {
        match line.get("state").and_then(Value::as_str) {
            Some("done") => {
                self.done += 1;
                let label = line.get("label").and_then(Value::as_str);
                self.unexpected += usize::from(expected.is_some() && label != expected);
            }
            Some(_) => self.failed += 1,
            None => self.rejected += 1,
        }
    }
}

/// Response of a gateway to a request with files, reduced to what is used here; jobs are printed as they are.
#[derive(Debug, Deserialize)]
struct Receipt {
    batch: String,
    jobs: Vec<Value>,
    #[serde(default)]
    rejected: Vec<Value>,
}

/// Batch, reduced to what is used here.
#[derive(Debug, Deserialize)]
struct Batch {
    jobs: Vec<Value>,
}

/// A refusal that names the rejected files.
#[derive(Debug, Default, Deserialize)]
struct Rejections {
    #[serde(default)]
    rejected: Vec<Value>,
}

struct Sender<'a> {
    connection: Connection,
    config: &'a Config,
}

impl Sender<'_> {
    /// Sends a group and waits for its results. Returns one line a file, in the group's order.
    async fn settle(&self, group: Vec<File>) -> Result<Vec<Value>, Error> {
        let mut waiting = vec![group];
        let mut lines = Vec::new();
        while let Some(mut group) = waiting.pop() {
            let response = self.send(&group).await?;
            match response.status {
                StatusCode::PAYLOAD_TOO_LARGE if group.len() > 1 => {
                    // This gateway accepts less at once; halves are sent, the first half first.
                    let rest = group.split_off(group.len() / 2);
                    waiting.extend([rest, group]);
                }
                StatusCode::PAYLOAD_TOO_LARGE => lines.extend(too_large(&group, &response)),
                StatusCode::UNPROCESSABLE_ENTITY => lines.extend(in_order(&group, rejections(&response)?)),
                _ => {
                    let receipt: Receipt = response.json("send files")?;
                    let jobs = self.watch(receipt.batch, receipt.jobs).await?;
                    lines.extend(in_order(&group, jobs.into_iter().chain(receipt.rejected).collect()));
                }
            }
        }
        Ok(lines)
    }

    async fn send(&self, group: &[File]) -> Result<Response, Error> {
        let key = uuid::Uuid::now_v7().to_string();
        let body = Body::of(group).await?;
        let path = format!("v1/jobs?wait={WAIT_SECONDS}s");
        self.connection
            .send("send files", self.config.patience, |connection| {
                connection
                    .request(Method::POST, &path)
                    .header("Idempotency-Key", &key)
                    .header(CONTENT_TYPE, &body.content_type)
                    .body(body.bytes.clone())
            })
            .await
    }

    /// Waits until all jobs of a batch have finished, and returns them.
    async fn watch(&self, batch: String, mut jobs: Vec<Value>) -> Result<Vec<Value>, Error> {
        let start = Instant::now();
        let mut backoff = Backoff::new(POLL_BACKOFF);
        let path = format!("v1/batches/{batch}");
        while !jobs.iter().all(is_finished) {
            if start.elapsed() > self.config.watch_max {
                return Err(Error::Unfinished { batch, waited: start.elapsed() });
            }
            tokio::time::sleep(backoff.fail()).await;
            let action = "ask for results";
            let response =
                self.connection.send(action, self.config.patience, |c| c.request(Method::GET, &path)).await?;
            jobs = response.json::<Batch>(action)?.jobs;
        }
        Ok(jobs)
    }
}

fn is_finished(job: &Value) -> bool {
    matches!(job.get("state").and_then(Value::as_str), Some("done" | "failed"))
}

fn too_large(group: &[File], response: &Response) -> Vec<Value> {
    let error = match connection::refusal("send files", response) {
        Error::Refused { detail, .. } => detail,
        other => other.to_string(),
    };
    group.iter().map(|file| json!({ "filename": file.name(), "error": error })).collect()
}

/// Returns the files that a refusal names.
///
/// # Errors
/// The refusal itself where it names no file: then the request as a whole was wrong.
fn rejections(response: &Response) -> Result<Vec<Value>, Error> {
    let named = serde_json::from_slice::<Rejections>(&response.body).unwrap_or_default().rejected;
    if named.is_empty() { Err(connection::refusal("send files", response)) } else { Ok(named) }
}

/// Sorts `lines` into the order of their files. A response lists jobs and rejections apart, each in the order sent;
/// lines of files with the same name keep their order.
fn in_order(group: &[File], lines: Vec<Value>) -> Vec<Value> {
    let mut rest: Vec<Option<Value>> = lines.into_iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(rest.len());
    for file in group {
        let name = file.name();
        let named = |line: &Option<Value>| {
            line.as_ref().and_then(|line| line.get("filename")).and_then(Value::as_str) == Some(&name)
        };
        ordered.extend(rest.iter().position(named).and_then(|at| rest[at].take()));
    }
    // Lines under a name that the gateway has changed come last.
    ordered.extend(rest.into_iter().flatten());
    ordered
}
