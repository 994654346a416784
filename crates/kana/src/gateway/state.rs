//! Which parts of the gateway's state does a handler get?
//!
//! A handler's signature names the parts that it uses, and axum extracts them from the state by `FromRef`. No handler
//! gets the whole state, so its signature shows what it can change.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use tokio_util::sync::CancellationToken;

use super::http::auth::Access;
use super::http::body::Bodies;
use super::http::rate_limit::RateLimits;
use super::live::Live;
use super::metrics::Metrics;
use super::routes::events::Sources;
use super::routes::report::Report;
use super::submit::Submitter;
use super::submit::decoder::Decoder;
use super::upstream::{TimedCluster, TimedQueue};
use super::{Config, Parts};
use kana_engine::model::Card;
use kana_queue::clock::Clock;

/// Handle of the state that handlers and background tasks share. Every handler has one of its own for each request, so
/// that copying it must cost next to nothing.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// What an [`AppState`] leads to.
pub struct Shared {
    /// Configuration of the gateway.
    pub config: Arc<Config>,
    /// Tokens that are known at this moment.
    pub access: Access,
    /// Card of the model that images are fitted to.
    pub card: Arc<Card>,
    /// Report of the model's training.
    pub report: Report,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Queue of the jobs.
    pub queue: TimedQueue,
    /// Cluster that runs the workers.
    pub cluster: TimedCluster,
    /// Reader of request bodies within their limits.
    pub bodies: Bodies,
    /// Submitter that turns uploads into jobs.
    pub submitter: Arc<Submitter>,
    /// State that event streams are read from.
    pub live: Arc<Live>,
    /// Metrics that `/metrics` returns.
    pub metrics: Arc<Metrics>,
    /// Steps of the shutdown.
    pub drain: Drain,
}

/// Steps of the gateway's shutdown, in order. Each token is cancelled when its step begins.
#[derive(Clone, Default)]
pub struct Drain {
    /// Step in which `/readyz` fails and requests are served as before.
    pub unready: CancellationToken,
    /// Step in which no connection is accepted and event streams end.
    pub closing: CancellationToken,
    /// Step in which requests that still wait for jobs are answered.
    pub waiting: CancellationToken,
    /// Step in which background tasks end.
    pub ending: CancellationToken,
}

impl AppState {
    /// Creates the state of a gateway that has served nothing yet.
    pub fn new(config: Config, parts: Parts) -> Self {
        let (metrics, drain) = (Arc::new(Metrics::new(Some(&parts.card))), Drain::default());
        let live = Arc::new(Live::new(&config.limits, metrics.clone()));
        let (queue, bodies) = (TimedQueue::new(parts.queue), Bodies::new(config.limits));
        let submitter = Submitter {
            limits: config.limits,
            queue: queue.clone(),
            clock: parts.clock.clone(),
            decoder: Decoder::new(parts.card.clone(), &config),
            bodies: bodies.clone(),
            rates: RateLimits::new(config.rate_limit),
            waiters: Arc::default(),
            live: live.clone(),
            metrics: metrics.clone(),
            ending: drain.waiting.clone(),
        };
        Self(Arc::new(Shared {
            access: Access::new(config.tokens.clone()),
            config: Arc::new(config),
            card: parts.card,
            report: Report::new(parts.report),
            clock: parts.clock,
            queue,
            cluster: TimedCluster::new(parts.cluster),
            bodies,
            submitter: Arc::new(submitter),
            live,
            metrics,
            drain,
        }))
    }
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
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
    access: Access,
    card: Arc<Card>,
    report: Report,
    clock: Arc<dyn Clock>,
    queue: TimedQueue,
    cluster: TimedCluster,
    bodies: Bodies,
    submitter: Arc<Submitter>,
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    drain: Drain,
}
