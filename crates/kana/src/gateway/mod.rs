//! How does a client reach the queue over HTTP?
//!
//! A request passes `http`, which bounds and checks it, and reaches its handler in `routes`. An upload becomes jobs in
//! `submit`. `live` follows jobs and pods, wakes requests that wait and publishes events. The gateway stores no job:
//! if it is killed at any moment, only its open connections are lost.

mod audit;
mod config;
mod http;
mod live;
pub mod metrics;
mod no_cluster;
mod routes;
mod state;
mod submit;
mod upstream;
pub mod view;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::listen;
use crate::pod::Cluster;
use crate::shutdown::Shutdown;
use kana_engine::model::Card;
use kana_queue::Queue;
use kana_queue::clock::Clock;

use http::{descriptors, health_port, listener, token_file};
use live::jobs::Follower;
use live::maintenance::Maintenance;
use live::pods::Reporter;
use state::AppState;

pub use config::{Config, Limits};
pub use http::host::{Host, HostError};
pub use http::problem::Document as ProblemDocument;
pub use http::rate_limit::RATES;
pub use http::token_file::read as read_tokens;
pub use http::tokens::{Scopes, Tokens, TokensError};
pub use no_cluster::NoCluster;
pub use routes::openapi::{openapi, openapi_text};

/// Dependencies of the gateway.
#[derive(Clone)]
pub struct Parts {
    /// Queue of the jobs.
    pub queue: Arc<dyn Queue>,
    /// Cluster that runs the workers.
    pub cluster: Arc<dyn Cluster>,
    /// Card of the model that images are fitted to.
    pub card: Arc<Card>,
    /// Page that reports how the model was trained, where there is one.
    pub report: Option<Vec<u8>>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

/// A gateway that is bound to its port and serves no requests yet.
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    health: Option<(std::net::TcpListener, SocketAddr)>,
    state: AppState,
    parts: Parts,
}

impl Gateway {
    /// Binds the port, and the one for probes where there is one. Fits the limits to the file descriptors that there are.
    ///
    /// # Errors
    /// Where the port is taken or forbidden, and where other machines can reach the address while there are neither
    /// tokens nor [`Config::insecure`].
    pub async fn bind(mut config: Config, parts: Parts) -> anyhow::Result<Self> {
        let is_open = config.tokens.is_empty() && !config.listen.ip().is_loopback();
        ensure!(
            !is_open || config.insecure,
            "other machines can reach {}: give tokens, or --insecure to let everybody do everything",
            config.listen
        );
        let (listener, address) = bound(config.listen)?;
        let listener = TcpListener::from_std(listener).with_context(|| format!("could not listen on {address}"))?;
        let health = config.health_listen.map(bound).transpose()?;
        config.limits = descriptors::fit(config.limits);
        if is_open {
            warn!("everybody who can reach {address} may do everything");
        }
        Ok(Self { listener, address, health, state: AppState::new(config, parts.clone()), parts })
    }

    /// Returns the address that the gateway is bound to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of the port for probes, where there is one.
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.health.as_ref().map(|(_, address)| *address)
    }

    /// Serves until `shutdown` begins, then lets running requests finish.
    ///
    /// # Errors
    /// Where no thread for probes can be started. Failures while serving are answered, logged or tried again.
    pub async fn serve(self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let Self { listener, address, health, state, parts } = self;
        let ending = state.drain.ending.clone();
        // However this future ends, nothing that it spawned outlives it for long.
        let _guard = ending.clone().drop_guard();
        let (live, metrics, waiters) = (&state.live, &state.metrics, &state.submitter.waiters);
        let follower = Follower {
            queue: parts.queue.clone(),
            waiters: waiters.clone(),
            live: live.clone(),
            metrics: metrics.clone(),
        };
        let maintenance =
            Maintenance { queue: parts.queue, clock: parts.clock, live: live.clone(), metrics: metrics.clone() };
        let reporter = Reporter { cluster: state.cluster.clone(), live: live.clone() };
        let mut background = vec![
            shutdown.spawn(follower.run(ending.clone())),
            shutdown.spawn(maintenance.run(ending.clone())),
            shutdown.spawn(reporter.run(ending.clone())),
        ];
        if let Some(file) = state.config.tokens_file.clone() {
            background.push(shutdown.spawn(token_file::follow(file, state.access.clone(), ending)));
        }
        let start_probes = |(listener, address): (std::net::TcpListener, SocketAddr)| {
            info!("serving probes on http://{address}");
            health_port::start(listener, &state)
        };
        let probes = health.map(start_probes).transpose()?;
        routes::page::prepare();
        let memory_mib = state.config.limits.memory_bound() >> 20;
        info!(memory_mib, "serving on http://{address}, within {memory_mib} MiB of memory");
        tokio::join!(listener::serve(listener, &state, shutdown), log_shutdown(&state, shutdown));
        for task in background {
            if let Err(error) = task.await {
                warn!(error = %error, "a background task of the gateway ended early");
            }
        }
        if let Some(probes) = probes {
            // The thread ends as soon as `ending` is cancelled, so this waits for a moment.
            let _ = tokio::task::spawn_blocking(|| probes.join()).await;
        }
        info!("no longer serving on http://{address}");
        Ok(())
    }
}

fn bound(address: SocketAddr) -> anyhow::Result<(std::net::TcpListener, SocketAddr)> {
    let listener = listen::bind(address)?;
    let address = listener.local_addr().context("could not read the address listened on")?;
    Ok((listener, address))
}

/// Logs, when the shutdown begins, why it does and what becomes of the connections.
async fn log_shutdown(state: &AppState, shutdown: &Shutdown) {
    shutdown.begun().await;
    let (reason, delay, connections) = (shutdown.reason(), state.config.drain_delay, state.metrics.connections.get());
    let until = if delay.is_zero() { String::new() } else { format!(" in {delay:?}") };
    info!(
        connections,
        reason,
        "{reason}: refuses new connections{until}, finishes the requests on the {connections} open ones and ends"
    );
}
