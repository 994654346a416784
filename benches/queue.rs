//! How many jobs a second go through each queue, and what does each cost?
//!
//! Every job is submitted, claimed, settled, and its outcome read from the changes, as a gateway and its workers do it.
//! The same run measures what `redis-benchmark` reaches with XADD alone on the same server, so that the figures can be
//! compared as ratios whatever the machine. The last line is one JSON object.
#![expect(clippy::disallowed_macros, reason = "a benchmark prints its report")]

#[path = "common/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use kana_engine::Prediction;
use kana_engine::image::{Image, Shape};
use kana_queue::clock::{Clock, SystemClock, Timestamp};
use kana_queue::job::{BatchId, Job, JobId, Progress};
use kana_queue::{self as queue, Error, Inference, Limits, Queue, Settlement, Submission, Url, WorkerId};
use serde_json::{Value, json};
use server::Server;

/// How long each queue is measured.
const SPAN: Duration = Duration::from_secs(5);

/// How long it runs before that.
const WARM_UP: Duration = Duration::from_secs(1);

/// Jobs that may be under way: enough that no task waits for the others.
const JOBS_MAX: usize = 4_096;

/// Bytes of a KMNIST image, and of what `redis-benchmark` adds.
const IMAGE: Shape = Shape { channels: 1, height: 28, width: 28 };

/// What `redis-benchmark` sends at once, and how often.
const PIPELINE: &str = "16";
const REQUESTS: &str = "400000";

/// Time that a claim or a read of changes waits before its task looks whether to go on.
const LOOK: Duration = Duration::from_millis(200);

/// Entries a second that `redis-benchmark` adds to a stream, `pipeline` at once over its 50 connections.
fn xadd(port: u16, pipeline: &str) -> anyhow::Result<f64> {
    let payload = "x".repeat(IMAGE.bytes());
    let mut command = Command::new("redis-benchmark");
    command.args(["-p", &port.to_string(), "-P", pipeline, "-n", REQUESTS, "--csv"]);
    let output = command.args(["XADD", "floor", "*", "image", &payload]).output().context("redis-benchmark")?;
    ensure!(output.status.success(), "redis-benchmark failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let last = text.lines().last().context("redis-benchmark said nothing")?;
    let rate = last.split("\",\"").nth(1).context("redis-benchmark said something else")?.trim_matches('"').parse();
    Command::new("redis-cli").args(["-p", &port.to_string(), "del", "floor"]).output()?;
    rate.context("redis-benchmark's rate")
}

/// Time that a process has spent on processors, in milliseconds.
fn cpu_ms(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("this benchmark needs Linux")?;
    let fields = stat.rsplit(") ").next().context("no such process")?;
    let ticks = |n: usize| fields.split(' ').nth(n).and_then(|ticks| ticks.parse::<f64>().ok());
    // User and system time, in hundredths of a second on every Linux.
    Ok((ticks(11).context("no user time")? + ticks(12).context("no system time")?) * 10.0)
}

fn a_job(batch: BatchId) -> Job {
    let image = Image::new(IMAGE, vec![127; IMAGE.bytes()]).expect("BUG: as many samples as the shape has");
    Job { id: JobId::new(), batch, filename: "sample.png".to_owned(), image, submitted: now() }
}

fn now() -> Timestamp {
    SystemClock.now()
}

fn an_answer() -> Inference {
    let prediction = Prediction { label: "お".to_owned(), class: 0, confidence: 0.91, probabilities: vec![0.01; 10] };
    Inference { prediction, elapsed: Duration::from_micros(175), blank: false }
}

/// One measurement.
struct Run {
    queue: Arc<dyn Queue>,
    /// The queue as workers reach it.
    of_workers: Arc<dyn Queue>,
    batch: usize,
    ending: AtomicBool,
    settled: AtomicUsize,
}

impl Run {
    fn is_running(&self) -> bool {
        !self.ending.load(Ordering::Relaxed)
    }

    async fn submit(&self) -> anyhow::Result<()> {
        while self.is_running() {
            let batch = BatchId::new();
            let jobs = (0..self.batch).map(|_| a_job(batch)).collect();
            match self.queue.submit(Submission { batch, jobs, idempotency: None, name: None }).await {
                Ok(_) => {}
                Err(Error::Full { .. }) => tokio::time::sleep(Duration::from_millis(1)).await,
                Err(error) => bail!(error),
            }
        }
        Ok(())
    }

    async fn work(&self, worker: usize) -> anyhow::Result<()> {
        let worker = WorkerId::of_pod(format!("worker-{worker}"));
        while self.is_running() {
            let claims = self.of_workers.claim(&worker, self.batch, LOOK).await?;
            let settlements =
                claims.into_iter().map(|claim| Settlement { lease: claim.lease, result: Ok(an_answer()) });
            self.of_workers.settle(settlements.collect()).await?;
        }
        Ok(())
    }

    async fn follow(&self) -> anyhow::Result<()> {
        let mut cursor = self.queue.latest().await?;
        while self.is_running() {
            let changes = self.queue.changes(cursor, LOOK).await?;
            ensure!(!changes.missed, "the reader of changes fell behind");
            let settled = changes.jobs.iter().filter(|job| matches!(job.progress, Progress::Settled(_))).count();
            self.settled.fetch_add(settled, Ordering::Relaxed);
            cursor = changes.cursor;
        }
        Ok(())
    }
}

/// Figures of one queue.
struct Figures {
    jobs_per_s: f64,
    cpu_ms_per_job: f64,
}

/// Measures a queue; the processor time is that of this process and of `others`.
async fn measure(place: &Place, batch: usize) -> anyhow::Result<Figures> {
    let Place { url, others, is_shared, .. } = place;
    let limits = Limits { jobs_max: JOBS_MAX, ..Limits::default() };
    let queue: Arc<dyn Queue> = queue::open(url, limits, Arc::new(SystemClock))?.into();
    let of_workers = if *is_shared { queue::connect(url, limits)?.into() } else { Arc::clone(&queue) };
    let run = Arc::new(Run { queue, of_workers, batch, ending: AtomicBool::new(false), settled: AtomicUsize::new(0) });
    let mut tasks = tokio::task::JoinSet::new();
    // Single jobs need many under way at once, as many requests are; batches need fewer.
    let tasks_max = if batch == 1 { 32 } else { 12 };
    for n in 0..tasks_max {
        let (submitting, working) = (Arc::clone(&run), Arc::clone(&run));
        tasks.spawn(async move { submitting.submit().await });
        tasks.spawn(async move { working.work(n).await });
    }
    let following = Arc::clone(&run);
    tasks.spawn(async move { following.follow().await });

    tokio::time::sleep(WARM_UP).await;
    let spent = || -> anyhow::Result<f64> {
        let own = cpu_ms(std::process::id())?;
        others.iter().try_fold(own, |sum, pid| Ok(sum + cpu_ms(*pid)?))
    };
    let (begun, settled, cpu) = (Instant::now(), run.settled.load(Ordering::Relaxed), spent()?);
    tokio::time::sleep(SPAN).await;
    let jobs = (run.settled.load(Ordering::Relaxed) - settled) as f64;
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), spent()? - cpu);

    run.ending.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    ensure!(jobs > 0.0, "no job came through {url}");
    Ok(Figures { jobs_per_s: jobs / seconds, cpu_ms_per_job: cpu / jobs })
}

/// A queue to be measured.
struct Place {
    name: &'static str,
    url: Url,
    /// Processes whose time counts too.
    others: Vec<u32>,
    /// Whether workers reach it as another process does.
    is_shared: bool,
}

/// The queues, each of them empty.
fn places(folder: &Path, server: &Server) -> anyhow::Result<Vec<Place>> {
    let place = |name, url| Place { name, url, others: Vec::new(), is_shared: false };
    let on_disk = |name: &str| Url::Sqlite(folder.join(name));
    let redis = format!("redis://127.0.0.1:{}", server.port()).parse().map_err(anyhow::Error::msg)?;
    Ok(vec![
        place("memory", Url::Memory),
        place("embedded", on_disk("embedded")),
        Place { is_shared: true, ..place("embedded, socket", on_disk("socket")) },
        Place { others: vec![server.pid()], ..place("redis", redis) },
    ])
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::start()?;
    let (floor, floor_single) = (xadd(server.port(), PIPELINE)?, xadd(server.port(), "1")?);
    println!("redis-benchmark XADD of {} bytes: {floor:.0}/s by {PIPELINE}, {floor_single:.0}/s singly", IMAGE.bytes());
    println!("{:<24}{:>12}{:>16}{:>22}", "queue", "jobs/s", "CPU ms/job", "ratio to XADD by 16");

    let mut report: BTreeMap<String, Value> = BTreeMap::new();
    for batch in [1, 32] {
        for place in places(&folder.path().join(batch.to_string()), &server)? {
            let Figures { jobs_per_s: rate, cpu_ms_per_job: cpu } = measure(&place, batch).await?;
            let (ratio, name) = (rate / floor, place.name);
            println!("{:<24}{rate:>12.0}{cpu:>16.4}{ratio:>22.3}", format!("{name} by {batch}"));
            let figures = json!({ "jobs_per_s": rate, "ratio_to_xadd_pipelined": ratio, "cpu_ms_per_job": cpu });
            report.insert(format!("{name}_batch_{batch}"), figures);
        }
    }
    report.insert("xadd_pipelined_per_s".to_owned(), json!(floor));
    report.insert("xadd_single_per_s".to_owned(), json!(floor_single));
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
