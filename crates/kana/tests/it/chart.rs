//! Does the chart name only what this program has?

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use kana::gateway::metrics::{Answer, Metrics, Route};
use kana_queue::Limits;
use kana_queue::clock::SystemClock;
use kana_queue::embedded::Embedded;

use crate::support::http;
use crate::support::process::kana;

fn chart(file: &str) -> String {
    let path = crate::support::project().join("charts/kana").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every word of a text that begins with `kana_`, which is how series are named.
fn series(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("kana_")).collect()
}

/// The metrics of a worker in a process of its own.
async fn worker_metrics() -> String {
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

// On threads of its own, because the test waits for a line of the worker, which waits for the queue.
#[tokio::test(flavor = "multi_thread")]
async fn every_series_that_the_dashboard_and_the_alerts_name_is_reported_by_a_gateway_or_a_worker() {
    let metrics = Metrics::new();
    metrics.record_request(Route("/v1/classify"), Answer::Served, Duration::ZERO);
    let (gateway, worker) = (metrics.text().expect("text"), worker_metrics().await);
    let reported: BTreeSet<&str> = series(&gateway).into_iter().chain(series(&worker)).collect();

    let (dashboard, alerts) = (chart("files/dashboard.json"), chart("templates/monitoring/prometheusrule.yaml"));
    let named: BTreeSet<&str> = series(&dashboard).into_iter().chain(series(&alerts)).collect();

    let unknown: Vec<_> = named.difference(&reported).collect();
    assert!(unknown.is_empty(), "neither a gateway nor a worker reports {unknown:?}");
    assert!(named.len() > 10, "{named:?}");
}

#[test]
fn the_dashboard_is_json() {
    let dashboard: serde_json::Value = serde_json::from_str(&chart("files/dashboard.json")).expect("JSON");

    assert!(dashboard["panels"].as_array().is_some_and(|panels| panels.len() > 10));
}

#[test]
fn the_chart_installs_this_version() {
    let chart = chart("Chart.yaml");

    assert!(chart.contains(concat!("appVersion: \"", env!("CARGO_PKG_VERSION"), "\"")), "{chart}");
}
