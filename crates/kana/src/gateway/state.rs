//! What does every handler work with?

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use super::http::body::Buffers;
use super::http::problem::Problem;
use super::live::counters::Tally;
use super::live::event_log::Feed;
use super::live::jobs::Beat;
use super::submit::decoder::Decoder;
use super::submit::waiters::Waiters;
use super::{Config, Parts};
use crate::gateway::metrics::Metrics;
use crate::pod::{self, Cluster, Pod};
use kana_queue::{self as queue, Depth, Queue};

/// How long the queue may take to answer a request: longer than it needs to get over a writer that holds its file.
const QUEUE_PATIENCE: Duration = Duration::from_secs(10);

/// How long the cluster may take to answer a request: what a busy Kubernetes API server needs at worst.
const CLUSTER_PATIENCE: Duration = Duration::from_secs(10);

/// All that handlers and background tasks share.
pub struct App {
    /// Queue, cluster, card and clock.
    pub parts: Parts,
    /// How the gateway was told to behave.
    pub config: Config,
    /// Who waits for which job.
    pub waiters: Arc<Waiters>,
    /// What was taken in and settled since the start.
    pub tally: Tally,
    /// The events of late.
    pub feed: Feed,
    /// Where pictures are decoded.
    pub decoder: Decoder,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// The bytes of bodies that are held.
    pub buffers: Arc<Buffers>,
    /// Room for event streams.
    pub streams: Arc<Semaphore>,
    /// The pods as last heard of.
    pub crew: std::sync::Mutex<BTreeMap<String, Pod>>,
    /// Where the jobs were when last looked at.
    pub depth: std::sync::Mutex<Depth>,
    /// Rung when something changed that the next `queue` event will tell.
    pub stirred: Notify,
    /// The follower's sign of life.
    pub beat: Beat,
    /// Set when the end has begun: no longer ready.
    pub draining: AtomicBool,
    /// Cancelled when nothing more is taken in: streams end.
    pub closing: CancellationToken,
    /// Cancelled soon after that, when what still waits must be answered.
    pub ending: CancellationToken,
    /// When this gateway started.
    pub started: Instant,
}

impl App {
    /// One that has done nothing yet.
    pub fn new(config: Config, parts: Parts) -> Self {
        let limits = config.limits;
        Self {
            decoder: Decoder::new(parts.card.clone()),
            waiters: Arc::default(),
            tally: Tally::default(),
            feed: Feed::new(limits.events_kept),
            metrics: Metrics::new(),
            buffers: Arc::new(Buffers::new(limits.buffered_bytes_max)),
            streams: Arc::new(Semaphore::new(limits.streams_max)),
            crew: std::sync::Mutex::default(),
            depth: std::sync::Mutex::default(),
            stirred: Notify::new(),
            beat: Beat::default(),
            draining: AtomicBool::new(false),
            closing: CancellationToken::new(),
            ending: CancellationToken::new(),
            started: Instant::now(),
            parts,
            config,
        }
    }

    /// Asks the queue, and gives up when it takes too long to answer.
    ///
    /// # Errors
    /// The queue's own, or [`queue::Error::Unavailable`] where it did not answer in time.
    pub async fn ask<'a, T, F>(&'a self, question: impl FnOnce(&'a dyn Queue) -> F) -> Result<T, queue::Error>
    where
        F: Future<Output = Result<T, queue::Error>> + 'a,
    {
        let asked = tokio::time::timeout(QUEUE_PATIENCE, question(&*self.parts.queue));
        asked.await.unwrap_or_else(|late| {
            Err(queue::Error::Unavailable { action: "get an answer from the queue in time", source: Box::new(late) })
        })
    }

    /// Asks the cluster, and gives up when it takes too long to answer.
    ///
    /// # Errors
    /// The cluster's own, or [`pod::Error::Unavailable`] where it did not answer in time.
    pub async fn steer<'a, T, F>(&'a self, question: impl FnOnce(&'a dyn Cluster) -> F) -> Result<T, pod::Error>
    where
        F: Future<Output = Result<T, pod::Error>> + 'a,
    {
        let asked = tokio::time::timeout(CLUSTER_PATIENCE, question(&*self.parts.cluster));
        asked.await.unwrap_or_else(|late| {
            let action = "get an answer from the cluster in time".into();
            Err(pod::Error::Unavailable { action, source: Box::new(late) })
        })
    }

    /// How many jobs a pod held when the queue was last looked at.
    pub fn last_held_by(&self, pod: &str) -> usize {
        self.depth.lock().unwrap_or_else(PoisonError::into_inner).held_by(pod)
    }

    /// Whether the end has begun.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Reads an identifier in an address; one that is none names nothing.
    ///
    /// # Errors
    /// 404.
    pub fn named<T: std::str::FromStr>(&self, what: &str, id: &str) -> Result<T, Problem> {
        id.parse().map_err(|_| Problem::not_found(format!("there is no {what} {id:?}")))
    }
}
