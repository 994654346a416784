//! Why did Redis not answer?

use super::link::{ANSWER_MAX, MAJOR_MIN};

/// A cause of any kind.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Why Redis did not answer.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("no answer from {place} within {} ms", ANSWER_MAX.as_millis())]
    Late { place: String },
    #[error("{place} was found away a moment ago: {why}")]
    Away { place: String, why: String },
    #[error("{place} is Redis {version}; {MAJOR_MIN}.0 or newer is needed")]
    TooOld { place: String, version: String },
    #[error("{place} answered with something else than was asked for")]
    Unexpected { place: String },
    #[error("could not read the certificate authority {path}")]
    Authority { path: String, source: std::io::Error },
}
