//! Why did Redis not answer?

use super::connection::{ANSWER_MAX, MAJOR_MIN};

/// A cause of any kind.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A reason why Redis did not answer, other than what it answered itself.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    #[error("no answer from {server} within {} ms", ANSWER_MAX.as_millis())]
    TimedOut { server: String },
    #[error("{server} was unreachable a moment ago: {reason}")]
    Unreachable { server: String, reason: String },
    #[error("{server} is Redis {version}; {MAJOR_MIN}.0 or newer is needed")]
    TooOld { server: String, version: String },
    #[error("{server} gave an answer of another shape than expected")]
    Unexpected { server: String },
    #[error("could not read the certificate authority {path}")]
    Authority { path: String, source: std::io::Error },
}
