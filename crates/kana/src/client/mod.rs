//! What does a person at a terminal want from a running gateway?
//!
//! To have files classified ([`submit`]), to look after what failed ([`dead`]), and to know how fast it is ([`mod@bench`]).
//! Each command takes a plain configuration and a place for its results; what is for the eye alone goes to standard
//! error.

pub mod bench;
pub mod dead;
pub mod submit;

mod connection;
mod histogram;
mod load;
mod progress;
mod retry;
mod upload;

use std::path::PathBuf;
use std::time::Duration;

/// A gateway, and what gives access to it.
#[derive(Clone)]
pub struct Target {
    /// Where it is, such as `http://127.0.0.1:8080`.
    pub server: String,
    /// The token that it asks for, where it asks for one.
    pub token: Option<String>,
}

// Tokens stay out of logs.
impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({})", self.server)
    }
}

/// Why a command gave up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Caller: correct the address.
    #[error("{server:?} is no address of a gateway; one looks like http://127.0.0.1:8080")]
    Address {
        /// What was given.
        server: String,
    },
    /// Caller: correct the path. Nothing was sent.
    #[error("could not read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Caller: see whether the gateway runs. Retrying did not help.
    #[error("could not {action} within {} s", waited.as_secs())]
    Unreachable {
        /// What was attempted, with the address.
        action: String,
        /// How long.
        waited: Duration,
        /// What the last attempt met.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Caller: correct the request; the gateway understood it and said no.
    #[error("gateway refused to {action}: {detail} (status {status})")]
    Refused {
        /// What was attempted.
        action: String,
        /// The HTTP status.
        status: u16,
        /// The gateway's words.
        detail: String,
    },
    /// Caller: see whether this is a gateway of the same version.
    #[error("gateway's answer makes no sense: could not {action}")]
    Malformed {
        /// What was attempted.
        action: String,
        /// Where it stopped making sense.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Caller: see whether the workers run; the jobs are safe and go on.
    #[error("batch {batch} has not finished within {} s; it goes on without being watched", waited.as_secs())]
    Unfinished {
        /// The batch, for `/v1/batches/{id}`.
        batch: String,
        /// How long it was watched.
        waited: Duration,
    },
    /// Caller: nothing more can be said.
    #[error("could not write the results")]
    Output(#[from] std::io::Error),
}
