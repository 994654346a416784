//! Do gateway, workers and `kana up` work over Redis as they do over a file, and survive its outages?

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use kana::gateway::view::{Batch, Job, Receipt, State, Status};
use tempfile::tempdir;

use crate::support::eventually;
use crate::support::http::client;
use crate::support::process::{Up, kana};
use crate::support::redis::{Options, RedisServer};
use crate::support::samples::pngs;

/// The longest that a gateway's answer takes while the queue does not answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// A role in a process of its own, killed when this value is dropped.
struct Role {
    child: Child,
    line: String,
}

impl Role {
    /// Starts a command and reads the line that it prints when it is up.
    fn start(command: &str, server: &RedisServer, flags: &[&str]) -> Self {
        let mut kana = kana();
        kana.arg(command).args(["--listen", "127.0.0.1:0"]).args(flags).env("KANA_QUEUE", server.url());
        let mut child = kana.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("kana runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        Self { child, line }
    }

    fn url(&self) -> &str {
        self.line.split_whitespace().find(|word| word.starts_with("http://")).expect("an address")
    }

    /// Gets a route. Returns the status and the time that the answer took.
    async fn get(&self, route: &str) -> (u16, Duration) {
        let asked = Instant::now();
        let answer = client().get(format!("{}{route}", self.url())).send().await.expect("an answer");
        (answer.status().as_u16(), asked.elapsed())
    }

    async fn submit(&self, count: usize) -> reqwest::Response {
        let mut form = reqwest::multipart::Form::new();
        for (name, bytes) in pngs(count) {
            form = form.part("images", reqwest::multipart::Part::bytes(bytes).file_name(name));
        }
        client().post(format!("{}/v1/jobs", self.url())).multipart(form).send().await.expect("an answer")
    }

    async fn done(&self, receipt: &Receipt) -> Batch {
        eventually("a batch to be done", async || {
            let answer = client().get(format!("{}/v1/batches/{}", self.url(), receipt.batch)).send().await.ok()?;
            let batch: Batch = answer.error_for_status().ok()?.json().await.ok()?;
            (batch.counts.done == batch.accepted).then_some(batch)
        })
        .await
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_some()
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn durable() -> RedisServer {
    RedisServer::with(Options { append: Some("always"), ..Options::default() })
}

#[tokio::test]
async fn kana_up_works_over_redis_and_no_password_shows_in_a_list_of_processes() {
    let server = RedisServer::with(Options { password: Some("hunter2"), ..Options::default() });
    let data = tempdir().unwrap();
    let up = Up::start(data.path(), &["--queue", &server.url()]).await;

    let receipt = up.submit(pngs(21)).await;
    let batch = up.finished(receipt.batch).await;

    assert_eq!((batch.accepted, batch.counts.done), (21, 21));
    for (name, pid) in up.workers() {
        let shown = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        assert!(shown.contains(&name) && !shown.contains("hunter2"), "{shown}");
    }
    assert!(!up.log().contains("hunter2"));
}

#[tokio::test]
async fn the_status_says_which_settings_of_redis_may_lose_jobs() {
    let (forgetful, evicting) = (RedisServer::start(), durable());
    evicting.command(&["CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru"]);

    for (server, word) in [(&forgetful, Some("appendonly")), (&evicting, Some("allkeys-lru")), (&durable(), None)] {
        let gateway = Role::start("gateway", server, &[]);
        let answer = client().get(format!("{}/v1/status", gateway.url())).send().await.expect("an answer");
        let status: Status = answer.json().await.expect("a status");

        assert_eq!(status.warnings.len(), usize::from(word.is_some()), "{:?}", status.warnings);
        assert!(word.is_none_or(|word| status.warnings[0].contains(word)), "{:?}", status.warnings);
    }
}

#[tokio::test]
async fn two_gateways_show_the_same_jobs_and_a_wait_ends_on_either() {
    let server = RedisServer::start();
    let (one, other) = (Role::start("gateway", &server, &[]), Role::start("gateway", &server, &[]));
    let _worker = Role::start("worker", &server, &["--inference-delay", "100ms"]);

    let receipt: Receipt = one.submit(3).await.json().await.unwrap();
    let (here, there) = tokio::join!(one.done(&receipt), other.done(&receipt));
    let waited = client().post(format!("{}/v1/classify?wait=30s", other.url())).body(pngs(1).remove(0).1);
    let job: Job = waited.header("content-type", "image/png").send().await.unwrap().json().await.unwrap();

    assert_eq!(here.jobs, there.jobs);
    assert_eq!(job.state, State::Done);
}

#[tokio::test]
async fn while_redis_hangs_every_answer_comes_in_time_and_afterwards_work_continues_by_itself() {
    let server = durable();
    let mut gateway = Role::start("gateway", &server, &[]);
    let mut worker = Role::start("worker", &server, &[]);
    let before: Receipt = gateway.submit(3).await.json().await.unwrap();
    gateway.done(&before).await;

    server.stop();
    let asked = Instant::now();
    let refused = gateway.submit(1).await;
    let refused_in = asked.elapsed();
    // The gateway says what it last saw: a look that hangs is noticed after some seconds.
    let (ready, ready_in) = eventually("the gateway not to be ready", async || {
        let (ready, took) = gateway.get("/readyz").await;
        (ready == 503).then_some((ready, took))
    })
    .await;
    let (live, live_in) = gateway.get("/livez").await;
    server.cont();
    let after: Receipt = eventually("a submission to be accepted", async || {
        gateway.submit(2).await.error_for_status().ok()?.json().await.ok()
    })
    .await;
    gateway.done(&after).await;

    assert_eq!((refused.status().as_u16(), ready, live), (503, 503, 200));
    assert!(refused.headers().contains_key("retry-after"));
    assert!([refused_in, ready_in, live_in].iter().all(|took| *took < ANSWER_MAX), "{refused_in:?} {ready_in:?}");
    assert!(!gateway.has_ended() && !worker.has_ended());
}

#[tokio::test]
async fn redis_killed_under_load_loses_no_accepted_job() {
    let server = durable();
    let gateway = Role::start("gateway", &server, &[]);
    let _worker = Role::start("worker", &server, &["--inference-delay", "20ms"]);
    let receipt: Receipt = gateway.submit(40).await.json().await.unwrap();

    server.kill();
    server.restart();
    let batch = gateway.done(&receipt).await;

    assert_eq!((batch.accepted, batch.counts.done), (40, 40));
    assert_eq!(server.command(&["XLEN", "{kana}:jobs"]), "0");
}

#[tokio::test]
async fn a_gateway_without_redis_serves_and_is_not_ready() {
    let server = RedisServer::start();
    server.kill();

    let gateway = Role::start("gateway", &server, &[]);
    let (ready, _) = gateway.get("/readyz").await;
    let (live, _) = gateway.get("/livez").await;
    server.restart();
    eventually("the gateway to be ready", async || (gateway.get("/readyz").await.0 == 200).then_some(())).await;

    assert_eq!((ready, live), (503, 200));
}
