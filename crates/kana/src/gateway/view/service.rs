//! How do the queue, the service as a whole and dead letters look on the wire?

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Model, schema};
use kana_queue as queue;
use kana_queue::clock::Timestamp;
use kana_queue::job::{BatchId, JobId};

/// Counts of jobs and throughput.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    /// Number of jobs that wait for a worker.
    pub waiting: usize,
    /// Number of jobs that a worker has claimed.
    pub running: usize,
    /// Number of dead letters.
    pub dead: usize,
    /// Waiting time of the oldest waiting job, in milliseconds; absent if no job waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub oldest_ms: Option<u64>,
    /// Number of jobs that this gateway has accepted since it started.
    pub accepted: u64,
    /// Number of jobs done since this gateway started, including jobs that other gateways accepted.
    pub done: u64,
    /// Number of jobs dead-lettered or cancelled since this gateway started, including those of other gateways.
    pub failed: u64,
    /// Jobs settled per second, averaged over the last seconds.
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

/// State of the service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Version of kana.
    pub version: String,
    /// Time since this gateway started, in seconds.
    pub uptime_seconds: u64,
    /// Counts of jobs and throughput.
    pub queue: Queue,
    /// Settings of the queue's store that may lose accepted jobs, in words for an operator; absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Model that classifies the images.
    pub model: Model,
}

/// Job of which every attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetter {
    /// Id of the job.
    #[schema(value_type = schema::JobId)]
    pub id: JobId,
    /// Id of the batch that the job was submitted in.
    #[schema(value_type = schema::BatchId)]
    pub batch: BatchId,
    /// Name of the file, as the client sent it.
    pub filename: String,
    /// Time of the submission.
    #[schema(value_type = schema::Timestamp)]
    pub submitted: Timestamp,
    /// Time at which the last attempt failed.
    #[schema(value_type = schema::Timestamp)]
    pub died: Timestamp,
    /// Number of times that a worker claimed the job.
    pub attempts: u32,
    /// Reason why the last attempt failed.
    pub reason: String,
    /// Name of the pod of the last attempt.
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
