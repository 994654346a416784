//! What can a person at a terminal do with a running gateway?
//!
//! Classify files ([`submit`]), replay or drop jobs that failed ([`dead`]), and measure its speed ([`mod@bench`]). Each
//! command takes a plain configuration and a writer for its results; progress goes to standard error.

pub mod bench;
pub mod dead;
pub mod submit;

mod connection;
mod load;
mod progress;
mod upload;

use std::path::PathBuf;
use std::time::Duration;

/// A gateway's address and the token for it.
#[derive(Clone)]
pub struct Target {
    /// The address, such as `http://127.0.0.1:8080`.
    pub server: String,
    /// The token, where the gateway asks for one.
    pub token: Option<String>,
}

// Tokens stay out of logs.
impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({})", self.server)
    }
}

/// Failure of a command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Caller: correct the address.
    #[error("{server:?} is no address of a gateway; one looks like http://127.0.0.1:8080")]
    Address {
        /// The address as given.
        server: String,
    },
    /// Caller: install certificate authorities, or name a file of them. Nothing was sent.
    #[error(
        "could not set up TLS for {server}: it needs certificate authorities, as of the package ca-certificates or in \
         the file that SSL_CERT_FILE names"
    )]
    Tls {
        /// The address as given.
        server: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Caller: correct the path. Nothing was sent.
    #[error("could not read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Caller: see whether the gateway runs. Retrying did not help.
    #[error("could not {action} within {} s", waited.as_secs())]
    Unreachable {
        /// Action that was attempted, with the address.
        action: String,
        /// Time spent trying.
        waited: Duration,
        /// The failure of the last attempt.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Caller: correct the request; the gateway understood it and said no.
    #[error("gateway refused to {action}: {detail} (status {status})")]
    Refused {
        /// Action that was attempted.
        action: String,
        /// The HTTP status.
        status: u16,
        /// Explanation of the gateway.
        detail: String,
    },
    /// Caller: see whether this is a gateway of the same version.
    #[error("could not {action}: the gateway's response is malformed")]
    Malformed {
        /// Action that was attempted.
        action: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Caller: see whether the workers run; the jobs are safe and go on.
    #[error("batch {batch} has not finished within {} s; its jobs go on", waited.as_secs())]
    Unfinished {
        /// The batch, for `/v1/batches/{id}`.
        batch: String,
        /// Time that the batch was polled for.
        waited: Duration,
    },
    /// Caller: see whether the disk is full, or whether anything still reads the output.
    #[error("could not write the results")]
    Output(#[from] std::io::Error),
}
