//! How is the API server reached?
//!
//! With the file that `KUBECONFIG` names, or with the service account that Kubernetes gives every pod. No request is
//! sent here, so that a process also starts while the server does not answer.

use std::time::Duration;

use kube::{Client, Config};

use crate::pod::Error;

/// Time that a connection may take to be established.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Time that a connection may be silent: longer than the server keeps a watch open, so that only dead ones are closed.
const SILENCE_MAX: Duration = Duration::from_secs(75);

/// Creates a client with this process's credentials.
///
/// # Errors
/// Where the process has no credentials, or they cannot be read.
pub async fn connect() -> Result<Client, Error> {
    let unavailable = |source: Box<dyn std::error::Error + Send + Sync>| Error::Unavailable {
        action: "find the address and credentials of the Kubernetes API".into(),
        source,
    };
    // Set once per process; a second attempt fails, and the first one holds.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = Config::infer().await.map_err(|error| unavailable(error.into()))?;
    config.connect_timeout = Some(CONNECT_MAX);
    config.read_timeout = Some(SILENCE_MAX);
    config.reset_reader_on_write = true;
    // An eviction that a disruption budget forbids (429) is an answer; the watches retry by themselves.
    config.default_retry = false;
    if config.cluster_url.scheme_str() == Some("http") {
        // Without TLS, as through `kubectl proxy`, this machine may lack certificate authorities.
        config.root_cert.get_or_insert_default();
    }
    Client::try_from(config).map_err(|error| unavailable(error.into()))
}
