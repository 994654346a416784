//! How does the outside world reach the queue?
//!
//! A request is guarded (`guard`, `auth`), its body is read with a limit on everything (`body`, `intake`), its pictures
//! are decoded off the reactor (`decoder`) and become jobs (`submission`). Whoever waits for one is woken by the one
//! task that follows the queue (`follower`), which also feeds the event stream and the counts. Nothing in here
//! remembers a job: a gateway may die between any two lines and only open connections are lost.

mod config;
mod http;
mod live;
pub mod metrics;
mod no_cluster;
mod routes;
mod state;
mod submit;
pub mod view;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::pod::Cluster;
use crate::shutdown::Shutdown;
use kana_engine::model::Card;
use kana_queue::Queue;
use kana_queue::clock::Clock;

use http::listener;
use live::{jobs, maintenance, pods};
use state::App;

pub use config::{Config, Limits};
pub use http::auth::{Scopes, Tokens, TokensError};
pub use http::problem::Document as ProblemDocument;
pub use no_cluster::NoCluster;
pub use routes::openapi::{openapi, openapi_text};

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

/// A gateway that holds its port and serves nobody yet.
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
}

impl Gateway {
    /// Takes the port.
    ///
    /// # Errors
    /// Where the port is taken or forbidden, and where the address can be reached from other machines while there are
    /// neither tokens nor [`Config::insecure`].
    pub async fn bind(config: Config, parts: Parts) -> anyhow::Result<Self> {
        let open_to_all = config.tokens.is_empty() && !config.listen.ip().is_loopback();
        ensure!(
            !open_to_all || config.insecure,
            "other machines can reach {}: give tokens, or --insecure to let everybody do everything",
            config.listen
        );
        let listener =
            TcpListener::bind(config.listen).await.with_context(|| format!("could not listen on {}", config.listen))?;
        let address = listener.local_addr().context("could not read the address listened on")?;
        if open_to_all {
            warn!("everybody who can reach {address} may do everything");
        }
        Ok(Self { listener, address, app: Arc::new(App::new(config, parts)) })
    }

    /// The address taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` begins, then lets running requests finish.
    ///
    /// # Errors
    /// None at present: what fails while serving is answered, logged or tried again.
    pub async fn serve(self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let Self { listener, address, app } = self;
        // However this future ends, nothing that it began outlives it for long.
        let _ending = app.ending.clone().drop_guard();
        let background = [
            shutdown.spawn(jobs::run(app.clone())),
            shutdown.spawn(maintenance::run(app.clone())),
            shutdown.spawn(pods::run(app.clone())),
        ];
        info!("serving on http://{address}");
        listener::serve(listener, &app, shutdown).await;
        for task in background {
            if let Err(error) = task.await {
                warn!(error = %error, "a background task of the gateway ended early");
            }
        }
        info!("no longer serving on http://{address}");
        Ok(())
    }
}
