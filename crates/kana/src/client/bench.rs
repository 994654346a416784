//! How fast is a running gateway?
//!
//! Every request is a whole one, `POST /v1/classify` from connection to outcome, so what is measured is what a caller
//! has. A run that has many errors says so: failed requests count as errors, not as latencies.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::connection::{self, Connection};
use super::histogram::Histogram;
pub use super::load::{Load, Until};
use super::{Error, Target};

/// Requests on their way at once in an open loop, at most. Ports and file descriptors end at some thousands; a request
/// that must wait here is late by the gateway's fault, and its latency says so.
const IN_FLIGHT_MAX: usize = 1_024;

/// What to load, with what, and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// The gateway.
    pub target: Target,
    /// How requests follow each other.
    pub load: Load,
    /// When it is enough.
    pub until: Until,
    /// The files sent, in turn; at least one.
    pub images: Vec<Bytes>,
    /// The report as one line of JSON instead of words.
    pub json: bool,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Requests answered with an outcome.
    pub done: u64,
    /// The others, by what happened: an HTTP status, `unfinished` (202), `timeout` or `connection`.
    pub errors: BTreeMap<String, u64>,
    /// From the first request to the last answer, in seconds.
    pub seconds: f64,
    /// Outcomes a second.
    pub per_second: f64,
    /// Latencies of the requests that were answered with an outcome.
    pub latency_ms: Latency,
}

/// Latencies, in milliseconds; in an open loop from the moment that a request was due.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Half took no longer.
    pub p50: f64,
    /// Nine of ten took no longer.
    pub p90: f64,
    /// 99 of a hundred took no longer.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

/// Loads the gateway, and writes the report to `output` too.
///
/// # Errors
/// [`Error::Address`], and [`Error::Unreachable`] where not one request met a gateway.
pub async fn run(config: &Config, output: &mut (impl Write + Send)) -> Result<Report, Error> {
    let connection = Connection::to(&config.target)?;
    let sender = Arc::new(Sender { connection, images: config.images.clone() });
    let start = Instant::now();
    let tally = match config.load {
        Load::Closed { concurrency } => closed(&sender, concurrency, (start, config.until)).await,
        Load::Open { .. } => open(&sender, config.load, (start, config.until)).await,
    };
    let report = tally.report(start.elapsed());
    if config.json {
        writeln!(output, "{}", serde_json::to_string(&report).map_err(std::io::Error::from)?)?;
    } else {
        write!(output, "{report}")?;
    }
    match tally.unreachable(&config.target.server, start.elapsed()) {
        Some(error) => Err(error),
        None => Ok(report),
    }
}

/// Senders, each with one request on its way.
async fn closed(sender: &Arc<Sender>, concurrency: usize, (start, until): (Instant, Until)) -> Tally {
    let next = Arc::new(AtomicU64::new(0));
    let mut senders = JoinSet::new();
    for _ in 0..concurrency.max(1) {
        let (sender, next) = (Arc::clone(sender), Arc::clone(&next));
        senders.spawn(async move {
            let mut tally = Tally::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if !until.includes(number, start.elapsed()) {
                    return tally;
                }
                tally.add(sender.send(number, Instant::now()).await);
            }
        });
    }
    let mut sum = Tally::new();
    while let Some(tally) = senders.join_next().await {
        sum.merge(&tally.expect("BUG: senders neither panic nor are aborted"));
    }
    sum
}

/// One task a request, each begun when it is due.
async fn open(sender: &Arc<Sender>, load: Load, (start, until): (Instant, Until)) -> Tally {
    let room = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let mut requests = JoinSet::new();
    let mut sum = Tally::new();
    for number in 0.. {
        let due = load.due(number).unwrap_or(Duration::MAX);
        if !until.includes(number, due) {
            break;
        }
        let Some(due) = start.checked_add(due) else { break };
        tokio::time::sleep_until(due).await;
        let permit = Arc::clone(&room).acquire_owned().await.expect("BUG: nobody closes this semaphore");
        let sender = Arc::clone(sender);
        requests.spawn(async move {
            let sent = sender.send(number, due).await;
            drop(permit);
            sent
        });
        // What is over is counted now, so that a long run keeps no list of it.
        while let Some(sent) = requests.try_join_next() {
            sum.add(sent.expect("BUG: requests neither panic nor are aborted"));
        }
    }
    while let Some(sent) = requests.join_next().await {
        sum.add(sent.expect("BUG: requests neither panic nor are aborted"));
    }
    sum
}

struct Sender {
    connection: Connection,
    images: Vec<Bytes>,
}

/// How long a request took, or what it met.
type Sent = Result<Duration, Failure>;

struct Failure {
    kind: String,
    /// Where no gateway was met.
    source: Option<reqwest::Error>,
}

impl Sender {
    /// Sends the request of `number`, whose latency counts from `due`.
    async fn send(&self, number: u64, due: Instant) -> Sent {
        let count = self.images.len().max(1) as u64;
        // An index below a list's length.
        let image = self.images.get((number % count) as usize).cloned().unwrap_or_default();
        let request = self.connection.request(Method::POST, "v1/classify?wait=30s").header(CONTENT_TYPE, "image/png");
        match connection::once(request.body(image)).await {
            Ok((answer, _)) => match answer.status {
                StatusCode::OK => Ok(due.elapsed()),
                StatusCode::ACCEPTED => Err(Failure { kind: "unfinished".into(), source: None }),
                status => Err(Failure { kind: status.as_u16().to_string(), source: None }),
            },
            Err(source) => {
                let kind = if source.is_timeout() { "timeout" } else { "connection" };
                Err(Failure { kind: kind.into(), source: Some(source) })
            }
        }
    }
}

/// What came of requests.
struct Tally {
    latencies: Histogram,
    errors: BTreeMap<String, u64>,
    /// Whether any request met a gateway.
    was_met: bool,
    last: Option<String>,
}

impl Tally {
    fn new() -> Self {
        Self { latencies: Histogram::new(), errors: BTreeMap::new(), was_met: false, last: None }
    }

    fn add(&mut self, sent: Sent) {
        match sent {
            Ok(took) => {
                self.was_met = true;
                self.latencies.add(took);
            }
            Err(failure) => {
                self.was_met |= failure.source.is_none();
                self.last = failure.source.map(|source| source.to_string()).or(self.last.take());
                *self.errors.entry(failure.kind).or_default() += 1;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.latencies.merge(&other.latencies);
        for (kind, count) in &other.errors {
            *self.errors.entry(kind.clone()).or_default() += count;
        }
        self.was_met |= other.was_met;
        self.last = self.last.take().or_else(|| other.last.clone());
    }

    fn report(&self, took: Duration) -> Report {
        let millis = |span: Duration| span.as_secs_f64() * 1e3;
        let done = self.latencies.count();
        let latency_ms = Latency {
            p50: millis(self.latencies.percentile(0.5)),
            p90: millis(self.latencies.percentile(0.9)),
            p99: millis(self.latencies.percentile(0.99)),
            max: millis(self.latencies.longest()),
        };
        let seconds = took.as_secs_f64();
        let per_second = if seconds > 0.0 { done as f64 / seconds } else { 0.0 };
        Report { done, errors: self.errors.clone(), seconds, per_second, latency_ms }
    }

    fn unreachable(&self, server: &str, waited: Duration) -> Option<Error> {
        let last = self.last.clone().filter(|_| !self.was_met)?;
        Some(Error::Unreachable { action: format!("reach {server}"), waited, source: last.into() })
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Latency { p50, p90, p99, max } = self.latency_ms;
        writeln!(f, "done       {} in {:.2} s: {:.0} a second", self.done, self.seconds, self.per_second)?;
        writeln!(f, "latency    p50 {p50:.2} ms, p90 {p90:.2} ms, p99 {p99:.2} ms, max {max:.2} ms")?;
        let errors: Vec<String> = self.errors.iter().map(|(kind, count)| format!("{count} × {kind}")).collect();
        writeln!(f, "errors     {}", if errors.is_empty() { "none".into() } else { errors.join(", ") })
    }
}
