//! Which pods are there, what does one say, and how is one ended?

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::gateway::state::App;
use crate::gateway::view;
use crate::pod::Stop;

/// Lines of a log, unless told: a screen or two.
const LINES: u32 = 100;

/// Lines of a log, at most: beyond this a person wants the whole, and a tool made for logs.
const LINES_MAX: u32 = 2_000;

/// How to end a pod.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Options {
    /// `delete` lets it finish its batch, `evict` does so where the disruption budget allows, `kill` is SIGKILL;
    /// `delete` unless told.
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
pub async fn list_pods(State(app): State<Arc<App>>) -> Result<Json<Vec<view::Pod>>, Problem> {
    let pods = app.steer(|cluster| cluster.pods()).await?;
    let depth = app.ask(|queue| queue.depth()).await?;
    let viewed = pods.into_iter().map(|pod| {
        let (completed, in_flight) = (app.tally.completed(&pod.name), depth.held_by(&pod.name));
        view::Pod::new(pod, completed, in_flight)
    });
    Ok(Json(viewed.collect()))
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
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(options): Query<Options>,
) -> Result<StatusCode, Problem> {
    let how = match options.mode.as_deref() {
        None | Some("delete") => Stop::Delete,
        Some("evict") => Stop::Evict,
        Some("kill") => Stop::Kill,
        Some(mode) => return Err(Problem::unprocessable(format!("mode is {mode:?}, not delete, evict or kill"))),
    };
    app.steer(|cluster| async { cluster.stop(&name, how).await }).await?;
    Ok(StatusCode::ACCEPTED)
}

/// How much of a log to read.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Tail {
    /// Lines from its end, from 1 to 2000; 100 unless told.
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
            description = "That is no number of lines, or this pod's log is not kept apart"),
        Otherwise,
    )
)]
pub async fn read_pod_logs(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(tail): Query<Tail>,
) -> Result<String, Problem> {
    let lines = match tail.lines.as_deref() {
        None => Some(LINES),
        Some(lines) => lines.parse().ok().filter(|lines| (1..=LINES_MAX).contains(lines)),
    };
    let wrong = || {
        let lines = tail.lines.as_deref().unwrap_or_default();
        Problem::unprocessable(format!("lines is {lines:?}, not a whole number from 1 to {LINES_MAX}"))
    };
    let lines = lines.ok_or_else(wrong)?;
    Ok(app.steer(|cluster| async { cluster.logs(&name, lines).await }).await?)
}
