//! What travels through the queue, and what comes back?

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
            /// A new one, unlike every other; later ones sort behind earlier ones (UUID version 7, RFC 9562).
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The one made of these 16 bytes, for stores and simulations.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// Its 16 bytes.
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
    /// Names one image's journey.
    JobId
);
id!(
    /// Names what was submitted together.
    BatchId
);

/// One image on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its name, given by whoever submits it.
    pub id: JobId,
    /// What it was submitted with.
    pub batch: BatchId,
    /// What its sender calls it; only for people.
    pub filename: String,
    /// The pixels, already in the model's shape.
    pub image: Image,
    /// When the gateway took it in.
    pub submitted: Timestamp,
}

/// A job's one and only end.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// When it was settled.
    pub settled: Timestamp,
    /// The worker that settled it; `None` where no worker did (cancelled, or dead-lettered after a crash).
    pub worker: Option<WorkerId>,
    /// From submission to the claim that settled it.
    pub queued: Duration,
    /// What it came to.
    pub verdict: Verdict,
}

/// What a job came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The classifier answered.
    Done {
        /// Its answer.
        prediction: Prediction,
        /// The job's share of its batch's time in the classifier.
        inference: Duration,
    },
    /// Every attempt failed; the job is a dead letter.
    Failed {
        /// Why, in words for its sender.
        reason: String,
    },
    /// Its sender took it back before it started.
    Cancelled,
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// Waiting for a worker.
    Queued,
    /// Leased to a worker.
    Running {
        /// That worker.
        worker: WorkerId,
    },
    /// Over.
    Settled(Outcome),
}

/// All that a reader may know of a job; its pixels are not among it.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The job.
    pub id: JobId,
    /// What it was submitted with.
    pub batch: BatchId,
    /// What its sender calls it.
    pub filename: String,
    /// When the gateway took it in.
    pub submitted: Timestamp,
    /// How many times a worker has claimed it and not given it back; 1 on an undisturbed journey.
    pub attempts: u32,
    /// Where it stands.
    pub progress: Progress,
}
