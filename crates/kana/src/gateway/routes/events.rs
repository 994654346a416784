//! How does a client receive events?
//!
//! A stream begins with the current state, or after the last event that its client received, and then follows the event
//! log at its own pace. The stream of a client that cannot keep up is ended; the client connects again and gets the
//! current state.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::gateway::http::auth::Caller;
use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::gateway::live::Live;
use crate::gateway::live::event_log::Kind;
use crate::gateway::metrics::Metrics;
use crate::gateway::state::Drain;
use crate::gateway::upstream::{TimedCluster, TimedQueue};
use crate::gateway::view;
use kana_queue::clock::Clock;

/// Time between two comments on an idle stream: well within the minute after which proxies close it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Time that a client should wait before it resumes a stream that broke off.
const RETRY: Duration = Duration::from_secs(1);

/// Headers that let events pass a proxy one by one: nginx keeps a response back in its buffers unless the first one
/// says otherwise; proxies that compress would do the same, and must not transform it.
const UNBUFFERED: [(HeaderName, &str); 2] =
    [(HeaderName::from_static("x-accel-buffering"), "no"), (header::CACHE_CONTROL, "no-cache, no-transform")];

/// Events read from the log at once.
const READ_MAX: usize = 64;

/// Time that the cluster or the queue may take before a stream begins without its current state.
const PRESENT_TIMEOUT: Duration = Duration::from_secs(2);

/// Sources of the current state that a new stream begins with.
#[derive(Clone)]
pub struct Sources {
    /// The queue, for its depth.
    pub queue: TimedQueue,
    /// The cluster, for its scale and its fault.
    pub cluster: TimedCluster,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

/// Streams changes of jobs, pods and the queue as server-sent events
///
/// Every event has a name and one JSON object as its data: `job` (Job), `pod` (Pod), `scale` (Scale), `queue` (Queue),
/// `console` (Console) and `trouble` (Trouble). A stream begins with the current pods, trouble, scale and queue. A
/// stream that is resumed with `Last-Event-ID` begins after that event instead. If that event is no longer stored, the
/// stream begins with a `reset` event (its data is `{}`) and the current state, and the client must read again the
/// jobs that changed in between.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "service",
    params(("Last-Event-ID" = Option<String>, Header, description = "Id of the last event that the client received")),
    responses(
        (status = 200, description = "An endless stream of events", body = String, content_type = "text/event-stream"),
        (status = 503, body = Document, content_type = MEDIA_TYPE,
            description = "Too many streams are open"),
        Otherwise,
    )
)]
pub async fn follow_events(
    State(live): State<Arc<Live>>,
    State(sources): State<Sources>,
    State(metrics): State<Arc<Metrics>>,
    State(drain): State<Drain>,
    request: Request,
) -> Result<Response, Problem> {
    let Ok(permit) = live.streams.clone().try_acquire_owned() else {
        return Err(Problem::unavailable("too many event streams are open"));
    };
    let caller = request.extensions().get::<Caller>().cloned();
    let last = request.headers().get("last-event-id").map(|id| id.to_str().unwrap_or(""));
    let latest = live.events.latest();
    let resumed = last.and_then(|id| live.events.resume(id));
    let after = resumed.unwrap_or_else(|| *latest.borrow());
    let mut ready = VecDeque::from([Event::default().retry(RETRY).comment("kana")]);
    if resumed.is_none() {
        let id = live.events.id(after);
        if last.is_some() {
            ready.push_back(Event::default().event("reset").id(&id).data("{}"));
        }
        ready.extend(present(&live, &sources).await.into_iter().map(|(kind, data)| event(kind, &id, &data)));
    }
    metrics.streams.inc();
    let stream = EventStream { live, metrics, caller, closing: drain.closing, after, latest, ready, _permit: permit };
    let events = futures::stream::unfold(stream, EventStream::next);
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    for (name, value) in UNBUFFERED {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// Item of a stream's body, which never fails.
type Item = Result<Event, Infallible>;

/// An open event stream.
struct EventStream {
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    caller: Option<Caller>,
    closing: CancellationToken,
    after: u64,
    latest: watch::Receiver<u64>,
    ready: VecDeque<Event>,
    _permit: OwnedSemaphorePermit,
}

impl EventStream {
    /// Returns the next event. Returns `None`, which ends the stream, when the gateway shuts down, when the client's
    /// token is no longer known, and when an event was missed: a client that cannot keep up must connect again to get
    /// the current state.
    async fn next(mut self) -> Option<(Item, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((Ok(event), self));
            }
            let entries = self.live.events.read(self.after, READ_MAX).ok()?;
            if entries.is_empty() {
                tokio::select! {
                    changed = self.latest.changed() => changed.ok()?,
                    () = self.closing.cancelled() => return None,
                    () = revoked(self.caller.as_ref()) => return None,
                }
            }
            for entry in entries {
                self.after = entry.number;
                self.ready.push_back(event(entry.kind, &self.live.events.id(entry.number), &entry.data));
            }
        }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.metrics.streams.dec();
    }
}

/// Waits until the caller's token is no longer known.
async fn revoked(caller: Option<&Caller>) {
    match caller {
        Some(caller) => caller.revoked().await,
        None => std::future::pending().await,
    }
}

fn event(kind: Kind, id: &str, data: &str) -> Event {
    Event::default().event(kind.name()).id(id).data(data)
}

/// Returns the current pods, fault, scale and queue as events. What cannot be read in time is left out, and follows as
/// later events. The pods are read from memory, so a queue or a cluster that does not answer hides none of them: the
/// next event of a pod may be days away.
async fn present(live: &Live, sources: &Sources) -> Vec<(Kind, String)> {
    let (depth, scale) = tokio::join!(
        timeout(PRESENT_TIMEOUT, sources.queue.call(|queue| queue.depth())),
        timeout(PRESENT_TIMEOUT, sources.cluster.call(|cluster| cluster.scale())),
    );
    let queue = depth.ok().and_then(Result::ok).map(|depth| {
        let queue = live.counters.queue_view(&depth, sources.clock.now());
        live.pods.record_depth(depth);
        queue
    });
    let scale = scale.ok().and_then(Result::ok).map(view::Scale::from);
    let fault = sources.cluster.fault().map(|reason| view::Fault { reason: Some(reason) });
    let pods = live.pods.views();
    let pods = pods.iter().filter_map(|pod| to_json(Kind::Pod, pod));
    let fault = fault.and_then(|fault| to_json(Kind::Fault, &fault));
    let scale = scale.and_then(|scale| to_json(Kind::Scale, &scale));
    let queue = queue.and_then(|queue| to_json(Kind::Queue, &queue));
    pods.chain(fault).chain(scale).chain(queue).collect()
}

/// Writes an event's data as JSON, which does not fail for views.
fn to_json(kind: Kind, view: &impl Serialize) -> Option<(Kind, String)> {
    Some((kind, serde_json::to_string(view).ok()?))
}
