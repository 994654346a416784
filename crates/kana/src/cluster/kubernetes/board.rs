//! What is known right now, and who is told when it changes?
//!
//! Written by the watches, read by anyone. What was heard last stays until something newer is: an API server that falls
//! silent takes nothing off the board, it only adds a trouble to it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;

use crate::pod::{Console, Error, Event, Phase, Pod, Scale, ScaledBy};

/// Events that a slow listener may lag behind: a release of a hundred pods started, ready, ended and told.
const EVENTS_MAX: usize = 512;

/// What is said of an API server that cannot be reached.
const SILENT: &str = "the Kubernetes API does not answer; pods and scale are as last heard of";

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The pods.
    Pods,
    /// The Deployment that they belong to.
    Workers,
    /// What moves its number.
    Scaler,
}

/// How many pods the Deployment should have, and has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replicas {
    /// As it was told by whoever scales it.
    pub desired: u32,
    /// As it last counted.
    pub current: u32,
}

/// What is known.
pub struct Board {
    by: ScaledBy,
    state: Mutex<State>,
    events: broadcast::Sender<Event>,
}

#[derive(Default)]
struct State {
    pods: Option<Vec<Pod>>,
    replicas: Option<Replicas>,
    range: Option<RangeInclusive<u32>>,
    /// The scale that was last told.
    told: Option<Scale>,
    troubles: BTreeMap<Part, Trouble>,
}

/// Why a part cannot be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trouble {
    /// A person must change something.
    Misconfigured(String),
    /// It will pass.
    Silent,
}

impl Trouble {
    fn words(&self) -> &str {
        match self {
            Self::Misconfigured(reason) => reason,
            Self::Silent => SILENT,
        }
    }

    fn error(&self, action: &str) -> Error {
        match self {
            Self::Misconfigured(reason) => Error::Misconfigured { reason: reason.clone() },
            Self::Silent => Error::Unavailable { action: action.into(), source: SILENT.into() },
        }
    }
}

impl Board {
    /// One on which nothing is known yet.
    pub fn new(by: ScaledBy) -> Self {
        Self { by, state: Mutex::default(), events: broadcast::Sender::new(EVENTS_MAX) }
    }

    /// The pods as last heard of.
    ///
    /// # Errors
    /// Where none were ever heard of, or this service may no longer see them.
    pub fn pods(&self) -> Result<Vec<Pod>, Error> {
        let state = self.state();
        match (&state.pods, state.troubles.get(&Part::Pods)) {
            (Some(pods), None | Some(Trouble::Silent)) => Ok(pods.clone()),
            (_, trouble) => Err(trouble.unwrap_or(&Trouble::Silent).error("list the pods")),
        }
    }

    /// Whether a pod of this name exists, as far as was heard.
    pub fn shows(&self, name: &str) -> bool {
        self.state().pods.iter().flatten().any(|pod| pod.name == name)
    }

    /// The scale as last heard of.
    ///
    /// # Errors
    /// Where a part of it was never heard of.
    pub fn scale(&self) -> Result<Scale, Error> {
        let state = self.state();
        state.scale(self.by).ok_or_else(|| {
            let trouble = [Part::Workers, Part::Scaler].iter().find_map(|part| state.troubles.get(part));
            trouble.unwrap_or(&Trouble::Silent).error("read the scale")
        })
    }

    /// Whether a range can be set, as far as is known.
    ///
    /// # Errors
    /// Where what holds it is missing, is not the workers' own, or cannot be seen.
    pub fn expect_range(&self) -> Result<(), Error> {
        let state = self.state();
        match state.troubles.get(&Part::Scaler) {
            Some(trouble @ Trouble::Misconfigured(_)) if state.range.is_none() => Err(trouble.error("set the range")),
            _ => Ok(()),
        }
    }

    /// What keeps this board from being right, if anything.
    pub fn trouble(&self) -> Option<String> {
        self.state().trouble()
    }

    /// Receives what happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// These pods exist, and these of them, or that went, are news.
    pub fn set_pods(&self, pods: Vec<Pod>, news: impl IntoIterator<Item = Pod>) {
        self.change(|state| state.pods = Some(pods));
        news.into_iter().for_each(|pod| self.tell(Event::Pod(pod)));
    }

    /// The Deployment should have, and has, so many; `None` where it is not there.
    pub fn set_replicas(&self, replicas: Option<Replicas>) {
        self.change(|state| state.replicas = replicas);
    }

    /// The Deployment was told to have so many.
    pub fn set_desired(&self, desired: u32) {
        self.change(|state| {
            if let Some(replicas) = &mut state.replicas {
                replicas.desired = desired;
            }
        });
    }

    /// The number moves within this range; `None` where it is not known any more.
    pub fn set_range(&self, range: Option<RangeInclusive<u32>>) {
        self.change(|state| state.range = range);
    }

    /// A part can be watched. Says whether that is news.
    pub fn set_well(&self, part: Part) -> bool {
        self.change(|state| state.troubles.remove(&part).is_some())
    }

    /// A part cannot be watched. Says whether that is news.
    pub fn set_trouble(&self, part: Part, error: &Error) -> bool {
        let trouble = match error {
            Error::Misconfigured { reason } | Error::Refused { reason } => Trouble::Misconfigured(reason.clone()),
            Error::Unknown { .. } | Error::Unavailable { .. } => Trouble::Silent,
        };
        self.change(|state| state.troubles.insert(part, trouble.clone()) != Some(trouble))
    }

    /// This was done.
    pub fn console(&self, command: String, output: String, took: Duration) {
        self.tell(Event::Console(Console { command, output, took_ms: took.as_secs_f64() * 1_000.0 }));
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let trouble = state.trouble();
        let changed = change(&mut state);
        if let Some(scale) = state.scale(self.by).filter(|scale| state.told != Some(*scale)) {
            state.told = Some(scale);
            self.tell(Event::Scale(scale));
        }
        if state.trouble() != trouble {
            self.tell(Event::Fault(state.trouble()));
        }
        changed
    }

    fn tell(&self, event: Event) {
        // Fails only where nobody listens.
        let _ = self.events.send(event);
    }

    /// Each change replaces whole values, so what a poisoned lock guards is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        Some(Scale { min: *range.start(), max: *range.end(), current, desired: replicas.desired, by })
    }

    /// What a person must mend comes before what passes.
    fn trouble(&self) -> Option<String> {
        let lasting = self.troubles.values().find(|trouble| **trouble != Trouble::Silent);
        lasting.or_else(|| self.troubles.values().next()).map(|trouble| trouble.words().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence() -> Error {
        Error::Unavailable { action: "list".into(), source: "refused".into() }
    }

    fn denial() -> Error {
        Error::Misconfigured { reason: "no verb".into() }
    }

    #[test]
    fn silence_takes_no_pod_off_the_board() {
        let board = Board::new(ScaledBy::Fixed);
        board.set_pods(Vec::new(), []);

        board.set_trouble(Part::Pods, &silence());

        assert!(board.pods().is_ok());
        assert_eq!(board.trouble().as_deref(), Some(SILENT));
    }

    #[test]
    fn a_missing_right_is_told_instead_of_a_list() {
        let board = Board::new(ScaledBy::Fixed);

        board.set_trouble(Part::Pods, &denial());

        assert_eq!(board.pods().unwrap_err().to_string(), "no verb");
    }

    #[test]
    fn what_was_never_heard_of_is_no_empty_list() {
        let board = Board::new(ScaledBy::Hpa);

        assert!(matches!(board.pods(), Err(Error::Unavailable { .. })));
        assert!(matches!(board.scale(), Err(Error::Unavailable { .. })));
    }

    #[test]
    fn a_trouble_is_told_once_and_its_end_too() {
        let board = Board::new(ScaledBy::Fixed);
        let mut events = board.events();

        assert!(board.set_trouble(Part::Pods, &denial()));
        assert!(!board.set_trouble(Part::Pods, &denial()));
        assert!(board.set_well(Part::Pods));
        assert!(!board.set_well(Part::Pods));

        assert_eq!(events.try_recv().unwrap(), Event::Fault(Some("no verb".into())));
        assert_eq!(events.try_recv().unwrap(), Event::Fault(None));
        assert!(events.try_recv().is_err());
    }

    #[test]
    fn a_scale_is_told_when_all_of_it_is_known_and_again_when_it_changes() {
        let board = Board::new(ScaledBy::Keda);
        let mut events = board.events();

        board.set_replicas(Some(Replicas { desired: 2, current: 1 }));
        assert!(events.try_recv().is_err());
        board.set_range(Some(0..=5));
        board.set_range(Some(0..=5));

        let scale = Scale { min: 0, max: 5, current: 1, desired: 2, by: ScaledBy::Keda };
        assert_eq!(events.try_recv().unwrap(), Event::Scale(scale));
        assert!(events.try_recv().is_err());
    }
}
