//! Is this gateway alive, and should it be sent requests?
//!
//! Both are answered from memory: a probe costs the queue no call, however often it comes.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tracing::warn;
use utoipa::IntoParams;

use crate::gateway::http::problem::{Document, MEDIA_TYPE, Problem};
use crate::gateway::live::Live;
use crate::gateway::metrics::Metrics;
use crate::gateway::state::Drain;
use crate::telemetry::exposition::Exposition;

/// Name of the check that the queue answers, which a probe may exclude.
const QUEUE: &str = "queue";

/// Query parameters of a readiness check.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReadyQuery {
    /// Check to leave out: `queue` is the only one that can be. The gateway is then ready from the queue's first answer
    /// until the gateway ends.
    #[param(value_type = Option<String>, example = "queue")]
    pub exclude: Option<String>,
    /// Lists every check with its result, whatever the value.
    #[param(value_type = Option<String>)]
    pub verbose: Option<String>,
}

/// Result of one check.
struct Check {
    name: &'static str,
    /// Reason of the failure; `None` where the check passes.
    failure: Option<&'static str>,
    is_excluded: bool,
}

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
    params(ReadyQuery),
    responses(
        (status = 200, body = String, content_type = "text/plain",
            description = "The queue answered within the last seconds and the model is loaded"),
        (status = 422, body = Document, content_type = MEDIA_TYPE,
            description = "`exclude` names a check that cannot be left out"),
        (status = 503, body = Document, content_type = MEDIA_TYPE,
            description = "The queue does not answer, or the gateway is ending; the detail says which"),
    )
)]
pub async fn readyz(
    State(live): State<Arc<Live>>,
    State(drain): State<Drain>,
    Query(query): Query<ReadyQuery>,
) -> Result<String, Problem> {
    let exclude = query.exclude.as_deref();
    if let Some(other) = exclude.filter(|name| *name != QUEUE) {
        return Err(Problem::unprocessable(format!("exclude is {other:?}; only {QUEUE} can be left out")));
    }
    let checks = checks(&live, &drain, exclude.is_some());
    let failed = checks.iter().find_map(|check| check.failure.filter(|_| !check.is_excluded));
    let list = || checks.iter().map(Check::line).collect::<String>();
    match (failed, query.verbose.is_some()) {
        (None, false) => Ok("ready\n".into()),
        (None, true) => Ok(list() + "ready\n"),
        (Some(failure), false) => Err(Problem::unavailable(failure)),
        (Some(_), true) => Err(Problem::unavailable(list().trim_end())),
    }
}

/// Performs every check. The model's card was loaded before the port was taken.
fn checks(live: &Live, drain: &Drain, without_queue: bool) -> [Check; 4] {
    let check = |name, passes: bool, failure| Check { name, failure: (!passes).then_some(failure), is_excluded: false };
    let queue = check(QUEUE, live.queue.answers(Instant::now()), "the queue does not answer");
    [
        check("model", true, ""),
        check("queue-first-answer", live.queue.has_answered(), "the queue has not answered yet"),
        Check { is_excluded: without_queue, ..queue },
        check("drain", !drain.unready.is_cancelled(), "the gateway is ending"),
    ]
}

impl Check {
    /// Describes the check in one line, as the Kubernetes API server does.
    fn line(&self) -> String {
        match self.failure {
            None => format!("[+]{} ok\n", self.name),
            Some(_) if self.is_excluded => format!("[+]{} excluded: ok\n", self.name),
            Some(failure) => format!("[-]{} failed: {failure}\n", self.name),
        }
    }
}

/// Returns the metrics in Prometheus's text format, or as OpenMetrics where the header `Accept` asks for that
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "service",
    responses((status = 200, description = "The metrics of this gateway",
        content((String = "text/plain"), (String = "application/openmetrics-text"))))
)]
pub async fn metrics(State(metrics): State<Arc<Metrics>>, headers: HeaderMap) -> Result<Response, Problem> {
    let exposition =
        Exposition::asked_by(headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()));
    let text = metrics.text(exposition).map_err(|error| {
        warn!(error = %error, "could not write the metrics");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written")
    })?;
    Ok(([(header::CONTENT_TYPE, exposition.media_type())], text).into_response())
}
