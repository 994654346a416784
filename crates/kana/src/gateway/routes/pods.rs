//! How are pods listed and stopped, and how is the log of one read?

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::gateway::audit::{self, Act};
use crate::gateway::http::auth::Caller;
use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::gateway::live::Live;
use crate::gateway::upstream::{TimedCluster, TimedQueue};
use crate::gateway::view::{self, Stop};

/// Default number of log lines returned: a screen or two.
const LINES_DEFAULT: u32 = 100;

/// Largest number of log lines returned: for more, a tool made for logs is the better choice.
const LINES_MAX: u32 = 2_000;

/// Query parameters of a stop.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StopQuery {
    /// Way to stop the pod: `delete` lets it finish its current batch, `evict` does the same if the disruption budget
    /// allows it, `kill` ends it as a crash would (SIGKILL; on Kubernetes a deletion without a grace period, which
    /// sends SIGTERM first and SIGKILL within two seconds); `delete` by default.
    #[param(value_type = Option<Stop>, inline)]
    pub mode: Option<String>,
}

/// Lists the pods, oldest first
#[utoipa::path(
    get,
    path = "/v1/pods",
    tag = "pods",
    responses(
        (status = 200, description = "The pods that exist", body = [view::Pod]),
        Otherwise,
    )
)]
pub async fn list_pods(
    State(cluster): State<TimedCluster>,
    State(queue): State<TimedQueue>,
    State(live): State<Arc<Live>>,
) -> Result<Json<Vec<view::Pod>>, Problem> {
    let pods = cluster.call(|cluster| cluster.pods()).await?;
    let depth = queue.call(|queue| queue.depth()).await?;
    Ok(Json(pods.into_iter().map(|pod| live.pods.view(pod, &depth)).collect()))
}

/// Stops a pod
#[utoipa::path(
    delete,
    path = "/v1/pods/{name}",
    tag = "pods",
    params(("name" = String, Path, description = "Name of the pod"), StopQuery),
    responses(
        (status = 202, description = "The pod was asked to stop"),
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "This service has no such pod"),
        (status = 422, body = Document, content_type = MEDIA_TYPE,
            description = "The mode is unknown, or the cluster refuses to stop the pod"),
        Otherwise,
    )
)]
pub async fn stop_pod(
    State(cluster): State<TimedCluster>,
    State(live): State<Arc<Live>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(query): Query<StopQuery>,
) -> Result<StatusCode, Problem> {
    let how = match query.mode.as_deref() {
        None | Some("delete") => Stop::Delete,
        Some("evict") => Stop::Evict,
        Some("kill") => Stop::Kill,
        Some(mode) => return Err(Problem::unprocessable(format!("mode is {mode:?}, not delete, evict or kill"))),
    };
    live.pods.record_stop(&name);
    let stop = async { Ok(cluster.call(|cluster| async { cluster.stop(&name, how.into()).await }).await?) };
    let stopped = audit::record(&caller, Act::StopPod(&name, how), stop).await;
    // Where the cluster did not answer in time, it may have stopped the pod all the same.
    if stopped.as_ref().is_err_and(|problem| problem.status().is_client_error()) {
        live.pods.record_stop_refused(&name);
    }
    stopped.map(|()| StatusCode::ACCEPTED)
}

/// Query parameters of a log.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogsQuery {
    /// Number of lines to return, counted from the end of the log, from 1 to 2000; 100 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 2000)]
    pub lines: Option<String>,
}

/// Returns the last lines of a pod's log
#[utoipa::path(
    get,
    path = "/v1/pods/{name}/logs",
    tag = "pods",
    params(("name" = String, Path, description = "Name of the pod"), LogsQuery),
    responses(
        (status = 200, description = "The last lines of the log", body = String, content_type = "text/plain"),
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "This service has no such pod"),
        (status = 422, body = Document, content_type = MEDIA_TYPE,
            description = "The number of lines is invalid, or the pod has no log of its own"),
        Otherwise,
    )
)]
pub async fn read_pod_logs(
    State(cluster): State<TimedCluster>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(query): Query<LogsQuery>,
) -> Result<String, Problem> {
    let lines = match query.lines.as_deref() {
        None => Some(LINES_DEFAULT),
        Some(lines) => lines.parse().ok().filter(|lines| (1..=LINES_MAX).contains(lines)),
    };
    let refused = || {
        let lines = query.lines.as_deref().unwrap_or_default();
        Problem::unprocessable(format!("lines is {lines:?}, not a whole number from 1 to {LINES_MAX}"))
    };
    let lines = lines.ok_or_else(refused)?;
    let read = async { Ok(cluster.call(|cluster| async { cluster.logs(&name, lines).await }).await?) };
    audit::record(&caller, Act::ReadLog(&name), read).await
}
