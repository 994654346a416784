//! What is happening right now?

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::app::App;
use super::problem::{Document, MEDIA_TYPE, Otherwise, Problem};

/// Follows what happens, as server-sent events
///
/// Every event has a name and one JSON object as its data: `job` (Job), `pod` (Pod), `scale` (Scale), `queue` (Queue)
/// and `console` (Console). A stream begins with the present pods, scale and queue. One that is taken up again with
/// `Last-Event-ID` begins behind that event instead; where that is too long ago, a `reset` event comes first (its data
/// is `{}`), the present state follows, and the jobs that changed in between must be asked for.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "service",
    params(("Last-Event-ID" = Option<String>, Header, description = "The last event seen")),
    responses(
        (status = 200, description = "Events without end", body = String, content_type = "text/event-stream"),
        (status = 503, body = Document, content_type = MEDIA_TYPE,
            description = "Too many streams are open"),
        Otherwise,
    )
)]
pub async fn follow_events(State(_app): State<Arc<App>>, _headers: HeaderMap) -> Result<Response, Problem> {
    Err(Problem::unavailable("not built yet"))
}
