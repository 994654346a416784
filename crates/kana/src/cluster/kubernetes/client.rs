//! How is the API server reached?
//!
//! With what `KUBECONFIG` names, or with the service account that Kubernetes gives every pod. Nothing is asked yet:
//! a server that does not answer is no reason not to start.

use std::time::Duration;

use kube::{Client, Config};

use crate::pod::Error;

/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long a connection may be silent: longer than the server keeps a watch open, so that only dead ones are.
const SILENCE_MAX: Duration = Duration::from_secs(75);

/// A client with this process's credentials.
///
/// # Errors
/// Where it has none, or they cannot be read.
pub async fn connect() -> Result<Client, Error> {
    let found_none = |source: Box<dyn std::error::Error + Send + Sync>| Error::Unavailable {
        action: "find out how to reach the Kubernetes API".into(),
        source,
    };
    // Set once a process; whoever sets it a second time is told so, and nothing is wrong.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = Config::infer().await.map_err(|error| found_none(error.into()))?;
    config.connect_timeout = Some(CONNECT_MAX);
    config.read_timeout = Some(SILENCE_MAX);
    config.reset_reader_on_write = true;
    // An eviction that a disruption budget forbids (429) is an answer, and what is worth a second try is tried here.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| found_none(error.into()))
}
