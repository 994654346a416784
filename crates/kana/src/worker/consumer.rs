//! In which order does a worker claim, classify and settle?
//!
//! One batch is in the engine at a time. A batch is what waits at the moment of asking, up to the room there is: it
//! never waits for one more image. While it is in the engine, the batch before it is being settled. Whatever was
//! claimed is, on every path, settled, given back or known to be lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tracing::{debug, info, warn};

use super::Desk;
use super::backoff::Backoff;
use super::drain::{BATCH_PATIENCE, QUEUE_PATIENCE};
use super::engine::{Answer, Engine};
use super::room::Room;
use super::settle::settle;
use crate::shutdown::Shutdown;
use kana_queue::{Cause, Claim, Inference, Settlement};

/// How long a claim waits for work. Bounds how long an idle worker takes to end, because a claim is never cut short:
/// what it has just leased would be known to nobody.
const CLAIM_WAIT: Duration = Duration::from_millis(500);

/// By when a turn of the loop without a batch is over: a claim, or the longest pause, with room for a busy machine.
pub const TURN_MAX: Duration = Duration::from_secs(15);

/// How often a consumer that waits for the queue says that it is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// The loop of one worker.
pub struct Consumer {
    desk: Arc<Desk>,
    engine: Engine,
    room: Room,
    backoff: Backoff,
    settling: Option<JoinHandle<()>>,
    /// A claim was cut short by the end: what it leased, if anything, is not in `held`.
    claim_cut: bool,
}

impl Consumer {
    /// One with an engine that takes up to `batch_max` images at once.
    pub fn new(desk: Arc<Desk>, engine: Engine, batch_max: usize) -> Self {
        let (room, backoff) = (Room::new(batch_max), Backoff::default());
        Self { desk, engine, room, backoff, settling: None, claim_cut: false }
    }

    /// Works until the drain begins, and then drains.
    pub async fn run(mut self, shutdown: &Shutdown) {
        while !self.desk.drain.has_begun() {
            let claims = self.claim().await;
            self.desk.held.add(claims.iter().map(|claim| claim.lease.clone()));
            if claims.is_empty() || self.desk.drain.has_begun() {
                continue;
            }
            if let Some(settlements) = self.classify(claims).await {
                self.last_settled().await;
                self.settling = Some(shutdown.spawn(settle(self.desk.clone(), settlements)));
            }
        }
        self.finish().await;
    }

    async fn claim(&mut self) -> Vec<Claim> {
        let desk = self.desk.clone();
        desk.vitals.expect_within(TURN_MAX);
        // The first answer of a queue is what makes this worker ready; nobody should wait for work to know that.
        let wait = if desk.vitals.is_ready() { CLAIM_WAIT } else { Duration::ZERO };
        let answer = tokio::select! {
            answer = desk.queue.claim(&desk.id, self.room.next(), wait) => answer,
            () = desk.drain.over(BATCH_PATIENCE) => {
                self.claim_cut = true;
                return Vec::new();
            }
        };
        match answer {
            Ok(claims) => {
                self.backoff.reset();
                if !desk.vitals.is_ready() {
                    info!("{} is ready", desk.id);
                    desk.vitals.set_ready(true);
                }
                claims
            }
            Err(error) => {
                if desk.vitals.is_ready() {
                    warn!(
                        "the queue does not answer, and is asked again now and then: {:#}",
                        anyhow::Error::from(error)
                    );
                    desk.vitals.set_ready(false);
                } else {
                    debug!("the queue still does not answer: {:#}", anyhow::Error::from(error));
                }
                tokio::select! {
                    () = tokio::time::sleep(self.backoff.pause(rand::random())) => {}
                    () = desk.drain.begun() => {}
                }
                Vec::new()
            }
        }
    }

    /// What the engine says of a batch; `None` where the drain's patience ended first.
    async fn classify(&mut self, claims: Vec<Claim>) -> Option<Vec<Settlement>> {
        let count = claims.len();
        let desk = self.desk.clone();
        let slowness = desk.delay.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        desk.vitals.expect_within(desk.stuck_after.saturating_add(slowness));
        let (leases, images): (Vec<_>, Vec<_>) = claims.into_iter().map(|claim| (claim.lease, claim.job.image)).unzip();

        let Answer { result, elapsed } = tokio::select! {
            answer = self.engine.classify(images) => answer,
            () = desk.drain.over(BATCH_PATIENCE) => return None,
        };
        desk.vitals.expect_within(TURN_MAX);
        desk.metrics.batch(count, elapsed);

        Some(match result {
            Ok(predictions) => {
                self.room.learn(count, elapsed);
                let share = elapsed.div_f64(count as f64);
                let inferences = predictions.into_iter().map(|prediction| Ok(Inference { prediction, elapsed: share }));
                leases.into_iter().zip(inferences).map(|(lease, result)| Settlement { lease, result }).collect()
            }
            Err(reason) => {
                warn!("could not classify a batch of {count}: {reason}");
                leases.into_iter().map(|lease| Settlement { lease, result: Err(reason.clone()) }).collect()
            }
        })
    }

    /// Waits until the batch before is settled, so that a queue that does not answer holds two batches up at most.
    async fn last_settled(&mut self) {
        let Some(mut settling) = self.settling.take() else { return };
        loop {
            tokio::select! {
                settled = &mut settling => match settled {
                    Ok(()) => return,
                    // Jobs that nobody will settle must not be kept alive by this process's heartbeat.
                    Err(failure) => std::panic::resume_unwind(failure.into_panic()),
                },
                () = tokio::time::sleep(SIGN_OF_LIFE) => self.desk.vitals.expect_within(TURN_MAX),
            }
        }
    }

    /// Gives back what was not finished. What cannot be given back in time lapses, or is taken back by whoever sees
    /// this process end.
    async fn finish(mut self) {
        self.last_settled().await;
        let desk = &self.desk;
        let unfinished = desk.held.all();
        if unfinished.is_empty() && !self.claim_cut {
            return;
        }
        let last_word = async {
            desk.queue.release(&unfinished).await?;
            if self.claim_cut {
                desk.queue.reclaim(&desk.id, Cause::Stopped).await?;
            }
            Ok::<_, kana_queue::Error>(())
        };
        tokio::select! {
            said = last_word => match said {
                Ok(()) => info!("gave {} jobs back unfinished", unfinished.len()),
                Err(error) => {
                    let error = anyhow::Error::from(error);
                    warn!("could not give {} jobs back, their leases will lapse: {error:#}", unfinished.len());
                }
            },
            () = desk.drain.over(QUEUE_PATIENCE) => {
                warn!("could not give {} jobs back in time, their leases will lapse", unfinished.len());
            }
        }
    }
}
