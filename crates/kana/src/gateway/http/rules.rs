//! In which order do the rules of this folder apply to a request?
//!
//! As one function around the routes instead of a layer for each: a layer takes a copy of everything within it, and two
//! allocations, for every request. A dozen of them cost more than reading an image.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::FutureExt as _;
use tracing::error;

use super::problem::{self, Problem};
use super::{compression, content_encoding, observe, origin};
use crate::gateway::config::Config;
use crate::gateway::routes::page;
use crate::gateway::state::AppState;

/// Headers of every response: the page may reach, and be embedded by, itself alone, and no content type is guessed.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::CONTENT_SECURITY_POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

/// Serves a request by `next`, within every rule: it is measured, a panic becomes a response, a failure a problem document,
/// and every response has the [`HEADERS`].
pub async fn serve(State(state): State<AppState>, request: Request, next: Next) -> Response {
    observe::request(&state.metrics, request, async |request| {
        let served = AssertUnwindSafe(checked(&state.config, request, next)).catch_unwind().await;
        let mut response = problem::everywhere(served.unwrap_or_else(panicked));
        for (name, value) in HEADERS {
            response.headers_mut().entry(name).or_insert(value);
        }
        response
    })
    .await
}

/// Serves a request that comes from a program or the own page, and whose body can be read.
async fn checked(config: &Config, request: Request, next: Next) -> Response {
    if let Err(problem) = origin::check(config, &request) {
        return problem.into_response();
    }
    let takes_gzip = compression::accepts_gzip(request.headers());
    let response = match content_encoding::refusal(request.headers()) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    compression::compress(response, takes_gzip).await
}

fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    error!(panic = text, "a request handler panicked");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the gateway failed; its log says why").into_response()
}
