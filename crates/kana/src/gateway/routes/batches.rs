//! Which batches are there, and what are the states of all jobs that were submitted together?

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{jobs, list_limit, parse_id};
use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::gateway::upstream::TimedQueue;
use crate::gateway::view::{Batch, Job, Run, schema};
use kana_queue::job::BatchId;

/// Default number of batches listed.
const LIMIT: usize = 20;

/// Largest number of batches listed: the jobs of each are counted.
const LIMIT_MAX: usize = 50;

/// Query parameters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Largest number of batches to return, from 1 to 50; 20 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 50)]
    pub limit: Option<String>,
    /// Id of the last batch of the page before; the newest batches by default.
    #[param(value_type = Option<String>)]
    pub before: Option<String>,
}

/// Lists batches, newest first
///
/// Those that `POST /v1/jobs` began, as long as their outcomes are kept, 1,000 at most. An empty list is the last page.
#[utoipa::path(
    get,
    path = "/v1/batches",
    tag = "jobs",
    params(ListQuery),
    responses(
        (status = 200, description = "The batches, counted", body = [Run]),
        (status = 422, body = Document, content_type = MEDIA_TYPE, description = "A parameter is invalid"),
        Otherwise,
    )
)]
pub async fn list_batches(
    State(queue): State<TimedQueue>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Vec<Run>>, Problem> {
    let limit = list_limit(query.limit.as_deref(), LIMIT, LIMIT_MAX)?;
    let before = query.before.map(|id| {
        id.parse::<BatchId>().map_err(|_| Problem::unprocessable(format!("before is {id:?}, not the id of a batch")))
    });
    let before = before.transpose()?;
    let mut listed = Vec::new();
    for run in queue.call(|queue| queue.runs(before, limit)).await? {
        let batch = run.batch;
        let jobs = queue.call(|queue| queue.batch(batch)).await?;
        listed.extend(Run::new(run, &jobs));
    }
    Ok(Json(listed))
}

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
    let mut of_batch: Vec<Job> = statuses.into_iter().map(Job::from).collect();
    jobs::add_lost(&queue, &mut of_batch).await?;
    Ok(Json(Batch::new(batch, of_batch)))
}
