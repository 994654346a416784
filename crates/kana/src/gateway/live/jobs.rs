//! How do changes of jobs reach waiting requests, counters and event streams?
//!
//! One task reads the changes from the queue and publishes them. An outage of the queue is logged once and retried with
//! backoff. The cursor stays meanwhile, so no change is missed when the queue answers again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::field::display;
use tracing::{debug, info, warn};

use super::Live;
use super::event_log::Kind;
use crate::gateway::metrics::Metrics;
use crate::gateway::submit::waiters::Waiters;
use crate::gateway::view;
use crate::telemetry::Chain;
use kana_queue::backoff::{Backoff, Bounds};
use kana_queue::clock::Timestamp;
use kana_queue::job::{Outcome, Progress, Status, Verdict};
use kana_queue::{Changes, Cursor, Error, Queue};

/// Time that one read waits for a change, and so the time between two signs of life of an idle follower.
const READ_WAIT: Duration = Duration::from_secs(5);

/// Time beyond [`READ_WAIT`] after which the queue counts as not answering.
const READ_GRACE: Duration = Duration::from_secs(5);

/// Pauses after failed reads: short, so that a restart of the queue delays events little.
const BACKOFF: Bounds = Bounds { first: Duration::from_millis(50), longest: Duration::from_secs(2) };

/// Time without a sign of life after which the follower counts as stuck: no read takes more than a third of it.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Time of the follower's last sign of life.
pub struct Liveness {
    started: Instant,
    latest_millis: AtomicU64,
}

impl Default for Liveness {
    fn default() -> Self {
        Self { started: Instant::now(), latest_millis: AtomicU64::new(0) }
    }
}

impl Liveness {
    fn mark_alive(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.latest_millis.store(millis, Ordering::Relaxed);
    }

    /// Whether the follower showed a sign of life within [`SILENCE_MAX`].
    pub fn is_alive(&self) -> bool {
        let latest = Duration::from_millis(self.latest_millis.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(latest) < SILENCE_MAX
    }
}

/// The task that follows the queue's changes.
pub struct Follower {
    /// Queue whose calls have no time limit: the follower sets its own.
    pub queue: Arc<dyn Queue>,
    /// Requests to notify.
    pub waiters: Arc<Waiters>,
    /// State in which changes are counted and published.
    pub live: Arc<Live>,
    /// Metrics of settled jobs.
    pub metrics: Arc<Metrics>,
}

impl Follower {
    /// Follows the queue until `ending` is cancelled.
    pub async fn run(self, ending: CancellationToken) {
        ending.run_until_cancelled(self.follow()).await;
    }

    async fn follow(&self) {
        let mut cursor = None;
        let mut backoff = Backoff::new(BACKOFF);
        loop {
            self.live.liveness.mark_alive();
            match self.read(cursor).await {
                Ok(changes) => {
                    if backoff.failures() > 0 {
                        info!("the queue answers again");
                    }
                    backoff.reset();
                    cursor = Some(changes.cursor);
                    self.publish(changes.jobs);
                }
                Err(error) => {
                    let pause = backoff.fail();
                    if backoff.failures() == 1 {
                        warn!(error = %Chain(&error), "the queue does not answer; trying again");
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// Reads the changes after the cursor; a queue that takes too long counts as unavailable.
    async fn read(&self, cursor: Option<Cursor>) -> Result<Changes, Error> {
        let late = |late| Error::Unavailable { action: "read changes of the queue in time", source: Box::new(late) };
        tokio::time::timeout(READ_WAIT + READ_GRACE, self.changes(cursor)).await.map_err(late)?
    }

    /// Returns the changes after the cursor. Without a cursor, takes the latest one and checks the jobs of all requests
    /// that already wait.
    async fn changes(&self, cursor: Option<Cursor>) -> Result<Changes, Error> {
        let Some(cursor) = cursor else {
            let cursor = self.queue.latest().await?;
            self.check_waiters().await?;
            return Ok(Changes { cursor, ..Changes::default() });
        };
        let changes = self.queue.changes(cursor, READ_WAIT).await?;
        if changes.missed {
            warn!("the queue no longer has some of its changes; checking all jobs that somebody waits for");
            self.check_waiters().await?;
        }
        Ok(changes)
    }

    async fn check_waiters(&self) -> Result<(), Error> {
        let statuses = self.queue.statuses(&self.waiters.jobs()).await?;
        statuses.iter().flatten().for_each(|status| self.waiters.notify(status));
        Ok(())
    }

    fn publish(&self, jobs: Vec<Status>) {
        if jobs.is_empty() {
            return;
        }
        // Requests first, because people wait for them.
        jobs.iter().for_each(|status| self.waiters.notify(status));
        for status in jobs {
            if let Progress::Settled(outcome) = &status.progress {
                self.record_settled(status.submitted, outcome);
                log_settled(&status, outcome);
            }
            self.live.events.publish(Kind::Job, &view::Job::from(status));
        }
        self.live.changed.notify_one();
    }

    fn record_settled(&self, submitted: Timestamp, outcome: &Outcome) {
        self.live.counters.record_settled(&outcome.verdict);
        self.metrics.record_settled(&outcome.verdict);
        self.metrics.detail.record_outcome(submitted, outcome);
        if let Some(worker) = &outcome.worker {
            self.live.pods.record_settled(worker.pod());
        }
    }
}

fn log_settled(status: &Status, outcome: &Outcome) {
    let (id, batch, attempts) = (status.id, status.batch, status.attempts);
    let worker = outcome.worker.as_ref().map(display);
    match &outcome.verdict {
        Verdict::Failed { reason } => warn!(
            job.id = %id, batch.id = %batch, worker, attempts, error = %reason,
            "dead-lettered job {id} after attempt {attempts}"
        ),
        Verdict::Done { .. } => debug!(job.id = %id, batch.id = %batch, worker, "job {id} is done"),
        Verdict::Cancelled => debug!(job.id = %id, batch.id = %batch, "job {id} is cancelled"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_that_just_reported_is_alive() {
        let liveness = Liveness::default();

        liveness.mark_alive();

        assert!(liveness.is_alive());
    }
}
