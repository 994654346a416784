//! What does a promise need to be tested: a queue, its clock, and callers that submit, claim and settle?
//!
//! A [`Fixture`] panics where the queue fails a call that the test only prepares with, so that a test reads as the
//! promise that it tests.

use std::sync::Arc;
use std::time::Duration;

use kana_engine::Prediction;
use kana_engine::image::{Image, Shape};

use crate::clock::{Clock, ManualClock, Timestamp};
use crate::job::{BatchId, Job, JobId, Outcome, Progress, Status};
use crate::{Claim, Error, Inference, Limits, Queue, Receipt, Settled, Settlement, Submission};

/// The limits of the queue under test: small enough to be reached, and otherwise like those in production.
pub const LIMITS: Limits = Limits {
    jobs_max: 40,
    lease: Duration::from_secs(6),
    attempts_max: 3,
    claims_max: 5,
    outcome_ttl: Duration::from_secs(60 * 60),
    dead_ttl: Duration::from_secs(7 * 24 * 60 * 60),
    dead_max: 6,
};

/// The clock's smallest step.
pub const TICK: Duration = Duration::from_millis(1);

/// A wait far longer than anything takes that happens at all.
pub const LONG: Duration = Duration::from_secs(60);

/// The longest time that passes in steps.
const ADVANCE_MAX: Duration = Duration::from_secs(60);

/// Time between two sweeps while time passes: as often as a gateway sweeps.
const STEP: Duration = Duration::from_secs(1);

/// No wait.
pub const NOW: Duration = Duration::ZERO;

/// The time that every fixture's clock shows first.
pub const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// An implementation of [`Queue`], as the suite needs it: opened empty, on a clock that the suite moves.
///
/// A harness also owns whatever the queue needs to live, such as a temporary folder or a server: it is dropped after
/// the queue.
pub trait Harness: Send + Sync {
    /// Opens an empty queue with these limits. It has to go by `clock` alone, or by one that
    /// [`clock_moved`](Self::clock_moved) sets. Called inside a tokio runtime.
    fn open(&self, limits: Limits, clock: Arc<dyn Clock>) -> Box<dyn Queue>;

    /// Sets the queue's own clock, for a queue that goes by the clock of a server. Called before
    /// [`open`](Self::open) and whenever the suite has moved its clock, backwards too.
    fn clock_moved(&self, now: Timestamp) {
        let _ = now;
    }
}

/// A harness that the test shares with the fixture.
impl<H: Harness + ?Sized> Harness for Arc<H> {
    fn open(&self, limits: Limits, clock: Arc<dyn Clock>) -> Box<dyn Queue> {
        H::open(self, limits, clock)
    }

    fn clock_moved(&self, now: Timestamp) {
        H::clock_moved(self, now);
    }
}

/// A queue under test, and the clock that it goes by.
pub struct Fixture {
    // Dropped in this order: the queue ends before what it lives on.
    /// The queue.
    pub queue: Box<dyn Queue>,
    clock: Arc<ManualClock>,
    harness: Box<dyn Harness>,
}

impl Fixture {
    /// Opens the harness's queue with [`LIMITS`].
    pub fn new(harness: impl Harness + 'static) -> Self {
        Self::with_limits(harness, LIMITS)
    }

    /// Opens the harness's queue with other limits.
    pub fn with_limits(harness: impl Harness + 'static, limits: Limits) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        harness.clock_moved(START);
        let queue = harness.open(limits, Arc::clone(&clock) as Arc<dyn Clock>);
        Self { queue, clock, harness: Box::new(harness) }
    }

    /// The time that the clock shows.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass in which the queue is called: a second at a time, with a sweep in each. More than [`ADVANCE_MAX`]
    /// passes at once, like a [`pause`](Self::pause), and is swept once.
    pub async fn advance(&self, span: Duration) {
        let mut left = span;
        loop {
            let step = if span > ADVANCE_MAX { left } else { left.min(STEP) };
            self.pause(step);
            self.queue.sweep().await.expect("a sweep");
            left -= step;
            if left.is_zero() {
                break;
            }
        }
    }

    /// Lets time pass in which nobody calls the queue.
    pub fn pause(&self, span: Duration) {
        self.set_clock(self.now().after(span));
    }

    /// Moves the clock backward.
    pub fn set_back(&self, span: Duration) {
        self.set_clock(self.now().before(span));
    }

    fn set_clock(&self, now: Timestamp) {
        self.clock.set(now);
        self.harness.clock_moved(now);
    }

    /// Submits `count` jobs together, and returns their ids in that order.
    pub async fn submit(&self, count: usize) -> Vec<JobId> {
        let submission = self.submission(count);
        let ids = submission.jobs.iter().map(|job| job.id).collect();
        assert_eq!(self.queue.submit(submission).await.expect("room for jobs"), Receipt::Accepted);
        ids
    }

    /// Submits one job.
    pub async fn submit_one(&self) -> JobId {
        self.submit(1).await[0]
    }

    /// Makes a submission of `count` jobs, without submitting it.
    pub fn submission(&self, count: usize) -> Submission {
        let batch = BatchId::new();
        let jobs = (0..count).map(|n| a_job(batch, n, self.now())).collect();
        Submission { batch, jobs, idempotency: None, name: None }
    }

    /// Claims up to `limit` jobs, without waiting.
    pub async fn claim_as(&self, worker: &str, limit: usize) -> Vec<Claim> {
        self.queue.claim(&worker.into(), limit, NOW).await.expect("a claim")
    }

    /// Claims exactly one job, without waiting.
    pub async fn claim_one_as(&self, worker: &str) -> Claim {
        let mut claims = self.claim_as(worker, 1).await;
        assert_eq!(claims.len(), 1, "something to claim");
        claims.remove(0)
    }

    /// Settles one job.
    pub async fn settle(&self, settlement: Settlement) -> Settled {
        self.queue.settle(vec![settlement]).await.expect("a settlement")[0]
    }

    /// Reads where a job stands.
    pub async fn status(&self, id: JobId) -> Option<Status> {
        self.queue.statuses(&[id]).await.expect("a status").remove(0)
    }

    /// Reads a job's outcome, where it has one.
    pub async fn outcome(&self, id: JobId) -> Option<Outcome> {
        match self.status(id).await?.progress {
            Progress::Settled(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Claims a job and fails it, until it is a dead letter.
    pub async fn dead_letter(&self, worker: &str, reason: &str) {
        for _ in 0..LIMITS.attempts_max {
            let claim = self.claim_one_as(worker).await;
            self.settle(failed(&claim, reason)).await;
        }
    }
}

/// Makes the `n`th job of a batch, which differs from the others in every field.
pub fn a_job(batch: BatchId, n: usize, submitted: Timestamp) -> Job {
    let shape = Shape { channels: 1, height: 4, width: 3 };
    let pixels: Vec<u8> = (0..shape.bytes()).map(|p| (p * 7 + n) as u8).collect();
    let image = Image::new(shape, pixels).expect("BUG: as many samples as the shape has");
    Job { id: JobId::new(), batch, filename: format!("{n}.png"), image, submitted }
}

/// Makes a classifier's answer; `class` tells it from others.
pub fn an_answer(class: usize) -> Inference {
    let probabilities = (0..10).map(|c| if c == class { 0.91 } else { 0.01 }).collect();
    let prediction = Prediction { label: format!("label {class}"), class, confidence: 0.91, probabilities };
    Inference { prediction, elapsed: Duration::from_micros(250), blank: false }
}

/// Makes the settlement of a claim that succeeded.
pub fn done(claim: &Claim) -> Settlement {
    done_as(claim, 0)
}

/// Makes the settlement of a claim that succeeded with this class.
pub fn done_as(claim: &Claim, class: usize) -> Settlement {
    Settlement { lease: claim.lease.clone(), result: Ok(an_answer(class)) }
}

/// Makes the settlement of a claim that failed.
pub fn failed(claim: &Claim, reason: &str) -> Settlement {
    Settlement { lease: claim.lease.clone(), result: Err(reason.to_owned()) }
}

/// The ids of claimed jobs.
pub fn ids(claims: &[Claim]) -> Vec<JobId> {
    claims.iter().map(|claim| claim.job.id).collect()
}

/// Whether a queue with [`LIMITS`] refused a call because it is full.
pub fn is_full(answer: &Result<impl Sized, Error>) -> bool {
    matches!(answer, Err(Error::Full { limit }) if *limit == LIMITS.jobs_max)
}
