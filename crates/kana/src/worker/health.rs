//! How does a worker answer health checks and Prometheus?

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::Context;

/// The media type of OpenMetrics, as `prometheus-client` writes it.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Builds the routes `/livez`, `/readyz` and `/metrics` of one worker.
pub fn routes(context: Arc<Context>) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(context)
}

async fn livez(State(context): State<Arc<Context>>) -> (StatusCode, &'static str) {
    match context.liveness.is_alive() {
        true => (StatusCode::OK, "alive\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "no progress: the engine is stuck\n"),
    }
}

async fn readyz(State(context): State<Arc<Context>>) -> (StatusCode, &'static str) {
    if context.drain.has_begun() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else if context.liveness.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the model is being loaded, or the queue does not answer\n")
    }
}

async fn metrics(State(context): State<Arc<Context>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, METRICS_TYPE)], context.metrics.text())
}
