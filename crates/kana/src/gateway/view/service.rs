//! What does a reader see of the queue, of the service as a whole, and of dead letters?

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Model, schema};
use kana_queue as queue;
use kana_queue::clock::Timestamp;
use kana_queue::job::{BatchId, JobId};

/// How much there is to do, and how fast it gets done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    /// Jobs that wait for a worker.
    pub waiting: usize,
    /// Jobs that a worker has claimed.
    pub running: usize,
    /// Dead letters kept.
    pub dead: usize,
    /// How long the oldest waiting job has waited, in milliseconds; absent where none waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub oldest_ms: Option<u64>,
    /// Jobs that this gateway accepted since it started.
    pub accepted: u64,
    /// Jobs done since this gateway started, whichever gateway accepted them.
    pub done: u64,
    /// Jobs dead-lettered or cancelled since this gateway started, whichever gateway accepted them.
    pub failed: u64,
    /// Jobs settled per second, of late.
    pub per_second: f64,
}

impl Queue {
    /// Creates the view of a queue's depth, with the gateway's counts at zero.
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
    /// The model that classifies.
    pub model: Model,
}

/// A job of which every attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetter {
    /// The job.
    #[schema(value_type = schema::JobId)]
    pub id: JobId,
    /// The batch that it was submitted in.
    #[schema(value_type = schema::BatchId)]
    pub batch: BatchId,
    /// The file's name, as sent.
    pub filename: String,
    /// When it was submitted.
    #[schema(value_type = schema::Timestamp)]
    pub submitted: Timestamp,
    /// When it was dead-lettered.
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
