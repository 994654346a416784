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
use kana_queue::{self as queue, Claim, Limits, Queue, Submission, Url, WorkerId};
use tokio::task::JoinHandle;

use crate::support::eventually;
use crate::support::faulty::Faulty;
use crate::support::scripted::{engine, gated};

/// A first pixel that scripted engines choke on.
const POISON: u8 = 255;

/// What a drain is promised to take, at most.
const DRAIN_MAX: Duration = Duration::from_secs(2);

/// Short, so that heartbeats come often; only the clock that is moved by hand can make it lapse.
const LIMITS: Limits = Limits {
    jobs_max: 1_000,
    lease: Duration::from_millis(60),
    attempts_max: 3,
    claims_max: 25,
    outcome_ttl: Duration::from_secs(3_600),
    dead_ttl: Duration::from_secs(3_600),
};

/// One worker, its queue and the clock that leases go by.
struct Shop {
    queue: Arc<Faulty>,
    clock: Arc<ManualClock>,
    shutdown: Shutdown,
    health: SocketAddr,
    worker: JoinHandle<anyhow::Result<()>>,
}

impl Shop {
    async fn with(engine: Factory) -> Self {
        Self::with_patience(engine, Duration::from_secs(60)).await
    }

    async fn with_patience(engine: Factory, stuck_after: Duration) -> Self {
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

    /// Jobs whose images begin with these pixels, submitted together.
    async fn submit(&self, pixels: &[u8]) -> Vec<JobId> {
        let batch = BatchId::new();
        let shape = Shape { channels: 1, height: 28, width: 28 };
        let job = |pixel: &u8| Job {
            id: JobId::new(),
            batch,
            filename: format!("{pixel}.png"),
            image: Image::new(shape, vec![*pixel; shape.bytes()]).unwrap(),
            submitted: Timestamp::from_millis(1_700_000_000_000),
        };
        let jobs: Vec<_> = pixels.iter().map(job).collect();
        let ids = jobs.iter().map(|job| job.id).collect();
        self.queue.submit(Submission { batch, jobs, idempotency: None }).await.unwrap();
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

    async fn claim_as(&self, worker: &str, room: usize) -> Vec<Claim> {
        self.queue.claim(&worker.into(), room, Duration::ZERO).await.unwrap()
    }

    /// The status code of a health route.
    async fn health(&self, route: &str) -> u16 {
        crate::support::http::get(&format!("http://{}{route}", self.health)).await.0
    }

    async fn eventually_ready(&self, code: u16) {
        eventually("readiness to change", async || (self.health("/readyz").await == code).then_some(())).await;
    }

    /// Asks the worker to end, and answers how long that took.
    async fn drain(self) -> Duration {
        let begun = Instant::now();
        self.shutdown.begin();
        self.worker.await.unwrap().unwrap();
        begun.elapsed()
    }
}

fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome.verdict, Verdict::Done { .. })
}

#[tokio::test]
async fn every_job_is_classified_and_settled_by_name() {
    let shop = Shop::with(engine(|_| Ok(()))).await;

    let jobs = shop.submit(&[3, 1, 4, 1, 5, 9, 2, 6]).await;

    for (job, class) in jobs.into_iter().zip([3, 1, 4, 1, 5, 9, 2, 6]) {
        let outcome = shop.outcome(job).await;
        assert_eq!(outcome.worker.as_ref().map(WorkerId::pod), Some("first"));
        assert!(matches!(outcome.verdict, Verdict::Done { prediction, .. } if prediction.class == class));
    }
}

#[tokio::test]
async fn a_draining_worker_finishes_the_batch_in_hand_and_starts_no_other() {
    let (engine, mut gate) = gated();
    let shop = Shop::with(engine).await;
    let jobs = shop.submit(&[1, 2]).await;
    assert_eq!(gate.arrived.recv().await, Some(vec![1]));

    shop.shutdown.begin();
    gate.open();
    let (queue, first, second) = (shop.queue.clone(), jobs[0], jobs[1]);
    assert!(shop.drain().await < DRAIN_MAX);

    let statuses = queue.statuses(&[first, second]).await.unwrap();
    assert!(matches!(statuses[0].as_ref().unwrap().progress, Progress::Settled(_)));
    let second = statuses[1].as_ref().unwrap();
    assert_eq!((&second.progress, second.attempts), (&Progress::Queued, 0));
}

#[tokio::test]
async fn a_draining_worker_gives_back_what_its_engine_does_not_finish_in_time() {
    let (engine, mut gate) = gated();
    let shop = Shop::with(engine).await;
    let job = shop.submit(&[1]).await[0];
    gate.arrived.recv().await;

    let queue = shop.queue.clone();
    let took = shop.drain().await;

    assert!(took < DRAIN_MAX, "{took:?}");
    let status = queue.statuses(&[job]).await.unwrap().remove(0).unwrap();
    assert_eq!((status.progress, status.attempts), (Progress::Queued, 0));
}

#[tokio::test]
async fn an_idle_worker_ends_at_once() {
    let shop = Shop::with(engine(|_| Ok(()))).await;
    shop.eventually_ready(200).await;

    assert!(shop.drain().await < DRAIN_MAX);
}

#[tokio::test]
async fn a_panic_in_the_engine_costs_its_batch_an_attempt_and_the_process_nothing() {
    let shop = Shop::with(engine(|pixels| match pixels.contains(&POISON) {
        true => panic!("division by kana"),
        false => Ok(()),
    }))
    .await;

    let poison = shop.submit(&[POISON]).await[0];
    let good = shop.submit(&[1]).await[0];

    assert!(is_done(&shop.outcome(good).await));
    let reason = match shop.outcome(poison).await.verdict {
        Verdict::Failed { reason } => reason,
        verdict => panic!("{verdict:?} of a poison image"),
    };
    assert!(reason.contains("division by kana"), "{reason}");
    assert_eq!(shop.status(poison).await.attempts, LIMITS.attempts_max);
    assert_eq!(shop.health("/livez").await, 200);
}

#[tokio::test]
async fn a_poison_image_takes_none_of_its_neighbours_with_it() {
    let shop = Shop::with(engine(|pixels| match pixels.contains(&POISON) {
        true => panic!("poison"),
        false => Ok(()),
    }))
    .await;
    let warm_up = shop.submit(&[1; 40]).await;
    shop.outcome(warm_up[39]).await;

    let jobs = shop.submit(&[1, 2, POISON, 4, 5]).await;

    for (place, job) in jobs.into_iter().enumerate() {
        assert_eq!(is_done(&shop.outcome(job).await), place != 2, "job {place}");
    }
}

#[tokio::test]
async fn a_heartbeat_keeps_a_long_batch_from_other_workers() {
    let (engine, mut gate) = gated();
    let shop = Shop::with(engine).await;
    let job = shop.submit(&[1]).await[0];
    gate.arrived.recv().await;

    // Ten leases go by, never so fast that a heartbeat could not come in between.
    for _ in 0..20 {
        let before = shop.queue.extensions();
        shop.clock.advance(LIMITS.lease / 2);
        eventually("a heartbeat", async || (shop.queue.extensions() > before).then_some(())).await;
    }
    assert!(shop.claim_as("second", 1).await.is_empty());

    gate.open();
    assert_eq!(shop.outcome(job).await.worker, Some("first".into()));
    assert_eq!(shop.status(job).await.attempts, 1);
}

#[tokio::test]
async fn a_result_whose_lease_was_lost_is_dropped() {
    let (engine, mut gate) = gated();
    let shop = Shop::with(engine).await;
    let job = shop.submit(&[1]).await[0];
    gate.arrived.recv().await;

    shop.clock.advance(LIMITS.lease * 2);
    let claim = shop.claim_as("second", 1).await.remove(0);
    let before = shop.queue.extensions();
    eventually("the worker to learn of its loss", async || (shop.queue.extensions() > before).then_some(())).await;
    gate.open();
    let next = shop.submit(&[2]).await[0];
    assert_eq!(gate.arrived.recv().await, Some(vec![2]));
    gate.open();
    shop.outcome(next).await;

    assert_eq!(shop.status(job).await.progress, Progress::Running { worker: "second".into() });
    assert_eq!(claim.job.id, job);
}

#[tokio::test]
async fn a_stuck_engine_costs_liveness_and_leaves_its_jobs_to_others() {
    let (engine, mut gate) = gated();
    let shop = Shop::with_patience(engine, Duration::from_millis(50)).await;
    shop.submit(&[1]).await;
    gate.arrived.recv().await;

    eventually("liveness to end", async || (shop.health("/livez").await == 503).then_some(())).await;
    shop.clock.advance(LIMITS.lease * 2);

    assert_eq!(shop.claim_as("second", 1).await.len(), 1);
}

#[tokio::test]
async fn an_idle_worker_stays_alive_and_ready() {
    let shop = Shop::with(engine(|_| Ok(()))).await;

    shop.eventually_ready(200).await;

    assert_eq!(shop.health("/livez").await, 200);
}

#[tokio::test]
async fn an_outage_of_the_queue_costs_readiness_and_nothing_else() {
    let (engine, mut gate) = gated();
    let shop = Shop::with(engine).await;
    shop.eventually_ready(200).await;
    let in_hand = shop.submit(&[1]).await[0];
    gate.arrived.recv().await;

    shop.queue.fail();
    gate.open();
    shop.eventually_ready(503).await;
    assert_eq!(shop.health("/livez").await, 200);

    shop.queue.mend();
    shop.eventually_ready(200).await;
    assert!(is_done(&shop.outcome(in_hand).await));
    let next = shop.submit(&[2]).await[0];
    gate.arrived.recv().await;
    gate.open();
    assert!(is_done(&shop.outcome(next).await));
}

#[tokio::test]
async fn a_worker_ends_in_time_while_its_queue_does_not_answer() {
    let shop = Shop::with(engine(|_| Ok(()))).await;
    shop.eventually_ready(200).await;

    shop.queue.fail();
    shop.eventually_ready(503).await;

    assert!(shop.drain().await < DRAIN_MAX);
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_ends_the_worker_with_its_reason() {
    let refused = || kana_engine::model::Error::Refused { name: "broken".into(), reason: "a bit is flipped".into() };
    let shop = Shop::with(Box::new(move || Err(refused()))).await;

    let error = shop.worker.await.unwrap().unwrap_err();

    assert!(format!("{error:#}").contains("a bit is flipped"), "{error:#}");
}

#[tokio::test]
async fn a_worker_whose_engine_could_be_rebuilt_only_later_goes_on() {
    let broken = Arc::new(AtomicBool::new(false));
    let (seen, mut good) = (
        broken.clone(),
        engine(|pixels| match pixels.contains(&POISON) {
            true => panic!("poison"),
            false => Ok(()),
        }),
    );
    let shop = Shop::with(Box::new(move || match seen.load(Ordering::SeqCst) {
        true => Err(kana_engine::model::Error::Refused { name: "x".into(), reason: "not now".into() }),
        false => good(),
    }))
    .await;
    shop.eventually_ready(200).await;
    broken.store(true, Ordering::SeqCst);
    let poison = shop.submit(&[POISON]).await[0];
    shop.outcome(poison).await;

    broken.store(false, Ordering::SeqCst);

    let job = shop.submit(&[1]).await[0];
    assert!(is_done(&shop.outcome(job).await));
}

#[tokio::test]
async fn metrics_count_images_and_failed_attempts() {
    let shop = Shop::with(engine(|pixels| match pixels.contains(&POISON) {
        true => panic!("poison"),
        false => Ok(()),
    }))
    .await;
    for job in shop.submit(&[1, 2, POISON]).await {
        shop.outcome(job).await;
    }

    let (_, text) = crate::support::http::get(&format!("http://{}/metrics", shop.health)).await;

    assert!(text.contains("kana_worker_images_total 2\n"), "{text}");
    assert!(text.contains("kana_worker_attempts_failed_total"), "{text}");
    assert!(text.contains("kana_worker_inference_seconds_bucket"), "{text}");
}
