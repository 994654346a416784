//! In which order does a worker claim, classify and settle?
//!
//! One batch is in the engine at a time. A batch is what waits in the queue at the moment of the claim, up to the batch
//! size: it never waits for one more image. While it is in the engine, the previous batch is being settled and, where the
//! engine is fast, the next one is being fetched. Every job claimed is, on every path, settled, released or known to be
//! lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::task::JoinHandle;
use tracing::{Instrument, Span, debug, info, info_span, warn};

use super::batch_size::BatchSize;
use super::drain::{BATCH_PATIENCE, QUEUE_PATIENCE};
use super::engine::{Answer, BatchResult, Engine};
use super::settle::settle;
use super::{Context, QUEUE_BACKOFF};
use crate::shutdown::Shutdown;
use crate::telemetry::Chain;
use kana_queue::backoff::Backoff;
use kana_queue::{self as queue, Cause, Claim, Hold, Inference, Lease, Settlement, WorkerId};

/// Time that a claim waits for jobs: how often an idle worker asks again.
const CLAIM_WAIT: Duration = Duration::from_secs(5);

/// How long before the engine has finished a batch the next one is fetched: longer than a call to any queue nearby.
const AHEAD: Duration = Duration::from_millis(1);

/// Longest time of a batch while which the next one is fetched: what is fetched may wait here for this long.
const AHEAD_MAX: Duration = Duration::from_millis(25);

/// Deadline for a turn of the loop without a batch: a claim, or the longest pause, on a busy machine.
pub const TURN_MAX: Duration = Duration::from_secs(15);

/// Time between two records of progress by a consumer that waits for the queue.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// A claim that is under way.
type Claiming = BoxFuture<'static, Fetched>;

/// The answer to a claim, and when it came.
struct Fetched {
    answer: Result<Vec<Claim>, queue::Error>,
    at: Instant,
}

impl Fetched {
    fn now(answer: Result<Vec<Claim>, queue::Error>) -> Self {
        Self { answer, at: Instant::now() }
    }
}

/// The loop of one worker.
pub struct Consumer {
    context: Arc<Context>,
    engine: Engine,
    batch_size: BatchSize,
    backoff: Backoff,
    settling: Option<JoinHandle<()>>,
    /// The claim of the next batch, while the engine has one.
    ahead: Option<Claiming>,
    /// Whether a claim was cut short by the drain: what it leased, if anything, is not in [`Context::leases`].
    claim_cut: bool,
}

impl Consumer {
    /// Creates the loop around an engine that takes up to `batch_max` images at once.
    pub fn new(context: Arc<Context>, engine: Engine, batch_max: usize) -> Self {
        let (batch_size, backoff) = (BatchSize::new(batch_max), Backoff::new(QUEUE_BACKOFF));
        Self { context, engine, batch_size, backoff, settling: None, ahead: None, claim_cut: false }
    }

    /// Claims, classifies and settles until the drain begins, and then drains.
    pub async fn run(mut self, shutdown: &Shutdown) {
        while !self.context.drain.has_begun() {
            let claims = self.claim().await;
            self.context.leases.add(claims.iter().map(|claim| claim.lease.clone()));
            let Some(span) = batch_span(&self.context.id, &claims) else { continue };
            span.in_scope(|| log_claims(&claims));
            if self.context.drain.has_begun() {
                continue;
            }
            if let Some(settlements) = self.classify(claims).instrument(span.clone()).await {
                self.await_last_settled().await;
                self.settling = Some(shutdown.spawn(settle(self.context.clone(), settlements).instrument(span)));
            }
        }
        self.finish().await;
    }

    /// Takes what was fetched ahead, or waits for jobs.
    async fn claim(&mut self) -> Vec<Claim> {
        let context = self.context.clone();
        context.liveness.expect_within(TURN_MAX);
        let ahead = self.ahead.take();
        let claiming = async {
            if let Some(ahead) = ahead {
                match ahead.await {
                    Fetched { answer: Ok(claims), .. } if claims.is_empty() => {}
                    fetched => return fetched,
                }
            }
            // The queue's first answer is what makes this worker ready, and that need not wait for jobs.
            let wait = if context.liveness.is_ready() { CLAIM_WAIT } else { Duration::ZERO };
            Fetched::now(context.queue.claim(&context.id, self.batch_size.current(), wait).await)
        };
        let Fetched { answer, at } = tokio::select! {
            fetched = claiming => fetched,
            // What a claim that is dropped has leased is released, here or by the end of the drain.
            () = context.drain.begun() => {
                self.claim_cut = true;
                return Vec::new();
            }
        };
        match answer {
            Ok(claims) => {
                self.backoff.reset();
                if context.liveness.mark_ready() {
                    info!(worker = %context.id, "{} is ready", context.id);
                }
                if let Some(first) = claims.first() {
                    context.metrics.record_claim(claims.len(), first.attempt);
                    context.metrics.record_batch_wait(at.elapsed());
                }
                claims
            }
            Err(error) => {
                self.pause_after(&error).await;
                Vec::new()
            }
        }
    }

    /// Logs that the queue did not answer, and waits before the next claim.
    async fn pause_after(&mut self, error: &queue::Error) {
        let context = &self.context;
        if context.liveness.mark_unready() {
            warn!(worker = %context.id, error = %Chain(error), "the queue does not answer, trying again");
        } else {
            debug!(worker = %context.id, error = %Chain(error), "the queue still does not answer");
        }
        tokio::select! {
            () = tokio::time::sleep(self.backoff.fail()) => {}
            () = context.drain.begun() => {}
        }
    }

    /// Classifies a batch. Returns `None` where the drain's patience ended first.
    async fn classify(&mut self, claims: Vec<Claim>) -> Option<Vec<Settlement>> {
        let count = claims.len();
        let context = self.context.clone();
        let delay = context.delay.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        context.liveness.expect_within(context.stuck_after.saturating_add(delay));
        let (leases, images): (Vec<_>, Vec<_>) = claims.into_iter().map(|claim| (claim.lease, claim.job.image)).unzip();

        self.ahead = self.fetch_ahead(count);
        let BatchResult { result, elapsed } = tokio::select! {
            answer = self.engine.classify(images) => answer,
            never = poll_ahead(&mut self.ahead, &context) => never,
            () = context.drain.over(BATCH_PATIENCE) => return None,
        };
        context.liveness.expect_within(TURN_MAX);
        context.metrics.record_batch(count, elapsed);
        debug!(worker = %context.id, seconds = elapsed.as_secs_f64(), "classified a batch of {count}");

        Some(match result {
            Ok(answers) => {
                self.batch_size.adapt(count, elapsed);
                let share = elapsed.div_f64(count as f64);
                let inference = |Answer { prediction, blank }| Inference { prediction, elapsed: share, blank };
                let inferences = answers.into_iter().map(inference);
                leases.into_iter().zip(inferences).map(|(lease, it)| Settlement { lease, result: Ok(it) }).collect()
            }
            Err(reason) => {
                warn!(worker = %context.id, error = reason, "could not classify a batch of {count}");
                leases.into_iter().map(|lease| Settlement { lease, result: Err(reason.clone()) }).collect()
            }
        })
    }

    /// The claim of the next batch, to be made shortly before the engine has finished one of `images` images; none where a
    /// single image shows that nobody is in a hurry, or where jobs fetched now would wait here while others are idle.
    fn fetch_ahead(&self, images: usize) -> Option<Claiming> {
        let busy = self.batch_size.time_of(images).filter(|busy| images > 1 && *busy <= AHEAD_MAX)?;
        let (context, limit) = (self.context.clone(), self.batch_size.current());
        Some(Box::pin(async move {
            tokio::time::sleep(busy.saturating_sub(AHEAD)).await;
            if context.drain.has_begun() {
                return Fetched::now(Ok(Vec::new()));
            }
            Fetched::now(context.queue.claim(&context.id, limit, Duration::ZERO).await)
        }))
    }

    /// Waits until the previous batch is settled, so that a queue that does not answer delays two batches at most.
    async fn await_last_settled(&mut self) {
        let Some(mut settling) = self.settling.take() else { return };
        loop {
            tokio::select! {
                settled = &mut settling => match settled {
                    Ok(()) => return,
                    // This process's heartbeat must not keep jobs alive that will never be settled.
                    Err(failure) => std::panic::resume_unwind(failure.into_panic()),
                },
                () = tokio::time::sleep(PROGRESS_EVERY) => self.context.liveness.expect_within(TURN_MAX),
            }
        }
    }

    /// Releases the jobs that were not finished. A lease that cannot be released in time expires, or is reclaimed by
    /// the process that sees this one end.
    async fn finish(mut self) {
        self.await_last_settled().await;
        // A claim ahead that was answered has its leases among the unfinished; any other is dropped here.
        self.claim_cut |= self.ahead.take().is_some();
        let unfinished = self.context.leases.all();
        if unfinished.is_empty() && !self.claim_cut {
            return;
        }
        let (worker, count) = (&self.context.id, unfinished.len());
        tokio::select! {
            released = release(&self.context, &unfinished, self.claim_cut) => match released {
                Ok(()) if count == 0 => {}
                Ok(()) => info!(worker = %worker, "released {count} unfinished jobs"),
                Err(error) => {
                    let error = Chain(&error);
                    warn!(worker = %worker, error = %error, "could not release {count} jobs, their leases will expire");
                }
            },
            () = self.context.drain.over(QUEUE_PATIENCE) => {
                warn!(worker = %worker, "could not release {count} jobs in time, their leases will expire");
            }
        }
    }
}

/// Releases jobs, and what a claim that was cut short may have leased.
async fn release(context: &Context, leases: &[Lease], claim_cut: bool) -> Result<(), queue::Error> {
    let holds = context.queue.release(leases).await?;
    for (lease, _) in leases.iter().zip(holds).filter(|(_, hold)| *hold == Hold::Kept) {
        debug!(job.id = %lease.job, worker = %context.id, "released job {}", lease.job);
    }
    if claim_cut {
        context.queue.reclaim(&context.id, Cause::Stopped).await?;
    }
    Ok(())
}

/// Makes the claim of the next batch; its jobs are held from then on. Never ends.
async fn poll_ahead<T>(ahead: &mut Option<Claiming>, context: &Context) -> T {
    if let Some(claiming) = ahead {
        let fetched = claiming.await;
        if let Ok(claims) = &fetched.answer {
            context.leases.add(claims.iter().map(|claim| claim.lease.clone()));
        }
        *ahead = Some(Box::pin(std::future::ready(fetched)));
    }
    std::future::pending().await
}

/// Creates the span of a batch; `None` where nothing was claimed. Jobs claimed together are of one attempt: the queue
/// returns first attempts together and every later attempt alone.
fn batch_span(worker: &WorkerId, claims: &[Claim]) -> Option<Span> {
    let first = claims.first()?;
    Some(info_span!("worker_batch", worker = %worker, images = claims.len(), attempt = first.attempt))
}

fn log_claims(claims: &[Claim]) {
    for Claim { lease: Lease { job, worker, .. }, job: claimed, attempt } in claims {
        let batch = claimed.batch;
        match attempt {
            1 => debug!(job.id = %job, batch.id = %batch, worker = %worker, attempt, "claimed job {job}"),
            _ => info!(
                job.id = %job, batch.id = %batch, worker = %worker, attempt,
                "claimed job {job}, redelivered for attempt {attempt}"
            ),
        }
    }
}
