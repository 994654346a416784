//! Where does everything stand that was submitted together?

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::app::App;
use super::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::job::BatchId;
use super::view::Batch;

/// Reads a batch
#[utoipa::path(
    get,
    path = "/v1/batches/{id}",
    tag = "jobs",
    params(("id" = BatchId, Path, description = "The batch")),
    responses(
        (status = 200, description = "Counts by state, and the jobs", body = Batch),
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "It is unknown or has expired"),
        Otherwise,
    )
)]
pub async fn read_batch(State(_app): State<Arc<App>>, Path(_id): Path<String>) -> Result<Json<Batch>, Problem> {
    Err(Problem::unavailable("not built yet"))
}
