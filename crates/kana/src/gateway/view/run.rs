//! How does a run look in a list, without its jobs?

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema;
use super::{Counts, State};
use kana_queue::clock::Timestamp;
use kana_queue::job::{BatchId, Progress, Status, Verdict};

/// A batch that was submitted by `POST /v1/jobs`, counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// Id of the batch, for `/v1/batches/{id}`.
    #[schema(value_type = schema::BatchId)]
    pub batch: BatchId,
    /// Name that the sender gave it; absent where it gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<String>,
    /// Time of the first submission.
    #[schema(value_type = schema::Timestamp)]
    pub submitted: Timestamp,
    /// Number of jobs in the batch; equals `done + failed` when all have finished.
    pub accepted: usize,
    /// Number of jobs that were claimed more than once.
    pub redelivered: usize,
    /// Number of jobs in each state.
    pub counts: Counts,
    /// Names of the pods that settled its jobs, sorted.
    pub workers: Vec<String>,
    /// Time from the first submission to the latest outcome, in milliseconds; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub elapsed_ms: Option<f64>,
}

impl Run {
    /// Counts a run; `None` where nothing is known of its jobs any more.
    pub fn new(run: kana_queue::Run, jobs: &[Status]) -> Option<Self> {
        let submitted = jobs.iter().map(|job| job.submitted).min()?;
        let outcomes = || jobs.iter().filter_map(Status::outcome);
        let workers: BTreeSet<&str> = outcomes().filter_map(|outcome| Some(outcome.worker.as_ref()?.pod())).collect();
        let latest = outcomes().map(|outcome| outcome.settled).max();
        Some(Self {
            batch: run.batch,
            name: Some(run.name).filter(|name| !name.is_empty()),
            submitted,
            accepted: jobs.len(),
            redelivered: jobs.iter().filter(|job| job.attempts > 1).count(),
            counts: Counts::of(jobs.iter().map(|job| State::of(&job.progress))),
            workers: workers.into_iter().map(str::to_owned).collect(),
            elapsed_ms: latest.map(|latest| latest.since(submitted).as_secs_f64() * 1e3),
        })
    }
}

impl State {
    /// The state of a job with this progress.
    pub fn of(progress: &Progress) -> Self {
        match progress {
            Progress::Queued => Self::Queued,
            Progress::Running { .. } => Self::Running,
            Progress::Settled(outcome) => match outcome.verdict {
                Verdict::Done { .. } => Self::Done,
                Verdict::Failed { .. } | Verdict::Cancelled => Self::Failed,
            },
        }
    }
}
