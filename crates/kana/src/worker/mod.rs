//! How does a process turn claims into outcomes, and die without losing any?
//!
//! A worker claims what fits (`room`), classifies it on a thread of its own (`engine`) and settles it in one go. It
//! may be killed at any line: what it held lapses and goes to another. Asked to end, it finishes its batch, gives the
//! rest back and is gone within two seconds. A queue that does not answer costs it its readiness, never its life; an
//! engine that panics costs its batch an attempt; an engine that is stuck costs the worker its liveness.

mod backoff;
mod consumer;
mod drain;
mod engine;
mod health;
mod heartbeat;
mod held;
mod metrics;
mod orphan;
mod room;
mod settle;
mod slow;
mod vitals;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::shutdown::Shutdown;
use consumer::Consumer;
use drain::Drain;
use engine::Engine;
use held::Held;
use kana_queue::{Queue, WorkerId};
use metrics::Metrics;
use vitals::Vitals;

pub use engine::Factory;
pub use orphan::leave_with_stdin;
pub use slow::Slow;

/// How long a model may take to load before the worker counts as stuck.
const LOAD_MAX: Duration = Duration::from_secs(120);

/// How a worker works.
#[derive(Clone, Debug)]
pub struct Config {
    /// The identity under which it claims.
    pub id: WorkerId,
    /// Images classified at once, at most.
    pub batch_max: usize,
    /// Slows each image down, so that people can watch work move.
    pub inference_delay: Duration,
    /// How long a batch may take beyond [`Config::inference_delay`] before the engine counts as stuck.
    pub stuck_after: Duration,
    /// How long the queue's claims hold, as in [`kana_queue::Limits::lease`].
    pub lease: Duration,
    /// Where its health and metrics are served; port 0 takes a free one.
    pub listen: SocketAddr,
}

/// A worker that holds its port and does no work yet.
pub struct Worker {
    config: Config,
    queue: Arc<dyn Queue>,
    engine: Factory,
    listener: TcpListener,
    address: SocketAddr,
    vitals: Arc<Vitals>,
    busy: watch::Sender<bool>,
}

/// What the consumer, its heartbeat, its settling and its health routes share.
struct Desk {
    id: WorkerId,
    delay: Duration,
    stuck_after: Duration,
    queue: Arc<dyn Queue>,
    held: Held,
    vitals: Arc<Vitals>,
    metrics: Metrics,
    drain: Drain,
}

impl Worker {
    /// Takes the port. `engine` is called when the worker runs, and again after each panic in the engine.
    ///
    /// # Errors
    /// Where the port cannot be had; the message names the address.
    pub async fn bind(config: Config, queue: Arc<dyn Queue>, mut engine: Factory) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(config.listen).await;
        let listener = listener.with_context(|| format!("could not listen on {}", config.listen))?;
        let address = listener.local_addr().context("could not read the address that was taken")?;
        let (delay, vitals) = (config.inference_delay, Arc::new(Vitals::new(LOAD_MAX)));
        let engine: Factory = Box::new(move || engine().map(|engine| Slow::down(engine, delay)));
        Ok(Self { config, queue, engine, listener, address, vitals, busy: watch::Sender::new(false) })
    }

    /// The address taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether the model is loaded and the queue answers, now and from now on.
    pub fn readiness(&self) -> watch::Receiver<bool> {
        self.vitals.readiness()
    }

    /// Whether it holds jobs, now and from now on; ends with the worker.
    pub fn busy(&self) -> watch::Receiver<bool> {
        self.busy.subscribe()
    }

    /// Claims, classifies and settles until `shutdown` begins; then finishes its batch and gives the rest back.
    ///
    /// # Errors
    /// Where the model cannot be loaded or the health routes cannot be served.
    pub async fn run(self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let desk = Arc::new(Desk {
            id: self.config.id,
            delay: self.config.inference_delay,
            stuck_after: self.config.stuck_after,
            queue: self.queue,
            held: Held::telling(self.busy),
            vitals: self.vitals,
            metrics: Metrics::new(),
            drain: Drain::new(shutdown.clone()),
        });
        let work = async {
            let engine = tokio::select! {
                engine = Engine::start(self.engine) => engine.context("could not load the model")?,
                () = shutdown.begun() => return Ok(()),
            };
            Consumer::new(desk.clone(), engine, self.config.batch_max).run(shutdown).await;
            Ok(())
        };
        let health = axum::serve(self.listener, health::routes(desk.clone()));
        tokio::select! {
            done = work => done,
            served = health.into_future() => served.context("could not serve the health routes"),
            () = heartbeat::beat(&desk, self.config.lease) => Ok(()),
        }
    }
}
