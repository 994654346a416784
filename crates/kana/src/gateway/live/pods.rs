//! Which pods are there, and what is published about them?
//!
//! One table holds each pod once: as the cluster last reported it, with the jobs that it settled, and as it was last
//! published. The table alone decides what to publish, and a new event stream begins with what it holds. One task
//! writes the cluster's reports into it. When that task missed a report, or the cluster could not list its pods, it
//! lists them again until it succeeds, and goes on passing on events meanwhile.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Live;
use super::event_log::{EventLog, Kind};
use crate::gateway::metrics::Metrics;
use crate::gateway::upstream::TimedCluster;
use crate::gateway::view;
use crate::pod::{Event, Phase, Pod};
use crate::telemetry::Chain;
use kana_queue::Depth;

/// Largest number of rows: far more than the pods that exist at once, because a replaced pod gets a new name.
const ROWS_MAX: usize = 10_000;

/// Pause before the pods are listed again after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// Failures in a row before one is worth a line: a cluster that was asked a moment after the start needs a second or two.
const QUIET_FAILURES: u32 = 3;

/// The pods, as last reported and as last published.
pub struct Pods {
    table: Mutex<Table>,
    events: Arc<EventLog>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Table {
    rows: BTreeMap<String, Row>,
    /// Depth of the queue as last counted, with the number of jobs that each pod holds.
    depth: Depth,
}

#[derive(Default)]
struct Row {
    /// The pod as last reported; `None` where it settled jobs and the cluster has not reported it yet.
    pod: Option<Pod>,
    /// Jobs that the pod has settled since this gateway started.
    completed: u64,
    /// Whether this gateway was asked to stop the pod.
    is_stopped_here: bool,
    /// The pod as last published.
    published: Option<view::Pod>,
}

impl Pods {
    /// Creates an empty table that publishes to `events`.
    pub fn new(events: Arc<EventLog>, metrics: Arc<Metrics>) -> Self {
        Self { table: Mutex::default(), events, metrics }
    }

    /// Records a pod as the cluster reports it, and publishes it if it changed. A pod that is gone is removed.
    pub fn record(&self, pod: Pod) {
        let mut table = self.table.lock();
        self.record_in(&mut table, pod);
        self.metrics.observe_pods(table.phases());
    }

    /// Records a complete list of pods. A known pod that is missing in the list is recorded as gone.
    pub fn record_all(&self, pods: Vec<Pod>) {
        let mut table = self.table.lock();
        let names: HashSet<&str> = pods.iter().map(|pod| pod.name.as_str()).collect();
        let known = table.rows.values().filter_map(|row| row.pod.as_ref());
        let missing = known.filter(|pod| !names.contains(pod.name.as_str()));
        let gone: Vec<Pod> = missing.map(|pod| Pod { phase: Phase::Gone, ..pod.clone() }).collect();
        for pod in gone.into_iter().chain(pods) {
            self.record_in(&mut table, pod);
        }
        self.metrics.observe_pods(table.phases());
    }

    /// Counts jobs that were taken back from workers that ended.
    pub fn record_reclaimed(&self, jobs: usize) {
        self.metrics.reclaimed.inc_by(u64::try_from(jobs).unwrap_or(u64::MAX));
    }

    /// Notes that this gateway was asked to stop a pod, so that its end counts as asked for. Noted before the pod is
    /// stopped: it may end at once.
    pub fn record_stop(&self, pod: &str) {
        self.set_stopped_here(pod, true);
    }

    /// Notes that a pod was not stopped after all.
    pub fn record_stop_refused(&self, pod: &str) {
        self.set_stopped_here(pod, false);
    }

    fn set_stopped_here(&self, pod: &str, is_stopped_here: bool) {
        if let Some(row) = self.table.lock().rows.get_mut(pod) {
            row.is_stopped_here = is_stopped_here;
        }
    }

    /// Counts a job that a pod settled. The count is published with the next depth.
    pub fn record_settled(&self, pod: &str) {
        let rows = &mut self.table.lock().rows;
        if let Some(row) = rows.get_mut(pod) {
            row.completed += 1;
        } else if rows.len() < ROWS_MAX {
            rows.insert(pod.to_owned(), Row { completed: 1, ..Row::default() });
        }
    }

    /// Records which jobs the pods hold, and publishes every pod whose counts changed.
    pub fn record_depth(&self, depth: Depth) {
        let Table { rows, depth: latest } = &mut *self.table.lock();
        *latest = depth;
        rows.values_mut().for_each(|row| row.publish(latest, &self.events));
    }

    /// Returns the pods as last published, oldest first.
    pub fn views(&self) -> Vec<view::Pod> {
        let mut views: Vec<_> = self.table.lock().rows.values().filter_map(|row| row.published.clone()).collect();
        views.sort_by_key(|pod| pod.created);
        views
    }

    /// Creates the view of a pod with its counts; the jobs that it holds are read from `depth`.
    pub fn view(&self, pod: Pod, depth: &Depth) -> view::Pod {
        let completed = self.table.lock().rows.get(&pod.name).map_or(0, |row| row.completed);
        let in_flight = depth.held_by(&pod.name);
        view::Pod::new(pod, completed, in_flight)
    }

    fn record_in(&self, table: &mut Table, pod: Pod) {
        let Table { rows, depth } = table;
        let is_gone = pod.phase == Phase::Gone;
        let name = pod.name.clone();
        let row = rows.entry(name.clone()).or_default();
        let is_ending = |pod: &Pod| matches!(pod.phase, Phase::Stopping | Phase::Gone);
        if let Some(before) = &row.pod {
            self.metrics.restarts.inc_by(pod.restarts.saturating_sub(before.restarts).into());
            if is_ending(&pod) && !is_ending(before) {
                self.metrics.record_pod_end(row.is_stopped_here);
            }
        }
        row.pod = Some(pod);
        row.publish(depth, &self.events);
        if is_gone {
            rows.remove(&name);
        }
    }
}

impl Table {
    fn phases(&self) -> impl Iterator<Item = Phase> {
        self.rows.values().filter_map(|row| row.pod.as_ref()).map(|pod| pod.phase)
    }
}

impl Row {
    /// Publishes the pod if it differs from its last published view.
    fn publish(&mut self, depth: &Depth, events: &EventLog) {
        let Some(pod) = &self.pod else { return };
        let view = view::Pod::new(pod.clone(), self.completed, depth.held_by(&pod.name));
        if self.published.as_ref() != Some(&view) {
            events.publish(Kind::Pod, &view);
            self.published = Some(view);
        }
    }
}

/// The task that writes the cluster's reports into the table.
pub struct Reporter {
    /// Cluster to follow.
    pub cluster: TimedCluster,
    /// State in which reports are recorded and published.
    pub live: Arc<Live>,
}

/// Whether the table holds every pod that the cluster has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listing {
    /// The pods were listed, and no event was missed since.
    Complete,
    /// The pods must be listed.
    Due,
    /// The pods must be listed, and so many attempts have failed.
    Failed(u32),
}

impl Reporter {
    /// Follows the cluster until `ending` is cancelled.
    pub async fn run(self, ending: CancellationToken) {
        ending.run_until_cancelled(self.follow()).await;
    }

    async fn follow(&self) {
        // Subscribed before the pods are listed, so that no event between the two is missed.
        let mut events = self.cluster.events();
        let mut listing = Listing::Due;
        loop {
            if listing != Listing::Complete {
                listing = self.list(listing).await;
            }
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => self.publish(event),
                    Err(RecvError::Lagged(_)) => {
                        // A fault may have begun or ended among the missed events, and no list of pods shows that.
                        self.publish(Event::Fault(self.cluster.fault()));
                        listing = Listing::Due;
                    }
                    // A closed channel means that no event will come. Pods that could not be listed are still retried.
                    Err(RecvError::Closed) if listing == Listing::Complete => return,
                    Err(RecvError::Closed) => tokio::time::sleep(RETRY).await,
                },
                () = tokio::time::sleep(RETRY), if listing != Listing::Complete => {}
            }
        }
    }

    fn publish(&self, event: Event) {
        let events = &self.live.events;
        match event {
            Event::Pod(pod) => {
                self.live.pods.record(pod);
                self.live.changed.notify_one();
            }
            Event::Reclaimed(jobs) => self.live.pods.record_reclaimed(jobs),
            Event::Scale(scale) => events.publish(Kind::Scale, &view::Scale::from(scale)),
            Event::Console(console) => events.publish(Kind::Console, &view::Console::from(console)),
            Event::Fault(reason) => events.publish(Kind::Fault, &view::Fault { reason }),
        }
    }

    async fn list(&self, before: Listing) -> Listing {
        let pods = match self.cluster.call(|cluster| cluster.pods()).await {
            Ok(pods) => pods,
            Err(error) => {
                let failures = match before {
                    Listing::Failed(failures) => failures.saturating_add(1),
                    Listing::Complete | Listing::Due => 1,
                };
                if failures == QUIET_FAILURES {
                    warn!(error = %Chain(&error), "could not list the pods; trying again");
                }
                return Listing::Failed(failures);
            }
        };
        self.live.pods.record_all(pods);
        self.live.changed.notify_one();
        // A scale that is not known yet is published later by an event of the cluster.
        if let Ok(scale) = self.cluster.call(|cluster| cluster.scale()).await {
            self.publish(Event::Scale(scale));
        }
        Listing::Complete
    }
}

#[cfg(test)]
mod tests {
    use kana_queue::WorkerId;
    use kana_queue::clock::Timestamp;
    use serde_json::Value;

    use super::*;
    use crate::telemetry::exposition::Exposition;

    fn table() -> Pods {
        Pods::new(Arc::new(EventLog::new(100)), Arc::new(Metrics::new(None)))
    }

    fn pod(name: &str, phase: Phase, created: u64) -> Pod {
        let created = Timestamp::from_millis(created);
        Pod { name: name.into(), phase, created, restarts: 0, node: None, reason: None }
    }

    fn holding(name: &str, jobs: usize) -> Depth {
        Depth { running: [(WorkerId::from(name), jobs)].into(), ..Depth::default() }
    }

    /// Name, phase, completed and in_flight of every event after `after`.
    fn published(pods: &Pods, after: u64) -> Vec<String> {
        let events = pods.events.read(after, 100).expect("no event was overtaken");
        let view = |data: &str| -> Value { serde_json::from_str(data).expect("JSON") };
        let line = |v: Value| format!("{} {} {} {}", v["name"], v["phase"], v["completed"], v["in_flight"]);
        events.iter().map(|event| line(view(&event.data)).replace('"', "")).collect()
    }

    #[test]
    fn a_pod_is_published_once_for_each_change() {
        let pods = table();

        pods.record(pod("a", Phase::Starting, 1));
        pods.record(pod("a", Phase::Starting, 1));
        pods.record(pod("a", Phase::Ready, 1));
        pods.record_depth(Depth::default());

        assert_eq!(published(&pods, 0), ["a starting 0 0", "a ready 0 0"]);
    }

    #[test]
    fn counts_are_published_with_the_next_depth() {
        let pods = table();
        pods.record(pod("a", Phase::Ready, 1));

        pods.record_settled("a");
        pods.record_depth(holding("a", 3));

        assert_eq!(published(&pods, 1), ["a ready 1 3"]);
    }

    #[test]
    fn a_job_that_was_settled_before_its_pod_was_reported_is_counted() {
        let pods = table();

        pods.record_settled("a");
        assert_eq!(pods.views(), []);
        pods.record(pod("a", Phase::Ready, 1));

        assert_eq!(published(&pods, 0), ["a ready 1 0"]);
    }

    #[test]
    fn a_pod_that_is_missing_in_a_list_is_published_as_gone() {
        let pods = table();
        pods.record(pod("a", Phase::Ready, 1));

        pods.record_all(vec![pod("b", Phase::Ready, 2)]);

        assert_eq!(published(&pods, 1), ["a gone 0 0", "b ready 0 0"]);
        assert_eq!(pods.views().len(), 1);
    }

    #[test]
    fn a_pod_that_went_takes_its_counts_with_it() {
        let pods = table();
        pods.record(pod("a", Phase::Ready, 1));
        pods.record_settled("a");

        pods.record(pod("a", Phase::Gone, 1));
        pods.record(pod("a", Phase::Ready, 2));

        assert_eq!(published(&pods, 1), ["a gone 1 0", "a ready 0 0"]);
    }

    #[test]
    fn restarts_and_ends_are_counted_once_and_by_who_asked() {
        let pods = table();
        pods.record_all(vec![pod("a", Phase::Ready, 1), pod("b", Phase::Ready, 1)]);

        pods.record(Pod { restarts: 2, ..pod("a", Phase::Ready, 1) });
        pods.record_stop("a");
        pods.record_stop("b");
        pods.record_stop_refused("b");
        pods.record(Pod { restarts: 2, ..pod("a", Phase::Stopping, 1) });
        pods.record(Pod { restarts: 2, ..pod("a", Phase::Gone, 1) });
        pods.record_all(Vec::new());
        pods.record_reclaimed(3);

        let text = pods.metrics.text(Exposition::Plain).unwrap();
        for line in [
            "kana_pod_restarts_total 2",
            "kana_pods_ended_total{asked_by=\"this_gateway\"} 1",
            "kana_pods_ended_total{asked_by=\"others\"} 1",
            "kana_jobs_reclaimed_total 3",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn a_stream_begins_with_the_pods_oldest_first() {
        let pods = table();

        pods.record_all(vec![pod("a", Phase::Ready, 2), pod("b", Phase::Ready, 1)]);

        let names: Vec<String> = pods.views().into_iter().map(|pod| pod.name).collect();
        assert_eq!(names, ["b", "a"]);
    }
}
