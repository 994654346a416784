//! How do changes of jobs, pods and the queue reach event streams?
//!
//! Three background tasks follow the queue's changes (`jobs`), the cluster's reports (`pods`) and the queue's depth
//! (`maintenance`). Each publishes to one log (`event_log`), from which every event stream reads at its own pace.
//! All state here is derived: a gateway that restarts reads it again from the queue and the cluster.

pub mod counters;
pub mod event_log;
pub mod jobs;
pub mod maintenance;
pub mod pods;
pub mod queue_health;
pub mod rate;

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Notify, Semaphore};

use super::config::Limits;
use super::metrics::Metrics;
use counters::Counters;
use event_log::EventLog;
use jobs::Liveness;
use pods::Pods;
use queue_health::QueueHealth;

/// The state that background tasks write, and that event streams and counts are read from.
pub struct Live {
    /// The latest events.
    pub events: Arc<EventLog>,
    /// The pods, as last reported.
    pub pods: Pods,
    /// Counts of jobs accepted and settled since the start.
    pub counters: Counters,
    /// Liveness of the task that follows the jobs.
    pub liveness: Liveness,
    /// Whether the queue answers.
    pub queue: QueueHealth,
    /// Notification that the counts of the queue or of pods may have changed.
    pub changed: Notify,
    /// Permits for event streams, one for each that may be open.
    pub streams: Arc<Semaphore>,
    /// Time of the gateway's start.
    pub started: Instant,
}

impl Live {
    /// Creates the empty state of a new gateway.
    pub fn new(limits: &Limits, metrics: Arc<Metrics>) -> Self {
        let events = Arc::new(EventLog::new(limits.events_kept));
        Self {
            pods: Pods::new(events.clone(), metrics),
            events,
            counters: Counters::default(),
            liveness: Liveness::default(),
            queue: QueueHealth::default(),
            changed: Notify::new(),
            streams: Arc::new(Semaphore::new(limits.streams_max)),
            started: Instant::now(),
        }
    }
}
