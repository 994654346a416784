//! How do pictures become jobs that somebody waits for?
//!
//! Once the queue has accepted, the jobs are safe and the answer is never an error: whatever cannot be found out about
//! them is left as it was last known.

pub mod decoder;
pub mod upload;
pub mod waiters;

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::gateway::http::problem::Problem;
use crate::gateway::live::rate::retry_after_seconds;
use crate::gateway::state::App;
use crate::gateway::submit::upload::Intake;
use crate::gateway::submit::waiters::Waiter;
use crate::gateway::view::{self, Receipt, Rejection};
use crate::telemetry::Chain;
use kana_queue::job::{BatchId, Job, JobId, Status};
use kana_queue::{self as queue, Idempotency, Submission};

/// What to submit, and how long to wait for it.
pub struct Order {
    /// The pictures.
    pub intake: Intake,
    /// The sender's own name for this.
    pub key: Option<String>,
    /// How long to wait for every job to finish.
    pub wait: Option<Duration>,
}

/// What is remembered with an idempotency key, so that the same answer can be given again.
#[derive(Serialize, Deserialize)]
struct Memory {
    jobs: Vec<(JobId, String)>,
    rejected: Vec<Rejection>,
}

/// Submits, and waits if asked to. The receipt's jobs stand as they do when it is given.
///
/// # Errors
/// 422 where the key was used with another body, 429 where the queue is full, 503 where it does not answer.
pub async fn submit(app: &App, order: Order) -> Result<Receipt, Problem> {
    let Order { intake, key, wait } = order;
    let (batch, now) = (BatchId::new(), app.parts.clock.now());
    let new_job = |(filename, image)| Job { id: JobId::new(), batch, filename, image, submitted: now };
    let jobs: Vec<Job> = intake.pictures.into_iter().map(new_job).collect();
    let memory =
        Memory { jobs: jobs.iter().map(|job| (job.id, job.filename.clone())).collect(), rejected: intake.rejected };
    let idempotency = match key {
        Some(key) => Some(Idempotency { key, fingerprint: intake.fingerprint, answer: remember(&memory)? }),
        None => None,
    };
    // Before the queue has them, so that none is settled unseen.
    let waiter = wait.map(|_| app.waiters.register(jobs.iter().map(|job| job.id)));
    let count = jobs.len();
    let submitted = app.ask(|queue| queue.submit(Submission { batch, jobs, idempotency })).await;
    match submitted {
        Ok(queue::Receipt::Accepted) => {
            app.tally.accept(count);
            app.metrics.accepted.inc_by(count as u64);
            app.stirred.notify_one();
            let known = match (waiter, wait) {
                (Some(waiter), Some(wait)) => outcomes(app, waiter, wait).await,
                _ => HashMap::new(),
            };
            Ok(receipt(batch, memory, known))
        }
        Ok(queue::Receipt::Repeated { batch, answer }) => repeat(app, batch, &answer, wait).await,
        Err(queue::Error::Full { limit }) => Err(full(app, limit, count).await),
        Err(error) => Err(error.into()),
    }
}

/// The first submission's answer again, with the states of now.
async fn repeat(app: &App, batch: BatchId, answer: &str, wait: Option<Duration>) -> Result<Receipt, Problem> {
    let memory: Memory = serde_json::from_str(answer).map_err(|error| {
        warn!(error = %error, "could not read the answer remembered for batch {batch}");
        Problem::unavailable("the first answer to this idempotency key cannot be read")
    })?;
    let ids: Vec<JobId> = memory.jobs.iter().map(|(id, _)| *id).collect();
    let waiter = app.waiters.register(ids.iter().copied());
    let statuses = app.ask(|queue| async { queue.statuses(&ids).await }).await?;
    let mut known: HashMap<JobId, Status> = HashMap::new();
    for status in statuses.into_iter().flatten() {
        waiter.note(&status);
        known.insert(status.id, status);
    }
    // Jobs that have expired will never be settled; there is nothing to wait for.
    let expired: Vec<JobId> = ids.iter().copied().filter(|id| !known.contains_key(id)).collect();
    if let Some(wait) = wait.filter(|_| expired.is_empty()) {
        known.extend(outcomes(app, waiter, wait).await);
    }
    let mut receipt = receipt(batch, memory, known);
    receipt.jobs.iter_mut().filter(|job| expired.contains(&job.id)).for_each(view::Job::expire);
    Ok(receipt)
}

/// Where jobs stand when all are settled, when `wait` has passed or when the gateway ends, whichever comes first.
async fn outcomes(app: &App, waiter: Waiter, wait: Duration) -> HashMap<JobId, Status> {
    tokio::select! {
        () = waiter.complete() => return waiter.settled(),
        () = tokio::time::sleep(wait) => {}
        () = app.ending.cancelled() => {}
    }
    let mut known = waiter.settled();
    let missing: Vec<JobId> = waiter.jobs().iter().copied().filter(|id| !known.contains_key(id)).collect();
    match app.ask(|queue| async { queue.statuses(&missing).await }).await {
        Ok(statuses) => known.extend(statuses.into_iter().flatten().map(|status| (status.id, status))),
        Err(error) => warn!(error = %Chain(&error), "could not read where jobs stand; told that they wait"),
    }
    known
}

fn receipt(batch: BatchId, memory: Memory, mut known: HashMap<JobId, Status>) -> Receipt {
    let jobs = memory.jobs.into_iter().map(|(id, filename)| match known.remove(&id) {
        Some(status) => view::Job::from(status),
        None => view::Job::queued(id, batch, filename),
    });
    Receipt { batch, jobs: jobs.collect(), rejected: memory.rejected }
}

fn remember(memory: &Memory) -> Result<String, Problem> {
    serde_json::to_string(memory).map_err(|error| {
        warn!(error = %error, "could not write the answer to be remembered");
        Problem::unavailable("the answer cannot be remembered under this idempotency key")
    })
}

async fn full(app: &App, limit: usize, wanted: usize) -> Problem {
    app.metrics.refused.inc_by(wanted as u64);
    if wanted > limit {
        // Waiting would not help: there is never so much room.
        return Problem::too_large(format!("{wanted} images at once, and the queue holds {limit} at most"));
    }
    let full = queue::Error::Full { limit };
    // A full queue has no more than `limit`; that is assumed where it cannot be asked.
    let depth = app.ask(|queue| queue.depth()).await;
    let unsettled = depth.map_or(limit, |depth| depth.waiting + depth.in_flight());
    let missing = (unsettled + wanted).saturating_sub(limit);
    Problem::busy(full.to_string(), retry_after_seconds(missing, app.tally.per_second()))
}
