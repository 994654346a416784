//! What does a worker answer to whoever asks after its health?

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::Desk;

/// OpenMetrics, as `prometheus-client` writes it.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `/livez`, `/readyz` and `/metrics` of one worker.
pub fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(desk)
}

async fn livez(State(desk): State<Arc<Desk>>) -> (StatusCode, &'static str) {
    match desk.vitals.is_alive() {
        true => (StatusCode::OK, "alive\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "no progress: the engine is stuck\n"),
    }
}

async fn readyz(State(desk): State<Arc<Desk>>) -> (StatusCode, &'static str) {
    if desk.drain.has_begun() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else if desk.vitals.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the model is being loaded, or the queue does not answer\n")
    }
}

async fn metrics(State(desk): State<Arc<Desk>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, METRICS_TYPE)], desk.metrics.text())
}
