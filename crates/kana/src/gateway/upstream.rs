//! How long may the queue and the cluster take to answer a request?
//!
//! Handlers call both only through these types, so that no request waits for either without end. Background tasks set
//! limits of their own.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;

use crate::pod::{self, Cluster};
use kana_queue::{self as queue, Queue};

/// Time that the queue may take to answer: longer than another process holds the lock on its file.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time that the cluster may take to answer: what a busy Kubernetes API server needs at worst.
const CLUSTER_TIMEOUT: Duration = Duration::from_secs(10);

/// A queue whose every call ends within [`QUEUE_TIMEOUT`].
#[derive(Clone)]
pub struct TimedQueue(Arc<dyn Queue>);

impl TimedQueue {
    /// Limits how long each call of `queue` takes.
    pub fn new(queue: Arc<dyn Queue>) -> Self {
        Self(queue)
    }

    /// Says which settings of the queue's store may lose accepted jobs.
    pub fn warnings(&self) -> Vec<String> {
        self.0.warnings()
    }

    /// Calls the queue, and gives up when it takes too long to answer.
    ///
    /// # Errors
    /// The queue's own, or [`queue::Error::Unavailable`] where it did not answer in time.
    pub async fn call<'a, T, F>(&'a self, call: impl FnOnce(&'a dyn Queue) -> F) -> Result<T, queue::Error>
    where
        F: Future<Output = Result<T, queue::Error>> + 'a,
    {
        tokio::time::timeout(QUEUE_TIMEOUT, call(&*self.0)).await.unwrap_or_else(|late| {
            Err(queue::Error::Unavailable { action: "get an answer from the queue in time", source: Box::new(late) })
        })
    }
}

/// A cluster whose every call ends within [`CLUSTER_TIMEOUT`].
#[derive(Clone)]
pub struct TimedCluster(Arc<dyn Cluster>);

impl TimedCluster {
    /// Limits how long each call of `cluster` takes.
    pub fn new(cluster: Arc<dyn Cluster>) -> Self {
        Self(cluster)
    }

    /// Calls the cluster, and gives up when it takes too long to answer.
    ///
    /// # Errors
    /// The cluster's own, or [`pod::Error::Unavailable`] where it did not answer in time.
    pub async fn call<'a, T, F>(&'a self, call: impl FnOnce(&'a dyn Cluster) -> F) -> Result<T, pod::Error>
    where
        F: Future<Output = Result<T, pod::Error>> + 'a,
    {
        tokio::time::timeout(CLUSTER_TIMEOUT, call(&*self.0)).await.unwrap_or_else(|late| {
            let action = "get an answer from the cluster in time".into();
            Err(pod::Error::Unavailable { action, source: Box::new(late) })
        })
    }

    /// Returns the reason why the pods cannot be seen or controlled right now; `None` if they can.
    pub fn fault(&self) -> Option<String> {
        self.0.fault()
    }

    /// Subscribes to the events from now on.
    pub fn events(&self) -> broadcast::Receiver<pod::Event> {
        self.0.events()
    }
}
