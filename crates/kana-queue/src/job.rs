//! What is a job, and what is its outcome?

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::WorkerId;
use crate::clock::Timestamp;
use kana_engine::Prediction;
use kana_engine::image::Image;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Creates a new id; later ones sort after earlier ones (UUID version 7, RFC 9562).
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// Creates the id of these 16 bytes, for stores and simulations.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The id's 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::from_str(text).map(Self)
            }
        }
    };
}

id!(
    /// The id of a job.
    JobId
);
id!(
    /// The id of the jobs that were submitted together.
    BatchId
);

/// One image to classify.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The job's id, chosen by the process that submits it.
    pub id: JobId,
    /// The batch that the job was submitted in.
    pub batch: BatchId,
    /// The sender's name for the image; only for people.
    pub filename: String,
    /// The pixels, already in the model's shape.
    pub image: Image,
    /// The time at which the gateway received the job.
    pub submitted: Timestamp,
}

/// The one result of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The time at which the job was settled.
    pub settled: Timestamp,
    /// The worker that settled the job; `None` where no worker did (cancelled, or dead-lettered after a crash).
    pub worker: Option<WorkerId>,
    /// The span from submission to the claim that settled the job.
    pub queued: Duration,
    /// How the job ended.
    pub verdict: Verdict,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Verdict {
    /// The classifier answered.
    Done {
        /// The classifier's answer.
        prediction: Prediction,
        /// The job's share of its batch's time in the classifier.
        inference: Duration,
        /// Whether the image shows nothing, so that the answer has no meaning.
        blank: bool,
    },
    /// Every attempt failed; the job is a dead letter.
    Failed {
        /// Why, in words for its sender.
        reason: String,
    },
    /// The sender cancelled the job before it started.
    Cancelled,
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Progress {
    /// Waiting for a worker.
    Queued,
    /// Leased to a worker.
    Running {
        /// The worker that has it.
        worker: WorkerId,
    },
    /// Finished, with this outcome.
    Settled(Outcome),
}

/// Everything that a reader may know of a job, which is all but its pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The job.
    pub id: JobId,
    /// The batch that the job was submitted in.
    pub batch: BatchId,
    /// The sender's name for the image; only for people.
    pub filename: String,
    /// The time at which the gateway received the job.
    pub submitted: Timestamp,
    /// Claims that were not released; 1 where nothing went wrong.
    pub attempts: u32,
    /// Where it stands.
    pub progress: Progress,
}

impl Status {
    /// The job's outcome, where it has one.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.progress {
            Progress::Settled(outcome) => Some(outcome),
            Progress::Queued | Progress::Running { .. } => None,
        }
    }
}
