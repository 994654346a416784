//! Does Prometheus take what a gateway and a worker report?

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;

use kana_queue::Limits;
use kana_queue::clock::SystemClock;
use kana_queue::embedded::Embedded;

use crate::support::app::App;
use crate::support::http;
use crate::support::pictures::png;
use crate::support::process::kana;

/// The metrics of a worker in a process of its own, in the format that is the default.
pub async fn worker_metrics() -> String {
    let (folder, mut command) = (tempfile::tempdir().expect("a folder"), kana());
    let path = folder.path().join("queue.sqlite");
    let _holder = Embedded::open(&path, Limits::default(), Arc::new(SystemClock)).expect("a queue");
    let queue = format!("sqlite:{}", path.display());
    command.args(["worker", "--queue", &queue, "--listen", "127.0.0.1:0"]);
    let mut worker = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("kana runs");
    let mut line = String::new();
    BufReader::new(worker.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let said: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
    let (_, text) = http::get(&format!("http://{}/metrics", said["listen"].as_str().expect("an address"))).await;
    worker.kill().expect("a worker that runs");
    worker.wait().expect("a worker that has ended");
    text
}

/// Asserts that Prometheus's own tool finds nothing to say about metrics in the text format.
fn assert_accepted(role: &str, text: &str) {
    let fetched = crate::support::project().join("target/prometheus/usr/bin/promtool");
    let promtool = if fetched.exists() { fetched } else { "promtool".into() };
    let mut check = Command::new(promtool);
    check.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut check = check.spawn().expect("promtool, which tools/install-prometheus fetches");

    check.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("a promtool that reads");

    let output = check.wait_with_output().expect("a promtool that ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{role}: {said}\n{text}");
    assert!(text.matches("# TYPE").count() > 10, "{role}: {text}");
}

#[tokio::test]
async fn promtool_finds_nothing_wrong_with_the_metrics_of_a_gateway() {
    let app = App::start().await;
    app.accept(vec![("a.png", png(1)), ("text.png", b"none".to_vec())]).await;
    app.work("pod-1", 1).await;
    app.sees_settled(1).await;

    let answer = app.get("/metrics").await;

    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_accepted("gateway", &answer.text().await.unwrap());
}

// On threads of its own, because the test waits for a line of the worker, which waits for the queue.
#[tokio::test(flavor = "multi_thread")]
async fn promtool_finds_nothing_wrong_with_the_metrics_of_a_worker() {
    assert_accepted("worker", &worker_metrics().await);
}
