//! Why is nothing accepted, although the queue answers?

use std::sync::Arc;

use crate::queue::Error;

/// What is wrong with the journal's disk.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the queue's journal in {path} cannot be written")]
pub struct Fault {
    pub path: String,
    /// Whether a person can make room, and then it goes on.
    pub no_space: bool,
    pub source: Arc<std::io::Error>,
}

impl Fault {
    /// The error for a caller that attempted `action`.
    pub fn during(self, action: &'static str) -> Error {
        let (no_space, source) = (self.no_space, Box::new(self));
        if no_space { Error::NoSpace { action, source } } else { Error::Unavailable { action, source } }
    }
}
