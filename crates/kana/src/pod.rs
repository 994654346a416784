//! Who runs the workers, and what can be asked of them?
//!
//! A pod is one worker process, wherever it runs. [`Cluster`] is the little that the gateway needs to show and control
//! pods; its implementations are in `cluster`, which the gateway never names. Nothing here knows HTTP: how a pod looks
//! on the wire is `gateway::view`'s.

use std::ops::RangeInclusive;

use async_trait::async_trait;
use tokio::sync::broadcast;

use kana_queue::clock::Timestamp;

/// A pod's stage of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The pod exists and cannot take work yet.
    Starting,
    /// The pod takes work.
    Ready,
    /// The pod was asked to end, and finishes what it holds.
    Stopping,
    /// The pod has ended. Reported once, then forgotten.
    Gone,
}

/// One worker process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Name, also the `worker` of every outcome that the pod settles.
    pub name: String,
    /// Stage of life.
    pub phase: Phase,
    /// Time of creation.
    pub created: Timestamp,
    /// Restarts of the container in place; always 0 for local pods, which are replaced instead.
    pub restarts: u32,
    /// The machine that the pod runs on, where there are several.
    pub node: Option<String>,
    /// Why the pod takes no work yet, or how its container last ended, where either is known.
    pub reason: Option<String>,
}

/// How to end a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM: the pod finishes its batch and releases the rest.
    #[default]
    Delete,
    /// As `Delete`, where the cluster's disruption budget allows it.
    Evict,
    /// SIGKILL, as a crash would.
    Kill,
}

/// Who changes the number of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Lower bound of the number of pods.
    pub min: u32,
    /// Upper bound of the number of pods.
    pub max: u32,
    /// Pods that exist now and were not asked to end.
    pub current: u32,
    /// Pods that there should be now.
    pub desired: u32,
    /// Who decides `desired`.
    pub by: ScaledBy,
}

/// A change that a cluster reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A pod appeared, changed or went.
    Pod(Pod),
    /// The range, or the number of pods that there are or should be, changed.
    Scale(Scale),
    /// A command ran, or an action that a person would have typed as this command.
    Console(Console),
    /// What keeps the pods from being seen or controlled changed; `None` where nothing does any more.
    Fault(Option<String>),
}

/// A command that did, or would do, what just happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Console {
    /// The command line.
    pub command: String,
    /// The result, in one line.
    pub output: String,
    /// Duration in milliseconds.
    pub took_ms: f64,
}

/// Why a request to a cluster failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Caller: 404.
    #[error("there is no pod {name:?} of this service")]
    Unknown {
        /// The name asked for.
        name: String,
    },
    /// Caller: 422.
    #[error("{reason}")]
    Refused {
        /// What was asked, and why not.
        reason: String,
    },
    /// Caller: 502, until a person has changed the cluster: a right is missing, or something that must be there.
    #[error("{reason}")]
    Misconfigured {
        /// What is missing.
        reason: String,
    },
    /// Caller: 503, try again later.
    #[error("could not {action}")]
    Unavailable {
        /// What was attempted.
        action: String,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Shows and controls the pods of this service, and of no other.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// Lists the pods that exist, oldest first.
    async fn pods(&self) -> Result<Vec<Pod>, Error>;

    /// Ends a pod. Returns when that is under way, not when the pod has ended.
    async fn stop(&self, name: &str, how: Stop) -> Result<(), Error>;

    /// Reads the present scale.
    async fn scale(&self) -> Result<Scale, Error>;

    /// Sets the range of the number of pods; the number itself follows later.
    async fn set_range(&self, range: RangeInclusive<u32>) -> Result<Scale, Error>;

    /// Reads the last `lines` lines of a pod's log.
    async fn logs(&self, name: &str, _lines: u32) -> Result<String, Error> {
        Err(Error::Refused { reason: format!("the log of {name} is part of the log of this service") })
    }

    /// What keeps the pods from being seen or controlled right now, in words for people; `None` where nothing does.
    fn fault(&self) -> Option<String> {
        None
    }

    /// Subscribes to what happens from now on. A receiver that lags is told how many events it missed, and lists the
    /// pods again.
    fn events(&self) -> broadcast::Receiver<Event>;
}
