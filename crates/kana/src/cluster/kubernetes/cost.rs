//! Which pod should Kubernetes end first when it needs fewer?
//!
//! An idle one. A worker notes on its own pod whether it has work, as the cost of ending it, and a ReplicaSet that
//! shrinks ends the cheapest first. Every note is a write to the API server, so only lasting changes are written: work at
//! once, its end after [`IDLE_FOR`], and never more than one note in [`NOTES_APART`]. Where notes are refused, they are
//! tried ever more seldom: a hundred pods that lack a right should not keep the API server busy with it.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, warn};

use super::client;
use crate::pod::Error;

/// The annotation that ReplicaSets read.
const ANNOTATION: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Cost of an idle pod: that of a pod without the annotation, so that none needs one to begin with.
const IDLE: &str = "0";

/// Cost of a pod that has work.
const BUSY: &str = "100";

/// How long a worker must be idle to be noted so: batches of a steady load come closer together than this.
const IDLE_FOR: Duration = Duration::from_secs(3);

/// How long after a note the next one may be written.
const NOTES_APART: Duration = Duration::from_secs(5);

/// How long after a note that failed the next one is tried, at most.
const NOTES_APART_MAX: Duration = Duration::from_secs(5 * 60);

/// How long a note may take.
const NOTE_MAX: Duration = Duration::from_secs(10);

/// What the next note is, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Nothing is to be noted until something changes.
    None,
    /// Look again then.
    Wait(Instant),
    /// Note whether there is work, now.
    Note { busy: bool },
}

/// What was noted, and what is the case. It only decides, and is handed the time.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    /// Whether the pod is noted as busy. Unknown at first: the container before this one may have left a note.
    noted: Option<bool>,
    /// Attempts that failed since the last note.
    failures: u32,
    /// When a note was last written, or attempted.
    noted_at: Option<Instant>,
    /// Since when there is no work; `None` while there is.
    idle_since: Option<Instant>,
}

impl Cost {
    /// There is work, or there is none.
    fn observe(&mut self, busy: bool, now: Instant) {
        self.idle_since = (!busy).then(|| self.idle_since.unwrap_or(now));
    }

    /// This was noted, or, where it was not `done`, will have to be again.
    fn noted(&mut self, busy: bool, done: bool, now: Instant) {
        self.noted_at = Some(now);
        if done {
            (self.noted, self.failures) = (Some(busy), 0);
        } else {
            self.failures = self.failures.saturating_add(1);
        }
    }

    fn next(&self, now: Instant) -> Next {
        let busy = self.idle_since.is_none();
        if self.noted == Some(busy) {
            return Next::None;
        }
        let lasting = self.idle_since.map_or(now, |since| since + IDLE_FOR);
        let doublings = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let apart = NOTES_APART.saturating_mul(doublings).min(NOTES_APART_MAX);
        let due = self.noted_at.map_or(lasting, |noted| lasting.max(noted + apart));
        if due <= now { Next::Note { busy } } else { Next::Wait(due) }
    }

    /// What to write. A pod that nothing is known of is rid of its note, which costs nothing where there is none.
    fn words(&self, busy: bool) -> Value {
        match (busy, self.noted) {
            (true, _) => BUSY.into(),
            (false, Some(_)) => IDLE.into(),
            (false, None) => Value::Null,
        }
    }
}

/// A worker's own pod.
pub struct OwnPod {
    pods: Api<Pod>,
    name: String,
}

impl OwnPod {
    /// The pod of this name, in `namespace` or, without one, in that of this process's credentials.
    ///
    /// # Errors
    /// Where this process has no credentials for a cluster.
    pub async fn find(name: &str, namespace: Option<&str>) -> Result<Self, Error> {
        Ok(Self::with_client(client::connect().await?, name, namespace))
    }

    /// The same, by a client that there is already.
    pub fn with_client(client: kube::Client, name: &str, namespace: Option<&str>) -> Self {
        let namespace = namespace.unwrap_or(client.default_namespace()).to_owned();
        Self { pods: Api::namespaced(client, &namespace), name: name.to_owned() }
    }

    /// Notes on the pod whether there is work, until nobody says any more whether there is. What cannot be noted costs
    /// the worker nothing: it is logged once and tried again.
    pub async fn note_work(self, mut busy: watch::Receiver<bool>) {
        let (mut cost, mut failing) = (Cost::default(), false);
        loop {
            let now = Instant::now();
            cost.observe(*busy.borrow_and_update(), now);
            match cost.next(now) {
                Next::Note { busy } => {
                    let done = self.note(cost.words(busy)).await;
                    cost.noted(busy, done.is_ok(), Instant::now());
                    match done {
                        Ok(()) => failing = false,
                        Err(error) if !failing => {
                            failing = true;
                            let error = anyhow::Error::from(error);
                            warn!("could not note on {} whether it is busy, trying again: {error:#}", self.name);
                        }
                        Err(_) => {}
                    }
                    continue;
                }
                Next::Wait(until) => tokio::select! {
                    () = sleep_until(until) => {}
                    changed = busy.changed() => if changed.is_err() { return },
                },
                Next::None => {
                    if busy.changed().await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn note(&self, cost: Value) -> Result<(), kube::Error> {
        let change = Patch::Merge(json!({ "metadata": { "annotations": { ANNOTATION: cost } } }));
        let params = PatchParams { field_manager: Some("kana-worker".into()), ..PatchParams::default() };
        let noted = timeout(NOTE_MAX, self.pods.patch_metadata(&self.name, &params, &change)).await;
        noted.map_err(|late| kube::Error::Service(Box::new(late)))??;
        debug!("noted a deletion cost of {cost} on {}", self.name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(1);

    fn noted_busy(at: Instant) -> Cost {
        let mut cost = Cost::default();
        cost.observe(true, at);
        cost.noted(true, true, at);
        cost
    }

    #[test]
    fn a_worker_without_work_takes_away_what_the_container_before_may_have_noted_and_notes_nothing() {
        let now = Instant::now();
        let mut cost = Cost::default();

        cost.observe(false, now);

        assert_eq!(cost.next(now), Next::Wait(now + IDLE_FOR));
        assert_eq!(cost.next(now + IDLE_FOR), Next::Note { busy: false });
        assert_eq!(cost.words(false), Value::Null);
        cost.noted(false, true, now + IDLE_FOR);
        assert_eq!(cost.next(now + NOTES_APART_MAX), Next::None);
    }

    #[test]
    fn work_is_noted_at_once() {
        let now = Instant::now();
        let mut cost = Cost::default();

        cost.observe(true, now);

        assert_eq!(cost.next(now), Next::Note { busy: true });
    }

    #[test]
    fn the_end_of_work_is_noted_when_it_has_lasted() {
        let begin = Instant::now();
        let mut cost = noted_busy(begin);
        let ended = begin + NOTES_APART;

        cost.observe(false, ended);

        assert_eq!(cost.next(ended + IDLE_FOR - TICK), Next::Wait(ended + IDLE_FOR));
        assert_eq!(cost.next(ended + IDLE_FOR), Next::Note { busy: false });
    }

    #[test]
    fn a_pause_between_batches_is_not_noted() {
        let begin = Instant::now();
        let mut cost = noted_busy(begin);
        let ended = begin + NOTES_APART;

        cost.observe(false, ended);
        cost.observe(true, ended + IDLE_FOR - TICK);
        cost.observe(false, ended + IDLE_FOR);

        assert_eq!(cost.next(ended + IDLE_FOR), Next::Wait(ended + IDLE_FOR + IDLE_FOR));
    }

    #[test]
    fn notes_keep_their_distance_even_where_work_is_new() {
        let begin = Instant::now();
        let mut cost = noted_busy(begin);
        cost.observe(false, begin);
        cost.noted(false, true, begin + IDLE_FOR);

        cost.observe(true, begin + IDLE_FOR + TICK);

        let due = begin + IDLE_FOR + NOTES_APART;
        assert_eq!(cost.next(due - TICK), Next::Wait(due));
        assert_eq!(cost.next(due), Next::Note { busy: true });
    }

    #[test]
    fn a_note_that_fails_is_tried_again_ever_more_seldom_until_one_is_taken() {
        let begin = Instant::now();
        let mut cost = Cost::default();
        cost.observe(true, begin);
        let mut fail = || {
            cost.noted(true, false, begin);
            cost.next(begin)
        };

        assert_eq!(fail(), Next::Wait(begin + NOTES_APART * 2));
        assert_eq!(fail(), Next::Wait(begin + NOTES_APART * 4));
        (0..40).for_each(|_| _ = fail());
        assert_eq!(fail(), Next::Wait(begin + NOTES_APART_MAX));

        cost.noted(true, true, begin);
        cost.observe(false, begin);
        assert_eq!(cost.next(begin), Next::Wait(begin + NOTES_APART));
    }
}
