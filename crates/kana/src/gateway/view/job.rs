//! How do a job, its batch and the response to an upload look on the wire?

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema;
use kana_queue::clock::Timestamp;
use kana_queue::job::{BatchId, JobId, Outcome, Progress, Status, Verdict};
use kana_queue::{Loss, LostAttempt};

/// State of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The job waits for a worker.
    Queued,
    /// A worker has claimed the job.
    Running,
    /// The job has a result.
    Done,
    /// Every attempt failed, or the job was cancelled.
    Failed,
}

/// How an attempt ended that brought no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AttemptEnd {
    /// The pod was stopped: by a person, a scaler or its cluster.
    Stopped,
    /// The pod crashed.
    Crashed,
    /// The pod was not heard of any more, and its lease expired.
    Expired,
    /// The pod said that it failed.
    Failed,
}

/// An attempt that ended without an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// Name of the pod that made it.
    pub worker: String,
    /// Time at which the pod claimed the job. With Redis it may be later: the last time that the pod was heard of.
    #[schema(value_type = schema::Timestamp)]
    pub began: Timestamp,
    /// Time at which the queue learnt that it was over.
    #[schema(value_type = schema::Timestamp)]
    pub ended: Timestamp,
    /// How it ended.
    pub cause: AttemptEnd,
    /// Why it failed, as the pod said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
}

impl From<LostAttempt> for Attempt {
    fn from(LostAttempt { worker, began, ended, loss }: LostAttempt) -> Self {
        let (cause, reason) = match loss {
            Loss::Stopped => (AttemptEnd::Stopped, None),
            Loss::Crashed => (AttemptEnd::Crashed, None),
            Loss::Expired => (AttemptEnd::Expired, None),
            Loss::Failed(reason) => (AttemptEnd::Failed, Some(reason)),
        };
        Self { worker: worker.pod().to_owned(), began, ended, cause, reason }
    }
}

/// One image to classify.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Id of the job.
    #[schema(value_type = schema::JobId)]
    pub id: JobId,
    /// Id of the batch that the job was submitted in.
    #[schema(value_type = schema::BatchId)]
    pub batch: BatchId,
    /// Name of the file, as the client sent it.
    pub filename: String,
    /// State of the job.
    pub state: State,
    /// Label of the most probable class, spelled as in the model's card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub label: Option<String>,
    /// Index of the most probable class in the model's labels, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub class: Option<usize>,
    /// Probability of the most probable class, in [0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub confidence: Option<f32>,
    /// Probability of each class, in [0, 1], in the order of the model's labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub probabilities: Option<Vec<f32>>,
    /// Whether the image shows nothing (a blank page, a single colour, noise), so that `label` has no meaning; absent where
    /// it shows something.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blank: bool,
    /// Name of the pod that processes or processed the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub worker: Option<String>,
    /// Number of times that a worker has claimed the job; more than 1 after a failed attempt.
    pub attempts: u32,
    /// Attempts that ended without an outcome, oldest first; only where one job or one batch was asked for, and there were
    /// any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Attempt>,
    /// Time of the submission; absent where a repeated request is answered whose jobs are no longer kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Timestamp, nullable = false, required = false)]
    pub submitted: Option<Timestamp>,
    /// Time of the outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Timestamp, nullable = false, required = false)]
    pub settled: Option<Timestamp>,
    /// Time from the submission to the claim that settled the job, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub queued_ms: Option<f64>,
    /// Time in the classifier, in milliseconds: the time of the images classified together, divided by their number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub inference_ms: Option<f64>,
    /// Reason of the failure; `cancelled` if the job was cancelled.
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
            blank: false,
            worker: None,
            attempts: 0,
            lost: Vec::new(),
            submitted: None,
            settled: None,
            queued_ms: None,
            inference_ms: None,
            error: None,
        }
    }

    /// Whether the job may have had attempts that ended without an outcome.
    pub fn may_have_lost(&self) -> bool {
        self.attempts > 1 || (self.state != State::Done && self.attempts > 0)
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
        self.settled = Some(outcome.settled);
        self.queued_ms = Some(outcome.queued.as_secs_f64() * 1e3);
        match outcome.verdict {
            Verdict::Done { prediction, inference, blank } => {
                self.state = State::Done;
                self.label = Some(prediction.label);
                self.class = Some(prediction.class);
                self.confidence = Some(prediction.confidence);
                self.probabilities = Some(prediction.probabilities);
                self.blank = blank;
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
        job.submitted = Some(status.submitted);
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
    /// Name of the file, as the client sent it.
    pub filename: String,
    /// Reason of the refusal.
    pub error: String,
}

/// Response to an upload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// Id of the batch, for `/v1/batches/{id}`.
    #[schema(value_type = schema::BatchId)]
    pub batch: BatchId,
    /// Jobs of the accepted files, in the order sent.
    pub jobs: Vec<Job>,
    /// Files that were refused.
    pub rejected: Vec<Rejection>,
}

/// Number of jobs of a batch in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    /// Jobs that wait for a worker.
    pub queued: usize,
    /// Jobs that a worker has claimed.
    pub running: usize,
    /// Jobs that have a result.
    pub done: usize,
    /// Jobs of which every attempt failed, or that were cancelled.
    pub failed: usize,
}

impl Counts {
    /// Counts the jobs in these states.
    pub fn of(states: impl IntoIterator<Item = State>) -> Self {
        let mut counts = Self::default();
        for state in states {
            match state {
                State::Queued => counts.queued += 1,
                State::Running => counts.running += 1,
                State::Done => counts.done += 1,
                State::Failed => counts.failed += 1,
            }
        }
        counts
    }
}

/// Jobs that were submitted together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Batch {
    /// Id of the batch.
    #[schema(value_type = schema::BatchId)]
    pub batch: BatchId,
    /// Number of jobs in the batch; equals `done + failed` when all have finished.
    pub accepted: usize,
    /// Number of jobs that were claimed more than once.
    pub redelivered: usize,
    /// Number of jobs in each state.
    pub counts: Counts,
    /// Jobs of the batch, in the order submitted.
    pub jobs: Vec<Job>,
}

impl Batch {
    /// Counts the jobs of a batch.
    pub fn new(batch: BatchId, jobs: Vec<Job>) -> Self {
        let counts = Counts::of(jobs.iter().map(|job| job.state));
        let redelivered = jobs.iter().filter(|job| job.attempts > 1).count();
        Self { batch, accepted: jobs.len(), redelivered, counts, jobs }
    }
}
