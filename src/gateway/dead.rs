//! What is done with jobs that every attempt failed?

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::app::App;
use super::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::job::JobId;
use super::view::{self, DeadLetter};

/// How many dead letters to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Options {
    /// At most this many, newest first; from 1 to 1,000, and 100 unless told.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub limit: Option<String>,
}

/// Lists dead letters, newest first
#[utoipa::path(
    get,
    path = "/v1/dead",
    tag = "dead letters",
    params(Options),
    responses(
        (status = 200, description = "The jobs that every attempt failed", body = [DeadLetter]),
        Otherwise,
    )
)]
pub async fn list_dead(
    State(_app): State<Arc<App>>,
    _query: Result<Query<Options>, QueryRejection>,
) -> Result<Json<Vec<DeadLetter>>, Problem> {
    Err(Problem::unavailable("not built yet"))
}

/// Queues a dead letter again, with every attempt before it
#[utoipa::path(
    post,
    path = "/v1/dead/{id}/replay",
    tag = "dead letters",
    params(("id" = JobId, Path, description = "The job")),
    responses(
        (status = 202, description = "It waits again", body = view::Job),
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "There is no such dead letter"),
        Otherwise,
    )
)]
pub async fn replay_dead(
    State(_app): State<Arc<App>>,
    Path(_id): Path<String>,
) -> Result<(StatusCode, Json<view::Job>), Problem> {
    Err(Problem::unavailable("not built yet"))
}

/// Forgets a dead letter
#[utoipa::path(
    delete,
    path = "/v1/dead/{id}",
    tag = "dead letters",
    params(("id" = JobId, Path, description = "The job")),
    responses(
        (status = 204, description = "It is forgotten"),
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "There is no such dead letter"),
        Otherwise,
    )
)]
pub async fn discard_dead(State(_app): State<Arc<App>>, Path(_id): Path<String>) -> Result<StatusCode, Problem> {
    Err(Problem::unavailable("not built yet"))
}
