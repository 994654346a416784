//! What happens to objects of one kind, from now on and for ever?
//!
//! List once, then watch from there. A watch that ends is taken up again where it ended; one whose place the server has
//! forgotten (410 Gone) begins with a new list. Whatever fails is told and tried again after a pause that grows, and
//! nothing that was heard before is ever taken back: a list is handed over only when it is whole.

use std::fmt::Debug;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::TryStreamExt as _;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

/// Objects of a page of a list: a megabyte or so, as Kubernetes' own clients ask for.
const PAGE: u32 = 500;

/// How long the server keeps a watch open, in seconds. The next one goes on where it ended, so this only bounds how long
/// a connection that died without a word goes unnoticed.
const WATCH_SECONDS: u32 = 60;

/// How long a watch may be silent: until the server should have ended it, and a moment for the network.
const SILENCE_MAX: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 5);

/// How long the server may take to begin an answer, or to give a page of a list.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// The first pause after a failure.
const PAUSE_MIN: Duration = Duration::from_millis(250);

/// The longest pause: how long an API server that is back goes unnoticed, at most.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The longest pause that the server may ask for: a figure that is wrong should not make this service blind.
const ASKED_PAUSE_MAX: Duration = Duration::from_secs(30);

/// HTTP's way of saying that a version is too old to go on from.
const GONE: u16 = 410;

/// A watch that lasted this long was a good one, whatever ended it.
const GOOD_AFTER: Duration = Duration::from_secs(5);

/// What is watched.
#[derive(Clone, Debug)]
pub struct Source<K> {
    /// The objects' kind and namespace.
    pub api: Api<K>,
    /// Which of them.
    pub of: Selector,
}

/// Which objects are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Those with these labels.
    Labels(String),
    /// The one of this name. Rights on single objects allow no other way of listing them.
    Name(String),
}

/// Something heard.
#[derive(Debug)]
pub enum Heard<K> {
    /// These are all; asking took so long.
    All(Vec<K>, Duration),
    /// The watch has begun: whatever troubled it before is over.
    Well,
    /// This one appeared or changed.
    Changed(K),
    /// This one is gone; this is the last of it.
    Gone(K),
    /// The server could not be asked; it will be asked again.
    Trouble {
        /// What was attempted, as roles name it.
        verb: &'static str,
        /// Why it failed.
        error: kube::Error,
    },
}

/// Where to go on.
enum Place {
    /// At a new list.
    Anew,
    /// Behind this version.
    Behind(String),
}

/// A turn that failed: at what, why, and where to go on.
type Failure = (&'static str, kube::Error, Place);

/// Tells `hear` what happens, for as long as it is polled.
pub async fn follow<K>(source: Source<K>, mut hear: impl FnMut(Heard<K>))
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let (mut place, mut failures) = (Place::Anew, 0);
    loop {
        let begin = Instant::now();
        let (turn, wants_rest) = match place {
            Place::Anew => {
                let turn = list(&source, &mut hear).await;
                let is_cut = matches!(turn, Ok(Place::Anew));
                (turn, is_cut)
            }
            // A watch that ends as soon as it began would otherwise be asked for without end.
            Place::Behind(version) => (watch(&source, version, &mut hear).await, begin.elapsed() < GOOD_AFTER),
        };
        if begin.elapsed() >= GOOD_AFTER {
            failures = 0;
        }
        let wants_rest = wants_rest || turn.is_err();
        let asked = turn.as_ref().err().map(|(_, error, _)| asked_pause(error)).unwrap_or_default();
        place = turn.unwrap_or_else(|(verb, error, next)| {
            hear(Heard::Trouble { verb, error });
            next
        });
        if wants_rest {
            failures += 1;
            sleep(pause(failures, rand::random()).max(asked)).await;
        }
    }
}

async fn list<K>(source: &Source<K>, hear: &mut impl FnMut(Heard<K>)) -> Result<Place, Failure>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let (begin, mut items) = (Instant::now(), Vec::new());
    let mut params = ListParams { limit: Some(PAGE), ..ListParams::default() };
    match &source.of {
        Selector::Labels(labels) => params = params.labels(labels),
        Selector::Name(name) => params = params.fields(&format!("metadata.name={name}")),
    }
    loop {
        let page = match in_time(source.api.list(&params)).await {
            Ok(page) => page,
            // The pages told of a moment that the server has forgotten before the last of them was asked for.
            Err(kube::Error::Api(status)) if status.code == GONE && params.continue_token.is_some() => {
                return Ok(Place::Anew);
            }
            Err(error) => return Err(("list", error, Place::Anew)),
        };
        items.extend(page.items);
        params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
        if params.continue_token.is_none() {
            hear(Heard::All(items, begin.elapsed()));
            return Ok(Place::Behind(page.metadata.resource_version.unwrap_or_default()));
        }
    }
}

async fn watch<K>(source: &Source<K>, from: String, hear: &mut impl FnMut(Heard<K>)) -> Result<Place, Failure>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let mut params = WatchParams::default().timeout(WATCH_SECONDS);
    match &source.of {
        Selector::Labels(labels) => params = params.labels(labels),
        Selector::Name(name) => params = params.fields(&format!("metadata.name={name}")),
    }
    let mut version = from;
    let events = match in_time(source.api.watch(&params, &version)).await {
        Ok(events) => events,
        Err(kube::Error::Api(status)) if status.code == GONE => return Ok(Place::Anew),
        Err(error) => return Err(("watch", error, Place::Behind(version))),
    };
    hear(Heard::Well);
    let mut events = pin!(events);
    loop {
        let event = match timeout(SILENCE_MAX, events.try_next()).await {
            Ok(Ok(Some(event))) => event,
            Ok(Err(kube::Error::Api(status))) => WatchEvent::Error(status),
            // Asked for again from here it would come again.
            Ok(Err(error @ kube::Error::SerdeError(_))) => return Err(("watch", error, Place::Anew)),
            // Silence beyond what the server promised, and a stream that breaks off, are how connections die. Whether
            // the server is still there, the next turn finds out.
            Ok(Ok(None) | Err(_)) | Err(_) => return Ok(Place::Behind(version)),
        };
        match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                version = object.resource_version().unwrap_or(version);
                hear(Heard::Changed(object));
            }
            WatchEvent::Deleted(object) => {
                version = object.resource_version().unwrap_or(version);
                hear(Heard::Gone(object));
            }
            WatchEvent::Bookmark(mark) => version = mark.metadata.resource_version,
            WatchEvent::Error(status) if status.code == GONE => return Ok(Place::Anew),
            WatchEvent::Error(status) => return Err(("watch", kube::Error::Api(status), Place::Anew)),
        }
    }
}

async fn in_time<T>(asked: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
    timeout(ANSWER_MAX, asked).await.unwrap_or_else(|late| Err(kube::Error::Service(Box::new(late))))
}

/// How long the server asks to be left alone: one that is overloaded, or not yet itself again, says so.
fn asked_pause(error: &kube::Error) -> Duration {
    let details = match error {
        kube::Error::Api(status) => status.details.as_ref(),
        _ => None,
    };
    let seconds = details.map_or(0, |details| details.retry_after_seconds);
    Duration::from_secs(seconds.into()).min(ASKED_PAUSE_MAX)
}

/// How long to pause after so many failures in a row: twice as long each time, and up to a quarter less by `chance`
/// (any number), so that several gateways do not come back as one.
fn pause(failures: u32, chance: u8) -> Duration {
    let doublings = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    let whole = PAUSE_MIN.saturating_mul(doublings).min(PAUSE_MAX);
    whole - whole.mul_f64(f64::from(chance) / 255.0 / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses: Vec<_> = (1..8).map(|failures| pause(failures, 0).as_millis()).collect();

        assert_eq!(pauses, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        assert_eq!(pause(u32::MAX, 0), PAUSE_MAX);
    }

    #[test]
    fn a_server_is_left_alone_as_long_as_it_asks_within_reason() {
        let asks = |seconds: u32| {
            let status = json!({ "code": 429, "message": "busy", "details": { "retryAfterSeconds": seconds } });
            asked_pause(&kube::Error::Api(serde_json::from_value(status).unwrap()))
        };

        assert_eq!(asks(7), Duration::from_secs(7));
        assert_eq!(asks(u32::MAX), ASKED_PAUSE_MAX);
        assert_eq!(asked_pause(&kube::Error::Service("refused".into())), Duration::ZERO);
    }

    #[test]
    fn chance_takes_a_quarter_of_a_pause_at_most() {
        assert_eq!(pause(1, u8::MAX), PAUSE_MIN * 3 / 4);
    }
}
