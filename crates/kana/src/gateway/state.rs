//! What may a handler touch?
//!
//! A handler's signature names the parts that it uses, and axum takes them from here by `FromRef`. Submitting is one
//! part, watching another, the end a third; no handler gets the whole.

use std::sync::Arc;

use axum::extract::FromRef;
use tokio_util::sync::CancellationToken;

use super::http::body::Bodies;
use super::live::Live;
use super::metrics::Metrics;
use super::routes::events::Sources;
use super::submit::Submitter;
use super::submit::decoder::Decoder;
use super::upstream::{TimedCluster, TimedQueue};
use super::{Config, Parts};
use kana_engine::model::Card;
use kana_queue::clock::Clock;

/// All that handlers and background tasks share.
#[derive(Clone)]
pub struct AppState {
    /// How the gateway listens, and its limits.
    pub config: Arc<Config>,
    /// What images are fitted to.
    pub card: Arc<Card>,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// Where jobs wait.
    pub queue: TimedQueue,
    /// Who runs the workers.
    pub cluster: TimedCluster,
    /// Reads bodies within their limits.
    pub bodies: Bodies,
    /// Turns uploads into jobs.
    pub submitter: Arc<Submitter>,
    /// What is happening, for those who watch.
    pub live: Arc<Live>,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// The steps of the end.
    pub drain: Drain,
}

/// The steps of the gateway's end, in order. Each token is cancelled when its step begins.
#[derive(Clone, Default)]
pub struct Drain {
    /// The gateway is no longer ready; requests are served as before.
    pub unready: CancellationToken,
    /// No connection is accepted any more; event streams end.
    pub closing: CancellationToken,
    /// Requests that still wait for jobs are answered; background tasks end.
    pub ending: CancellationToken,
}

impl AppState {
    /// Creates the state of a gateway that has served nothing yet.
    pub fn new(config: Config, parts: Parts) -> Self {
        let (metrics, drain) = (Arc::new(Metrics::new()), Drain::default());
        let live = Arc::new(Live::new(&config.limits, metrics.clone()));
        let (queue, bodies) = (TimedQueue::new(parts.queue), Bodies::new(config.limits));
        let submitter = Submitter {
            limits: config.limits,
            queue: queue.clone(),
            clock: parts.clock.clone(),
            decoder: Decoder::new(parts.card.clone()),
            bodies: bodies.clone(),
            waiters: Arc::default(),
            live: live.clone(),
            metrics: metrics.clone(),
            ending: drain.ending.clone(),
        };
        Self {
            config: Arc::new(config),
            card: parts.card,
            clock: parts.clock,
            queue,
            cluster: TimedCluster::new(parts.cluster),
            bodies,
            submitter: Arc::new(submitter),
            live,
            metrics,
            drain,
        }
    }
}

/// Lets handlers extract a part by its type.
macro_rules! parts {
    ($($field:ident: $part:ty),+ $(,)?) => {$(
        impl FromRef<AppState> for $part {
            fn from_ref(state: &AppState) -> Self {
                state.$field.clone()
            }
        }
    )+};
}

impl FromRef<AppState> for Sources {
    fn from_ref(state: &AppState) -> Self {
        let (queue, cluster, clock) = (state.queue.clone(), state.cluster.clone(), state.clock.clone());
        Self { queue, cluster, clock }
    }
}

parts! {
    card: Arc<Card>,
    clock: Arc<dyn Clock>,
    queue: TimedQueue,
    cluster: TimedCluster,
    bodies: Bodies,
    submitter: Arc<Submitter>,
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    drain: Drain,
}
