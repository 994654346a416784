//! How is the service, at a glance?

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::gateway::http::problem::{Otherwise, Problem};
use crate::gateway::state::App;
use crate::gateway::view::{Model, Queue, Status};

/// Reads the service's state
#[utoipa::path(
    get,
    path = "/v1/status",
    tag = "service",
    responses(
        (status = 200, description = "Queue, rates, model and version", body = Status),
        Otherwise,
    )
)]
pub async fn read_status(State(app): State<Arc<App>>) -> Result<Json<Status>, Problem> {
    let depth = app.ask(|queue| queue.depth()).await?;
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION").into(),
        uptime_seconds: app.started.elapsed().as_secs(),
        queue: app.tally.counted(Queue::of_depth(&depth, app.parts.clock.now())),
        model: Model::from(&*app.parts.card),
    }))
}
