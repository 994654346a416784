//! How are dead letters (jobs of which every attempt failed) listed, replayed and discarded?

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{jobs, list_limit, parse_id};
use crate::gateway::audit::{self, Act};
use crate::gateway::http::auth::Caller;
use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::gateway::upstream::TimedQueue;
use crate::gateway::view::{self, DeadLetter};
use kana_queue::job::JobId;

/// Default number of dead letters listed.
const LIMIT: usize = 100;

/// Largest number of dead letters listed: some 400 KB.
const LIMIT_MAX: usize = 1_000;

/// Query parameters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Largest number of dead letters to return, from 1 to 1000; 100 by default.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    pub limit: Option<String>,
}

/// Lists dead letters, newest first
#[utoipa::path(
    get,
    path = "/v1/dead",
    tag = "dead letters",
    params(ListQuery),
    responses(
        (status = 200, description = "The newest dead letters", body = [DeadLetter]),
        Otherwise,
    )
)]
pub async fn list_dead(
    State(queue): State<TimedQueue>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Vec<DeadLetter>>, Problem> {
    let limit = list_limit(query.limit.as_deref(), LIMIT, LIMIT_MAX)?;
    let letters = queue.call(|queue| queue.dead(limit)).await?;
    Ok(Json(letters.into_iter().map(DeadLetter::from).collect()))
}

/// Queues a dead letter again, with all its attempts anew
#[utoipa::path(
    post,
    path = "/v1/dead/{id}/replay",
    tag = "dead letters",
    params(("id" = view::schema::JobId, Path, description = "Id of the job")),
    responses(
        (status = 202, description = "The job is queued again", body = view::Job),
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "There is no such dead letter"),
        Otherwise,
    )
)]
pub async fn replay_dead(
    State(queue): State<TimedQueue>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<view::Job>), Problem> {
    let job = parse_id("dead letter", &id)?;
    let replay = async { known(job, queue.call(|queue| queue.replay(job)).await?) };
    audit::record(&caller, Act::Replay(job), replay).await?;
    Ok((StatusCode::ACCEPTED, Json(jobs::status(&queue, job).await?)))
}

/// Discards a dead letter
#[utoipa::path(
    delete,
    path = "/v1/dead/{id}",
    tag = "dead letters",
    params(("id" = view::schema::JobId, Path, description = "Id of the job")),
    responses(
        (status = 204, description = "The dead letter is discarded"),
        (status = 404, body = Document, content_type = MEDIA_TYPE,
            description = "There is no such dead letter"),
        Otherwise,
    )
)]
pub async fn discard_dead(
    State(queue): State<TimedQueue>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let job = parse_id("dead letter", &id)?;
    let discard = async { known(job, queue.call(|queue| queue.discard(job)).await?) };
    audit::record(&caller, Act::Discard(job), discard).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// # Errors
/// 404 where the queue did not know the dead letter.
fn known(job: JobId, is_known: bool) -> Result<(), Problem> {
    if is_known { Ok(()) } else { Err(Problem::not_found(format!("there is no dead letter {job}"))) }
}
