//! What are the pods and the scale of this release right now, also while the API server does not answer?
//!
//! The watches write here, and all others read here. The latest value stays until a newer one arrives: a failure of the
//! API server is recorded and removes nothing. Each change is published as an event once.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::pod::{Console, Error, Event, Paused, Phase, Pod, Scale, ScaledBy};

/// Events that a slow receiver may lag behind: a release of a hundred pods created, ready, stopping and gone.
const EVENTS_MAX: usize = 512;

/// Message for an API server that cannot be reached.
const UNREACHABLE: &str = "the Kubernetes API does not answer; pods and scale are those last received";

/// Objects that are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchTarget {
    /// The pods.
    Pods,
    /// The Deployment that owns the pods.
    Deployment,
    /// The object that scales the Deployment.
    Scaler,
    /// The ConfigMap with the range that the values ask for.
    Range,
}

/// Numbers of pods of the Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replicas {
    /// Number of pods that there should be.
    pub desired: u32,
    /// Number of pods that the Deployment last counted.
    pub current: u32,
}

/// The latest pods and scale of a release.
pub struct Cache {
    by: ScaledBy,
    state: Mutex<State>,
    events: broadcast::Sender<Event>,
}

#[derive(Default)]
struct State {
    pods: Option<Vec<Pod>>,
    replicas: Option<Replicas>,
    range: Option<RangeInclusive<u32>>,
    /// How somebody has paused KEDA.
    paused: Option<Paused>,
    /// The scale that was last published.
    published: Option<Scale>,
    failures: BTreeMap<WatchTarget, WatchFailure>,
}

/// Reason why a target cannot be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
enum WatchFailure {
    /// A right or an object is missing, until a person changes that.
    Misconfigured(String),
    /// The failure will pass by itself.
    Unreachable,
}

impl WatchFailure {
    fn message(&self) -> &str {
        match self {
            Self::Misconfigured(reason) => reason,
            Self::Unreachable => UNREACHABLE,
        }
    }

    fn error(&self, action: &str) -> Error {
        match self {
            Self::Misconfigured(reason) => Error::Misconfigured { reason: reason.clone() },
            Self::Unreachable => Error::Unavailable { action: action.into(), source: UNREACHABLE.into() },
        }
    }
}

impl Cache {
    /// Creates an empty cache, from which every read fails as unavailable.
    pub fn new(by: ScaledBy) -> Self {
        Self { by, state: Mutex::default(), events: broadcast::Sender::new(EVENTS_MAX) }
    }

    /// Returns the latest pods.
    ///
    /// # Errors
    /// Where none were ever received, or this service may no longer read them.
    pub fn pods(&self) -> Result<Vec<Pod>, Error> {
        let state = self.state.lock();
        match (&state.pods, state.failures.get(&WatchTarget::Pods)) {
            (Some(pods), None | Some(WatchFailure::Unreachable)) => Ok(pods.clone()),
            (_, failure) => Err(failure.unwrap_or(&WatchFailure::Unreachable).error("list the pods")),
        }
    }

    /// Whether a pod of this name is among the latest.
    pub fn has_pod(&self, name: &str) -> bool {
        self.state.lock().pods.iter().flatten().any(|pod| pod.name == name)
    }

    /// Returns the latest scale.
    ///
    /// # Errors
    /// Where a part of it was never received.
    pub fn scale(&self) -> Result<Scale, Error> {
        let state = self.state.lock();
        state.scale(self.by).ok_or_else(|| {
            let failure =
                [WatchTarget::Deployment, WatchTarget::Scaler].iter().find_map(|target| state.failures.get(target));
            failure.unwrap_or(&WatchFailure::Unreachable).error("read the scale")
        })
    }

    /// Checks that a range can be set, as far as the watch of the scaler shows.
    ///
    /// # Errors
    /// Where the object that holds the range does not exist, scales something else, or may not be read.
    pub fn check_scaler(&self) -> Result<(), Error> {
        let state = self.state.lock();
        match state.failures.get(&WatchTarget::Scaler) {
            Some(failure @ WatchFailure::Misconfigured(_)) if state.range.is_none() => {
                Err(failure.error("set the range"))
            }
            _ => Ok(()),
        }
    }

    /// Returns the reason why the cache may be out of date; `None` if it is current.
    pub fn failure(&self) -> Option<String> {
        self.state.lock().failure(self.by)
    }

    /// Subscribes to the events from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Replaces the pods, and publishes the `changed` ones, those that are gone included.
    pub fn set_pods(&self, pods: Vec<Pod>, changed: impl IntoIterator<Item = Pod>) {
        self.change(|state| state.pods = Some(pods));
        changed.into_iter().for_each(|pod| self.publish(Event::Pod(pod)));
    }

    /// Sets the Deployment's numbers; `None` where the Deployment does not exist.
    pub fn set_replicas(&self, replicas: Option<Replicas>) {
        self.change(|state| state.replicas = replicas);
    }

    /// Sets the desired number alone, after it was written to the Deployment.
    pub fn set_desired(&self, desired: u32) {
        self.change(|state| {
            if let Some(replicas) = &mut state.replicas {
                replicas.desired = desired;
            }
        });
    }

    /// Sets the range of the number; `None` where it is not known any more.
    pub fn set_range(&self, range: Option<RangeInclusive<u32>>) {
        self.change(|state| state.range = range);
    }

    /// Sets how somebody has paused KEDA; `None` where nobody has.
    pub fn set_paused(&self, paused: Option<Paused>) {
        self.change(|state| state.paused = paused);
    }

    /// Records that a target can be watched. Returns whether it could not before.
    pub fn mark_healthy(&self, target: WatchTarget) -> bool {
        self.change(|state| state.failures.remove(&target).is_some())
    }

    /// Records that a target cannot be watched. Returns whether that, or its reason, is new.
    pub fn mark_failed(&self, target: WatchTarget, error: &Error) -> bool {
        let failure = match error {
            Error::Misconfigured { reason } | Error::Refused { reason } => WatchFailure::Misconfigured(reason.clone()),
            Error::Unknown { .. } | Error::Unavailable { .. } => WatchFailure::Unreachable,
        };
        self.change(|state| state.failures.insert(target, failure.clone()) != Some(failure))
    }

    /// Publishes the command line equivalent to an action that was just performed, with its output.
    pub fn publish_command(&self, command: String, output: String, took: Duration) {
        self.publish(Event::Console(Console { command, output, took_ms: took.as_secs_f64() * 1_000.0 }));
    }

    /// Publishes that jobs of workers that ended were taken back.
    pub fn publish_reclaimed(&self, jobs: usize) {
        self.publish(Event::Reclaimed(jobs));
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let failure = state.failure(self.by);
        let changed = change(&mut state);
        if let Some(scale) = state.scale(self.by).filter(|scale| state.published != Some(*scale)) {
            state.published = Some(scale);
            self.publish(Event::Scale(scale));
        }
        let now = state.failure(self.by);
        if now != failure {
            self.publish(Event::Fault(now));
        }
        changed
    }

    fn publish(&self, event: Event) {
        // Fails only where nobody has subscribed.
        let _ = self.events.send(event);
    }
}

impl State {
    fn scale(&self, by: ScaledBy) -> Option<Scale> {
        let replicas = self.replicas?;
        let range = match by {
            ScaledBy::Fixed => replicas.desired..=replicas.desired,
            ScaledBy::Local | ScaledBy::Hpa | ScaledBy::Keda => self.range.clone()?,
        };
        let active = |pods: &Vec<Pod>| pods.iter().filter(|pod| pod.phase != Phase::Stopping).count();
        let counted = self.pods.as_ref().map(|pods| u32::try_from(active(pods)).unwrap_or(u32::MAX));
        let current = counted.unwrap_or(replicas.current);
        let is_at_zero = by == ScaledBy::Hpa && replicas.desired == 0 && *range.start() > 0;
        let paused = is_at_zero.then_some(Paused::AtZero).or(self.paused);
        Some(Scale { min: *range.start(), max: *range.end(), current, desired: replicas.desired, by, paused })
    }

    /// Returns the failure to show: one that a person must repair comes before one that ends by itself.
    fn failure(&self, by: ScaledBy) -> Option<String> {
        let message = |failure: &WatchFailure| failure.message().to_owned();
        let lasting = || self.failures.values().find(|failure| **failure != WatchFailure::Unreachable).map(message);
        let paused = || self.scale(by)?.paused.map(|paused| paused.to_string());
        lasting().or_else(paused).or_else(|| self.failures.values().next().map(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable() -> Error {
        Error::Unavailable { action: "list".into(), source: "refused".into() }
    }

    fn denial() -> Error {
        Error::Misconfigured { reason: "no verb".into() }
    }

    #[test]
    fn an_unreachable_server_removes_nothing_from_the_cache() {
        let cache = Cache::new(ScaledBy::Fixed);
        cache.set_pods(Vec::new(), []);

        cache.mark_failed(WatchTarget::Pods, &unreachable());

        assert!(cache.pods().is_ok());
        assert_eq!(cache.failure().as_deref(), Some(UNREACHABLE));
    }

    #[test]
    fn a_missing_right_is_returned_instead_of_a_list() {
        let cache = Cache::new(ScaledBy::Fixed);

        cache.mark_failed(WatchTarget::Pods, &denial());

        assert_eq!(cache.pods().unwrap_err().to_string(), "no verb");
    }

    #[test]
    fn pods_that_were_never_received_are_no_empty_list() {
        let cache = Cache::new(ScaledBy::Hpa);

        assert!(matches!(cache.pods(), Err(Error::Unavailable { .. })));
        assert!(matches!(cache.scale(), Err(Error::Unavailable { .. })));
    }

    #[test]
    fn a_failure_is_published_once_and_its_end_too() {
        let cache = Cache::new(ScaledBy::Fixed);
        let mut events = cache.events();

        assert!(cache.mark_failed(WatchTarget::Pods, &denial()));
        assert!(!cache.mark_failed(WatchTarget::Pods, &denial()));
        assert!(cache.mark_healthy(WatchTarget::Pods));
        assert!(!cache.mark_healthy(WatchTarget::Pods));

        assert_eq!(events.try_recv().unwrap(), Event::Fault(Some("no verb".into())));
        assert_eq!(events.try_recv().unwrap(), Event::Fault(None));
        assert!(events.try_recv().is_err());
    }

    #[test]
    fn workers_that_an_hpa_leaves_at_zero_are_a_fault_until_they_are_woken() {
        let cache = Cache::new(ScaledBy::Hpa);
        cache.set_range(Some(1..=4));

        cache.set_replicas(Some(Replicas { desired: 0, current: 0 }));

        assert_eq!(cache.scale().unwrap().paused, Some(Paused::AtZero));
        assert!(cache.failure().is_some_and(|failure| failure.contains("set to 0 by hand")));
        cache.set_desired(1);
        assert_eq!((cache.scale().unwrap().paused, cache.failure()), (None, None));
        cache.set_range(Some(0..=4));
        cache.set_desired(0);
        assert_eq!(cache.failure(), None, "an HPA that may go to 0 comes back from there");
    }

    #[test]
    fn a_scale_is_published_when_all_of_it_is_known_and_again_when_it_changes() {
        let cache = Cache::new(ScaledBy::Keda);
        let mut events = cache.events();

        cache.set_replicas(Some(Replicas { desired: 2, current: 1 }));
        assert!(events.try_recv().is_err());
        cache.set_range(Some(0..=5));
        cache.set_range(Some(0..=5));

        let scale = Scale { min: 0, max: 5, current: 1, desired: 2, by: ScaledBy::Keda, paused: None };
        assert_eq!(events.try_recv().unwrap(), Event::Scale(scale));
        assert!(events.try_recv().is_err());
    }
}
