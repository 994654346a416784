//! When is an HTTP/2 stream reset?
//!
//! When its client takes nothing of the response for too long, which keeps memory that no other request can use, and
//! when there are too many streams already. hyper runs each stream as a task of the executor that it is given: this one
//! drops the task, and with it h2 resets the stream.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tracing::debug;

use super::exchange::Exchange;
use crate::shutdown::Shutdown;

/// Time that a client may take nothing of a response while more than half of the streams are in use.
const STALL_CROWDED: Duration = Duration::from_secs(2);

/// Streams of all connections, with the limit on their number.
#[derive(Clone)]
pub struct Streams {
    free: Arc<Semaphore>,
    streams_max: usize,
    stall_max: Duration,
    shutdown: Shutdown,
}

impl Streams {
    /// Creates the limit on streams. A client may take nothing of a response for `stall_max`.
    pub fn new(streams_max: usize, stall_max: Duration, shutdown: Shutdown) -> Self {
        Self { free: Arc::new(Semaphore::new(streams_max)), streams_max, stall_max, shutdown }
    }

    /// Creates the executor of one connection.
    pub fn executor(&self) -> Executor {
        Executor { streams: self.clone(), latest: Arc::default() }
    }

    fn patience(&self) -> Duration {
        let is_crowded = self.free.available_permits() < self.streams_max / 2;
        if is_crowded { self.stall_max.min(STALL_CROWDED) } else { self.stall_max }
    }
}

/// Executor of one connection's streams.
#[derive(Clone)]
pub struct Executor {
    streams: Streams,
    /// Exchange that the connection has just begun. hyper runs a stream's task right after it has called the service.
    latest: Arc<Mutex<Weak<Exchange>>>,
}

impl Executor {
    /// Says which exchange the next task is for.
    pub fn announce(&self, exchange: &Arc<Exchange>) {
        *self.latest.lock() = Arc::downgrade(exchange);
    }
}

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        let exchange = std::mem::take(&mut *self.latest.lock()).upgrade();
        let Ok(permit) = self.streams.free.clone().try_acquire_owned() else {
            debug!("reset a stream: there are too many");
            return;
        };
        let streams = self.streams.clone();
        self.streams.shutdown.spawn(async move {
            let _permit = permit;
            let Some(exchange) = exchange else {
                stream.await;
                return;
            };
            tokio::select! {
                _ = stream => {}
                () = exchange.stalled(|| streams.patience()) => debug!("reset a stream whose client took nothing"),
            }
        });
    }
}
