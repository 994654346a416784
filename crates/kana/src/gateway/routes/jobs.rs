//! How are images submitted, and how are their jobs read and cancelled?

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::parse_id;
use crate::gateway::audit::{self, Act};
use crate::gateway::http::auth::Caller;
use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::gateway::http::wait_parameter;
use crate::gateway::submit::{SubmitRequest, Submitter, upload};
use crate::gateway::upstream::TimedQueue;
use crate::gateway::view::{self, Receipt};
use kana_queue::Cancellation;
use kana_queue::job::JobId;

/// Query parameters of a submission.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SubmitQuery {
    /// Longest time to wait for the jobs to finish: `30s`, `1m 30s` or plain seconds, at most 5 minutes; no wait by
    /// default.
    #[param(value_type = Option<String>, example = "30s")]
    pub wait: Option<String>,
}

/// Body of an upload.
#[derive(ToSchema)]
#[schema(as = Upload)]
pub struct UploadBody {
    /// Image files (PNG, JPEG, GIF, BMP, WebP or PNM), one part each. A part that is not an image is refused, and the
    /// others are accepted.
    #[expect(dead_code, reason = "only the API's description reads it")]
    #[schema(value_type = Vec<String>, format = Binary)]
    images: Vec<Vec<u8>>,
}

/// Submits images
///
/// Each image becomes one job. After the response 200 or 202, the jobs survive a crash of every process.
#[utoipa::path(
    post,
    path = "/v1/jobs",
    tag = "jobs",
    params(SubmitQuery, ("Idempotency-Key" = Option<String>, Header, description = "Key that makes the request safe to \
        repeat: a second request with the same key and token gets the first one's jobs. 1 to 255 printable ASCII characters.")),
    request_body(content = UploadBody, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "All jobs have finished (only with `wait`)", body = Receipt),
        (status = 202, description = "The jobs are accepted and stored", body = Receipt),
        (status = 413, body = Document, content_type = MEDIA_TYPE,
            description = "The request is too large"),
        (status = 422, body = Document, content_type = MEDIA_TYPE,
            description = "No file is an image, a parameter is invalid, or the key was used with another body"),
        (status = 429, body = Document, content_type = MEDIA_TYPE,
            description = "The queue is full, or this sender has sent more images a second than it may; the header \
                `Retry-After` says when to try again"),
        Otherwise,
    )
)]
pub async fn submit_jobs(
    State(submitter): State<Arc<Submitter>>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<SubmitQuery>,
    request: Request,
) -> Result<(StatusCode, Json<Receipt>), Problem> {
    // An error in the head is reported before the body is read.
    let wait = query.wait.map(|wait| wait_parameter::parse(&wait, submitter.limits.wait_max)).transpose()?;
    let key = upload::idempotency_key(request.headers())?;
    let upload = upload::read_multipart(&submitter, &caller, request).await?;
    let receipt = submitter.submit(&caller, SubmitRequest { upload, key, wait }).await?;
    let is_finished = wait.is_some() && receipt.jobs.iter().all(view::Job::is_over);
    Ok((if is_finished { StatusCode::OK } else { StatusCode::ACCEPTED }, Json(receipt)))
}

/// Returns a job
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}",
    tag = "jobs",
    params(("id" = view::schema::JobId, Path, description = "Id of the job")),
    responses(
        (status = 200, description = "The current state of the job", body = view::Job),
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "The job is unknown or has expired"),
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
    params(("id" = view::schema::JobId, Path, description = "Id of the job")),
    responses(
        (status = 200, description = "The job is cancelled and will not start", body = view::Job),
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "The job is unknown or has expired"),
        (status = 409, body = Document, content_type = MEDIA_TYPE,
            description = "The job has started or finished"),
        Otherwise,
    )
)]
pub async fn cancel_job(
    State(queue): State<TimedQueue>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<view::Job>, Problem> {
    let job = parse_id("job", &id)?;
    let cancel = async {
        match queue.call(|queue| queue.cancel(job)).await? {
            Cancellation::Cancelled => Ok(()),
            Cancellation::Running => Err(Problem::conflict(format!("job {job} is with a worker"))),
            Cancellation::Settled => Err(Problem::conflict(format!("job {job} is over"))),
            Cancellation::Unknown => Err(unknown(job)),
        }
    };
    audit::record(&caller, Act::Cancel(job), cancel).await?;
    status(&queue, job).await.map(Json)
}

/// Reads the current state of a job.
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
