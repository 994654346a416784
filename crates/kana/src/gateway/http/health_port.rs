//! How are probes and scrapes answered while clients take all connections of the main port?
//!
//! On a port of their own, with connections of their own, from a thread of their own: neither a flood of requests nor a
//! busy reactor delays the answer to "are you alive?". It says what the main reactor last did, so a gateway that is
//! stuck is still reported as stuck.

use std::net::TcpListener;
use std::thread::JoinHandle;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::connections::Room;
use super::listener::Server;
use crate::gateway::routes;
use crate::gateway::state::AppState;
use crate::shutdown::Shutdown;

/// Open connections of the health port, at most: kubelet, some Prometheus servers and a person.
const CONNECTIONS_MAX: usize = 64;

/// Open connections of one address, at most: all probes of a node may come from one.
const CONNECTIONS_PER_CLIENT_MAX: usize = 32;

/// Starts to serve `listener`, which does not block, until the gateway's background tasks end.
///
/// # Errors
/// Where the thread cannot be started.
pub fn start(listener: TcpListener, state: &AppState) -> anyhow::Result<JoinHandle<()>> {
    let state = state.clone();
    let serve = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(serve(listener, &state)),
            Err(error) => warn!(error = %error, "could not serve the health port"),
        }
    };
    std::thread::Builder::new().name("health".into()).spawn(serve).context("could not start the thread for probes")
}

async fn serve(listener: TcpListener, state: &AppState) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return warn!(error = %error, "could not serve the health port"),
    };
    let room = Room { connections_max: CONNECTIONS_MAX, per_client_max: CONNECTIONS_PER_CLIENT_MAX };
    let (shutdown, cut) = (Shutdown::new(), CancellationToken::new());
    let server = Server::new(listener, routes::health_service(state), room, state, &shutdown);
    server.accept(state.drain.ending.clone().cancelled_owned(), &cut).await;
    cut.cancel();
}
