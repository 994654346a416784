//! How long did a request take, how did it end, and which log lines belong to it?
//!
//! Every request is a span with its method, its route and the id that the client gave it, if any. So each line that is
//! logged while the request is served names the request.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::HeaderMap;
use axum::response::Response;
use tracing::{Instrument as _, debug, field, info_span};

use crate::gateway::metrics::{Answer, Metrics, Route};

/// Routes that are measured separately; everything else (the page, the documentation, unknown addresses) is one route.
const ROUTES: [&str; 21] = [
    "/v1/jobs",
    "/v1/classify",
    "/v1/jobs/{id}",
    "/v1/jobs/{id}/image",
    "/v1/batches",
    "/v1/batches/{id}",
    "/v1/events",
    "/v1/pods",
    "/v1/pods/{name}",
    "/v1/pods/{name}/logs",
    "/v1/scale",
    "/v1/status",
    "/v1/model/report",
    "/v1/samples/{number}",
    "/v1/dead",
    "/v1/dead/{id}",
    "/v1/dead/{id}/replay",
    "/livez",
    "/readyz",
    "/metrics",
    OTHER,
];

/// Label of every other route.
const OTHER: &str = "other";

/// Header in which a client or a proxy identifies a request.
const REQUEST_ID: &str = "x-request-id";

/// Longest request id, in bytes: a longer id, or one that is not printable ASCII, is not logged.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Measures a request, and serves it by `serve` inside its span.
pub async fn request(metrics: &Metrics, request: Request, serve: impl AsyncFnOnce(Request) -> Response) -> Response {
    let started = Instant::now();
    let route = route(request.extensions().get::<MatchedPath>().map(MatchedPath::as_str));
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let id = request_id(request.headers()).map(field::display);
    let span = info_span!("request", %method, route = route.0, request.id = id);
    async {
        let response = serve(request).await;
        let status = response.status();
        let answer = match status.as_u16() {
            500.. => Answer::Failed,
            400..500 => Answer::Refused,
            _ => Answer::Served,
        };
        let took = started.elapsed();
        metrics.record_request(route, answer, took);
        debug!(%method, path = uri.path(), status = status.as_u16(), took_us = took.as_micros(), "answered a request");
        response
    }
    .instrument(span)
    .await
}

fn route(template: Option<&str>) -> Route {
    let known = ROUTES.into_iter().find(|known| Some(*known) == template);
    Route(known.unwrap_or(OTHER))
}

fn request_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()).then_some(id)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn every_documented_route_is_measured_by_itself() {
        for path in crate::gateway::openapi().paths.paths.keys() {
            assert_eq!(route(Some(path)), Route(ROUTES.into_iter().find(|known| known == path).unwrap_or("none")));
        }
    }

    #[test]
    fn a_gateway_that_was_asked_for_everything_has_less_than_1_500_series() {
        let artifact = kana_engine::model::Artifact::built_in().unwrap();
        let metrics = Metrics::new(Some(artifact.card()));

        for route in ROUTES {
            for answer in [Answer::Served, Answer::Refused, Answer::Failed] {
                metrics.record_request(Route(route), answer, std::time::Duration::ZERO);
            }
        }

        let text = metrics.text(crate::telemetry::exposition::Exposition::Plain).unwrap();
        let series = text.lines().filter(|line| !line.starts_with('#')).count();
        assert!((1_000..1_500).contains(&series), "{series}");
    }

    #[test]
    fn an_unknown_path_makes_no_new_series() {
        assert_eq!(route(Some("/v1/jobs/0b0c")), Route(OTHER));
        assert_eq!(route(None), Route(OTHER));
    }

    #[test]
    fn a_request_id_is_short_printable_ascii() {
        let id = |value: &[u8]| {
            let value = HeaderValue::from_bytes(value).unwrap();
            let headers = [(HeaderName::from_static(REQUEST_ID), value)].into_iter().collect();
            request_id(&headers).map(str::to_owned)
        };

        assert_eq!(id(b"a-1"), Some("a-1".into()));
        assert_eq!(id(&[b'a'; 128]).map(|id| id.len()), Some(128));
        for refused in [&b""[..], &[b'a'; 129], "お".as_bytes()] {
            assert_eq!(id(refused), None, "{refused:?}");
        }
    }
}
