//! What does a reader see of a job, of its batch, and of an upload?

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema;
use kana_queue::job::{BatchId, JobId, Outcome, Progress, Status, Verdict};

/// A job's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Waits for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// The classifier answered.
    Done,
    /// Every attempt failed, or the job was cancelled.
    Failed,
}

/// One image to classify.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its id.
    #[schema(value_type = schema::JobId)]
    pub id: JobId,
    /// The batch that it was submitted in.
    #[schema(value_type = schema::BatchId)]
    pub batch: BatchId,
    /// The file's name, as sent.
    pub filename: String,
    /// Its state.
    pub state: State,
    /// The label of the most probable class, as the model's card spells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub label: Option<String>,
    /// The index of that class in the card's labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub class: Option<usize>,
    /// The probability of that class, in [0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub confidence: Option<f32>,
    /// The probability of each class, in the order of the card's labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub probabilities: Option<Vec<f32>>,
    /// The pod that has it, or settled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub worker: Option<String>,
    /// How many times a worker has claimed it; 1 where nothing failed.
    pub attempts: u32,
    /// Milliseconds from submission to the claim that settled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub queued_ms: Option<f64>,
    /// Milliseconds in the classifier: its share of its batch's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub inference_ms: Option<f64>,
    /// Why it failed; `cancelled` where it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
}

impl Job {
    /// Creates the view of a job of which only the submission is known.
    pub fn queued(id: JobId, batch: BatchId, filename: impl Into<String>) -> Self {
        Self {
            id,
            batch,
            filename: filename.into(),
            state: State::Queued,
            label: None,
            class: None,
            confidence: None,
            probabilities: None,
            worker: None,
            attempts: 0,
            queued_ms: None,
            inference_ms: None,
            error: None,
        }
    }

    /// Marks the job as failed because its outcome is no longer kept.
    pub fn expire(&mut self) {
        self.state = State::Failed;
        self.error = Some(EXPIRED.into());
    }

    /// Whether the job is settled.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Failed)
    }

    fn settle(&mut self, outcome: Outcome) {
        self.worker = outcome.worker.map(|worker| worker.pod().to_owned());
        self.queued_ms = Some(outcome.queued.as_secs_f64() * 1e3);
        match outcome.verdict {
            Verdict::Done { prediction, inference } => {
                self.state = State::Done;
                self.label = Some(prediction.label);
                self.class = Some(prediction.class);
                self.confidence = Some(prediction.confidence);
                self.probabilities = Some(prediction.probabilities);
                self.inference_ms = Some(inference.as_secs_f64() * 1e3);
            }
            Verdict::Failed { reason } => {
                self.state = State::Failed;
                self.error = Some(reason);
            }
            Verdict::Cancelled => {
                self.state = State::Failed;
                self.error = Some(CANCELLED.into());
            }
        }
    }
}

/// The `error` of a job whose outcome is no longer kept.
pub const EXPIRED: &str = "expired";

/// The `error` of a job that was cancelled.
pub const CANCELLED: &str = "cancelled";

impl From<Status> for Job {
    fn from(status: Status) -> Self {
        let mut job = Self::queued(status.id, status.batch, status.filename);
        job.attempts = status.attempts;
        match status.progress {
            Progress::Queued => {}
            Progress::Running { worker } => {
                job.state = State::Running;
                job.worker = Some(worker.pod().to_owned());
            }
            Progress::Settled(outcome) => job.settle(outcome),
        }
        job
    }
}

/// A file that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rejection {
    /// The file's name, as sent.
    pub filename: String,
    /// Why it was refused.
    pub error: String,
}

/// The result of an upload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// Its id, for `/v1/batches/{id}`.
    #[schema(value_type = schema::BatchId)]
    pub batch: BatchId,
    /// The files that were accepted, in the order sent.
    pub jobs: Vec<Job>,
    /// The files that were refused.
    pub rejected: Vec<Rejection>,
}

/// How many jobs of a batch are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    /// Waiting.
    pub queued: usize,
    /// Claimed by a worker.
    pub running: usize,
    /// Answered.
    pub done: usize,
    /// Dead-lettered or cancelled.
    pub failed: usize,
}

/// The jobs that were submitted together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Batch {
    /// Its id.
    #[schema(value_type = schema::BatchId)]
    pub batch: BatchId,
    /// How many jobs it has; `done + failed` once all are settled.
    pub accepted: usize,
    /// How many of them a worker claimed more than once.
    pub redelivered: usize,
    /// How many jobs are in each state.
    pub counts: Counts,
    /// All of them, in the order submitted.
    pub jobs: Vec<Job>,
}

impl Batch {
    /// Counts the jobs of a batch.
    pub fn new(batch: BatchId, jobs: Vec<Job>) -> Self {
        let mut counts = Counts::default();
        for job in &jobs {
            match job.state {
                State::Queued => counts.queued += 1,
                State::Running => counts.running += 1,
                State::Done => counts.done += 1,
                State::Failed => counts.failed += 1,
            }
        }
        let redelivered = jobs.iter().filter(|job| job.attempts > 1).count();
        Self { batch, accepted: jobs.len(), redelivered, counts, jobs }
    }
}
