//! How is the service, at a glance?

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::app::App;
use super::problem::{Otherwise, Problem};
use super::view::Status;

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
pub async fn read_status(State(_app): State<Arc<App>>) -> Result<Json<Status>, Problem> {
    Err(Problem::unavailable("not built yet"))
}
