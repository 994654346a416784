//! Who runs the workers, and what may be asked of them?
//!
//! A pod is one worker process, wherever it lives. [`Cluster`] is the little that the gateway needs to show and steer
//! them; its implementations live in `cluster`, which the gateway never names.

use std::ops::RangeInclusive;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use kana_queue::clock::Timestamp;

/// How far a pod has come in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Exists, and cannot take work yet.
    Starting,
    /// Takes work.
    Ready,
    /// Was asked to end, and finishes what it holds.
    Stopping,
    /// Has ended; told once, then forgotten.
    Gone,
}

/// One worker process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Pod {
    /// Its name, also the `worker` of every outcome it settles.
    pub name: String,
    /// How far it has come.
    pub phase: Phase,
    /// When it was made.
    #[schema(value_type = crate::gateway::view::schema::Timestamp)]
    pub created: Timestamp,
    /// How many times its container was restarted in place; always 0 for local pods, which are replaced instead.
    pub restarts: u32,
    /// The machine it runs on, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Why it takes no work yet, or how its container last ended, where either is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How to end a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stop {
    /// SIGTERM: it finishes its batch and gives the rest back.
    #[default]
    Delete,
    /// As `Delete`, where the cluster's disruption budget allows it.
    Evict,
    /// SIGKILL, as a crash would.
    Kill,
}

/// Who moves the number of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
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

/// Something happened to the pods.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A pod appeared, changed or went.
    Pod(Pod),
    /// The range, the number or the aim changed.
    Scale(Scale),
    /// What was done behind the scenes, as a person would have typed it.
    Console(Console),
    /// What keeps the pods from being seen or steered is another, or nothing any more.
    Trouble(Option<String>),
}

/// A command that did, or would do, what just happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Console {
    /// The command line.
    pub command: String,
    /// What came of it, in one line.
    pub output: String,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
}

/// What may go wrong with pods.
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
    /// Caller: 503, later again.
    #[error("could not {action}")]
    Unavailable {
        /// What was attempted.
        action: String,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Shows and steers the pods of this service, and of no other.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// The pods that exist, oldest first.
    async fn pods(&self) -> Result<Vec<Pod>, Error>;

    /// Ends a pod. Answers when that is under way, not when it is over.
    async fn stop(&self, name: &str, how: Stop) -> Result<(), Error>;

    /// The present scale.
    async fn scale(&self) -> Result<Scale, Error>;

    /// Sets the range; the number follows by itself.
    async fn set_range(&self, range: RangeInclusive<u32>) -> Result<Scale, Error>;

    /// The last `lines` lines of a pod's log.
    async fn logs(&self, name: &str, _lines: u32) -> Result<String, Error> {
        Err(Error::Refused { reason: format!("the log of {name} is part of the log of this service") })
    }

    /// What keeps the pods from being seen or steered right now, for people; `None` where nothing does.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// What happens from now on. A receiver that lags is told how many events it missed, and asks for the whole.
    fn events(&self) -> broadcast::Receiver<Event>;
}
