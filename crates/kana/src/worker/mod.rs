//! How does a process turn claims into outcomes, and lose none when it ends?
//!
//! A worker claims a batch (`batch_size`), classifies it on a thread of its own (`engine`) and settles it in one
//! transaction. It may be killed at any line: its leases then expire, or are reclaimed, and another worker claims the
//! jobs. A worker that is asked to stop finishes its batch, releases its other jobs and ends within two seconds.
//!
//! A worker whose queue does not answer is not ready, and keeps running. A batch whose engine panics has failed one
//! attempt. A worker whose engine is stuck is not alive, and must be restarted.

mod batch_size;
mod consumer;
mod delay;
mod drain;
mod engine;
mod health;
mod heartbeat;
mod leases;
mod liveness;
mod metrics;
mod parent;
mod settle;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::info;

use crate::listen;
use crate::shutdown::Shutdown;
use consumer::Consumer;
use delay::Delayed;
use drain::{BATCH_PATIENCE, Drain};
use engine::Engine;
use kana_queue::backoff::Bounds;
use kana_queue::{Queue, WorkerId};
use leases::Leases;
use liveness::Liveness;
use metrics::Metrics;

pub use engine::Factory;
pub use parent::exit_with_stdin;

/// Time that a model has to load before the worker counts as stuck.
const LOAD_MAX: Duration = Duration::from_secs(120);

/// Waits between calls to a queue that does not answer: at first about as long as a lock held by another process, and
/// never so long that work waits noticeably once the queue is back.
const QUEUE_BACKOFF: Bounds = Bounds { first: Duration::from_millis(50), longest: Duration::from_secs(2) };

/// The configuration of a worker.
#[derive(Clone, Debug)]
pub struct Config {
    /// Id under which the worker claims.
    pub id: WorkerId,
    /// Images classified at once, at most.
    pub batch_max: usize,
    /// Time added to each image, so that people can watch work move; zero adds none.
    pub inference_delay: Duration,
    /// Time that a batch may take beyond [`Config::inference_delay`] before the engine counts as stuck.
    pub stuck_after: Duration,
    /// Time after which an unextended claim expires, as in [`kana_queue::Limits::lease`].
    pub lease: Duration,
    /// Address of the health and metrics routes; port 0 takes a free port.
    pub listen: SocketAddr,
}

/// A worker that holds its port and does no work yet.
pub struct Worker {
    config: Config,
    queue: Arc<dyn Queue>,
    engine: Factory,
    listener: TcpListener,
    address: SocketAddr,
    liveness: Arc<Liveness>,
    busy: watch::Sender<bool>,
}

/// The state that the consumer, the heartbeat, settling and the health routes share.
struct Context {
    id: WorkerId,
    delay: Duration,
    stuck_after: Duration,
    queue: Arc<dyn Queue>,
    leases: Leases,
    liveness: Arc<Liveness>,
    metrics: Metrics,
    drain: Drain,
}

impl Worker {
    /// Binds the port. `engine` is called when the worker runs, and again after each panic in the engine.
    ///
    /// # Errors
    /// Where the port cannot be bound; the message names the address.
    pub async fn bind(config: Config, queue: Arc<dyn Queue>, mut engine: Factory) -> anyhow::Result<Self> {
        let listener = listen::bind(config.listen)?;
        let listener = TcpListener::from_std(listener);
        let listener = listener.with_context(|| format!("could not listen on {}", config.listen))?;
        let address = listener.local_addr().context("could not read the address that was bound")?;
        let (delay, liveness) = (config.inference_delay, Arc::new(Liveness::new(LOAD_MAX)));
        let engine: Factory = Box::new(move || engine().map(|engine| Delayed::wrap(engine, delay)));
        Ok(Self { config, queue, engine, listener, address, liveness, busy: watch::Sender::new(false) })
    }

    /// Returns the address that the health routes are served on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Subscribes to whether the model is loaded and the queue answers.
    pub fn readiness(&self) -> watch::Receiver<bool> {
        self.liveness.readiness()
    }

    /// Subscribes to whether the worker holds jobs; ends with the worker.
    pub fn busy(&self) -> watch::Receiver<bool> {
        self.busy.subscribe()
    }

    /// Claims, classifies and settles jobs until `shutdown` begins; then finishes the batch and releases the other
    /// jobs.
    ///
    /// # Errors
    /// Where the model cannot be loaded or the health routes cannot be served.
    pub async fn run(self, shutdown: &Shutdown) -> anyhow::Result<()> {
        let context = Arc::new(Context {
            id: self.config.id,
            delay: self.config.inference_delay,
            stuck_after: self.config.stuck_after,
            queue: self.queue,
            leases: Leases::new(self.busy),
            liveness: self.liveness,
            metrics: Metrics::new(),
            drain: Drain::new(shutdown.clone()),
        });
        let work = async {
            let engine = tokio::select! {
                engine = Engine::start(self.engine) => engine.context("could not load the model")?,
                () = shutdown.begun() => return Ok(()),
            };
            Consumer::new(context.clone(), engine, self.config.batch_max).run(shutdown).await;
            Ok(())
        };
        let health = axum::serve(self.listener, health::routes(context.clone()));
        tokio::select! {
            // First, so that an idle worker, which ends at once, logs why.
            biased;
            never = context.log_drain() => never,
            done = work => done,
            served = health.into_future() => served.context("could not serve the health routes"),
            () = heartbeat::extend_leases(&context, self.config.lease) => Ok(()),
        }
    }
}

impl Context {
    /// Logs, when the drain begins, why it does and what becomes of the jobs that are held. Never ends.
    async fn log_drain<T>(&self) -> T {
        self.drain.begun().await;
        let (worker, reason, jobs) = (&self.id, self.drain.reason(), self.leases.all().len());
        match jobs {
            0 => info!(worker = %worker, jobs, reason, "{worker} {reason}: it holds no jobs and ends"),
            _ => info!(
                worker = %worker, jobs, reason,
                "{worker} {reason}: it holds {jobs} jobs, finishes those in the engine if that takes less than \
                 {BATCH_PATIENCE:?}, releases the others and ends"
            ),
        }
        std::future::pending().await
    }
}
