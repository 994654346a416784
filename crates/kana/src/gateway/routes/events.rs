//! How does a client watch what happens?
//!
//! A stream begins with the present state, or after the last event that its client saw, and then follows the event log
//! at its own pace. A client that cannot keep up loses its stream and comes back for the present state.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::gateway::http::problem::{Document, MEDIA_TYPE, Otherwise, Problem};
use crate::gateway::live::Live;
use crate::gateway::live::event_log::Kind;
use crate::gateway::metrics::Metrics;
use crate::gateway::state::Drain;
use crate::gateway::upstream::{TimedCluster, TimedQueue};
use crate::gateway::view;
use kana_queue::clock::Clock;

/// How often an idle stream shows that it is alive: well within the minute after which proxies give up.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a client should pause before it resumes a stream that broke off.
const RETRY: Duration = Duration::from_secs(1);

/// Events read from the log at once.
const READ_MAX: usize = 64;

/// How long the cluster or the queue may take before a stream begins without its present state.
const PRESENT_TIMEOUT: Duration = Duration::from_secs(2);

/// What a new stream asks for the present state.
#[derive(Clone)]
pub struct Sources {
    /// The depth of the queue.
    pub queue: TimedQueue,
    /// The scale and the fault of the cluster.
    pub cluster: TimedCluster,
    /// The current time.
    pub clock: Arc<dyn Clock>,
}

/// Follows what happens, as server-sent events
///
/// Every event has a name and one JSON object as its data: `job` (Job), `pod` (Pod), `scale` (Scale), `queue` (Queue),
/// `console` (Console) and `trouble` (Trouble). A stream begins with the present pods, trouble, scale and queue. One
/// that is resumed with `Last-Event-ID` begins after that event instead; where that event is no longer kept, a `reset`
/// event comes first (its data is `{}`), the present state follows, and the jobs that changed in between must be read
/// again.
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
pub async fn follow_events(
    State(live): State<Arc<Live>>,
    State(sources): State<Sources>,
    State(metrics): State<Arc<Metrics>>,
    State(drain): State<Drain>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Ok(permit) = live.streams.clone().try_acquire_owned() else {
        return Err(Problem::unavailable("too many event streams are open"));
    };
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap_or(""));
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
    let reader = Reader { live, metrics, closing: drain.closing, after, latest, ready, _permit: permit };
    let stream = futures::stream::unfold(reader, Reader::next);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// One item of a stream's body, which never fails.
type Item = Result<Event, Infallible>;

/// One open stream.
struct Reader {
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    closing: CancellationToken,
    after: u64,
    latest: watch::Receiver<u64>,
    ready: VecDeque<Event>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// Returns the next event, or the end of the stream: when the gateway ends, and when this reader was overtaken,
    /// because a client that cannot keep up should come back for the present state instead.
    async fn next(mut self) -> Option<(Item, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some((Ok(event), self));
            }
            let entries = self.live.events.read(self.after, READ_MAX).ok()?;
            if entries.is_empty() {
                let changed = self.closing.run_until_cancelled(self.latest.changed()).await;
                changed?.ok()?;
            }
            for entry in entries {
                self.after = entry.number;
                self.ready.push_back(event(entry.kind, &self.live.events.id(entry.number), &entry.data));
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.metrics.streams.dec();
    }
}

fn event(kind: Kind, id: &str, data: &str) -> Event {
    Event::default().event(kind.name()).id(id).data(data)
}

/// The present pods, fault, scale and queue. What cannot be read in time is left out, and follows as events. The pods
/// need no answer: a queue or a cluster that is silent hides none, whose next event may be days away.
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
    let pods = pods.iter().filter_map(|pod| written(Kind::Pod, pod));
    let fault = fault.and_then(|fault| written(Kind::Fault, &fault));
    let scale = scale.and_then(|scale| written(Kind::Scale, &scale));
    let queue = queue.and_then(|queue| written(Kind::Queue, &queue));
    pods.chain(fault).chain(scale).chain(queue).collect()
}

/// Writes an event's data as JSON, which does not fail for views.
fn written(kind: Kind, view: &impl Serialize) -> Option<(Kind, String)> {
    Some((kind, serde_json::to_string(view).ok()?))
}
