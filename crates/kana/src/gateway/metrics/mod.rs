//! What does a gateway count and measure, and in which units?
//!
//! Every metric is declared once, here, with its unit in its name. Labels are enums, so that no client can make a new
//! series.

mod jobs;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::pod::Phase;
use crate::telemetry::exposition::Exposition;
use kana_engine::model::Card;
use kana_queue::job::Verdict;

pub use jobs::{Jobs, UploadPhase};

/// Upper bounds of the request latency's buckets, in seconds: from an idle service's millisecond to the longest wait.
const LATENCY_BUCKETS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 300.0];

/// Routes whose first failure must be seen, too: a series that begins above zero has no increase.
const SUBMITTING: [Route; 2] = [Route("/v1/jobs"), Route("/v1/classify")];

/// Every class of a response's status.
const ANSWERS: [Answer; 3] = [Answer::Served, Answer::Refused, Answer::Failed];

/// The class of a response's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// 1xx to 3xx.
    Served,
    /// 4xx: the request is refused.
    Refused,
    /// 5xx: the service failed.
    Failed,
}

/// Template of a route, one of those in `http::observe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route(pub &'static str);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Waiting,
    Running,
    Dead,
}

/// Reason why a connection was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// Its client kept the gateway waiting, and another connection needed its place.
    Evicted,
    /// Every connection was being worked for.
    Full,
    /// Every connection of its address was being worked for.
    ClientFull,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TurnLabel {
    reason: Turn,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: Route,
    answer: Answer,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabel {
    verdict: VerdictValue,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabel {
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabel {
    phase: PhaseValue,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AskedLabel {
    asked_by: AskedBy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum AskedBy {
    ThisGateway,
    Others,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct PhaseValue(&'static str);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum VerdictValue {
    Done,
    Failed,
    Cancelled,
}

impl From<&Verdict> for VerdictValue {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Done { .. } => Self::Done,
            Verdict::Failed { .. } => Self::Failed,
            Verdict::Cancelled => Self::Cancelled,
        }
    }
}

/// Writes an enum's label value.
macro_rules! label {
    ($name:ident, $self:ident => $text:expr) => {
        impl EncodeLabelValue for $name {
            fn encode(&$self, encoder: &mut LabelValueEncoder) -> Result<(), std::fmt::Error> {
                encoder.write_str($text)
            }
        }
    };
}

label!(Turn, self => match self {
    Self::Evicted => "evicted",
    Self::Full => "full",
    Self::ClientFull => "client_full",
});
label!(Route, self => self.0);
label!(AskedBy, self => match self {
    Self::ThisGateway => "this_gateway",
    Self::Others => "others",
});
label!(PhaseValue, self => self.0);
label!(VerdictValue, self => match self {
    Self::Done => "done",
    Self::Failed => "failed",
    Self::Cancelled => "cancelled",
});
label!(Answer, self => match self {
    Self::Served => "served",
    Self::Refused => "refused",
    Self::Failed => "failed",
});
label!(Stage, self => match self {
    Self::Waiting => "waiting",
    Self::Running => "running",
    Self::Dead => "dead",
});

type Seconds = Gauge<f64, AtomicU64>;
type Latencies = Family<RequestLabels, Histogram, fn() -> Histogram>;

/// The metrics of a gateway.
pub struct Metrics {
    registry: Registry,
    requests: Latencies,
    /// Number of jobs that the queue accepted from this gateway.
    pub accepted: Counter,
    /// Number of files that were not images.
    pub rejected: Counter,
    /// Number of jobs that a full queue refused.
    pub refused: Counter,
    settled: Family<VerdictLabel, Counter>,
    jobs: Family<StageLabel, Gauge>,
    oldest: Seconds,
    pods: Family<PhaseLabel, Gauge>,
    /// 1 where the queue answered when it was last asked, 0 otherwise.
    pub queue_up: Gauge,
    /// Number of jobs for which the queue had no space.
    pub not_stored: Counter,
    turned_away: Family<TurnLabel, Counter>,
    /// Number of jobs that this gateway took back from workers that ended.
    pub reclaimed: Counter,
    /// Number of restarts of the workers' containers.
    pub restarts: Counter,
    ended: Family<AskedLabel, Counter>,
    /// Number of open connections.
    pub connections: Gauge,
    /// Number of open event streams.
    pub streams: Gauge,
    /// Metrics of uploads, jobs and answers.
    pub detail: Jobs,
}

impl Metrics {
    /// Creates all metrics, at zero; `card` is the model's, whose classes are counted.
    pub fn new(card: Option<&Card>) -> Self {
        let mut new = Self {
            registry: Registry::with_prefix("kana"),
            requests: Latencies::new_with_constructor(|| Histogram::new(LATENCY_BUCKETS)),
            accepted: Counter::default(),
            rejected: Counter::default(),
            refused: Counter::default(),
            settled: Family::default(),
            jobs: Family::default(),
            oldest: Seconds::default(),
            pods: Family::default(),
            queue_up: Gauge::default(),
            not_stored: Counter::default(),
            turned_away: Family::default(),
            reclaimed: Counter::default(),
            restarts: Counter::default(),
            ended: Family::default(),
            connections: Gauge::default(),
            streams: Gauge::default(),
            detail: Jobs::new(card),
        };
        new.register();
        // So that the rate of a verdict that has not happened yet is zero instead of absent.
        for verdict in [VerdictValue::Done, VerdictValue::Failed, VerdictValue::Cancelled] {
            drop(new.settled.get_or_create(&VerdictLabel { verdict }));
        }
        for reason in [Turn::Evicted, Turn::Full, Turn::ClientFull] {
            drop(new.turned_away.get_or_create(&TurnLabel { reason }));
        }
        for asked_by in [AskedBy::ThisGateway, AskedBy::Others] {
            drop(new.ended.get_or_create(&AskedLabel { asked_by }));
        }
        for (route, answer) in SUBMITTING.into_iter().flat_map(|route| ANSWERS.map(|answer| (route, answer))) {
            drop(new.requests.get_or_create(&RequestLabels { route, answer }));
        }
        new.observe_queue(0, 0, 0);
        new.observe_pods(std::iter::empty());
        new
    }

    fn register(&mut self) {
        let to = &mut self.registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        to.register("build", "Version of this build", build);
        let help = "Time from a request's head to its response's, by route and answer";
        to.register_with_unit("http_request_duration", help, Unit::Seconds, self.requests.clone());
        to.register("jobs_accepted", "Jobs that the queue accepted from this gateway", self.accepted.clone());
        to.register("jobs_refused", "Jobs that a full queue refused", self.refused.clone());
        to.register("files_rejected", "Files that were not images", self.rejected.clone());
        let help = "Jobs for which the queue had no space: its disk or its memory is full";
        to.register("jobs_not_stored", help, self.not_stored.clone());
        to.register("queue_up", "Whether the queue answered when it was last asked", self.queue_up.clone());
        to.register("jobs_settled", "Jobs settled by anybody, by verdict", self.settled.clone());
        to.register("queue_jobs", "Jobs in the queue, by stage", self.jobs.clone());
        let help = "How long the oldest waiting job has waited";
        to.register_with_unit("queue_oldest_wait", help, Unit::Seconds, self.oldest.clone());
        to.register("pods", "Pods, by phase", self.pods.clone());
        let help = "Jobs that this gateway took back from workers that ended, on Kubernetes";
        to.register("jobs_reclaimed", help, self.reclaimed.clone());
        to.register("pod_restarts", "Restarts of workers' containers in place", self.restarts.clone());
        let help = "Pods that ended, by who asked for that: this gateway's page and API, or others, such as a scaler, \
                    a rollout, kubectl or a crash";
        to.register("pods_ended", help, self.ended.clone());
        to.register("http_connections", "Connections open", self.connections.clone());
        let help = "Connections closed for another one, or refused, by reason";
        to.register("http_connections_turned_away", help, self.turned_away.clone());
        to.register("event_streams", "Event streams open", self.streams.clone());
        self.detail.register(to);
    }

    /// Records a request that was answered.
    pub fn record_request(&self, route: Route, answer: Answer, took: Duration) {
        self.requests.get_or_create(&RequestLabels { route, answer }).observe(took.as_secs_f64());
    }

    /// Records a connection that was closed for another one, or refused.
    pub fn record_turned_away(&self, reason: Turn) {
        self.turned_away.get_or_create(&TurnLabel { reason }).inc();
    }

    /// Records a pod that ends, and whether this gateway was asked to stop it.
    pub fn record_pod_end(&self, is_stopped_here: bool) {
        let asked_by = if is_stopped_here { AskedBy::ThisGateway } else { AskedBy::Others };
        self.ended.get_or_create(&AskedLabel { asked_by }).inc();
    }

    /// Records a job that was settled.
    pub fn record_settled(&self, verdict: &Verdict) {
        self.settled.get_or_create(&VerdictLabel { verdict: verdict.into() }).inc();
    }

    /// Sets the number of jobs in each stage.
    pub fn observe_queue(&self, waiting: usize, running: usize, dead: usize) {
        for (stage, jobs) in [(Stage::Waiting, waiting), (Stage::Running, running), (Stage::Dead, dead)] {
            self.jobs.get_or_create(&StageLabel { stage }).set(i64::try_from(jobs).unwrap_or(i64::MAX));
        }
    }

    /// Sets the time that the oldest waiting job has waited; `None` sets zero.
    pub fn observe_oldest(&self, wait: Option<Duration>) {
        self.oldest.set(wait.unwrap_or_default().as_secs_f64());
    }

    /// Sets the number of pods in each phase.
    pub fn observe_pods(&self, phases: impl Iterator<Item = Phase>) {
        let mut counts = BTreeMap::from([("starting", 0), ("ready", 0), ("stopping", 0)]);
        for phase in phases {
            let name = match phase {
                Phase::Starting => "starting",
                Phase::Ready => "ready",
                Phase::Stopping => "stopping",
                // A pod that is gone is reported once and then removed.
                Phase::Gone => continue,
            };
            *counts.entry(name).or_default() += 1;
        }
        for (name, count) in counts {
            self.pods.get_or_create(&PhaseLabel { phase: PhaseValue(name) }).set(count);
        }
    }

    /// Writes all metrics.
    ///
    /// # Errors
    /// None in practice: writing to a string does not fail.
    pub fn text(&self, exposition: Exposition) -> Result<String, std::fmt::Error> {
        exposition.write(&self.registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_written_with_their_units() {
        let metrics = Metrics::new(None);

        metrics.accepted.inc_by(3);
        metrics.record_settled(&Verdict::Failed { reason: "it is broken".into() });
        metrics.observe_oldest(Some(Duration::from_millis(1_500)));
        metrics.record_request(Route("/v1/jobs/{id}"), Answer::Refused, Duration::from_millis(2));

        let text = metrics.text(Exposition::Plain).unwrap();
        for line in [
            "kana_jobs_accepted_total 3",
            "kana_jobs_settled_total{verdict=\"failed\"} 1",
            "kana_jobs_settled_total{verdict=\"done\"} 0",
            "kana_queue_oldest_wait_seconds 1.5",
            "kana_http_request_duration_seconds_count{route=\"/v1/jobs/{id}\",answer=\"refused\"} 1",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn a_phase_without_pods_is_written_as_zero() {
        let metrics = Metrics::new(None);

        metrics.observe_pods([Phase::Ready, Phase::Ready, Phase::Gone].into_iter());
        metrics.observe_pods([Phase::Starting].into_iter());

        let text = metrics.text(Exposition::Plain).unwrap();
        assert!(text.contains("kana_pods{phase=\"ready\"} 0") && text.contains("kana_pods{phase=\"starting\"} 1"));
    }
}
