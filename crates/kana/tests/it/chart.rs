//! Does the chart name only what this program has?

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use kana::gateway::metrics::{Answer, Metrics, Route};
use kana::telemetry::exposition::Exposition;
use kana_engine::model::Artifact;

use crate::metrics::worker_metrics;

fn chart(file: &str) -> String {
    let path = crate::support::project().join("charts/kana").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every word of a text that begins with `kana_`, which is how series are named.
fn series(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("kana_")).collect()
}

// On threads of its own, because the test waits for a line of the worker, which waits for the queue.
#[tokio::test(flavor = "multi_thread")]
async fn every_series_that_the_dashboard_and_the_alerts_name_is_reported_by_a_gateway_or_a_worker() {
    let artifact = Artifact::built_in().expect("a model");
    let metrics = Metrics::new(Some(artifact.card()));
    metrics.record_request(Route("/v1/classify"), Answer::Served, Duration::ZERO);
    let (gateway, worker) = (metrics.text(Exposition::Plain).expect("text"), worker_metrics().await);
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
