//! How is one image classified in one request?

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::gateway::http::auth::Caller;
use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::gateway::http::wait_parameter;
use crate::gateway::submit::{RunChoice, SubmitRequest, Submitter, upload};
use crate::gateway::view;

/// Default time to wait for the result.
const WAIT: Duration = Duration::from_secs(30);

/// Query parameters of a classification.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ClassifyQuery {
    /// Longest time to wait for the result: `30s`, `1m 30s` or plain seconds, at most 5 minutes; 30 seconds by default.
    #[param(value_type = Option<String>, example = "30s")]
    pub wait: Option<String>,
    /// Name of the image file.
    #[param(value_type = Option<String>, example = "o.png")]
    pub filename: Option<String>,
}

/// Image file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct ImageBody(#[expect(dead_code, reason = "only the API's description reads it")] Vec<u8>);

/// Classifies one image
///
/// The request body is the image. The image becomes a durable job like any other, which can be read later by its id.
#[utoipa::path(
    post,
    path = "/v1/classify",
    tag = "jobs",
    params(ClassifyQuery, ("Idempotency-Key" = Option<String>, Header, description = "Key that makes the request safe to \
        repeat: a second request with the same key and token gets the first one's jobs. 1 to 255 printable ASCII characters.")),
    request_body(content = inline(ImageBody), content_type = "image/*", description = "PNG, JPEG, GIF, BMP, WebP or PNM"),
    responses(
        (status = 200, description = "The job has finished", body = view::Job),
        (status = 202, description = "The job is accepted and stored, and has not finished yet", body = view::Job),
        (status = 413, body = Document, content_type = MEDIA_TYPE,
            description = "The image is too large"),
        (status = 415, body = Document, content_type = MEDIA_TYPE,
            description = "The body is a form: `POST /v1/jobs` takes those"),
        (status = 422, body = Document, content_type = MEDIA_TYPE,
            description = "The body is not an image, a parameter is invalid, or the key was used with another body"),
        (status = 429, body = Document, content_type = MEDIA_TYPE,
            description = "The queue is full, or this sender has sent more images a second than it may; the header \
                `Retry-After` says when to try again"),
        Otherwise,
    )
)]
pub async fn classify_image(
    State(submitter): State<Arc<Submitter>>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<ClassifyQuery>,
    request: Request,
) -> Result<(StatusCode, Json<view::Job>), Problem> {
    let wait_max = submitter.limits.wait_max;
    let wait = query.wait.map_or(Ok(WAIT.min(wait_max)), |wait| wait_parameter::parse(&wait, wait_max))?;
    let key = upload::idempotency_key(request.headers())?;
    let upload = upload::read_single(&submitter, &caller, request, query.filename.as_deref()).await?;
    let mut receipt =
        submitter.submit(&caller, SubmitRequest { upload, key, wait: Some(wait), run: RunChoice::Unlisted }).await?;
    let job = receipt.jobs.pop().ok_or_else(|| Problem::unprocessable("the body is not an image"))?;
    Ok((if job.is_over() { StatusCode::OK } else { StatusCode::ACCEPTED }, Json(job)))
}
