//! What becomes of the jobs?
//!
//! One task reads what changed in the queue and tells everybody: requests that wait, event streams, the counts. An
//! outage of the queue is logged once and sat out; the cursor stays, so nothing is missed when it answers again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::gateway::live::event_log::Kind;
use crate::gateway::metrics;
use crate::gateway::state::App;
use crate::gateway::view;
use crate::telemetry::Chain;
use kana_queue::job::{Progress, Status, Verdict};
use kana_queue::{Changes, Cursor, Error};

/// How long one look at the queue waits for a change; also how often an idle follower gives a sign of life.
const LOOK: Duration = Duration::from_secs(5);

/// How much longer than [`LOOK`] a queue may take before it counts as not answering.
const LOOK_GRACE: Duration = Duration::from_secs(5);

/// The pause after a first failed look, doubled with each further one.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// The longest pause between failed looks.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// A follower that gives no sign of life for this long is stuck: no look takes a third of it.
const BEAT_MAX: Duration = Duration::from_secs(30);

/// A sign of life.
pub struct Beat {
    born: Instant,
    latest_millis: AtomicU64,
}

impl Default for Beat {
    fn default() -> Self {
        Self { born: Instant::now(), latest_millis: AtomicU64::new(0) }
    }
}

impl Beat {
    fn give(&self) {
        let millis = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.latest_millis.store(millis, Ordering::Relaxed);
    }

    /// Whether there was one of late.
    pub fn is_alive(&self) -> bool {
        let latest = Duration::from_millis(self.latest_millis.load(Ordering::Relaxed));
        self.born.elapsed().saturating_sub(latest) < BEAT_MAX
    }
}

/// Follows the queue until the gateway ends.
pub async fn run(app: Arc<App>) {
    let mut cursor = None;
    let mut failures = 0;
    loop {
        app.beat.give();
        let looked = tokio::select! {
            () = app.ending.cancelled() => return,
            looked = look(&app, cursor) => looked,
        };
        match looked {
            Ok(changes) => {
                if failures > 0 {
                    info!("the queue answers again");
                }
                failures = 0;
                cursor = Some(changes.cursor);
                tell(&app, changes.jobs);
            }
            Err(error) => {
                if failures == 0 {
                    warn!(error = %Chain(&error), "the queue does not answer; trying again");
                }
                failures += 1;
                tokio::select! {
                    () = app.ending.cancelled() => return,
                    () = tokio::time::sleep(pause(failures)) => {}
                }
            }
        }
    }
}

/// What changed behind the cursor. The first look takes the cursor, and then looks after all jobs that somebody already
/// waits for.
async fn look(app: &App, cursor: Option<Cursor>) -> Result<Changes, Error> {
    let queue = &app.parts.queue;
    let looking = async {
        match cursor {
            Some(cursor) => {
                let changes = queue.changes(cursor, LOOK).await?;
                if changes.missed {
                    warn!(
                        "the queue has forgotten some of what changed; looking after all jobs that somebody waits for"
                    );
                    look_after_waiters(app).await?;
                }
                Ok(changes)
            }
            None => {
                let cursor = queue.latest().await?;
                look_after_waiters(app).await?;
                Ok(Changes { cursor, ..Changes::default() })
            }
        }
    };
    let late = |late| Error::Unavailable { action: "read changes of the queue in time", source: Box::new(late) };
    tokio::time::timeout(LOOK + LOOK_GRACE, looking).await.map_err(late)?
}

async fn look_after_waiters(app: &App) -> Result<(), Error> {
    let waited = app.parts.queue.statuses(&app.waiters.jobs()).await?;
    waited.iter().flatten().for_each(|status| app.waiters.tell(status));
    Ok(())
}

fn tell(app: &App, jobs: Vec<Status>) {
    if jobs.is_empty() {
        return;
    }
    // Requests first: they are what people wait for.
    jobs.iter().for_each(|status| app.waiters.tell(status));
    for status in jobs {
        if let Progress::Settled(outcome) = &status.progress {
            app.tally.settle(outcome);
            let verdict = match outcome.verdict {
                Verdict::Done { .. } => metrics::Verdict::Done,
                Verdict::Failed { .. } => metrics::Verdict::Failed,
                Verdict::Cancelled => metrics::Verdict::Cancelled,
            };
            app.metrics.settled(verdict);
        }
        app.feed.tell(Kind::Job, &view::Job::from(status));
    }
    app.stirred.notify_one();
}

/// How long to pause after this many failures in a row.
fn pause(failures: u32) -> Duration {
    PAUSE_MIN.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_stay_there() {
        let millis = |failures| pause(failures).as_millis();

        assert_eq!([1, 2, 3, 6].map(millis), [50, 100, 200, 1_600]);
        assert_eq!([7, 40, u32::MAX].map(millis), [2_000; 3]);
    }

    #[test]
    fn a_follower_that_just_gave_a_sign_is_alive() {
        let beat = Beat::default();

        beat.give();

        assert!(beat.is_alive());
    }
}
