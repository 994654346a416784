//! Which pod should Kubernetes delete first when it needs fewer?
//!
//! An idle one. A worker annotates its own pod with a deletion cost that shows whether it has work, and a ReplicaSet
//! that shrinks deletes the pods with the lowest cost first. Every write is a request to the API server, so only
//! lasting changes are written: the beginning of work at once, its end after [`IDLE_AFTER`], and never more than one
//! write in [`WRITE_INTERVAL`]. A failed write is tried again with a backoff of up to [`BACKOFF`]'s longest wait, so
//! that a hundred pods that lack a right do not keep the API server busy.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kana_queue::backoff::{Backoff, Bounds};
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, warn};

use super::client;
use crate::pod::Error;
use crate::telemetry::Chain;

/// The annotation that ReplicaSets read.
const ANNOTATION: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Cost of an idle pod: that of a pod without the annotation, so that no pod needs one to begin with.
const IDLE_COST: &str = "0";

/// Cost of a pod that has work.
const BUSY_COST: &str = "100";

/// Time without work after which a worker counts as idle: batches of a steady load come closer together than this.
const IDLE_AFTER: Duration = Duration::from_secs(3);

/// The shortest time between two writes.
const WRITE_INTERVAL: Duration = Duration::from_secs(5);

/// Waits after failed writes, in addition to [`WRITE_INTERVAL`].
const BACKOFF: Bounds = Bounds { first: WRITE_INTERVAL, longest: Duration::from_secs(5 * 60) };

/// Time that one write may take.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// Whether a worker has work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    Idle,
    Busy,
}

/// Next step of the task that writes the cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Wait for the activity to change.
    Wait,
    /// Decide again at this time, or earlier if the activity changes.
    WaitUntil(Instant),
    /// Write this activity now.
    Write(Activity),
}

/// Decision when to write which activity on the pod. Reads no clock: every method takes the time.
#[derive(Clone, Copy, Debug, Default)]
struct DeletionCost {
    /// Activity that is written on the pod. Unknown at first: the previous container may have left a cost.
    written: Option<Activity>,
    /// The earliest time of the next write; `None` before the first.
    next_write: Option<Instant>,
    /// Time since when there is no work; `None` while there is some.
    idle_since: Option<Instant>,
}

impl DeletionCost {
    fn observe(&mut self, activity: Activity, now: Instant) {
        self.idle_since = match activity {
            Activity::Idle => Some(self.idle_since.unwrap_or(now)),
            Activity::Busy => None,
        };
    }

    fn record_write(&mut self, written: Activity, now: Instant) {
        (self.written, self.next_write) = (Some(written), Some(now + WRITE_INTERVAL));
    }

    fn record_failure(&mut self, backoff: Duration, now: Instant) {
        self.next_write = Some(now + WRITE_INTERVAL + backoff);
    }

    fn next(&self, now: Instant) -> Next {
        let (activity, lasts_from) = match self.idle_since {
            None => (Activity::Busy, now),
            Some(since) => (Activity::Idle, since + IDLE_AFTER),
        };
        if self.written == Some(activity) {
            return Next::Wait;
        }
        let due = self.next_write.map_or(lasts_from, |next| lasts_from.max(next));
        if due <= now { Next::Write(activity) } else { Next::WaitUntil(due) }
    }

    /// Returns the value of the annotation for this activity. The annotation is removed from an idle pod if it is
    /// unknown what is written there.
    fn annotation(&self, activity: Activity) -> Value {
        match (activity, self.written) {
            (Activity::Busy, _) => BUSY_COST.into(),
            (Activity::Idle, Some(_)) => IDLE_COST.into(),
            (Activity::Idle, None) => Value::Null,
        }
    }
}

/// The pod that this worker runs in.
pub struct OwnPod {
    pods: Api<Pod>,
    name: String,
}

impl OwnPod {
    /// Finds the pod of this name, in `namespace` or, without one, in that of this process's credentials. Sends no
    /// request.
    ///
    /// # Errors
    /// Where this process has no credentials for a cluster.
    pub async fn find(name: &str, namespace: Option<&str>) -> Result<Self, Error> {
        Ok(Self::with_client(client::connect().await?, name, namespace))
    }

    /// Finds the pod as [`find`](Self::find) does, with an existing client.
    pub fn with_client(client: kube::Client, name: &str, namespace: Option<&str>) -> Self {
        let namespace = namespace.unwrap_or(client.default_namespace()).to_owned();
        Self { pods: Api::namespaced(client, &namespace), name: name.to_owned() }
    }

    /// Keeps the pod's deletion cost up to date until the sender of `busy` is dropped. A failed write does not disturb
    /// the worker: it is logged once and tried again.
    pub async fn update_deletion_cost(self, mut busy: watch::Receiver<bool>) {
        let (mut cost, mut backoff) = (DeletionCost::default(), Backoff::new(BACKOFF));
        loop {
            let now = Instant::now();
            let activity = if *busy.borrow_and_update() { Activity::Busy } else { Activity::Idle };
            cost.observe(activity, now);
            match cost.next(now) {
                Next::Write(activity) => match self.write(cost.annotation(activity)).await {
                    Ok(()) => {
                        backoff.reset();
                        cost.record_write(activity, Instant::now());
                    }
                    Err(error) => {
                        if backoff.failures() == 0 {
                            let (pod, error) = (&self.name, Chain(&error));
                            warn!(pod, error = %error, "could not write the deletion cost of pod {pod}, trying again");
                        }
                        cost.record_failure(backoff.fail(), Instant::now());
                    }
                },
                Next::WaitUntil(due) => tokio::select! {
                    () = sleep_until(due) => {}
                    changed = busy.changed() => if changed.is_err() { return },
                },
                Next::Wait => {
                    if busy.changed().await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn write(&self, cost: Value) -> Result<(), kube::Error> {
        let change = Patch::Merge(json!({ "metadata": { "annotations": { ANNOTATION: cost } } }));
        let params = PatchParams { field_manager: Some("kana-worker".into()), ..PatchParams::default() };
        let written = timeout(WRITE_MAX, self.pods.patch_metadata(&self.name, &params, &change)).await;
        written.map_err(|late| kube::Error::Service(Box::new(late)))??;
        debug!(pod = self.name, "wrote a deletion cost of {cost} on pod {}", self.name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(1);

    fn written_as_busy(at: Instant) -> DeletionCost {
        let mut cost = DeletionCost::default();
        cost.observe(Activity::Busy, at);
        cost.record_write(Activity::Busy, at);
        cost
    }

    #[test]
    fn a_worker_without_work_removes_the_cost_of_the_container_before_it_and_writes_none() {
        let now = Instant::now();
        let mut cost = DeletionCost::default();

        cost.observe(Activity::Idle, now);

        assert_eq!(cost.next(now), Next::WaitUntil(now + IDLE_AFTER));
        assert_eq!(cost.next(now + IDLE_AFTER), Next::Write(Activity::Idle));
        assert_eq!(cost.annotation(Activity::Idle), Value::Null);
        cost.record_write(Activity::Idle, now + IDLE_AFTER);
        assert_eq!(cost.next(now + BACKOFF.longest), Next::Wait);
    }

    #[test]
    fn work_is_written_at_once() {
        let now = Instant::now();
        let mut cost = DeletionCost::default();

        cost.observe(Activity::Busy, now);

        assert_eq!(cost.next(now), Next::Write(Activity::Busy));
    }

    #[test]
    fn the_end_of_work_is_written_when_it_has_lasted() {
        let begin = Instant::now();
        let mut cost = written_as_busy(begin);
        let ended = begin + WRITE_INTERVAL;

        cost.observe(Activity::Idle, ended);

        assert_eq!(cost.next(ended + IDLE_AFTER - TICK), Next::WaitUntil(ended + IDLE_AFTER));
        assert_eq!(cost.next(ended + IDLE_AFTER), Next::Write(Activity::Idle));
        assert_eq!(cost.annotation(Activity::Idle), IDLE_COST);
    }

    #[test]
    fn a_pause_between_batches_is_not_written() {
        let begin = Instant::now();
        let mut cost = written_as_busy(begin);
        let ended = begin + WRITE_INTERVAL;

        cost.observe(Activity::Idle, ended);
        cost.observe(Activity::Busy, ended + IDLE_AFTER - TICK);
        cost.observe(Activity::Idle, ended + IDLE_AFTER);

        assert_eq!(cost.next(ended + IDLE_AFTER), Next::WaitUntil(ended + IDLE_AFTER + IDLE_AFTER));
    }

    #[test]
    fn two_writes_are_never_closer_than_the_interval_even_where_work_is_new() {
        let begin = Instant::now();
        let mut cost = written_as_busy(begin);
        cost.observe(Activity::Idle, begin);
        cost.record_write(Activity::Idle, begin + IDLE_AFTER);

        cost.observe(Activity::Busy, begin + IDLE_AFTER + TICK);

        let due = begin + IDLE_AFTER + WRITE_INTERVAL;
        assert_eq!(cost.next(due - TICK), Next::WaitUntil(due));
        assert_eq!(cost.next(due), Next::Write(Activity::Busy));
    }

    #[test]
    fn a_failed_write_is_tried_again_after_the_interval_and_the_backoff_until_one_succeeds() {
        let begin = Instant::now();
        let mut cost = DeletionCost::default();
        cost.observe(Activity::Busy, begin);

        cost.record_failure(BACKOFF.longest, begin);
        let due = begin + WRITE_INTERVAL + BACKOFF.longest;
        assert_eq!(cost.next(begin), Next::WaitUntil(due));
        assert_eq!(cost.next(due), Next::Write(Activity::Busy));

        cost.record_write(Activity::Busy, begin);
        cost.observe(Activity::Idle, begin);
        assert_eq!(cost.next(begin), Next::WaitUntil(begin + WRITE_INTERVAL));
    }
}
