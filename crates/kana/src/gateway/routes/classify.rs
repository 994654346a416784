//! What is in this one image?

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::gateway::http::wait_parameter;
use crate::gateway::submit::{Order, Submitter, upload};
use crate::gateway::view;

/// How long to wait for the result by default.
const WAIT: Duration = Duration::from_secs(30);

/// The parameters of a classification.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Options {
    /// How long to wait for the result: `30s`, `1m 30s` or plain seconds, at most 5 minutes; 30 seconds by default.
    #[param(value_type = Option<String>, example = "30s")]
    pub wait: Option<String>,
    /// The image's filename.
    #[param(value_type = Option<String>, example = "o.png")]
    pub filename: Option<String>,
}

/// The body of a request.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct ImageBody(#[expect(dead_code, reason = "only the API's description reads it")] Vec<u8>);

/// Classifies one image
///
/// The image is the body. It becomes a durable job like any other.
#[utoipa::path(
    post,
    path = "/v1/classify",
    tag = "jobs",
    params(Options, ("Idempotency-Key" = Option<String>, Header, description = "Makes a second request of the same a \
        repetition, which gets the first one's answer. At most 255 printable ASCII characters.")),
    request_body(content = inline(ImageBody), content_type = "image/*", description = "PNG, JPEG, GIF, BMP, WebP or PNM"),
    responses(
        (status = 200, description = "The job, finished", body = view::Job),
        (status = 202, description = "The job is safe, and not finished yet", body = view::Job),
        (status = 413, body = Document, content_type = MEDIA_TYPE,
            description = "The image is too large"),
        (status = 422, body = Document, content_type = MEDIA_TYPE,
            description = "It is not an image, a parameter is wrong, or the key was used with another body"),
        (status = 429, body = Document, content_type = MEDIA_TYPE,
            description = "The queue is full; `Retry-After` says when to try again"),
        Otherwise,
    )
)]
pub async fn classify_image(
    State(submitter): State<Arc<Submitter>>,
    Query(options): Query<Options>,
    request: Request,
) -> Result<(StatusCode, Json<view::Job>), Problem> {
    let wait_max = submitter.limits.wait_max;
    let wait = options.wait.map_or(Ok(WAIT.min(wait_max)), |wait| wait_parameter::parse(&wait, wait_max))?;
    let key = upload::idempotency_key(request.headers())?;
    let upload = upload::read_single(&submitter, request, options.filename.as_deref()).await?;
    let mut receipt = submitter.submit(Order { upload, key, wait: Some(wait) }).await?;
    let job = receipt.jobs.pop().ok_or_else(|| Problem::unprocessable("the body is not an image"))?;
    Ok((if job.is_over() { StatusCode::OK } else { StatusCode::ACCEPTED }, Json(job)))
}
