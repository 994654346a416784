//! How many pods may there be?

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;

use super::app::App;
use super::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use super::view::Range;
use crate::pod::Scale;

/// Reads the range and the number of pods
#[utoipa::path(
    get,
    path = "/v1/scale",
    tag = "pods",
    responses(
        (status = 200, description = "The present scale", body = Scale),
        Otherwise,
    )
)]
pub async fn read_scale(State(_app): State<Arc<App>>) -> Result<Json<Scale>, Problem> {
    Err(Problem::unavailable("not built yet"))
}

/// Sets the range; the number follows by itself
#[utoipa::path(
    put,
    path = "/v1/scale",
    tag = "pods",
    request_body = Range,
    responses(
        (status = 200, description = "The scale with the new range", body = Scale),
        (status = 422, body = Document, content_type = MEDIA_TYPE,
            description = "The range is none, or the cluster refuses it"),
        Otherwise,
    )
)]
pub async fn set_scale(State(_app): State<Arc<App>>, _body: Bytes) -> Result<Json<Scale>, Problem> {
    Err(Problem::unavailable("not built yet"))
}
