//! Does a worker lose nothing, whatever happens to it, its engine and its queue?

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kana::shutdown::Shutdown;
use kana::worker::{Config, Factory, Worker};
use kana_engine::image::{Image, Shape};
use kana_queue::clock::{ManualClock, Timestamp};
use kana_queue::job::{BatchId, Job, JobId, Outcome, Progress, Status, Verdict};
use kana_queue::{self as queue, Claim, Limits, Queue, Settled, Settlement, Submission, Url, WorkerId};
use tokio::task::JoinHandle;

use crate::support::eventually;
use crate::support::faulty::Faulty;
use crate::support::scripted::{engine, gated};

/// A first pixel on which scripted engines panic.
const POISON: u8 = 255;

/// The longest that a drain may take.
const DRAIN_MAX: Duration = Duration::from_secs(2);

/// A short lease, so that heartbeats come often; it expires only when a test advances the clock.
const LIMITS: Limits = Limits {
    jobs_max: 1_000,
    lease: Duration::from_millis(60),
    attempts_max: 3,
    claims_max: 25,
    outcome_ttl: Duration::from_secs(3_600),
    dead_ttl: Duration::from_secs(3_600),
    dead_max: 10_000,
};

/// One worker, its queue and the clock that its leases expire by.
struct Fixture {
    queue: Arc<Faulty>,
    clock: Arc<ManualClock>,
    shutdown: Shutdown,
    health: SocketAddr,
    worker: JoinHandle<anyhow::Result<()>>,
}

impl Fixture {
    async fn with(engine: Factory) -> Self {
        Self::stuck_after(engine, Duration::from_secs(60)).await
    }

    async fn stuck_after(engine: Factory, stuck_after: Duration) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
        let memory = queue::open(&Url::Memory, LIMITS, clock.clone()).unwrap();
        let queue = Arc::new(Faulty::new(memory.into()));
        let config = Config {
            id: "first".into(),
            batch_max: 8,
            inference_delay: Duration::ZERO,
            stuck_after,
            lease: LIMITS.lease,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let shutdown = Shutdown::new();
        let worker = Worker::bind(config, queue.clone(), engine).await.unwrap();
        let (health, token) = (worker.address(), shutdown.clone());
        let worker = tokio::spawn(async move { worker.run(&token).await });
        Self { queue, clock, shutdown, health, worker }
    }

    /// Submits jobs whose images have one of these shades each, together.
    async fn submit(&self, shades: &[u8]) -> Vec<JobId> {
        self.submit_images(shades.iter().map(|&shade| image(|_| shade))).await
    }

    async fn submit_images(&self, images: impl IntoIterator<Item = Image>) -> Vec<JobId> {
        let batch = BatchId::new();
        let job = |image| Job {
            id: JobId::new(),
            batch,
            filename: "image.png".into(),
            image,
            submitted: Timestamp::from_millis(1_700_000_000_000),
        };
        let jobs: Vec<_> = images.into_iter().map(job).collect();
        let ids = jobs.iter().map(|job| job.id).collect();
        self.queue.submit(Submission { batch, jobs, idempotency: None, name: None }).await.unwrap();
        ids
    }

    async fn status(&self, job: JobId) -> Status {
        self.queue.statuses(&[job]).await.unwrap().remove(0).unwrap()
    }

    async fn outcome(&self, job: JobId) -> Outcome {
        eventually("an outcome", async || match self.status(job).await.progress {
            Progress::Settled(outcome) => Some(outcome),
            _ => None,
        })
        .await
    }

    async fn claim_as(&self, worker: &str, max: usize) -> Vec<Claim> {
        self.queue.claim(&worker.into(), max, Duration::ZERO).await.unwrap()
    }

    /// The status code of a health route.
    async fn health(&self, route: &str) -> u16 {
        crate::support::http::get(&format!("http://{}{route}", self.health)).await.0
    }

    async fn eventually_ready(&self, code: u16) {
        eventually("readiness to change", async || (self.health("/readyz").await == code).then_some(())).await;
    }

    /// Begins the shutdown, and returns how long the worker took to end.
    async fn drain(self) -> Duration {
        let begun = Instant::now();
        self.shutdown.begin();
        self.worker.await.unwrap().unwrap();
        begun.elapsed()
    }
}

fn image(shade: impl Fn(usize) -> u8) -> Image {
    let shape = Shape { channels: 1, height: 28, width: 28 };
    Image::new(shape, (0..shape.bytes()).map(shade).collect::<Vec<_>>()).unwrap()
}

fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome.verdict, Verdict::Done { .. })
}

#[tokio::test]
async fn every_job_is_classified_and_settled_under_the_workers_name() {
    let fixture = Fixture::with(engine(|_| Ok(()))).await;

    let jobs = fixture.submit(&[3, 1, 4, 1, 5, 9, 2, 6]).await;

    for (job, class) in jobs.into_iter().zip([3, 1, 4, 1, 5, 9, 2, 6]) {
        let outcome = fixture.outcome(job).await;
        assert_eq!(outcome.worker.as_ref().map(WorkerId::pod), Some("first"));
        assert!(matches!(outcome.verdict, Verdict::Done { prediction, .. } if prediction.class == class));
    }
}

#[tokio::test]
async fn a_blank_image_is_answered_and_marked() {
    let fixture = Fixture::with(engine(|_| Ok(()))).await;

    let jobs = fixture.submit_images([image(|_| 0), image(|pixel| if pixel % 28 < 14 { 200 } else { 0 })]).await;

    for (job, is_blank) in jobs.into_iter().zip([true, false]) {
        let outcome = fixture.outcome(job).await;
        assert!(matches!(outcome.verdict, Verdict::Done { blank, .. } if blank == is_blank), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_draining_worker_finishes_its_batch_and_starts_no_other() {
    let (engine, mut gate) = gated();
    let fixture = Fixture::with(engine).await;
    let jobs = fixture.submit(&[1, 2]).await;
    assert_eq!(gate.arrived.recv().await, Some(vec![1]));

    fixture.shutdown.begin();
    gate.open();
    let (queue, first, second) = (fixture.queue.clone(), jobs[0], jobs[1]);
    assert!(fixture.drain().await < DRAIN_MAX);

    let statuses = queue.statuses(&[first, second]).await.unwrap();
    assert!(matches!(statuses[0].as_ref().unwrap().progress, Progress::Settled(_)));
    let second = statuses[1].as_ref().unwrap();
    assert_eq!((&second.progress, second.attempts), (&Progress::Queued, 0));
}

#[tokio::test]
async fn a_draining_worker_releases_what_its_engine_does_not_finish_in_time() {
    let (engine, mut gate) = gated();
    let fixture = Fixture::with(engine).await;
    let job = fixture.submit(&[1]).await[0];
    gate.arrived.recv().await;

    let queue = fixture.queue.clone();
    let took = fixture.drain().await;

    assert!(took < DRAIN_MAX, "{took:?}");
    let status = queue.statuses(&[job]).await.unwrap().remove(0).unwrap();
    assert_eq!((status.progress, status.attempts), (Progress::Queued, 0));
}

#[tokio::test]
async fn an_idle_worker_ends_at_once() {
    let fixture = Fixture::with(engine(|_| Ok(()))).await;
    fixture.eventually_ready(200).await;

    assert!(fixture.drain().await < DRAIN_MAX);
}

#[tokio::test]
async fn a_panic_in_the_engine_costs_its_batch_an_attempt_and_the_process_nothing() {
    let fixture = Fixture::with(engine(|pixels| match pixels.contains(&POISON) {
        true => panic!("division by kana"),
        false => Ok(()),
    }))
    .await;

    let poison = fixture.submit(&[POISON]).await[0];
    let good = fixture.submit(&[1]).await[0];

    assert!(is_done(&fixture.outcome(good).await));
    let reason = match fixture.outcome(poison).await.verdict {
        Verdict::Failed { reason } => reason,
        verdict => panic!("{verdict:?} of a poison image"),
    };
    assert!(reason.contains("division by kana"), "{reason}");
    assert_eq!(fixture.status(poison).await.attempts, LIMITS.attempts_max);
    assert_eq!(fixture.health("/livez").await, 200);
}

#[tokio::test]
async fn a_poison_image_takes_none_of_its_neighbours_with_it() {
    let fixture = Fixture::with(engine(|pixels| match pixels.contains(&POISON) {
        true => panic!("poison"),
        false => Ok(()),
    }))
    .await;
    let warm_up = fixture.submit(&[1; 40]).await;
    fixture.outcome(warm_up[39]).await;

    let jobs = fixture.submit(&[1, 2, POISON, 4, 5]).await;

    for (place, job) in jobs.into_iter().enumerate() {
        assert_eq!(is_done(&fixture.outcome(job).await), place != 2, "job {place}");
    }
}

#[tokio::test]
async fn a_heartbeat_keeps_a_long_batch_from_other_workers() {
    let (engine, mut gate) = gated();
    let fixture = Fixture::with(engine).await;
    let job = fixture.submit(&[1]).await[0];
    gate.arrived.recv().await;

    // The time of ten leases passes, slowly enough for a heartbeat in each half.
    for _ in 0..20 {
        let before = fixture.queue.extensions();
        fixture.clock.advance(LIMITS.lease / 2);
        eventually("a heartbeat", async || (fixture.queue.extensions() > before).then_some(())).await;
    }
    assert!(fixture.claim_as("second", 1).await.is_empty());

    gate.open();
    assert_eq!(fixture.outcome(job).await.worker, Some("first".into()));
    assert_eq!(fixture.status(job).await.attempts, 1);
}

#[tokio::test]
async fn an_answer_whose_lease_was_lost_is_the_outcome_where_it_comes_first() {
    let (engine, mut gate) = gated();
    let fixture = Fixture::with(engine).await;
    let job = fixture.submit(&[1]).await[0];
    gate.arrived.recv().await;

    fixture.clock.advance(LIMITS.lease * 2);
    let claim = fixture.claim_as("second", 1).await.remove(0);
    let before = fixture.queue.extensions();
    eventually("the worker to notice the loss", async || (fixture.queue.extensions() > before).then_some(())).await;
    gate.open();

    let outcome = fixture.outcome(job).await;
    assert!(is_done(&outcome) && outcome.worker == Some("first".into()), "{outcome:?}");
    let second = Settlement { lease: claim.lease, result: Err("too late".into()) };
    assert_eq!(fixture.queue.settle(vec![second]).await.unwrap(), [Settled::Late]);
}

#[tokio::test]
async fn a_stuck_engine_costs_liveness_and_leaves_its_jobs_to_others() {
    let (engine, mut gate) = gated();
    let fixture = Fixture::stuck_after(engine, Duration::from_millis(50)).await;
    fixture.submit(&[1]).await;
    gate.arrived.recv().await;

    eventually("liveness to end", async || (fixture.health("/livez").await == 503).then_some(())).await;
    fixture.clock.advance(LIMITS.lease * 2);

    assert_eq!(fixture.claim_as("second", 1).await.len(), 1);
}

#[tokio::test]
async fn an_idle_worker_stays_alive_and_ready() {
    let fixture = Fixture::with(engine(|_| Ok(()))).await;

    fixture.eventually_ready(200).await;

    assert_eq!(fixture.health("/livez").await, 200);
}

#[tokio::test]
async fn an_outage_of_the_queue_costs_readiness_and_nothing_else() {
    let (engine, mut gate) = gated();
    let fixture = Fixture::with(engine).await;
    fixture.eventually_ready(200).await;
    let claimed = fixture.submit(&[1]).await[0];
    gate.arrived.recv().await;

    fixture.queue.fail();
    gate.open();
    fixture.eventually_ready(503).await;
    assert_eq!(fixture.health("/livez").await, 200);

    fixture.queue.mend();
    fixture.eventually_ready(200).await;
    assert!(is_done(&fixture.outcome(claimed).await));
    let next = fixture.submit(&[2]).await[0];
    gate.arrived.recv().await;
    gate.open();
    assert!(is_done(&fixture.outcome(next).await));
}

#[tokio::test]
async fn a_worker_ends_in_time_while_its_queue_does_not_answer() {
    let fixture = Fixture::with(engine(|_| Ok(()))).await;
    fixture.eventually_ready(200).await;

    fixture.queue.fail();
    fixture.eventually_ready(503).await;

    assert!(fixture.drain().await < DRAIN_MAX);
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_ends_the_worker_with_its_reason() {
    let refused = || kana_engine::model::Error::Refused { name: "broken".into(), reason: "a bit is flipped".into() };
    let fixture = Fixture::with(Box::new(move || Err(refused()))).await;

    let error = fixture.worker.await.unwrap().unwrap_err();

    assert!(format!("{error:#}").contains("a bit is flipped"), "{error:#}");
}

#[tokio::test]
async fn a_worker_whose_engine_cannot_be_created_again_at_once_tries_again() {
    let broken = Arc::new(AtomicBool::new(false));
    let (seen, mut good) = (
        broken.clone(),
        engine(|pixels| match pixels.contains(&POISON) {
            true => panic!("poison"),
            false => Ok(()),
        }),
    );
    let fixture = Fixture::with(Box::new(move || match seen.load(Ordering::SeqCst) {
        true => Err(kana_engine::model::Error::Refused { name: "x".into(), reason: "not now".into() }),
        false => good(),
    }))
    .await;
    fixture.eventually_ready(200).await;
    broken.store(true, Ordering::SeqCst);
    let poison = fixture.submit(&[POISON]).await[0];
    fixture.outcome(poison).await;

    broken.store(false, Ordering::SeqCst);

    let job = fixture.submit(&[1]).await[0];
    assert!(is_done(&fixture.outcome(job).await));
}

#[tokio::test]
async fn metrics_count_images_and_failed_attempts() {
    let fixture = Fixture::with(engine(|pixels| match pixels.contains(&POISON) {
        true => panic!("poison"),
        false => Ok(()),
    }))
    .await;
    for job in fixture.submit(&[1, 2, POISON]).await {
        fixture.outcome(job).await;
    }

    let (_, text) = crate::support::http::get(&format!("http://{}/metrics", fixture.health)).await;

    assert!(text.contains("kana_worker_images_total 2\n"), "{text}");
    assert!(text.contains("kana_worker_attempts_failed_total"), "{text}");
    // Who was with the poison has a second attempt; only the poison has a third.
    for (attempt, jobs) in [("1", 3), ("3_or_more", 1)] {
        let deliveries = format!("kana_worker_deliveries_total{{attempt=\"{attempt}\"}} {jobs}\n");
        assert!(text.contains(&deliveries), "{deliveries} is missing in\n{text}");
    }
    for name in
        ["inference_seconds_bucket", "batch_wait_seconds_bucket", "settle_seconds_bucket", "progress_age_seconds "]
    {
        assert!(text.contains(&format!("kana_worker_{name}")), "{name} is missing in\n{text}");
    }
}
