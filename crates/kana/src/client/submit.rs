//! How do files become results, whatever happens on the way?
//!
//! They are sent in groups, each under an idempotency key of its own: a group whose answer was lost is sent again and
//! taken in once. Then the gateway is asked until every job is over. One JSON line a file goes out, in the order in
//! which the files were named: the job, or the file's name and why it was not taken.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::connection::{Answer, Connection};
use super::progress::Progress;
use super::upload::{self, Body, File};
use super::{Error, Target};

/// How long the gateway is asked to hold an answer back until the jobs are over. Well below what proxies allow.
const WAIT_SECONDS: u64 = 20;

/// The first wait between two looks at a batch, doubled up to [`LOOK_LONGEST`].
const LOOK_FIRST: Duration = Duration::from_millis(50);

/// The longest wait between two looks at a batch.
const LOOK_LONGEST: Duration = Duration::from_secs(1);

/// What to send where, and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// The gateway.
    pub target: Target,
    /// The files, in the order in which their results are wanted.
    pub files: Vec<PathBuf>,
    /// How long to go on trying where the gateway does not answer, or says that it is too busy.
    pub patience: Duration,
    /// How long to watch a batch that was taken in.
    pub watch_max: Duration,
    /// What every file should be read as, where somebody knows.
    pub expected: Option<String>,
    /// The shape of requests.
    pub limits: Limits,
}

/// The shape of requests.
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
            // What one worker does in a tenth of a second, so that results trickle instead of gushing.
            files_max: 64,
            // A quarter of what a gateway takes at once; four at a time are held in memory.
            bytes_max: 16 << 20,
            requests_max: 4,
        }
    }
}

impl Config {
    /// The usual way of sending `files` to `target`.
    pub fn new(target: Target, files: Vec<PathBuf>) -> Self {
        Self {
            target,
            files,
            // A restart of everything, and a queue that drains meanwhile.
            patience: Duration::from_secs(60),
            // As long as a gateway keeps outcomes.
            watch_max: Duration::from_secs(60 * 60),
            expected: None,
            limits: Limits::default(),
        }
    }
}

/// What became of the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Classified.
    pub done: usize,
    /// Taken in, and given up or taken back.
    pub failed: usize,
    /// Not taken in.
    pub rejected: usize,
    /// Classified, and not as [`Config::expected`].
    pub unexpected: usize,
}

impl Summary {
    /// Whether every file has a result, and the expected one.
    pub fn is_complete(&self) -> bool {
        self.failed == 0 && self.rejected == 0 && self.unexpected == 0
    }
}

/// Sends the files, waits for their results and writes each to `output` as a line of JSON. Where it fails in between,
/// the lines written so far are good.
///
/// # Errors
/// Every [`Error`]. A file that is no image is no error: it is told in its line and counted.
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
        progress.aside(|| lines.iter().try_for_each(|line| writeln!(output, "{line}")))?;
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

/// What a gateway says of a request with files, as far as it matters here; jobs are handed on as they come.
#[derive(Debug, Deserialize)]
struct Receipt {
    batch: String,
    jobs: Vec<Value>,
    #[serde(default)]
    rejected: Vec<Value>,
}

/// What a gateway says of a batch.
#[derive(Debug, Deserialize)]
struct Batch {
    jobs: Vec<Value>,
}

/// A refusal that names files.
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
    /// One line a file of `group`, in its order.
    async fn settle(&self, group: Vec<File>) -> Result<Vec<Value>, Error> {
        let mut waiting = vec![group];
        let mut lines = Vec::new();
        while let Some(mut group) = waiting.pop() {
            let answer = self.send(&group).await?;
            match answer.status {
                StatusCode::PAYLOAD_TOO_LARGE if group.len() > 1 => {
                    // This gateway takes less at once; halves are sent, the first one first.
                    let rest = group.split_off(group.len() / 2);
                    waiting.extend([rest, group]);
                }
                StatusCode::PAYLOAD_TOO_LARGE => lines.extend(too_large(&group, &answer)),
                StatusCode::UNPROCESSABLE_ENTITY => lines.extend(in_order(&group, rejections(&answer)?)),
                _ => {
                    let receipt: Receipt = answer.json("send files")?;
                    let jobs = self.watch(receipt.batch, receipt.jobs).await?;
                    lines.extend(in_order(&group, jobs.into_iter().chain(receipt.rejected).collect()));
                }
            }
        }
        Ok(lines)
    }

    async fn send(&self, group: &[File]) -> Result<Answer, Error> {
        let key = uuid::Uuid::now_v7().to_string();
        let body = Body::of(group, &key).await?;
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

    /// The jobs of a batch, when all of them are over.
    async fn watch(&self, batch: String, mut jobs: Vec<Value>) -> Result<Vec<Value>, Error> {
        let start = Instant::now();
        let mut look = LOOK_FIRST;
        let path = format!("v1/batches/{batch}");
        while !jobs.iter().all(is_over) {
            if start.elapsed() > self.config.watch_max {
                return Err(Error::Unfinished { batch, waited: start.elapsed() });
            }
            tokio::time::sleep(look).await;
            look = (look * 2).min(LOOK_LONGEST);
            let action = "ask for results";
            let answer = self.connection.send(action, self.config.patience, |c| c.request(Method::GET, &path)).await?;
            jobs = answer.json::<Batch>(action)?.jobs;
        }
        Ok(jobs)
    }
}

fn is_over(job: &Value) -> bool {
    matches!(job.get("state").and_then(Value::as_str), Some("done" | "failed"))
}

fn too_large(group: &[File], answer: &Answer) -> Vec<Value> {
    let error = match super::connection::refusal("send files", answer) {
        Error::Refused { detail, .. } => detail,
        other => other.to_string(),
    };
    group.iter().map(|file| json!({ "filename": file.name(), "error": error })).collect()
}

/// The files that a refusal names.
///
/// # Errors
/// The refusal itself where it names none: then it is the request that was wrong.
fn rejections(answer: &Answer) -> Result<Vec<Value>, Error> {
    let named = serde_json::from_slice::<Rejections>(&answer.body).unwrap_or_default().rejected;
    if named.is_empty() { Err(super::connection::refusal("send files", answer)) } else { Ok(named) }
}

/// `lines` in the order of the files that they speak of. Jobs and rejections come apart, each in the order sent;
/// between files of one name their own order stays.
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
    // What the gateway calls by another name is not lost.
    ordered.extend(rest.into_iter().flatten());
    ordered
}
