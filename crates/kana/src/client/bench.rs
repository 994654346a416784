//! How fast is a running gateway?
//!
//! Every request is a whole one, `POST /v1/classify` from connection to outcome, so latencies are those of a real
//! caller. Failed requests are counted as errors by kind, and never as latencies.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hdrhistogram::Histogram;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::connection::{self, Connection};
pub use super::load::{Load, Until};
use super::{Error, Target};

/// Largest number of requests in flight at once in an open loop. Ports and file descriptors end at some thousands; a
/// request that must wait here is late because of the gateway, and its latency says so.
const IN_FLIGHT_MAX: usize = 1_024;

/// The longest latency that is measured, in microseconds: an hour. Longer ones count as this.
const LATENCY_MAX_US: u64 = 60 * 60 * 1_000_000;

/// Significant decimal digits of a latency: percentiles are exact to one percent, and a histogram takes 30 KB.
const LATENCY_DIGITS: u8 = 2;

/// The configuration of `kana bench`.
#[derive(Clone, Debug)]
pub struct Config {
    /// The gateway.
    pub target: Target,
    /// Rule by which requests follow each other.
    pub load: Load,
    /// End of the run.
    pub until: Until,
    /// The files sent, in turn; at least one.
    pub images: Vec<Bytes>,
    /// Prints the report as one line of JSON instead of text.
    pub json: bool,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Requests answered with an outcome.
    pub done: u64,
    /// Other requests, by kind: an HTTP status, `unfinished` (202), `timeout` or `connection`.
    pub errors: BTreeMap<String, u64>,
    /// Seconds from the first request to the last response.
    pub seconds: f64,
    /// Outcomes a second.
    pub per_second: f64,
    /// Latencies of the requests that were answered with an outcome.
    pub latency_ms: Latency,
}

/// Latencies in milliseconds, exact to one percent; in an open loop from the moment that a request was due.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Longest.
    pub max: f64,
}

/// Loads the gateway, writes the report to `output` and returns it.
///
/// # Errors
/// [`Error::Address`], and [`Error::Unreachable`] where not one request reached a gateway.
pub async fn run(config: &Config, output: &mut (impl Write + Send)) -> Result<Report, Error> {
    let connection = Connection::to(&config.target)?;
    let sender = Arc::new(Sender { connection, images: config.images.clone() });
    let run = Run { sender, start: Instant::now(), until: config.until };
    let results = match config.load {
        Load::Closed { concurrency } => closed(&run, concurrency).await,
        Load::Open { .. } => open(&run, config.load).await,
    };
    let report = results.report(run.start.elapsed());
    if config.json {
        writeln!(output, "{}", serde_json::to_string(&report).map_err(std::io::Error::from)?)?;
    } else {
        write!(output, "{report}")?;
    }
    match results.unreachable(&config.target.server, run.start.elapsed()) {
        Some(error) => Err(error),
        None => Ok(report),
    }
}

/// A run in progress.
#[derive(Clone)]
struct Run {
    sender: Arc<Sender>,
    start: Instant,
    until: Until,
}

/// Runs a closed loop: `concurrency` tasks, each with one request in flight.
async fn closed(run: &Run, concurrency: usize) -> Results {
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..concurrency.max(1) {
        let (run, next) = (run.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            let mut results = Results::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if !run.until.includes(number, run.start.elapsed()) {
                    return results;
                }
                results.add(run.sender.send(number, Instant::now()).await);
            }
        });
    }
    let mut sum = Results::new();
    while let Some(results) = tasks.join_next().await {
        sum.merge(&results.expect("BUG: senders neither panic nor are aborted"));
    }
    sum
}

/// Runs an open loop: one task a request, each started when it is due.
async fn open(run: &Run, load: Load) -> Results {
    let permits = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let mut requests = JoinSet::new();
    let mut sum = Results::new();
    for number in 0.. {
        let due = load.due(number).unwrap_or(Duration::MAX);
        if !run.until.includes(number, due) {
            break;
        }
        let Some(due) = run.start.checked_add(due) else { break };
        tokio::time::sleep_until(due).await;
        let permit = Arc::clone(&permits).acquire_owned().await.expect("BUG: this semaphore is never closed");
        let sender = Arc::clone(&run.sender);
        requests.spawn(async move {
            let result = sender.send(number, due).await;
            drop(permit);
            result
        });
        // Finished requests are counted now, so that a long run keeps no list of them.
        while let Some(result) = requests.try_join_next() {
            sum.add(result.expect("BUG: requests neither panic nor are aborted"));
        }
    }
    while let Some(result) = requests.join_next().await {
        sum.add(result.expect("BUG: requests neither panic nor are aborted"));
    }
    sum
}

struct Sender {
    connection: Connection,
    images: Vec<Bytes>,
}

/// A request that was not answered with an outcome.
struct RequestError {
    kind: String,
    /// Present where no gateway was reached.
    source: Option<reqwest::Error>,
}

impl Sender {
    /// Sends request number `number`. Returns its latency, counted from `due`.
    async fn send(&self, number: u64, due: Instant) -> Result<Duration, RequestError> {
        let count = self.images.len().max(1) as u64;
        // The remainder is an index below the list's length.
        let image = self.images.get((number % count) as usize).cloned().unwrap_or_default();
        let request = self.connection.request(Method::POST, "v1/classify?wait=30s").header(CONTENT_TYPE, "image/png");
        match connection::once(request.body(image)).await {
            Ok(response) => match response.status {
                StatusCode::OK => Ok(due.elapsed()),
                StatusCode::ACCEPTED => Err(RequestError { kind: "unfinished".into(), source: None }),
                status => Err(RequestError { kind: status.as_u16().to_string(), source: None }),
            },
            Err(source) => {
                let kind = if source.is_timeout() { "timeout" } else { "connection" };
                Err(RequestError { kind: kind.into(), source: Some(source) })
            }
        }
    }
}

/// The results of requests so far.
struct Results {
    /// Microseconds.
    latencies: Histogram<u64>,
    errors: BTreeMap<String, u64>,
    /// Whether any request reached a gateway.
    has_connected: bool,
    last_failure: Option<String>,
}

impl Results {
    fn new() -> Self {
        let latencies =
            Histogram::new_with_max(LATENCY_MAX_US, LATENCY_DIGITS).expect("BUG: two digits of an hour fit");
        Self { latencies, errors: BTreeMap::new(), has_connected: false, last_failure: None }
    }

    fn add(&mut self, result: Result<Duration, RequestError>) {
        match result {
            Ok(latency) => {
                self.has_connected = true;
                self.latencies.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
            }
            Err(error) => {
                self.has_connected |= error.source.is_none();
                self.last_failure = error.source.map(|source| source.to_string()).or(self.last_failure.take());
                *self.errors.entry(error.kind).or_default() += 1;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.latencies.add(&other.latencies).expect("BUG: all histograms have the same bounds");
        for (kind, count) in &other.errors {
            *self.errors.entry(kind.clone()).or_default() += count;
        }
        self.has_connected |= other.has_connected;
        self.last_failure = self.last_failure.take().or_else(|| other.last_failure.clone());
    }

    fn report(&self, elapsed: Duration) -> Report {
        let millis = |micros: u64| micros as f64 / 1e3;
        let done = self.latencies.len();
        let latency_ms = Latency {
            p50: millis(self.latencies.value_at_quantile(0.5)),
            p90: millis(self.latencies.value_at_quantile(0.9)),
            p99: millis(self.latencies.value_at_quantile(0.99)),
            max: millis(self.latencies.max()),
        };
        let seconds = elapsed.as_secs_f64();
        let per_second = if seconds > 0.0 { done as f64 / seconds } else { 0.0 };
        Report { done, errors: self.errors.clone(), seconds, per_second, latency_ms }
    }

    fn unreachable(&self, server: &str, waited: Duration) -> Option<Error> {
        let last_failure = self.last_failure.clone().filter(|_| !self.has_connected)?;
        Some(Error::Unreachable { action: format!("reach {server}"), waited, source: last_failure.into() })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_to_one_percent() {
        let mut results = Results::new();
        (1..=1_000).for_each(|millis| results.add(Ok(Duration::from_millis(millis))));

        let Latency { p50, p90, p99, max } = results.report(Duration::from_secs(1)).latency_ms;

        let near = |measured: f64, true_one: f64| (measured / true_one - 1.0).abs() < 0.01;
        assert!(
            near(p50, 500.0) && near(p90, 900.0) && near(p99, 990.0) && near(max, 1_000.0),
            "{p50} {p90} {p99} {max}"
        );
    }

    #[test]
    fn a_run_without_outcomes_has_latencies_of_zero() {
        let report = Results::new().report(Duration::ZERO);

        assert_eq!((report.done, report.latency_ms.p50, report.latency_ms.max), (0, 0.0, 0.0));
    }

    #[test]
    fn a_latency_beyond_the_longest_is_still_counted() {
        let mut results = Results::new();

        results.add(Ok(Duration::from_secs(24 * 60 * 60)));

        assert_eq!(results.report(Duration::from_secs(1)).done, 1);
    }
}
