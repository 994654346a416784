//! How is every change to objects of one kind received, for as long as this process runs?
//!
//! List once, then watch from the version of that list. A watch that ends is resumed where it ended; one whose version
//! the server has dropped (410 Gone) starts with a new list. Every failure is reported and tried again after a backoff,
//! and nothing received before is ever withdrawn: a list is handed over only when it is complete.
//!
//! This is not `kube::runtime::watcher`, because version 5.0.0 of its source (`src/watcher.rs`) breaks three of these
//! promises. It emits nothing when a watch that had failed is open again, so the end of an outage would show only with
//! the next change of an object. It also reopens a watch that has ended without emitting anything, so a proxy that ends
//! every watch at once would be asked without a pause, and no backoff outside can tell. And it keeps its version where
//! opening a watch is answered by 410, and where an event cannot be parsed: the first repeats for ever, the second
//! loses a change until the next list. Its `reflector` only stores what the watcher emits. They would add thirteen
//! crates to the build.

use std::fmt::Debug;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::TryStreamExt as _;
use kana_queue::backoff::{Backoff, Bounds};
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

/// Objects in a page of a list: about a megabyte, and what Kubernetes' own clients ask for.
const PAGE_OBJECTS_MAX: u32 = 500;

/// Time that the server keeps a watch open, in seconds. The next one resumes where it ended, so this only bounds how
/// long a connection that died silently goes unnoticed.
const WATCH_SECONDS: u32 = 60;

/// Time that a watch may be silent: until the server should have ended it, and a moment for the network.
const SILENCE_MAX: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 5);

/// Time that the server may take to begin an answer, or to send a page of a list.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Pauses after failures. The longest is also how long an API server that is back goes unnoticed, at most.
const BACKOFF: Bounds = Bounds { first: Duration::from_millis(250), longest: Duration::from_secs(5) };

/// The longest pause that the server may ask for: a wrong value should not stop the watch for hours.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// The HTTP status of a version that is too old to resume from.
const GONE: u16 = 410;

/// A watch that lasted this long was a success, whatever ended it.
const SUCCESS_AFTER: Duration = Duration::from_secs(5);

/// The objects to watch.
#[derive(Clone, Debug)]
pub struct Source<K> {
    /// The objects' kind and namespace.
    pub api: Api<K>,
    /// Selector of the objects to watch.
    pub selector: Selector,
}

/// Selector of the watched objects of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Objects with these labels.
    Labels(String),
    /// The object of this name. Rights on single objects allow no other way of listing them.
    Name(String),
}

/// Report of a watch.
#[derive(Debug)]
pub enum Update<K> {
    /// A complete list.
    Listed {
        /// All objects that there are.
        objects: Vec<K>,
        /// Time that listing them took.
        took: Duration,
    },
    /// A watch is open: it has recovered from every earlier failure.
    Watching,
    /// An object appeared or changed.
    Applied(K),
    /// An object was deleted; this is its last state.
    Deleted(K),
    /// A call failed, and will be tried again.
    Failed {
        /// The call's verb, as roles name it.
        verb: &'static str,
        /// Cause of the failure.
        error: kube::Error,
    },
}

/// Position at which to continue.
enum Position {
    /// Begin with a new list.
    Start,
    /// Watch from this version on.
    After(String),
}

/// A list or a watch that failed.
struct WatchError {
    verb: &'static str,
    error: kube::Error,
    /// Position at which to continue after the failure.
    position: Position,
}

/// Calls `on_update` with everything that happens to the objects, for as long as the future is polled.
pub async fn watch<K>(source: Source<K>, mut on_update: impl FnMut(Update<K>))
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let (mut position, mut backoff) = (Position::Start, Backoff::new(BACKOFF));
    loop {
        let begin = Instant::now();
        let is_list = matches!(position, Position::Start);
        let result = match position {
            Position::Start => list(&source, &mut on_update).await,
            Position::After(version) => watch_from(&source, version, &mut on_update).await,
        };
        let is_long = begin.elapsed() >= SUCCESS_AFTER;
        if is_long {
            backoff.reset();
        }
        // A list that must start again has failed, and so has a watch that ends as soon as it began.
        let has_failed = match &result {
            Ok(Position::Start) if is_list => true,
            Ok(_) => !is_list && !is_long,
            Err(_) => true,
        };
        let retry_after = result.as_ref().err().map(|failure| retry_after(&failure.error)).unwrap_or_default();
        position = result.unwrap_or_else(|WatchError { verb, error, position }| {
            on_update(Update::Failed { verb, error });
            position
        });
        if has_failed {
            sleep(backoff.fail().max(retry_after)).await;
        }
    }
}

async fn list<K>(source: &Source<K>, on_update: &mut impl FnMut(Update<K>)) -> Result<Position, WatchError>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let (begin, mut objects) = (Instant::now(), Vec::new());
    let mut params = ListParams { limit: Some(PAGE_OBJECTS_MAX), ..ListParams::default() };
    match &source.selector {
        Selector::Labels(labels) => params = params.labels(labels),
        Selector::Name(name) => params = params.fields(&format!("metadata.name={name}")),
    }
    loop {
        let page = match in_time(source.api.list(&params)).await {
            Ok(page) => page,
            // The server has dropped the version that the first pages are of.
            Err(kube::Error::Api(status)) if status.code == GONE && params.continue_token.is_some() => {
                return Ok(Position::Start);
            }
            Err(error) => return Err(WatchError { verb: "list", error, position: Position::Start }),
        };
        objects.extend(page.items);
        params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
        if params.continue_token.is_none() {
            on_update(Update::Listed { objects, took: begin.elapsed() });
            return Ok(Position::After(page.metadata.resource_version.unwrap_or_default()));
        }
    }
}

async fn watch_from<K>(
    source: &Source<K>,
    mut version: String,
    on_update: &mut impl FnMut(Update<K>),
) -> Result<Position, WatchError>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let failed = |error, position| WatchError { verb: "watch", error, position };
    let mut params = WatchParams::default().timeout(WATCH_SECONDS);
    match &source.selector {
        Selector::Labels(labels) => params = params.labels(labels),
        Selector::Name(name) => params = params.fields(&format!("metadata.name={name}")),
    }
    let events = match in_time(source.api.watch(&params, &version)).await {
        Ok(events) => events,
        Err(kube::Error::Api(status)) if status.code == GONE => return Ok(Position::Start),
        Err(error) => return Err(failed(error, Position::After(version))),
    };
    on_update(Update::Watching);
    let mut events = pin!(events);
    loop {
        let event = match timeout(SILENCE_MAX, events.try_next()).await {
            Ok(Ok(Some(event))) => event,
            Ok(Err(kube::Error::Api(status))) => WatchEvent::Error(status),
            // A watch resumed from here would receive the same event again.
            Ok(Err(error @ kube::Error::SerdeError(_))) => return Err(failed(error, Position::Start)),
            // Silence beyond what the server promised, and a stream that breaks off, are how connections die. The next
            // watch finds out whether the server still answers.
            Ok(Ok(None) | Err(_)) | Err(_) => return Ok(Position::After(version)),
        };
        match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                version = object.resource_version().unwrap_or(version);
                on_update(Update::Applied(object));
            }
            WatchEvent::Deleted(object) => {
                version = object.resource_version().unwrap_or(version);
                on_update(Update::Deleted(object));
            }
            WatchEvent::Bookmark(mark) => version = mark.metadata.resource_version,
            WatchEvent::Error(status) if status.code == GONE => return Ok(Position::Start),
            WatchEvent::Error(status) => return Err(failed(kube::Error::Api(status), Position::Start)),
        }
    }
}

async fn in_time<T>(answer: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
    timeout(ANSWER_MAX, answer).await.unwrap_or_else(|late| Err(kube::Error::Service(Box::new(late))))
}

/// Returns the pause that an overloaded or starting server asks for; zero where it asks for none.
fn retry_after(error: &kube::Error) -> Duration {
    let details = match error {
        kube::Error::Api(status) => status.details.as_ref(),
        _ => None,
    };
    let seconds = details.map_or(0, |details| details.retry_after_seconds);
    Duration::from_secs(seconds.into()).min(RETRY_AFTER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_server_gets_the_pause_that_it_asks_for_within_reason() {
        let asks = |seconds: u32| {
            let status = json!({ "code": 429, "message": "busy", "details": { "retryAfterSeconds": seconds } });
            retry_after(&kube::Error::Api(serde_json::from_value(status).unwrap()))
        };

        assert_eq!(asks(7), Duration::from_secs(7));
        assert_eq!(asks(u32::MAX), RETRY_AFTER_MAX);
        assert_eq!(retry_after(&kube::Error::Service("refused".into())), Duration::ZERO);
    }
}
