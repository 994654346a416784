//! How are images submitted, and how are their jobs read and cancelled?

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::parse_id;
use crate::gateway::audit::{self, Act};
use crate::gateway::http::auth::Caller;
use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::gateway::http::wait_parameter;
use crate::gateway::submit::{RunChoice, SubmitRequest, Submitter, upload};
use crate::gateway::upstream::TimedQueue;
use crate::gateway::view::{self, Receipt};
use kana_queue::Cancellation;
use kana_queue::job::{BatchId, JobId};
use kana_train::data::samples::encode_png;

/// Characters of a run's name, at most: what fits on a line.
const NAME_CHARS_MAX: usize = 100;

/// Query parameters of a submission.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SubmitQuery {
    /// Longest time to wait for the jobs to finish: `30s`, `1m 30s` or plain seconds, at most 5 minutes; no wait by
    /// default.
    #[param(value_type = Option<String>, example = "30s")]
    pub wait: Option<String>,
    /// Name for the new batch in the list of batches, at most 100 characters; for people.
    #[param(value_type = Option<String>, example = "Monday's letters")]
    pub name: Option<String>,
    /// Id of a batch that the jobs are added to, so that one upload may take several requests; a new batch by default.
    #[param(value_type = Option<String>)]
    pub batch: Option<String>,
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
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "The batch that the jobs were to be added to is unknown or has expired"),
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
    let run = run_choice(&submitter.queue, query.batch.as_deref(), query.name).await?;
    let upload = upload::read_multipart(&submitter, &caller, request).await?;
    let receipt = submitter.submit(&caller, SubmitRequest { upload, key, wait, run }).await?;
    let is_finished = wait.is_some() && receipt.jobs.iter().all(view::Job::is_over);
    Ok((if is_finished { StatusCode::OK } else { StatusCode::ACCEPTED }, Json(receipt)))
}

/// Which run the jobs of a request belong to.
///
/// # Errors
/// 404 for a batch that is not known, 422 for a name that is too long.
async fn run_choice(queue: &TimedQueue, batch: Option<&str>, name: Option<String>) -> Result<RunChoice, Problem> {
    if let Some(batch) = batch {
        let batch: BatchId = parse_id("batch", batch)?;
        if queue.call(|queue| queue.batch(batch)).await?.is_empty() {
            return Err(Problem::not_found(format!("batch {batch} is unknown or has expired")));
        }
        return Ok(RunChoice::Begun(batch));
    }
    let name = name.unwrap_or_default();
    let chars = name.chars().count();
    if chars > NAME_CHARS_MAX {
        return Err(Problem::unprocessable(format!("name has {chars} characters, at most {NAME_CHARS_MAX} are kept")));
    }
    Ok(RunChoice::New(name.replace(char::is_control, " ").trim().to_owned()))
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
    let mut jobs = [status(&queue, job).await?];
    add_lost(&queue, &mut jobs).await?;
    let [job] = jobs;
    Ok(Json(job))
}

/// Adds to jobs which of their attempts ended without an outcome.
///
/// # Errors
/// 503.
pub async fn add_lost(queue: &TimedQueue, jobs: &mut [view::Job]) -> Result<(), Problem> {
    let mut jobs: Vec<&mut view::Job> = jobs.iter_mut().filter(|job| job.may_have_lost()).collect();
    if jobs.is_empty() {
        return Ok(());
    }
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let lost = queue.call(|queue| async { queue.lost(&ids).await }).await?;
    for (job, lost) in jobs.iter_mut().zip(lost) {
        job.lost = lost.into_iter().map(view::Attempt::from).collect();
    }
    Ok(())
}

/// Returns the image that the model sees
///
/// A PNG of the pixels after decoding and fitting, in the model's shape.
#[utoipa::path(
    get,
    path = "/v1/jobs/{id}/image",
    tag = "jobs",
    params(("id" = view::schema::JobId, Path, description = "Id of the job")),
    responses(
        (status = 200, description = "The image", body = Vec<u8>, content_type = "image/png"),
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "The job is unknown, or its image is no longer kept"),
        Otherwise,
    )
)]
pub async fn read_image(
    State(queue): State<TimedQueue>,
    Path(id): Path<String>,
) -> Result<([(HeaderName, &'static str); 1], Vec<u8>), Problem> {
    let job: JobId = parse_id("job", &id)?;
    let image = queue.call(|queue| queue.image(job)).await?;
    let png = image.and_then(|image| encode_png(&image).ok());
    let png = png.ok_or_else(|| Problem::not_found(format!("the image of job {job} is unknown or no longer kept")))?;
    Ok(([(header::CONTENT_TYPE, "image/png")], png))
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
