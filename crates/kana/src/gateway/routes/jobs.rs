//! How are images submitted, and how are their jobs read and cancelled?

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::parse_id;
use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::gateway::http::wait_parameter;
use crate::gateway::submit::{Order, Submitter, upload};
use crate::gateway::upstream::TimedQueue;
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
#[schema(as = Upload)]
pub struct UploadBody {
    /// One part an image: PNG, JPEG, GIF, BMP, WebP or PNM. A part that is not an image is refused, and the rest are
    /// accepted.
    #[expect(dead_code, reason = "only the API's description reads it")]
    #[schema(value_type = Vec<String>, format = Binary)]
    images: Vec<Vec<u8>>,
}

/// Submits images
///
/// Once the response is 202 or 200, the jobs survive the crash of every process.
#[utoipa::path(
    post,
    path = "/v1/jobs",
    tag = "jobs",
    params(Wait, ("Idempotency-Key" = Option<String>, Header, description = "Makes a second request of the same a \
        repetition, which gets the first one's answer. At most 255 printable ASCII characters.")),
    request_body(content = UploadBody, content_type = "multipart/form-data"),
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
    State(submitter): State<Arc<Submitter>>,
    Query(options): Query<Wait>,
    request: Request,
) -> Result<(StatusCode, Json<Receipt>), Problem> {
    // An error in the head is reported before the body is read.
    let wait = options.wait.map(|wait| wait_parameter::parse(&wait, submitter.limits.wait_max)).transpose()?;
    let key = upload::idempotency_key(request.headers())?;
    let upload = upload::read_multipart(&submitter, request).await?;
    let receipt = submitter.submit(Order { upload, key, wait }).await?;
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
        (status = 200, description = "Its present state", body = view::Job),
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "It is unknown or has expired"),
        Otherwise,
    )
)]
pub async fn read_job(State(queue): State<TimedQueue>, Path(id): Path<String>) -> Result<Json<view::Job>, Problem> {
    let job = parse_id("job", &id)?;
    status(&queue, job).await.map(Json)
}

/// Cancels a job that has not started
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
pub async fn cancel_job(State(queue): State<TimedQueue>, Path(id): Path<String>) -> Result<Json<view::Job>, Problem> {
    let job = parse_id("job", &id)?;
    match queue.call(|queue| queue.cancel(job)).await? {
        Cancellation::Cancelled => status(&queue, job).await.map(Json),
        Cancellation::Running => Err(Problem::conflict(format!("job {job} is with a worker"))),
        Cancellation::Settled => Err(Problem::conflict(format!("job {job} is over"))),
        Cancellation::Unknown => Err(unknown(job)),
    }
}

/// Reads a job's present state.
///
/// # Errors
/// 404, 503.
pub async fn status(queue: &TimedQueue, job: JobId) -> Result<view::Job, Problem> {
    let statuses = queue.call(|queue| async move { queue.statuses(&[job]).await }).await?;
    statuses.into_iter().flatten().next().map(view::Job::from).ok_or_else(|| unknown(job))
}

fn unknown(job: JobId) -> Problem {
    Problem::not_found(format!("job {job} is unknown or has expired"))
}
