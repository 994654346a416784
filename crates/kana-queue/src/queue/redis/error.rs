//! Why did Redis not answer?

use std::time::Duration;

use redis::RedisError;
use tokio::time::Instant;

use crate::queue::Error;

use super::connection::{ANSWER_MAX, MAJOR_MIN};
use super::limits::Refusal;

/// Time for which calls fail at once after one found Redis unreachable: no call waits for a server that was just seen
/// to be away, and Redis is used again no later than this once it is back.
const UNREACHABLE_FOR: Duration = Duration::from_millis(200);

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
    /// The server answers, and refused this process.
    #[error("{reason}")]
    Refused { reason: String },
    #[error("{server} gave an answer of another shape than expected")]
    Unexpected { server: String },
    #[error("could not read the certificate authority {path}")]
    Authority { path: String, source: std::io::Error },
}

/// The queue's error for a call that Redis did not answer as asked.
pub fn failed(action: &'static str, source: BoxError) -> Error {
    // Redis refuses a command that needs memory before it runs any of it.
    let no_space = source.downcast_ref::<RedisError>().is_some_and(|error| error.code() == Some("OOM"));
    if no_space { Error::NoSpace { action, source } } else { Error::Unavailable { action, source } }
}

/// Since when, and why, Redis is unreachable.
pub struct Unreachable {
    since: Instant,
    reason: String,
    /// Whether it was reached, and this process refused.
    is_refusal: bool,
}

impl Unreachable {
    /// Records that Redis is unreachable from now on.
    pub fn new(reason: &(dyn std::error::Error + Send + Sync + 'static)) -> Self {
        Self { since: Instant::now(), reason: reason.to_string(), is_refusal: reason.is::<Refusal>() }
    }

    /// The error of a call at this moment; `None` where it is time to try again.
    pub fn error(&self, server: &str) -> Option<ConnectionError> {
        let reason = || self.reason.clone();
        (self.since.elapsed() < UNREACHABLE_FOR).then(|| match self.is_refusal {
            true => ConnectionError::Refused { reason: reason() },
            false => ConnectionError::Unreachable { server: server.to_owned(), reason: reason() },
        })
    }
}
