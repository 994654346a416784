//! Is this gateway alive, and should it be sent requests?

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::app::App;
use super::problem::{Document, MEDIA_TYPE, Problem};

/// Says whether this process makes progress
///
/// Not whether the queue answers: restarting the gateway would not mend that.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "service",
    responses(
        (status = 200, description = "It does", body = String, content_type = "text/plain"),
        (status = 503, body = Document, content_type = MEDIA_TYPE,
            description = "It is stuck and wants a restart"),
    )
)]
pub async fn livez(State(_app): State<Arc<App>>) -> Result<&'static str, Problem> {
    Err(Problem::unavailable("not built yet"))
}

/// Says whether requests should be sent here
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "service",
    responses(
        (status = 200, body = String, content_type = "text/plain",
            description = "The queue answers and the model is loaded"),
        (status = 503, body = Document, content_type = MEDIA_TYPE,
            description = "Why not"),
    )
)]
pub async fn readyz(State(_app): State<Arc<App>>) -> Result<&'static str, Problem> {
    Err(Problem::unavailable("not built yet"))
}

/// Counts and measures, in Prometheus's text format
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "service",
    responses((status = 200, body = String, content_type = "application/openmetrics-text", description = "OpenMetrics"))
)]
pub async fn metrics(State(_app): State<Arc<App>>) -> Result<Response, Problem> {
    Err(Problem::unavailable("not built yet"))
}
