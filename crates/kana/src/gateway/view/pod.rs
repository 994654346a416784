//! What does a reader see of the pods, their number, and what keeps them from being seen?

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema;
use crate::pod;
use kana_queue::clock::Timestamp;

/// A pod's stage of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Exists, and cannot take work yet.
    Starting,
    /// Takes work.
    Ready,
    /// Was asked to end, and finishes what it holds.
    Stopping,
    /// Has ended; reported once, then forgotten.
    Gone,
}

/// One worker process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pod {
    /// Its name, also the `worker` of the jobs it settles.
    pub name: String,
    /// Its stage of life.
    pub phase: Phase,
    /// Whether it takes work.
    pub ready: bool,
    /// When it was created.
    #[schema(value_type = schema::Timestamp)]
    pub created: Timestamp,
    /// How many times it was restarted in place.
    pub restarts: u32,
    /// Jobs it has settled since this gateway started.
    pub completed: u64,
    /// Jobs it has now.
    pub in_flight: usize,
    /// The machine it runs on, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub node: Option<String>,
    /// Why it takes no work yet, or how its container last ended, where either is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
}

/// How to end a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stop {
    /// SIGTERM: it finishes its batch and releases the rest.
    #[default]
    Delete,
    /// As `Delete`, where the cluster's disruption budget allows it.
    Evict,
    /// SIGKILL, as a crash would.
    Kill,
}

/// Who changes the number of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScaledBy {
    /// `kana up` itself, by backlog.
    Local,
    /// A HorizontalPodAutoscaler.
    Hpa,
    /// A KEDA ScaledObject.
    Keda,
    /// Nobody: the number is fixed.
    Fixed,
}

/// How many pods there may be, are, and should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Scale {
    /// Never fewer than this.
    pub min: u32,
    /// Never more than this.
    pub max: u32,
    /// Pods that exist now and were not asked to end.
    pub current: u32,
    /// Pods that there should be now.
    pub desired: u32,
    /// Who decides that.
    pub by: ScaledBy,
}

/// How many pods there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Range {
    /// Never fewer than this.
    pub min: u32,
    /// Never more than this; at least `min`.
    pub max: u32,
}

/// A command that did, or would do, what just happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Console {
    /// The command line.
    pub command: String,
    /// Its result, in one line.
    pub output: String,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
}

/// What keeps the service from seeing or controlling its pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Trouble)]
pub struct Fault {
    /// For people; absent where nothing is wrong any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
}

impl Pod {
    /// Joins a pod with what the gateway counted of it: jobs settled since it started, and jobs held now.
    pub fn new(pod: pod::Pod, completed: u64, in_flight: usize) -> Self {
        Self {
            ready: pod.phase == pod::Phase::Ready,
            name: pod.name,
            phase: pod.phase.into(),
            created: pod.created,
            restarts: pod.restarts,
            completed,
            in_flight,
            node: pod.node,
            reason: pod.reason,
        }
    }
}

impl From<pod::Phase> for Phase {
    fn from(phase: pod::Phase) -> Self {
        match phase {
            pod::Phase::Starting => Self::Starting,
            pod::Phase::Ready => Self::Ready,
            pod::Phase::Stopping => Self::Stopping,
            pod::Phase::Gone => Self::Gone,
        }
    }
}

impl From<Stop> for pod::Stop {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Delete => Self::Delete,
            Stop::Evict => Self::Evict,
            Stop::Kill => Self::Kill,
        }
    }
}

impl From<pod::ScaledBy> for ScaledBy {
    fn from(by: pod::ScaledBy) -> Self {
        match by {
            pod::ScaledBy::Local => Self::Local,
            pod::ScaledBy::Hpa => Self::Hpa,
            pod::ScaledBy::Keda => Self::Keda,
            pod::ScaledBy::Fixed => Self::Fixed,
        }
    }
}

impl From<pod::Scale> for Scale {
    fn from(scale: pod::Scale) -> Self {
        let pod::Scale { min, max, current, desired, by } = scale;
        Self { min, max, current, desired, by: by.into() }
    }
}

impl From<pod::Console> for Console {
    fn from(console: pod::Console) -> Self {
        let pod::Console { command, output, took_ms } = console;
        Self { command, output, took_ms }
    }
}
