//! Which periodic work does the queue need, and when are its counts published?
//!
//! Once a second the queue is swept, which expires what is due by time, and its jobs are counted. While jobs change,
//! they are counted up to four times a second. Only changed counts are published.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Live;
use super::event_log::Kind;
use crate::gateway::metrics::Metrics;
use crate::gateway::view;
use crate::telemetry::Chain;
use kana_queue::clock::Clock;
use kana_queue::{Depth, Error, Queue};

/// Time between two rounds while nothing changes.
const PERIOD: Duration = Duration::from_secs(1);

/// Shortest time between two rounds: four a second are as many as a person can read.
const PERIOD_MIN: Duration = Duration::from_millis(250);

/// Time that the queue may take for a round.
const ROUND_TIMEOUT: Duration = Duration::from_secs(5);

/// The task that sweeps the queue and counts its jobs.
pub struct Maintenance {
    /// Queue whose calls have no time limit: the task sets its own.
    pub queue: Arc<dyn Queue>,
    /// Clock that the age of the oldest job is measured with.
    pub clock: Arc<dyn Clock>,
    /// State in which counts are published.
    pub live: Arc<Live>,
    /// Metrics of the queue.
    pub metrics: Arc<Metrics>,
}

impl Maintenance {
    /// Runs one round after the other until `ending` is cancelled.
    pub async fn run(self, ending: CancellationToken) {
        ending.run_until_cancelled(self.repeat()).await;
    }

    async fn repeat(&self) {
        let (mut swept, mut published, mut is_failing) = (None, None, false);
        loop {
            let (counted, is_swept) = self.round(&mut swept).await;
            self.live.counters.update_rate(Instant::now());
            // A queue that is out of space accepts nothing and can be counted all the same.
            let counted = counted.map(|depth| self.publish(depth, &mut published));
            match is_swept.and(counted) {
                Ok(()) => {
                    self.live.queue.record_answer(Instant::now());
                    self.metrics.queue_up.set(1);
                    if is_failing {
                        info!("the queue can be swept and counted again");
                    }
                    is_failing = false;
                }
                Err(error) => {
                    self.live.queue.record_failure();
                    self.metrics.queue_up.set(0);
                    if !is_failing {
                        warn!(error = %Chain(&error), "could not sweep and count the queue; trying again");
                    }
                    is_failing = true;
                }
            }
            self.pause().await;
        }
    }

    /// Sweeps the queue if a period has passed since `swept`, which it updates, and counts the jobs.
    async fn round(&self, swept: &mut Option<Instant>) -> (Result<Depth, Error>, Result<(), Error>) {
        let round = async {
            let mut is_swept = Ok(());
            if swept.is_none_or(|at| at.elapsed() >= PERIOD) {
                is_swept = self.queue.sweep().await;
                // One that failed is repeated in the next round, so that no round counts as an answer meanwhile.
                *swept = is_swept.is_ok().then(Instant::now);
            }
            (self.queue.depth().await, is_swept)
        };
        let late = |late| Error::Unavailable { action: "sweep and count the queue in time", source: Box::new(late) };
        match tokio::time::timeout(ROUND_TIMEOUT, round).await {
            Ok(answers) => answers,
            Err(elapsed) => (Err(late(elapsed)), Ok(())),
        }
    }

    /// Publishes the counts that differ from those last `published`, which it updates.
    fn publish(&self, depth: Depth, published: &mut Option<view::Queue>) {
        let queue = self.live.counters.queue_view(&depth, self.clock.now());
        self.metrics.observe_queue(queue.waiting, queue.running, queue.dead);
        self.metrics.observe_oldest(queue.oldest_ms.map(Duration::from_millis));
        if published.as_ref() != Some(&queue) {
            self.live.events.publish(Kind::Queue, &queue);
            *published = Some(queue);
        }
        self.live.pods.record_depth(depth);
    }

    /// Waits until something has changed or the period is over, and at least for the shortest period.
    async fn pause(&self) {
        tokio::time::sleep(PERIOD_MIN).await;
        // Either way the next round begins.
        let _ = tokio::time::timeout(PERIOD - PERIOD_MIN, self.live.changed.notified()).await;
    }
}
