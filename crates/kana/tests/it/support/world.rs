//! What is a queue's world: its clock, its limits, and people who submit, claim and settle?

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use kana_engine::Prediction;
use kana_engine::image::{Image, Shape};
use kana_queue::clock::{Clock, ManualClock, Timestamp};
use kana_queue::job::{BatchId, Job, JobId, Outcome, Progress, Status};
use kana_queue::{
    self as queue, Claim, Error, Inference, Limits, Queue, Receipt, Settled, Settlement, Submission, Url,
};

use super::redis::RedisServer;
use super::time::Time;

/// Small enough to be reached, and otherwise as in life.
pub const LIMITS: Limits = Limits {
    jobs_max: 40,
    lease: Duration::from_secs(6),
    attempts_max: 3,
    claims_max: 5,
    outcome_ttl: Duration::from_secs(60 * 60),
    dead_ttl: Duration::from_secs(7 * 24 * 60 * 60),
};

/// The clock's smallest step.
pub const TICK: Duration = Duration::from_millis(1);

/// Far longer than anything takes that happens at all.
pub const LONG: Duration = Duration::from_secs(60);

/// Not waiting.
pub const NOW: Duration = Duration::ZERO;

/// When every world begins.
const DAWN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A queue, and the clock that it goes by.
pub struct World {
    pub queue: Box<dyn Queue>,
    pub clock: Arc<ManualClock>,
    /// What the queue stands on.
    pub ground: Ground,
}

/// What a queue stands on: its address, its time, and whatever must not go before it does.
pub struct Ground {
    pub url: Url,
    pub time: Time,
    /// The server that it lives on, if it lives on one.
    pub redis: Option<RedisServer>,
    _folder: Option<tempfile::TempDir>,
}

impl Ground {
    pub fn memory() -> Self {
        Self { url: Url::Memory, time: Time::from(DAWN), redis: None, _folder: None }
    }

    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file: PathBuf = folder.path().join("queue.db");
        Self { url: Url::Sqlite(file), _folder: Some(folder), ..Self::memory() }
    }

    /// A server of its own, whose clock shows what the test's shows.
    pub fn redis() -> Self {
        let server = RedisServer::stopped_in_time(DAWN);
        let url = Url::from_str(&server.url()).expect("a queue's address");
        let time = Time::from(DAWN).with(server.clock());
        Self { url, time, redis: Some(server), _folder: None }
    }

    /// Whatever is at this address, which goes by a clock of its own.
    pub fn at(url: &str) -> Self {
        Self { url: Url::from_str(url).expect("a queue's address"), ..Self::memory() }
    }

    /// The same, with this as its time.
    pub fn by(self, time: Time) -> Self {
        Self { time, ..self }
    }

    /// Opens the queue; where it lives on a server, a runtime has to be at hand.
    pub fn open(&self, limits: Limits) -> Box<dyn Queue> {
        queue::open(&self.url, limits, self.time.clock() as Arc<dyn Clock>).expect("a queue")
    }
}

impl World {
    pub fn memory() -> Self {
        Self::on(Ground::memory())
    }

    pub fn sqlite() -> Self {
        Self::on(Ground::sqlite())
    }

    pub fn redis() -> Self {
        Self::on(Ground::redis())
    }

    pub fn on(ground: Ground) -> Self {
        Self { queue: ground.open(LIMITS), clock: ground.time.clock(), ground }
    }

    pub fn advance(&self, span: Duration) {
        self.ground.time.advance(span);
    }

    pub fn set_back(&self, span: Duration) {
        self.ground.time.set_back(span);
    }

    /// `count` jobs, submitted together.
    pub async fn submit(&self, count: usize) -> Vec<JobId> {
        let submission = self.submission(count);
        let ids = submission.jobs.iter().map(|job| job.id).collect();
        assert_eq!(self.queue.submit(submission).await.expect("room for jobs"), Receipt::Accepted);
        ids
    }

    pub async fn submit_one(&self) -> JobId {
        self.submit(1).await[0]
    }

    pub fn submission(&self, count: usize) -> Submission {
        let batch = BatchId::new();
        let jobs = (0..count).map(|n| a_job(batch, n, self.clock.now())).collect();
        Submission { batch, jobs, idempotency: None }
    }

    pub async fn claim_as(&self, worker: &str, room: usize) -> Vec<Claim> {
        self.queue.claim(&worker.into(), room, NOW).await.expect("a claim")
    }

    /// Claims exactly one.
    pub async fn claim_one_as(&self, worker: &str) -> Claim {
        let mut claims = self.claim_as(worker, 1).await;
        assert_eq!(claims.len(), 1, "something to claim");
        claims.remove(0)
    }

    pub async fn settle(&self, settlement: Settlement) -> Settled {
        self.queue.settle(vec![settlement]).await.expect("a settlement")[0]
    }

    pub async fn status(&self, id: JobId) -> Option<Status> {
        self.queue.statuses(&[id]).await.expect("a status").remove(0)
    }

    pub async fn outcome(&self, id: JobId) -> Option<Outcome> {
        match self.status(id).await?.progress {
            Progress::Settled(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Claims a job and fails it, until it is dead.
    pub async fn kill(&self, worker: &str, why: &str) {
        for _ in 0..LIMITS.attempts_max {
            let claim = self.claim_one_as(worker).await;
            self.settle(failed(&claim, why)).await;
        }
    }
}

/// The `n`th job of a batch, unlike the others in everything that travels.
pub fn a_job(batch: BatchId, n: usize, submitted: Timestamp) -> Job {
    let shape = Shape { channels: 1, height: 4, width: 3 };
    let pixels: Vec<u8> = (0..shape.bytes()).map(|p| (p * 7 + n) as u8).collect();
    let image = Image::new(shape, pixels).expect("as many samples as the shape has");
    Job { id: JobId::new(), batch, filename: format!("{n}.png"), image, submitted }
}

/// An answer; `class` tells it from others.
pub fn an_answer(class: usize) -> Inference {
    let probabilities = (0..10).map(|c| if c == class { 0.91 } else { 0.01 }).collect();
    let prediction = Prediction { label: format!("label {class}"), class, confidence: 0.91, probabilities };
    Inference { prediction, elapsed: Duration::from_micros(250) }
}

pub fn done(claim: &Claim) -> Settlement {
    done_as(claim, 0)
}

pub fn done_as(claim: &Claim, class: usize) -> Settlement {
    Settlement { lease: claim.lease.clone(), result: Ok(an_answer(class)) }
}

pub fn failed(claim: &Claim, why: &str) -> Settlement {
    Settlement { lease: claim.lease.clone(), result: Err(why.to_owned()) }
}

pub fn ids(claims: &[Claim]) -> Vec<JobId> {
    claims.iter().map(|claim| claim.job.id).collect()
}

pub fn is_full(answer: &Result<impl Sized, Error>) -> bool {
    matches!(answer, Err(Error::Full { limit }) if *limit == LIMITS.jobs_max)
}
