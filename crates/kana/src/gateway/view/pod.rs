//! How do pods, the scale, commands and faults of the cluster look on the wire?

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema;
use crate::pod;
use kana_queue::clock::Timestamp;

/// Lifecycle phase of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The pod exists and cannot take work yet.
    Starting,
    /// The pod takes work.
    Ready,
    /// The pod was asked to stop, and finishes or releases its jobs.
    Stopping,
    /// The pod has ended; reported once, then removed from the list.
    Gone,
}

/// One worker process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pod {
    /// Name of the pod, also the `worker` of its jobs.
    pub name: String,
    /// Lifecycle phase of the pod.
    pub phase: Phase,
    /// Whether the pod takes work.
    pub ready: bool,
    /// Time of the pod's creation.
    #[schema(value_type = schema::Timestamp)]
    pub created: Timestamp,
    /// Number of restarts of the pod's containers; always 0 for local pods, which are replaced instead.
    pub restarts: u32,
    /// Number of jobs that the pod has finished since this gateway started.
    pub completed: u64,
    /// Number of jobs that the pod holds now.
    pub in_flight: usize,
    /// Name of the node that the pod runs on; absent for local pods and before scheduling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub node: Option<String>,
    /// Reason why the pod takes no work yet, or how its container last ended; absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
}

/// Way to stop a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stop {
    /// SIGTERM: the pod finishes its current batch and releases its other jobs.
    #[default]
    Delete,
    /// Same as `delete`, if the cluster's disruption budget allows it.
    Evict,
    /// SIGKILL, on Kubernetes a deletion without a grace period: the pod ends at once or within two seconds, as in a
    /// crash.
    Kill,
}

/// Controller that changes the number of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScaledBy {
    /// `kana up` itself, by the backlog of jobs.
    Local,
    /// A HorizontalPodAutoscaler.
    Hpa,
    /// A KEDA ScaledObject.
    Keda,
    /// No controller: the number is fixed.
    Fixed,
}

/// Range, current number and desired number of pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Scale {
    /// Lower bound of the number of pods.
    pub min: u32,
    /// Upper bound of the number of pods.
    pub max: u32,
    /// Number of pods that exist now and were not asked to stop.
    pub current: u32,
    /// Number of pods that there should be now.
    pub desired: u32,
    /// Controller that decides the desired number.
    pub by: ScaledBy,
    /// Reason why the desired number stays as it is, whatever the range; absent unless somebody paused the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub paused: Option<String>,
}

/// Range of the number of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Range {
    /// Lower bound of the number of pods.
    pub min: u32,
    /// Upper bound of the number of pods; at least `min`, and not 0.
    pub max: u32,
}

/// Command line equivalent to an action that the service has just performed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Console {
    /// The command line.
    pub command: String,
    /// Result of the command, in one line.
    pub output: String,
    /// Duration of the command, in milliseconds.
    pub took_ms: f64,
}

/// Reason why the service cannot see or control its pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Trouble)]
pub struct Fault {
    /// Message for people; absent when the fault is over.
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
        let pod::Scale { min, max, current, desired, by, paused } = scale;
        Self { min, max, current, desired, by: by.into(), paused: paused.map(|paused| paused.to_string()) }
    }
}

impl From<pod::Console> for Console {
    fn from(console: pod::Console) -> Self {
        let pod::Console { command, output, took_ms } = console;
        Self { command, output, took_ms }
    }
}
