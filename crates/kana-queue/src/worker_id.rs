//! Who holds a lease?
//!
//! A worker is one process. Where a cluster restarts a pod's container in place, several processes follow each other
//! under one pod's name; the incarnation tells them apart, so that what a dead one held can be reclaimed without
//! touching its successor.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Separates a pod's name from its incarnation in text. No pod's name can contain it: Kubernetes allows lower-case
/// letters, digits, `-` and `.` (RFC 1123), and local pods are named by kana.
pub(crate) const SEPARATOR: char = '~';

/// The identity of one worker process: its pod, and which process of that pod it is.
///
/// As text, which is what queues store: `POD` or `POD~INCARNATION`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkerId {
    pod: String,
    incarnation: Option<String>,
}

impl WorkerId {
    /// Creates the identity of a pod's only process.
    pub fn of_pod(pod: impl Into<String>) -> Self {
        Self { pod: pod.into(), incarnation: None }
    }

    /// Creates the identity of one of several processes that follow each other in a pod.
    pub fn incarnation(pod: impl Into<String>, incarnation: impl Into<String>) -> Self {
        Self { pod: pod.into(), incarnation: Some(incarnation.into()) }
    }

    /// The name of the worker's pod.
    pub fn pod(&self) -> &str {
        &self.pod
    }
}

/// Parses what [`Display`](fmt::Display) wrote.
impl From<&str> for WorkerId {
    fn from(text: &str) -> Self {
        match text.split_once(SEPARATOR) {
            Some((pod, incarnation)) => Self::incarnation(pod, incarnation),
            None => Self::of_pod(text),
        }
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pod)?;
        match &self.incarnation {
            Some(incarnation) => write!(f, "{SEPARATOR}{incarnation}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_incarnation_of_a_pod_names_that_pod() {
        assert_eq!(WorkerId::incarnation("kana-worker-2x4lq", "k7x2q").pod(), "kana-worker-2x4lq");
        assert_eq!(WorkerId::of_pod("kana-worker-2x4lq").pod(), "kana-worker-2x4lq");
    }

    #[test]
    fn an_identity_survives_being_written_and_read() {
        for worker in [WorkerId::of_pod("kana-worker-a"), WorkerId::incarnation("kana-worker-a", "k7x2q")] {
            assert_eq!(WorkerId::from(worker.to_string().as_str()), worker);
        }
    }
}
