//! How does the gateway show and control workers, wherever they run?
//!
//! A pod is one worker process. [`Cluster`] is the interface that the gateway needs; its implementations are in
//! `cluster`, which the gateway never names. Nothing here knows HTTP: `gateway::view` describes pods on the wire.

use std::fmt;
use std::ops::RangeInclusive;

use async_trait::async_trait;
use tokio::sync::broadcast;

use kana_queue::clock::Timestamp;

/// Lifecycle phase of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The pod exists and cannot take work yet.
    Starting,
    /// The pod takes work.
    Ready,
    /// The pod was asked to stop, and finishes or releases its jobs.
    Stopping,
    /// The pod has ended. Reported once; lists do not contain it.
    Gone,
}

/// One worker process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Name, also the `worker` of every outcome that the pod settles.
    pub name: String,
    /// Lifecycle phase of the pod.
    pub phase: Phase,
    /// Time of creation.
    pub created: Timestamp,
    /// Restarts of the container in place; always 0 for local pods, which are replaced instead.
    pub restarts: u32,
    /// Name of the node that the pod runs on, where there are several.
    pub node: Option<String>,
    /// Reason why the pod takes no work yet, or how its container last ended, where either is known.
    pub reason: Option<String>,
}

/// Way to stop a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM: the pod finishes its batch and releases the rest.
    #[default]
    Delete,
    /// Same as `Delete`, if the cluster's disruption budget allows it.
    Evict,
    /// SIGKILL, as in a crash. On Kubernetes a deletion without a grace period: the node sends SIGTERM first, and SIGKILL
    /// within two seconds.
    Kill,
}

/// Controller that changes the number of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaledBy {
    /// `kana up` itself, by backlog.
    Local,
    /// A HorizontalPodAutoscaler.
    Hpa,
    /// A KEDA ScaledObject.
    Keda,
    /// No controller: the number is fixed.
    Fixed,
}

/// Range, current number and desired number of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Lower bound of the number of pods.
    pub min: u32,
    /// Upper bound of the number of pods.
    pub max: u32,
    /// Number of pods that exist now and were not asked to stop.
    pub current: u32,
    /// Number of pods that there should be now.
    pub desired: u32,
    /// Controller that decides `desired`.
    pub by: ScaledBy,
    /// Reason why `desired` stays as it is, whatever the range and the load; `None` unless somebody paused `by`.
    pub paused: Option<Paused>,
}

/// Reason why a controller does not change the number of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paused {
    /// Somebody set the number to 0, from where a HorizontalPodAutoscaler starts nothing.
    AtZero,
    /// Somebody gave the ScaledObject this annotation.
    Annotation(&'static str),
}

impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtZero => f.write_str(
                "the number of workers was set to 0 by hand, and a HorizontalPodAutoscaler starts none from there: set \
                 the range to wake them",
            ),
            Self::Annotation(name) => {
                write!(
                    f,
                    "the ScaledObject is paused: the number stays as it is until its annotation {name} is removed"
                )
            }
        }
    }
}

/// A change that a cluster reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A pod appeared, changed or disappeared.
    Pod(Pod),
    /// The range, the current or the desired number of pods changed.
    Scale(Scale),
    /// Jobs of workers that ended were taken back: so many.
    Reclaimed(usize),
    /// An action was performed, which this command line describes.
    Console(Console),
    /// A reason why the pods cannot be seen, controlled or started appeared or changed; `None` when there is none any
    /// more.
    Fault(Option<String>),
}

/// Command line equivalent to an action that was just performed.
#[derive(Clone, Debug, PartialEq)]
pub struct Console {
    /// The command line.
    pub command: String,
    /// Result of the command, in one line.
    pub output: String,
    /// Duration of the command, in milliseconds.
    pub took_ms: f64,
}

/// Failure of a request to a cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Caller: 404.
    #[error("there is no pod {name:?} of this service")]
    Unknown {
        /// Name in the request.
        name: String,
    },
    /// Caller: 422.
    #[error("{reason}")]
    Refused {
        /// Request and the reason of the refusal, in words for people.
        reason: String,
    },
    /// Caller: 502, until a person has changed the cluster: a right or an object is missing.
    #[error("{reason}")]
    Misconfigured {
        /// Missing right or object, in words for people.
        reason: String,
    },
    /// Caller: 503, try again later.
    #[error("could not {action}")]
    Unavailable {
        /// Action that was attempted.
        action: String,
        /// Cause of the failure.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Shows and controls the pods of this service, and of no other.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// Lists the pods that exist, oldest first.
    async fn pods(&self) -> Result<Vec<Pod>, Error>;

    /// Stops a pod. Returns when the stop has begun, not when the pod has ended.
    async fn stop(&self, name: &str, how: Stop) -> Result<(), Error>;

    /// Reads the current scale.
    async fn scale(&self) -> Result<Scale, Error>;

    /// Sets the range of the number of pods; the number itself follows later.
    async fn set_range(&self, range: RangeInclusive<u32>) -> Result<Scale, Error>;

    /// Reads the last `lines` lines of a pod's log.
    async fn logs(&self, name: &str, _lines: u32) -> Result<String, Error> {
        Err(Error::Refused { reason: format!("the log of {name} is part of the log of this service") })
    }

    /// Returns the reason why the pods cannot be seen, controlled or started right now, in words for people; `None` if
    /// they can.
    fn fault(&self) -> Option<String> {
        None
    }

    /// Subscribes to the events from now on. A receiver that lags gets an error with the number of missed events, and
    /// must list the pods again.
    fn events(&self) -> broadcast::Receiver<Event>;
}
