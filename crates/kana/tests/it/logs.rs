//! Does every log line that an operator searches for carry the identifiers that it names?
//!
//! The lines are those of a real `kana up`, written as JSON: its own and its workers', which it passes on.

use rustix::process::Signal;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::support::eventually;
use crate::support::process::{Up, send};
use crate::support::samples::pngs;

/// Long enough that a signal reaches a worker in the middle of a batch.
const SLOW: [&str; 2] = ["--inference-delay", "1s"];

/// Longer than a worker may take to end, so that it must release its batch.
const TOO_SLOW: [&str; 2] = ["--inference-delay", "10s"];

/// A service with one worker that logs everything as JSON.
struct Service {
    up: Up,
    _data: TempDir,
}

impl Service {
    async fn start(flags: &[&str]) -> Self {
        let data = tempdir().unwrap();
        let logging = ["--min", "1", "--max", "1", "--log", "debug", "--log-format", "json"];
        let up = Up::start(data.path(), &[&logging[..], flags].concat()).await;
        Self { up, _data: data }
    }

    /// Submits one image. Returns the identifiers of the batch and of its job.
    async fn submit(&self) -> (String, String) {
        let receipt = self.up.submit(pngs(1)).await;
        (receipt.batch.to_string(), receipt.jobs[0].id.to_string())
    }

    /// Waits for the first line whose message begins with `message` and that `is_wanted`.
    async fn line(&self, message: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let begins = |line: &Value| line["fields"]["message"].as_str().is_some_and(|text| text.starts_with(message));
        let lines = || self.up.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<Value>>();
        let found = async || lines().into_iter().find(|line| begins(line) && is_wanted(line));
        eventually(&format!("a log line {message:?}"), found).await
    }

    /// Waits for the first claim of a job. Returns the worker that has it.
    async fn claimed(&self, job: &str) -> String {
        let line = self.line("claimed job", |line| field(line, "job.id") == job).await;
        field(&line, "worker").to_owned()
    }
}

fn field<'a>(line: &'a Value, key: &str) -> &'a str {
    line["fields"][key].as_str().unwrap_or("")
}

#[tokio::test]
async fn an_accepted_submission_is_logged_with_its_batch_and_its_number_of_jobs() {
    let service = Service::start(&[]).await;

    let (batch, _) = service.submit().await;

    let line = service.line("accepted", |line| field(line, "batch.id") == batch).await;
    assert_eq!(line["fields"]["jobs"], 1, "{line}");
}

#[tokio::test]
async fn a_claimed_and_a_settled_job_are_logged_with_its_id_its_worker_and_its_batch_in_the_engine() {
    let service = Service::start(&[]).await;
    let worker = service.up.ready().await.remove(0);

    let (batch, job) = service.submit().await;

    let claimed = service.line("claimed", |line| field(line, "job.id") == job).await;
    let settled = service.line("settled", |line| field(line, "job.id") == job).await;
    assert_eq!((field(&claimed, "worker"), field(&settled, "worker")), (&*worker, &*worker));
    assert_eq!(field(&claimed, "batch.id"), batch);
    for line in [claimed, settled] {
        assert_eq!((&line["span"]["images"], &line["span"]["attempt"]), (&1.into(), &1.into()), "{line}");
    }
}

#[tokio::test]
async fn a_released_job_is_logged_with_its_id_and_its_worker() {
    let service = Service::start(&TOO_SLOW).await;
    let (_, job) = service.submit().await;
    let worker = service.claimed(&job).await;

    send(service.up.worker(&worker), Signal::TERM);

    let line = service.line("released job", |line| field(line, "job.id") == job).await;
    assert_eq!(field(&line, "worker"), worker);
}

#[tokio::test]
async fn a_redelivered_job_is_logged_with_its_attempt_and_its_new_worker() {
    let service = Service::start(&SLOW).await;
    let (_, job) = service.submit().await;
    let killed = service.claimed(&job).await;

    send(service.up.worker(&killed), Signal::KILL);

    let again = |line: &Value| field(line, "job.id") == job && line["fields"]["attempt"] == 2;
    let line = service.line("claimed", again).await;
    assert!(field(&line, "message").contains("redelivered"), "{line}");
    assert!(!field(&line, "worker").is_empty() && field(&line, "worker") != killed, "{line}");
}

#[tokio::test]
async fn a_lost_pod_and_the_jobs_reclaimed_from_it_are_logged_under_its_name() {
    let service = Service::start(&SLOW).await;
    let (_, job) = service.submit().await;
    let killed = service.claimed(&job).await;

    send(service.up.worker(&killed), Signal::KILL);

    let lost = service.line("", |line| field(line, "pod") == killed && line["level"] == "WARN").await;
    assert!(field(&lost, "message").contains(&killed), "{lost}");
    let reclaimed = service.line("reclaimed", |line| field(line, "worker") == killed).await;
    assert_eq!(reclaimed["fields"]["jobs"], 1, "{reclaimed}");
}

#[tokio::test]
async fn a_dead_lettered_job_is_logged_with_its_id() {
    let service = Service::start(&[&SLOW[..], &["--attempts-max", "1"]].concat()).await;
    let (_, job) = service.submit().await;
    let worker = service.claimed(&job).await;

    // An abort counts as a crash, which costs the job its only attempt.
    send(service.up.worker(&worker), Signal::ABORT);

    let line = service.line("dead-lettered", |line| field(line, "job.id") == job).await;
    assert!(field(&line, "message").contains(&job), "{line}");
}

#[tokio::test]
async fn a_worker_that_is_asked_to_end_logs_by_whom_and_what_it_does_with_its_jobs() {
    let service = Service::start(&TOO_SLOW).await;
    let (_, job) = service.submit().await;
    let worker = service.claimed(&job).await;

    send(service.up.worker(&worker), Signal::TERM);

    let line = service.line(&format!("{worker} received SIGTERM"), |line| field(line, "worker") == worker).await;
    assert_eq!(line["fields"]["jobs"], 1, "{line}");
    let sender = format!("from process {}", std::process::id());
    assert!(!cfg!(target_os = "linux") || field(&line, "reason").contains(&sender), "{line}");
    assert!(field(&line, "message").contains("releases"), "{line}");
}

#[tokio::test]
async fn a_service_that_is_asked_to_end_logs_by_whom_and_nothing_but_json() {
    let service = Service::start(&[]).await;

    send(service.up.pid(), Signal::TERM);

    let line = service.line("received SIGTERM", |line| line["fields"]["connections"].is_number()).await;
    assert!(!field(&line, "reason").is_empty(), "{line}");
    let stopping = service.line("stopping pod", |_| true).await;
    assert_eq!(field(&stopping, "reason"), "the service ends", "{stopping}");
    let log = service.up.log();
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
}
