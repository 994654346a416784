//! How long did a request take, and how did it end?

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tracing::debug;

use crate::gateway::metrics::{Answer, Route};
use crate::gateway::state::App;

/// Every template that is measured by itself; all else (the page, the documentation, what is not there) is one.
const ROUTES: [&str; 18] = [
    "/v1/jobs",
    "/v1/classify",
    "/v1/jobs/{id}",
    "/v1/batches/{id}",
    "/v1/events",
    "/v1/pods",
    "/v1/pods/{name}",
    "/v1/pods/{name}/logs",
    "/v1/scale",
    "/v1/status",
    "/v1/samples/{number}",
    "/v1/dead",
    "/v1/dead/{id}",
    "/v1/dead/{id}/replay",
    "/livez",
    "/readyz",
    "/metrics",
    OTHER,
];

/// The label of every other route.
const OTHER: &str = "other";

/// Measures a request.
pub async fn request(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let route = route(request.extensions().get::<MatchedPath>().map(MatchedPath::as_str));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let status = response.status();
    let answer = match status.as_u16() {
        500.. => Answer::Failed,
        400..500 => Answer::Refused,
        _ => Answer::Served,
    };
    let took = begun.elapsed();
    app.metrics.request(route, answer, took);
    debug!(%method, path, status = status.as_u16(), took_us = took.as_micros(), "answered a request");
    response
}

fn route(template: Option<&str>) -> Route {
    let known = ROUTES.into_iter().find(|known| Some(*known) == template);
    Route(known.unwrap_or(OTHER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_route_is_measured_by_itself() {
        for path in crate::gateway::openapi().paths.paths.keys() {
            assert_eq!(route(Some(path)), Route(ROUTES.into_iter().find(|known| known == path).unwrap_or("none")));
        }
    }

    #[test]
    fn no_sender_can_make_a_new_series() {
        assert_eq!(route(Some("/v1/jobs/0b0c")), Route(OTHER));
        assert_eq!(route(None), Route(OTHER));
    }
}
