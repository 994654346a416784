//! How does the outside world reach the queue?

mod app;
mod batches;
mod classify;
mod dead;
mod events;
mod health;
mod jobs;
mod openapi;
mod pods;
mod problem;
mod routes;
mod scale;
mod status;
pub mod view;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::clock::Clock;
use crate::model::Card;
use crate::pod::Cluster;
use crate::queue::Queue;
use crate::shutdown::Shutdown;

pub use openapi::{openapi, openapi_text};

/// What the gateway works with.
#[derive(Clone)]
pub struct Parts {
    /// Where jobs wait.
    pub queue: Arc<dyn Queue>,
    /// Who runs the workers.
    pub cluster: Arc<dyn Cluster>,
    /// What images are fitted to.
    pub card: Arc<Card>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// How the gateway listens.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
}

/// A gateway that holds its port and serves nobody yet.
pub struct Gateway;

impl Gateway {
    /// Takes the port.
    pub async fn bind(_config: Config, _parts: Parts) -> anyhow::Result<Self> {
        anyhow::bail!("not built yet")
    }

    /// The address taken.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    /// Serves until `shutdown` begins, then lets running requests finish.
    pub async fn serve(self, _shutdown: &Shutdown) -> anyhow::Result<()> {
        Ok(())
    }
}
