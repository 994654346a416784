//! Is this gateway alive, and should it be sent requests?

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tracing::{debug, warn};

use crate::gateway::http::problem::{Document, MEDIA_TYPE, Problem};
use crate::gateway::live::Live;
use crate::gateway::metrics::{self, Metrics};
use crate::gateway::state::Drain;
use crate::gateway::upstream::TimedQueue;
use crate::telemetry::Chain;

/// Time that the queue may take while this gateway counts as ready: probes give up soon after.
const READY_TIMEOUT: Duration = Duration::from_secs(1);

/// Checks whether this process makes progress
///
/// A queue that does not answer is not reported here, because a restart of the gateway would not repair it.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "service",
    responses(
        (status = 200, description = "The process makes progress", body = String, content_type = "text/plain"),
        (status = 503, body = Document, content_type = MEDIA_TYPE,
            description = "The process is stuck and needs a restart"),
    )
)]
pub async fn livez(State(live): State<Arc<Live>>) -> Result<&'static str, Problem> {
    if live.liveness.is_alive() { Ok("alive\n") } else { Err(Problem::unavailable("the queue's follower is stuck")) }
}

/// Checks whether requests should be sent to this gateway
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "service",
    responses(
        (status = 200, body = String, content_type = "text/plain",
            description = "The queue answers and the model is loaded"),
        (status = 503, body = Document, content_type = MEDIA_TYPE,
            description = "The queue does not answer, or the gateway is ending; the detail says which"),
    )
)]
pub async fn readyz(State(queue): State<TimedQueue>, State(drain): State<Drain>) -> Result<&'static str, Problem> {
    if drain.unready.is_cancelled() {
        return Err(Problem::unavailable("the gateway is ending"));
    }
    // The model's card was loaded before the port was taken.
    match tokio::time::timeout(READY_TIMEOUT, queue.call(|queue| queue.depth())).await {
        Ok(Ok(_)) => Ok("ready\n"),
        Ok(Err(error)) => {
            debug!(error = %Chain(&error), "not ready");
            Err(Problem::unavailable("the queue does not answer"))
        }
        Err(_) => Err(Problem::unavailable("the queue does not answer in time")),
    }
}

/// Returns the metrics in the OpenMetrics text format, which Prometheus reads
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "service",
    responses((status = 200, body = String, content_type = "application/openmetrics-text", description = "The metrics of this gateway"))
)]
pub async fn metrics(State(metrics): State<Arc<Metrics>>) -> Result<Response, Problem> {
    let text = metrics.text().map_err(|error| {
        warn!(error = %error, "could not write the metrics");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written")
    })?;
    Ok(([(header::CONTENT_TYPE, metrics::MEDIA_TYPE)], text).into_response())
}
