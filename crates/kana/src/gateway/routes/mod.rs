//! Which handler serves an address, and which scope does it need?
//!
//! Each resource has a file. A handler's signature names the parts of the state that it uses; the scope that a route
//! needs is in this file alone.

mod batches;
mod classify;
mod dead;
pub mod events;
mod health;
mod jobs;
pub mod openapi;
pub mod page;
mod pods;
pub mod report;
mod samples;
mod scale;
mod status;

use std::str::FromStr;

use axum::Router;
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::gateway::http::problem::{self, Problem};
use crate::gateway::http::{auth, rules};
use crate::gateway::state::AppState;

/// Routes that need no token.
fn open() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(health::livez)).routes(routes!(health::readyz)).routes(routes!(health::metrics))
}

/// Routes that any token may use.
fn read() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(jobs::read_job))
        .routes(routes!(jobs::read_image))
        .routes(routes!(batches::list_batches))
        .routes(routes!(batches::read_batch))
        .routes(routes!(events::follow_events))
        .routes(routes!(pods::list_pods))
        .routes(routes!(scale::read_scale))
        .routes(routes!(status::read_status))
        .routes(routes!(report::read_report))
        .routes(routes!(samples::read_sample))
        .routes(routes!(dead::list_dead))
}

/// Routes that need the scope `submit`.
fn submit() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(jobs::submit_jobs))
        .routes(routes!(jobs::cancel_job))
        .routes(routes!(classify::classify_image))
}

/// Routes that need the scope `operate`.
fn operate() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(pods::stop_pod))
        .routes(routes!(pods::read_pod_logs))
        .routes(routes!(scale::set_scale))
        .routes(routes!(dead::replay_dead))
        .routes(routes!(dead::discard_dead))
}

/// Builds every documented route.
pub(super) fn all() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::without_routes()).merge(read()).merge(submit()).merge(operate()).merge(open())
}

/// Builds the whole service, within the rules that hold for every request.
pub(super) fn service(state: &AppState) -> Router {
    let read_only = from_fn_with_state(state.access.clone(), auth::read);
    let submit_only = from_fn_with_state(state.access.clone(), auth::submit);
    let operate_only = from_fn_with_state(state.access.clone(), auth::operate);
    let documented = open()
        .merge(read().route_layer(read_only))
        .merge(submit().route_layer(submit_only))
        .merge(operate().route_layer(operate_only));
    let (routes, _) = documented.split_for_parts();
    routes
        .route("/openapi.json", get(openapi::file))
        .route("/docs", get(page::docs))
        .route("/docs/", get(page::file))
        .route("/", get(page::file))
        .fallback(page::file)
        .layer(from_fn_with_state(state.clone(), rules::serve))
        .with_state(state.clone())
}

/// Builds the service of the health port.
pub(super) fn health_service(state: &AppState) -> Router {
    let (routes, _) = open().split_for_parts();
    routes.layer(map_response(async |response| problem::everywhere(response))).with_state(state.clone())
}

/// Parses how many things are to be listed, from 1 to `max`.
///
/// # Errors
/// 422, naming what was asked.
fn list_limit(asked: Option<&str>, default: usize, max: usize) -> Result<usize, Problem> {
    let Some(text) = asked else { return Ok(default) };
    let limit = text.parse().ok().filter(|limit| (1..=max).contains(limit));
    limit.ok_or_else(|| Problem::unprocessable(format!("limit is {text:?}, not a whole number from 1 to {max}")))
}

/// Parses an id in an address.
///
/// # Errors
/// 404: an id that cannot be parsed identifies nothing.
fn parse_id<T: FromStr>(kind: &str, id: &str) -> Result<T, Problem> {
    id.parse().map_err(|_| Problem::not_found(format!("there is no {kind} {id:?}")))
}
