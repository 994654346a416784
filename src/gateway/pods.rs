//! Which pods are there, and how is one ended?

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::app::App;
use super::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use super::view;
use crate::pod::Stop;

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
