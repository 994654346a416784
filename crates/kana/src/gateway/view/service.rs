//! What does a reader see of the pods, the queue and the model?

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Model, schema};
use crate::pod::{self, Phase};
use kana_queue as queue;
use kana_queue::clock::Timestamp;
use kana_queue::job::{BatchId, JobId};

/// One worker process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pod {
    /// Its name, also the `worker` of the jobs it settles.
    pub name: String,
    /// How far it has come.
    pub phase: Phase,
    /// Whether it takes work.
    pub ready: bool,
    /// When it was made.
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

/// What keeps the service from seeing or steering its pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trouble {
    /// For people; absent where nothing is amiss any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
}

impl Pod {
    /// A pod, with what the gateway counted of it.
    pub fn new(pod: pod::Pod, completed: u64, in_flight: usize) -> Self {
        Self {
            ready: pod.phase == Phase::Ready,
            name: pod.name,
            phase: pod.phase,
            created: pod.created,
            restarts: pod.restarts,
            completed,
            in_flight,
            node: pod.node,
            reason: pod.reason,
        }
    }
}

/// How many pods there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Range {
    /// Never fewer than this.
    pub min: u32,
    /// Never more than this; at least `min`.
    pub max: u32,
}

/// How much there is to do, and how fast it gets done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    /// Jobs that wait for a worker.
    pub waiting: usize,
    /// Jobs that a worker has.
    pub running: usize,
    /// Dead letters kept.
    pub dead: usize,
    /// How long the oldest waiting job has waited, in milliseconds; absent where none waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub oldest_ms: Option<u64>,
    /// Jobs that this gateway took in since it started.
    pub accepted: u64,
    /// Jobs answered since this gateway started, whoever took them in.
    pub done: u64,
    /// Jobs given up or taken back since this gateway started, whoever took them in.
    pub failed: u64,
    /// Jobs settled a second, lately.
    pub per_second: f64,
}

impl Queue {
    /// The queue's part of this; the counts are the gateway's.
    pub fn of_depth(depth: &queue::Depth, now: Timestamp) -> Self {
        let oldest = depth.oldest.map(|oldest| now.since(oldest).as_millis());
        Self {
            waiting: depth.waiting,
            running: depth.in_flight(),
            dead: depth.dead,
            oldest_ms: oldest.map(|millis| u64::try_from(millis).unwrap_or(u64::MAX)),
            ..Self::default()
        }
    }
}

/// The service at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// kana's version.
    pub version: String,
    /// How long this gateway has run, in seconds.
    pub uptime_seconds: u64,
    /// How much there is to do, and how fast it gets done.
    pub queue: Queue,
    /// What answers.
    pub model: Model,
}

/// A job that every attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetter {
    /// The job.
    #[schema(value_type = schema::JobId)]
    pub id: JobId,
    /// What it was submitted with.
    #[schema(value_type = schema::BatchId)]
    pub batch: BatchId,
    /// What its sender calls it.
    pub filename: String,
    /// When it was taken in.
    #[schema(value_type = schema::Timestamp)]
    pub submitted: Timestamp,
    /// When it was given up.
    #[schema(value_type = schema::Timestamp)]
    pub died: Timestamp,
    /// How often it was claimed.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub reason: String,
    /// The pod of the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub worker: Option<String>,
}

impl From<queue::DeadLetter> for DeadLetter {
    fn from(letter: queue::DeadLetter) -> Self {
        Self {
            id: letter.job.id,
            batch: letter.job.batch,
            filename: letter.job.filename,
            submitted: letter.job.submitted,
            died: letter.died,
            attempts: letter.attempts,
            reason: letter.reason,
            worker: letter.worker.map(|worker| worker.pod().to_owned()),
        }
    }
}
