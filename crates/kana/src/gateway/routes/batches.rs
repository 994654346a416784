//! What are the states of all jobs that were submitted together?

use axum::Json;
use axum::extract::{Path, State};

use super::parse_id;
use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::gateway::upstream::TimedQueue;
use crate::gateway::view::{Batch, Job, schema};
use kana_queue::job::BatchId;

/// Returns a batch with its jobs
#[utoipa::path(
    get,
    path = "/v1/batches/{id}",
    tag = "jobs",
    params(("id" = schema::BatchId, Path, description = "Id of the batch")),
    responses(
        (status = 200, description = "The jobs of the batch, and their number in each state", body = Batch),
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "The batch is unknown or has expired"),
        Otherwise,
    )
)]
pub async fn read_batch(State(queue): State<TimedQueue>, Path(id): Path<String>) -> Result<Json<Batch>, Problem> {
    let batch = parse_id::<BatchId>("batch", &id)?;
    let statuses = queue.call(|queue| queue.batch(batch)).await?;
    if statuses.is_empty() {
        return Err(Problem::not_found(format!("batch {batch} is unknown or has expired")));
    }
    Ok(Json(Batch::new(batch, statuses.into_iter().map(Job::from).collect())))
}
