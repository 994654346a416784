//! Is anything lost when workers are killed and connections reset for as long as a hundred thousand jobs take?
//!
//! `make soak`: a real Redis, real worker processes behind a network that resets connections at random, a worker
//! killed every two seconds. Prints a report, and ends with 1 where a job is missing. `KANA_SOAK_JOBS` takes
//! another number of jobs. The last line is one JSON object.
#![expect(clippy::disallowed_macros, reason = "a benchmark prints its report")]
#![expect(clippy::disallowed_methods, reason = "the task of the soak is joined before it ends")]

#[path = "../crates/kana/tests/it/support/proxy.rs"]
#[expect(dead_code, reason = "the soak needs one of the things that the tests' network can do")]
mod proxy;
#[path = "common/server.rs"]
#[expect(dead_code, reason = "only the other benchmark measures the server")]
mod server;

use std::collections::HashMap;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use kana_engine::image::{Image, Shape};
use kana_queue::clock::{Clock, SystemClock};
use kana_queue::job::{BatchId, Job, JobId, Outcome, Progress, Status, Verdict};
use kana_queue::{self as queue, Error, Idempotency, Limits, Queue, Submission, Url, WorkerId};
use parking_lot::Mutex;
use proxy::Proxy;
use serde_json::json;
use server::Server;

/// Jobs submitted where `KANA_SOAK_JOBS` does not say how many.
const JOBS: usize = 100_000;

/// Jobs submitted together.
const BATCH: usize = 50;

const WORKERS: usize = 3;

/// How often a worker is killed.
const KILL_EVERY: Duration = Duration::from_secs(2);

/// Time that a worker takes for each image: slow enough for kills to find work under way.
const INFERENCE_DELAY: &str = "1ms";

/// Answers between two resets of a connection, on average.
const RESET_MEAN: u32 = 100;

/// Time without any change after which what is left counts as lost: five leases.
const PATIENCE: Duration = Duration::from_secs(30);

const IMAGE: Shape = Shape { channels: 1, height: 28, width: 28 };

/// What a reader of changes has seen.
#[derive(Default)]
struct Seen {
    outcomes: HashMap<JobId, Outcome>,
    overwritten: usize,
    /// Jobs under way, by worker.
    running: HashMap<JobId, WorkerId>,
    /// Jobs whose worker was killed, and when.
    killed: HashMap<JobId, Instant>,
    redeliveries: Vec<Duration>,
}

impl Seen {
    fn note(&mut self, job: Status) {
        match job.progress {
            Progress::Queued => drop(self.running.remove(&job.id)),
            Progress::Running { worker } => {
                self.recover(job.id);
                self.running.insert(job.id, worker);
            }
            Progress::Settled(outcome) => {
                self.recover(job.id);
                self.running.remove(&job.id);
                let known = self.outcomes.entry(job.id).or_insert_with(|| outcome.clone());
                self.overwritten += usize::from(*known != outcome);
            }
        }
    }

    fn recover(&mut self, job: JobId) {
        if let Some(since) = self.killed.remove(&job) {
            self.redeliveries.push(since.elapsed());
        }
    }

    fn worker_killed(&mut self, worker: &str) {
        let now = Instant::now();
        self.killed.extend(self.running.iter().filter(|(_, held)| held.pod() == worker).map(|(job, _)| (*job, now)));
    }
}

fn worker(port: u16, name: &str) -> anyhow::Result<Child> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kana"));
    command.args(["worker", "--name", name, "--inference-delay", INFERENCE_DELAY, "--exit-with-stdin"]);
    command.args(["--queue", &format!("redis://127.0.0.1:{port}")]).stdin(Stdio::piped());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("could not start a worker")
}

/// Kills a worker every [`KILL_EVERY`] and starts another, until `ending`; returns how many it killed.
async fn kill_workers(port: u16, seen: Arc<Mutex<Seen>>, ending: Arc<AtomicBool>) -> anyhow::Result<usize> {
    let mut workers = Vec::new();
    for n in 0..WORKERS {
        let name = format!("soak-{n}");
        workers.push((worker(port, &name)?, name));
    }
    let mut kills = 0;
    let mut ticks = tokio::time::interval(KILL_EVERY);
    ticks.tick().await;
    while !ending.load(Ordering::Relaxed) {
        ticks.tick().await;
        let victim = kills % WORKERS;
        let (child, name) = &mut workers[victim];
        child.kill()?;
        child.wait()?;
        seen.lock().worker_killed(name);
        kills += 1;
        *name = format!("soak-{}", WORKERS + kills);
        *child = worker(port, name)?;
    }
    for (mut child, _) in workers {
        child.kill()?;
        child.wait()?;
    }
    Ok(kills)
}

/// Submits jobs as an unsure sender does: again and again under the same key, until they are accepted.
async fn submit(queue: &dyn Queue, count: usize) -> anyhow::Result<()> {
    let image = Image::new(IMAGE, vec![0; IMAGE.bytes()]).context("an image")?;
    for first in (0..count).step_by(BATCH) {
        let batch = BatchId::new();
        let job = |n| Job {
            id: JobId::new(),
            batch,
            filename: format!("{n}.png"),
            image: image.clone(),
            submitted: SystemClock.now(),
        };
        let jobs = (first..count.min(first + BATCH)).map(job).collect();
        let idempotency = Some(Idempotency { key: batch.to_string(), fingerprint: [0; 32], answer: String::new() });
        let submission = Submission { batch, jobs, idempotency, name: None };
        loop {
            match queue.submit(submission.clone()).await {
                Ok(_) => break,
                Err(Error::Full { .. } | Error::Unavailable { .. }) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => bail!(error),
            }
        }
    }
    Ok(())
}

/// Follows the changes until every job has an outcome, or nothing has happened for [`PATIENCE`].
async fn follow(queue: &dyn Queue, count: usize, seen: &Mutex<Seen>) {
    let mut cursor = queue::Cursor(0);
    let mut latest = Instant::now();
    loop {
        let changes = queue.changes(cursor, Duration::from_secs(1)).await;
        let mut seen = seen.lock();
        match changes {
            Ok(changes) => {
                cursor = changes.cursor;
                if !changes.jobs.is_empty() {
                    latest = Instant::now();
                }
                changes.jobs.into_iter().for_each(|job| seen.note(job));
            }
            Err(error) => eprintln!("(following: {error})"),
        }
        if seen.outcomes.len() == count || latest.elapsed() > PATIENCE {
            return;
        }
    }
}

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, Duration::as_secs_f64)
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let count = std::env::var("KANA_SOAK_JOBS").map_or(Ok(JOBS), |count| count.parse()).context("KANA_SOAK_JOBS")?;
    let server = Server::start()?;
    let network = Proxy::before(server.port());
    network.reset_at_random(1, RESET_MEAN);
    let url = |port: u16| format!("redis://127.0.0.1:{port}").parse::<Url>().map_err(anyhow::Error::msg);
    let open = |port| anyhow::Ok(queue::open(&url(port)?, Limits::default(), Arc::new(SystemClock))?);
    let (front, straight) = (open(network.port())?, open(server.port())?);
    let (seen, ending) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());

    let begun = Instant::now();
    let killing = tokio::spawn(kill_workers(network.port(), seen.clone(), ending.clone()));
    let sweeping = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            // The network fails it now and then; the next one comes in a second.
            let _ = front.sweep().await;
        }
    };
    let working = async {
        let (submitted, ()) = tokio::join!(submit(front.as_ref(), count), follow(straight.as_ref(), count, &seen));
        submitted
    };
    tokio::select! {
        submitted = working => submitted?,
        () = sweeping => {}
    }
    let seconds = begun.elapsed().as_secs_f64();
    ending.store(true, Ordering::Relaxed);
    let kills = killing.await??;

    let seen = std::mem::take(&mut *seen.lock());
    let mut overwritten = seen.overwritten;
    let all: Vec<JobId> = seen.outcomes.keys().copied().collect();
    for some in all.chunks(1_000) {
        for (id, now) in some.iter().zip(straight.statuses(some).await?) {
            let now = now.map(|status| status.progress);
            overwritten += usize::from(now != Some(Progress::Settled(seen.outcomes[id].clone())));
        }
    }
    let done = seen.outcomes.values().filter(|outcome| matches!(outcome.verdict, Verdict::Done { .. })).count();
    let dead = seen.outcomes.len() - done;
    let lost = count - seen.outcomes.len();
    let depth = straight.depth().await?;
    let left = depth.waiting + depth.in_flight();
    let mut redeliveries = seen.redeliveries;
    redeliveries.sort_unstable();
    let (p50, p99) = (percentile(&redeliveries, 50), percentile(&redeliveries, 99));
    println!("accepted       {count:>8} in {seconds:.0} s, {:.0} a second", count as f64 / seconds);
    println!("done           {done:>8}");
    println!("dead-lettered  {dead:>8}");
    println!("lost           {lost:>8}");
    println!("overwritten    {overwritten:>8} outcomes");
    println!("left           {left:>8} in the stream");
    println!("workers killed {kills:>8}, connections reset {}", network.resets());
    println!("redelivered    {:>8}, p50 {p50:.1} s, p99 {p99:.1} s after the kill", redeliveries.len());
    let report = json!({
        "accepted": count, "done": done, "dead": dead, "lost": lost, "overwritten": overwritten, "left": left,
        "kills": kills, "resets": network.resets(), "seconds": seconds,
        "redelivered": redeliveries.len(), "redelivery_p50_s": p50, "redelivery_p99_s": p99,
    });
    println!("{report}");
    Ok(if lost + overwritten + left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
