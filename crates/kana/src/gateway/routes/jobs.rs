//! How are images sent in, followed and taken back?

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::gateway::http::wait_parameter;
use crate::gateway::state::App;
use crate::gateway::submit::upload;
use crate::gateway::submit::{self, Order};
use crate::gateway::view::{self, Receipt};
use kana_queue::Cancellation;
use kana_queue::job::JobId;

/// How long a request may wait for its jobs.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wait {
    /// How long to wait for the jobs to finish: `30s`, `1m 30s` or plain seconds, at most 5 minutes.
    #[param(value_type = Option<String>, example = "30s")]
    pub wait: Option<String>,
}

/// The body of an upload.
#[derive(ToSchema)]
pub struct Upload {
    /// One part an image: PNG, JPEG, GIF, BMP, WebP or PNM. A part that is none is refused, and the rest go on.
    #[expect(dead_code, reason = "only the API's description reads it")]
    #[schema(value_type = Vec<String>, format = Binary)]
    images: Vec<Vec<u8>>,
}

/// Sends images in
///
/// Once this answers 202 or 200 the jobs survive the death of every process.
#[utoipa::path(
    post,
    path = "/v1/jobs",
    tag = "jobs",
    params(Wait, ("Idempotency-Key" = Option<String>, Header, description = "Makes a second request of the same a \
        repetition, which gets the first one's answer. At most 255 printable ASCII characters.")),
    request_body(content = Upload, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "Every job has finished; only with `wait`", body = Receipt),
        (status = 202, description = "The jobs are safe", body = Receipt),
        (status = 413, body = Document, content_type = MEDIA_TYPE,
            description = "The request is too large"),
        (status = 422, body = Document, content_type = MEDIA_TYPE,
            description = "No file is an image, a parameter is wrong, or the key was used with another body"),
        (status = 429, body = Document, content_type = MEDIA_TYPE,
            description = "The queue is full; `Retry-After` says when to try again"),
        Otherwise,
    )
)]
pub async fn submit_jobs(
    State(app): State<Arc<App>>,
    Query(options): Query<Wait>,
    request: Request,
) -> Result<(StatusCode, Json<Receipt>), Problem> {
    // What is wrong in the head is told before the body is read.
    let wait = options.wait.map(|wait| wait_parameter::parse(&wait, app.config.limits.wait_max)).transpose()?;
    let key = upload::idempotency_key(request.headers())?;
    let intake = upload::upload(&app, request).await?;
    let receipt = submit::submit(&app, Order { intake, key, wait }).await?;
    let finished = wait.is_some() && receipt.jobs.iter().all(view::Job::is_over);
    Ok((if finished { StatusCode::OK } else { StatusCode::ACCEPTED }, Json(receipt)))
}

/// Reads a job
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}",
    tag = "jobs",
    params(("id" = view::schema::JobId, Path, description = "The job")),
    responses(
        (status = 200, description = "Where it stands", body = view::Job),
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "It is unknown or has expired"),
        Otherwise,
    )
)]
pub async fn read_job(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<view::Job>, Problem> {
    let job = app.named("job", &id)?;
    status(&app, job).await.map(Json)
}

/// Takes a job back that has not started
#[utoipa::path(
    delete,
    path = "/v1/jobs/{id}",
    tag = "jobs",
    params(("id" = view::schema::JobId, Path, description = "The job")),
    responses(
        (status = 200, description = "It will never start", body = view::Job),
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "It is unknown or has expired"),
        (status = 409, body = Document, content_type = MEDIA_TYPE,
            description = "It has started, or is over"),
        Otherwise,
    )
)]
pub async fn cancel_job(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<view::Job>, Problem> {
    let job = app.named("job", &id)?;
    match app.ask(|queue| queue.cancel(job)).await? {
        Cancellation::Cancelled => status(&app, job).await.map(Json),
        Cancellation::Running => Err(Problem::conflict(format!("job {job} is with a worker"))),
        Cancellation::Settled => Err(Problem::conflict(format!("job {job} is over"))),
        Cancellation::Unknown => Err(unknown(job)),
    }
}

/// Where a job stands.
///
/// # Errors
/// 404, 503.
pub async fn status(app: &App, job: JobId) -> Result<view::Job, Problem> {
    let statuses = app.ask(|queue| async move { queue.statuses(&[job]).await }).await?;
    statuses.into_iter().flatten().next().map(view::Job::from).ok_or_else(|| unknown(job))
}

fn unknown(job: JobId) -> Problem {
    Problem::not_found(format!("job {job} is unknown or has expired"))
}
