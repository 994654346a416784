//! What is happening right now?
//!
//! A stream is a reader of the feed with a number of its own; nothing is buffered for it. Its connection takes only as
//! much as its client reads, and a client that falls too far behind is let go.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::gateway::live::event_log::Kind;
use crate::gateway::state::App;
use crate::gateway::view;

/// How often an idle stream says that it is there: well within the minute after which proxies give up.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a client should pause before it takes up a stream that broke off.
const RETRY: Duration = Duration::from_secs(1);

/// Events taken from the feed at once.
const READ_MAX: usize = 64;

/// How long the cluster or the queue may take to tell the present state before a stream begins without it.
const PRESENT_PATIENCE: Duration = Duration::from_secs(2);

/// Follows what happens, as server-sent events
///
/// Every event has a name and one JSON object as its data: `job` (Job), `pod` (Pod), `scale` (Scale), `queue` (Queue),
/// `console` (Console) and `trouble` (Trouble). A stream begins with the present pods, trouble, scale and queue. One
/// that is taken up again with `Last-Event-ID` begins behind that event instead; where that is too long ago, a `reset`
/// event comes first (its data is `{}`), the present state follows, and the jobs that changed in between must be asked
/// for.
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
pub async fn follow_events(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Problem> {
    let Ok(permit) = app.streams.clone().try_acquire_owned() else {
        return Err(Problem::unavailable("too many event streams are open"));
    };
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap_or(""));
    let latest = app.feed.latest();
    let resumed = last.and_then(|id| app.feed.resume(id));
    let after = resumed.unwrap_or_else(|| *latest.borrow());
    let mut first = VecDeque::from([Ok(Event::default().retry(RETRY).comment("kana"))]);
    if resumed.is_none() {
        let id = app.feed.id(after);
        if last.is_some() {
            first.push_back(Ok(Event::default().event("reset").id(&id).data("{}")));
        }
        first.extend(present(&app).await.into_iter().map(|(kind, data)| Ok(event(kind, &id, &data))));
    }
    app.metrics.streams.inc();
    let reader = Reader { app, after, latest, ready: first, _permit: permit };
    let stream = futures::stream::unfold(reader, Reader::next);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// One open stream.
struct Reader {
    app: Arc<App>,
    after: u64,
    latest: watch::Receiver<u64>,
    ready: VecDeque<Result<Event, Infallible>>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// The next event, or the stream's end: when the gateway ends, and when this reader was overtaken, because a
    /// client that cannot keep up should come back for the present state instead.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((event, self));
            }
            let entries = self.app.feed.read(self.after, READ_MAX).ok()?;
            if entries.is_empty() {
                let closing = self.app.closing.clone();
                tokio::select! {
                    () = closing.cancelled() => return None,
                    changed = self.latest.changed() => changed.ok()?,
                }
                continue;
            }
            for entry in entries {
                self.after = entry.number;
                self.ready.push_back(Ok(event(entry.kind, &self.app.feed.id(entry.number), &entry.data)));
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.app.metrics.streams.dec();
    }
}

fn event(kind: Kind, id: &str, data: &str) -> Event {
    Event::default().event(kind.name()).id(id).data(data)
}

/// Pods, scale and queue as they are; what cannot be told in time is left out, and follows as events. Queue and cluster
/// are asked side by side: a queue that is silent hides no pod, whose next event may be days away.
async fn present(app: &App) -> Vec<(Kind, String)> {
    let trouble = app.parts.cluster.trouble();
    let (queue, cluster) = (&app.parts.queue, &app.parts.cluster);
    let (depth, pods, scale) = tokio::join!(
        timeout(PRESENT_PATIENCE, queue.depth()),
        timeout(PRESENT_PATIENCE, cluster.pods()),
        timeout(PRESENT_PATIENCE, cluster.scale()),
    );
    let depth = depth.ok().and_then(Result::ok);
    let scale = scale.ok().and_then(Result::ok);
    let mut told = Vec::new();
    for pod in pods.ok().and_then(Result::ok).unwrap_or_default() {
        let in_flight = depth.as_ref().map_or_else(|| app.last_held_by(&pod.name), |depth| depth.held_by(&pod.name));
        let completed = app.tally.completed(&pod.name);
        told.push((Kind::Pod, serde_json::to_string(&view::Pod::new(pod, completed, in_flight))));
    }
    told.extend(trouble.map(|reason| (Kind::Trouble, serde_json::to_string(&view::Trouble { reason: Some(reason) }))));
    told.extend(scale.map(|scale| (Kind::Scale, serde_json::to_string(&scale))));
    let queue = depth.map(|depth| app.tally.counted(view::Queue::of_depth(&depth, app.parts.clock.now())));
    told.extend(queue.map(|queue| (Kind::Queue, serde_json::to_string(&queue))));
    told.into_iter().filter_map(|(kind, data)| Some((kind, data.ok()?))).collect()
}
