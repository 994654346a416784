//! How does a worker answer health checks and Prometheus?

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::Context;
use crate::telemetry::exposition::Exposition;

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

async fn metrics(State(context): State<Arc<Context>>, headers: HeaderMap) -> impl IntoResponse {
    context.metrics.observe_progress(context.liveness.progress_age());
    let exposition =
        Exposition::asked_by(headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()));
    ([(header::CONTENT_TYPE, exposition.media_type())], context.metrics.text(exposition))
}
