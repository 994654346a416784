//! What is the state of the service?

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::report::Report;
use crate::gateway::http::problem::{Otherwise, Problem};
use crate::gateway::live::Live;
use crate::gateway::upstream::TimedQueue;
use crate::gateway::view::{Model, Status};
use kana_engine::model::Card;
use kana_queue::clock::Clock;

/// Returns the state of the service
#[utoipa::path(
    get,
    path = "/v1/status",
    tag = "service",
    responses(
        (status = 200, description = "Counts of jobs, throughput, model and version", body = Status),
        Otherwise,
    )
)]
pub async fn read_status(
    State(queue): State<TimedQueue>,
    State(live): State<Arc<Live>>,
    State(card): State<Arc<Card>>,
    State(report): State<Report>,
    State(clock): State<Arc<dyn Clock>>,
) -> Result<Json<Status>, Problem> {
    let depth = queue.call(|queue| queue.depth()).await?;
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION").into(),
        uptime_seconds: live.started.elapsed().as_secs(),
        queue: live.counters.queue_view(&depth, clock.now()),
        warnings: queue.warnings(),
        model: Model { has_report: report.is_there(), ..Model::from(&*card) },
    }))
}
