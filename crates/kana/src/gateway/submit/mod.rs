//! How do the images of a request become jobs, and how does the request wait for them?
//!
//! Jobs that the queue has accepted are stored, so from then on the response is never an error: a state that cannot be
//! read is reported as it was last known.

pub mod decoder;
mod disposition;
mod part_head;
pub mod upload;
pub mod waiters;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::config::Limits;
use super::http::auth::Caller;
use super::http::body::Bodies;
use super::http::problem::Problem;
use super::http::rate_limit::RateLimits;
use super::live::Live;
use super::live::rate::retry_after_seconds;
use super::metrics::{Metrics, UploadPhase};
use super::upstream::TimedQueue;
use super::view::{self, Receipt, Rejection};
use crate::telemetry::Chain;
use decoder::Decoder;
use kana_queue::clock::Clock;
use kana_queue::job::{BatchId, Job, JobId, Status};
use kana_queue::{self as queue, Idempotency, Submission};
use upload::Upload;
use waiters::{Waiter, Waiters};

/// Reads uploads, submits their images as jobs, and waits for jobs.
pub struct Submitter {
    /// Limits on what a client may request.
    pub limits: Limits,
    /// Queue that jobs are submitted to.
    pub queue: TimedQueue,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Decodes images.
    pub decoder: Decoder,
    /// Reads bodies within their limits.
    pub bodies: Bodies,
    /// Limits on how many images a sender may submit a second.
    pub rates: RateLimits,
    /// Requests that wait for jobs.
    pub waiters: Arc<Waiters>,
    /// State in which accepted jobs are counted.
    pub live: Arc<Live>,
    /// Metrics of accepted and refused jobs.
    pub metrics: Arc<Metrics>,
    /// Token that is cancelled when requests that still wait must be answered.
    pub ending: CancellationToken,
}

/// Images to submit, and the time to wait for their jobs.
pub struct SubmitRequest {
    /// The images, and the files that were refused.
    pub upload: Upload,
    /// The client's idempotency key, if it gave one.
    pub key: Option<String>,
    /// Longest time to wait for every job to finish; `None` does not wait.
    pub wait: Option<Duration>,
    /// The run that the images belong to.
    pub run: RunChoice,
}

/// Which run images belong to.
pub enum RunChoice {
    /// A batch of their own, which no list names.
    Unlisted,
    /// A new run of this name, perhaps an empty one.
    New(String),
    /// A batch that was begun before.
    Begun(BatchId),
}

/// Answer that the queue stores with an idempotency key, so that a repeated request gets the same one.
#[derive(Serialize, Deserialize)]
struct StoredAnswer {
    jobs: Vec<(JobId, String)>,
    rejected: Vec<Rejection>,
}

impl Submitter {
    /// Submits the images, and waits for their jobs where `wait` is set. The receipt has the jobs' states at that time.
    ///
    /// # Errors
    /// 422 where the key was used with another body, 429 where the queue is full, 503 where it does not answer.
    pub async fn submit(&self, caller: &Caller, request: SubmitRequest) -> Result<Receipt, Problem> {
        let SubmitRequest { upload, key, wait, run } = request;
        let submitted = self.clock.now();
        let (batch, name) = match run {
            RunChoice::Unlisted => (BatchId::new(), None),
            RunChoice::New(name) => (BatchId::new(), Some(name)),
            RunChoice::Begun(batch) => (batch, None),
        };
        let new_job = |(filename, image)| Job { id: JobId::new(), batch, filename, image, submitted };
        let jobs: Vec<Job> = upload.images.into_iter().map(new_job).collect();
        let names = jobs.iter().map(|job| (job.id, job.filename.clone())).collect();
        let remembered = StoredAnswer { jobs: names, rejected: upload.rejected };
        let idempotency = match &key {
            Some(key) => Some(Idempotency {
                key: caller.scoped(key),
                fingerprint: upload.fingerprint,
                answer: encode(&remembered)?,
            }),
            None => None,
        };
        // Registered before the queue has the jobs, so that none is settled unseen.
        let waiter = wait.map(|_| self.waiters.register(jobs.iter().map(|job| job.id)));
        let count = jobs.len();
        let started = Instant::now();
        let answer = self.queue.call(|queue| queue.submit(Submission { batch, jobs, idempotency, name })).await;
        self.metrics.detail.record_upload(UploadPhase::Submit, started.elapsed());
        match answer {
            Ok(queue::Receipt::Accepted) => {
                self.record_accepted(batch, count);
                let known = match (waiter, wait) {
                    (Some(waiter), Some(wait)) => self.wait(waiter, wait).await,
                    _ => HashMap::new(),
                };
                let mut receipt = receipt(batch, remembered, known);
                receipt.jobs.iter_mut().for_each(|job| job.submitted = Some(submitted));
                Ok(receipt)
            }
            Ok(queue::Receipt::Repeated { batch, answer }) => self.repeat(batch, &answer, wait).await,
            Err(queue::Error::Full { limit }) => Err(self.full(limit, count).await),
            // The queue knows the key under a longer name than the client.
            Err(queue::Error::KeyReused { key: stored }) => {
                Err(queue::Error::KeyReused { key: key.unwrap_or(stored) }.into())
            }
            Err(error) => {
                if matches!(error, queue::Error::NoSpace { .. }) {
                    self.metrics.not_stored.inc_by(count as u64);
                }
                Err(error.into())
            }
        }
    }

    fn record_accepted(&self, batch: BatchId, jobs: usize) {
        debug!(batch.id = %batch, jobs, "accepted batch {batch}, jobs: {jobs}");
        self.live.counters.record_accepted(jobs);
        self.live.changed.notify_one();
        self.metrics.accepted.inc_by(jobs as u64);
    }

    /// Answers a repeated request as the first one was answered, with the current states.
    async fn repeat(&self, batch: BatchId, answer: &str, wait: Option<Duration>) -> Result<Receipt, Problem> {
        let remembered: StoredAnswer = serde_json::from_str(answer).map_err(|error| {
            warn!(batch.id = %batch, error = %error, "could not read the answer remembered for batch {batch}");
            Problem::unavailable("the first answer to this idempotency key cannot be read")
        })?;
        let ids: Vec<JobId> = remembered.jobs.iter().map(|(id, _)| *id).collect();
        let waiter = self.waiters.register(ids.iter().copied());
        let statuses = self.queue.call(|queue| async { queue.statuses(&ids).await }).await?;
        let mut known: HashMap<JobId, Status> = HashMap::new();
        for status in statuses.into_iter().flatten() {
            waiter.record(&status);
            known.insert(status.id, status);
        }
        // Expired jobs will never be settled; there is nothing to wait for.
        let expired: Vec<JobId> = ids.iter().copied().filter(|id| !known.contains_key(id)).collect();
        if let Some(wait) = wait.filter(|_| expired.is_empty()) {
            known.extend(self.wait(waiter, wait).await);
        }
        let mut receipt = receipt(batch, remembered, known);
        receipt.jobs.iter_mut().filter(|job| expired.contains(&job.id)).for_each(view::Job::expire);
        Ok(receipt)
    }

    /// Returns the jobs' states when all are settled, when `wait` has passed or when the gateway ends, whichever comes
    /// first.
    async fn wait(&self, waiter: Waiter, wait: Duration) -> HashMap<JobId, Status> {
        tokio::select! {
            () = waiter.complete() => return waiter.settled(),
            () = tokio::time::sleep(wait) => {}
            () = self.ending.cancelled() => {}
        }
        let mut known = waiter.settled();
        let missing: Vec<JobId> = waiter.jobs().iter().copied().filter(|id| !known.contains_key(id)).collect();
        match self.queue.call(|queue| async { queue.statuses(&missing).await }).await {
            Ok(statuses) => known.extend(statuses.into_iter().flatten().map(|status| (status.id, status))),
            Err(error) => warn!(error = %Chain(&error), "could not read the jobs' states; reporting them as queued"),
        }
        known
    }

    async fn full(&self, limit: usize, wanted: usize) -> Problem {
        if wanted > limit {
            // Waiting would not help: there is never that much room.
            return Problem::too_large(format!("{wanted} images at once, and the queue holds {limit} at most"));
        }
        self.metrics.refused.inc_by(wanted as u64);
        let full = queue::Error::Full { limit };
        // A full queue has no more than `limit` jobs; that many are assumed where it cannot be asked.
        let depth = self.queue.call(|queue| queue.depth()).await;
        let unsettled = depth.map_or(limit, |depth| depth.waiting + depth.in_flight());
        let missing = (unsettled + wanted).saturating_sub(limit);
        Problem::busy(full.to_string(), retry_after_seconds(missing, self.live.counters.per_second()))
    }
}

fn receipt(batch: BatchId, remembered: StoredAnswer, mut known: HashMap<JobId, Status>) -> Receipt {
    let jobs = remembered.jobs.into_iter().map(|(id, filename)| match known.remove(&id) {
        Some(status) => view::Job::from(status),
        None => view::Job::queued(id, batch, filename),
    });
    Receipt { batch, jobs: jobs.collect(), rejected: remembered.rejected }
}

fn encode(remembered: &StoredAnswer) -> Result<String, Problem> {
    serde_json::to_string(remembered).map_err(|error| {
        warn!(error = %error, "could not write the answer to be remembered");
        Problem::unavailable("the answer cannot be remembered under this idempotency key")
    })
}
