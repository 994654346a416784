//! Which pods are there, how is one's log read, and how is one ended?

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::gateway::live::Live;
use crate::gateway::upstream::{TimedCluster, TimedQueue};
use crate::gateway::view::{self, Stop};

/// Lines of a log, by default: a screen or two.
const LINES_DEFAULT: u32 = 100;

/// Lines of a log, at most: whoever wants more needs the whole log, and a tool made for logs.
const LINES_MAX: u32 = 2_000;

/// How to end a pod.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Options {
    /// `delete` lets it finish its batch, `evict` does so where the disruption budget allows, `kill` is SIGKILL;
    /// `delete` by default.
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

/// Ends a pod
#[utoipa::path(
    delete,
    path = "/v1/pods/{name}",
    tag = "pods",
    params(("name" = String, Path, description = "The pod"), Options),
    responses(
        (status = 202, description = "It was asked to end"),
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "This service has no such pod"),
        (status = 422, body = Document, content_type = MEDIA_TYPE,
            description = "There is no such mode, or the cluster refuses"),
        Otherwise,
    )
)]
pub async fn stop_pod(
    State(cluster): State<TimedCluster>,
    Path(name): Path<String>,
    Query(options): Query<Options>,
) -> Result<StatusCode, Problem> {
    let how = match options.mode.as_deref() {
        None | Some("delete") => Stop::Delete,
        Some("evict") => Stop::Evict,
        Some("kill") => Stop::Kill,
        Some(mode) => return Err(Problem::unprocessable(format!("mode is {mode:?}, not delete, evict or kill"))),
    };
    cluster.call(|cluster| async { cluster.stop(&name, how.into()).await }).await?;
    Ok(StatusCode::ACCEPTED)
}

/// How much of a log to read.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Tail {
    /// Lines from its end, from 1 to 2000; 100 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 2000)]
    pub lines: Option<String>,
}

/// Reads the end of a pod's log
#[utoipa::path(
    get,
    path = "/v1/pods/{name}/logs",
    tag = "pods",
    params(("name" = String, Path, description = "The pod"), Tail),
    responses(
        (status = 200, description = "Its last lines", body = String, content_type = "text/plain"),
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "This service has no such pod"),
        (status = 422, body = Document, content_type = MEDIA_TYPE,
            description = "That is not a number of lines, or this pod has no log of its own"),
        Otherwise,
    )
)]
pub async fn read_pod_logs(
    State(cluster): State<TimedCluster>,
    Path(name): Path<String>,
    Query(tail): Query<Tail>,
) -> Result<String, Problem> {
    let lines = match tail.lines.as_deref() {
        None => Some(LINES_DEFAULT),
        Some(lines) => lines.parse().ok().filter(|lines| (1..=LINES_MAX).contains(lines)),
    };
    let refused = || {
        let lines = tail.lines.as_deref().unwrap_or_default();
        Problem::unprocessable(format!("lines is {lines:?}, not a whole number from 1 to {LINES_MAX}"))
    };
    let lines = lines.ok_or_else(refused)?;
    Ok(cluster.call(|cluster| async { cluster.logs(&name, lines).await }).await?)
}
