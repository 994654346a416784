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
mod samples;
mod scale;
mod status;

use std::any::Any;
use std::str::FromStr;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tracing::error;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::gateway::http::problem::{self, Problem};
use crate::gateway::http::{auth, compression, content_encoding, observe, origin};
use crate::gateway::state::AppState;

/// Headers of every response: the page may reach, and be embedded by, itself alone, and no content type is guessed.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Routes that need no token.
fn open() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(health::livez)).routes(routes!(health::readyz)).routes(routes!(health::metrics))
}

/// Routes that any token may use.
fn read() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(jobs::read_job))
        .routes(routes!(batches::read_batch))
        .routes(routes!(events::follow_events))
        .routes(routes!(pods::list_pods))
        .routes(routes!(scale::read_scale))
        .routes(routes!(status::read_status))
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

/// Builds the whole service, with every layer that a request passes.
pub(super) fn service(state: &AppState) -> Router {
    let config = &state.config;
    let read_only = from_fn_with_state(state.access.clone(), auth::read);
    let submit_only = from_fn_with_state(state.access.clone(), auth::submit);
    let operate_only = from_fn_with_state(state.access.clone(), auth::operate);
    let documented = open()
        .merge(read().route_layer(read_only))
        .merge(submit().route_layer(submit_only))
        .merge(operate().route_layer(operate_only));
    let (routes, _) = documented.split_for_parts();
    let mut routes = routes
        .route("/openapi.json", get(openapi::file))
        .route("/docs", get(page::docs))
        .route("/docs/", get(page::file))
        .route("/", get(page::file))
        .fallback(page::file)
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(content_encoding::identity_only))
        .layer(from_fn(compression::compressed))
        .layer(from_fn_with_state(config.clone(), origin::own_pages))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(map_response(problem::everywhere));
    for (name, value) in HEADERS {
        routes = routes.layer(SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value)));
    }
    routes.layer(from_fn_with_state(state.metrics.clone(), observe::request)).with_state(state.clone())
}

/// Builds the service of the health port.
pub(super) fn health_service(state: &AppState) -> Router {
    let (routes, _) = open().split_for_parts();
    routes.layer(map_response(problem::everywhere)).with_state(state.clone())
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    error!(panic = text, "a request handler panicked");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the gateway failed; its log says why").into_response()
}

/// Parses an id in an address.
///
/// # Errors
/// 404: an id that cannot be parsed identifies nothing.
fn parse_id<T: FromStr>(kind: &str, id: &str) -> Result<T, Problem> {
    id.parse().map_err(|_| Problem::not_found(format!("there is no {kind} {id:?}")))
}
