//! What is left when Redis dies under load?
//!
//! A gateway submits and a worker answers all the time. A power cut is worse than a kill: of its log the server keeps
//! only what it had asked the disk to keep.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kana_queue::job::{JobId, Verdict};
use kana_queue::{Error, Idempotency, Settled, Submission};
use tokio::time::Instant;

use crate::support::eventually;
use crate::support::queue::{Backend, Setup, done_as};
use crate::support::redis::{Options, RedisServer, Synced};

use super::drain;

/// How often Redis dies in one test.
const DEATHS: usize = 4;

/// Jobs that must be done between two deaths, at least.
const JOBS_BETWEEN: usize = 150;

/// How long the load lasts before a death, so that more than one second's writing lies on the disk.
const LOAD: Duration = Duration::from_millis(2_500);

/// How much later each death comes, so that they meet the second between two syncs at different moments.
const LATER: Duration = Duration::from_millis(230);

const BATCH: usize = 5;

/// A wait that is over before anybody is impatient.
const SHORT: Duration = Duration::from_millis(20);

/// What was promised, and to whom.
#[derive(Default)]
struct Promises {
    /// Jobs, and when they were accepted.
    accepted: RefCell<Vec<(JobId, SystemTime)>>,
    /// Jobs whose worker was told that its answer counts, and that answer.
    done: RefCell<HashMap<JobId, usize>>,
    is_enough: Cell<bool>,
}

/// What had been promised when it was enough.
struct Promised {
    accepted: Vec<(JobId, SystemTime)>,
    done: HashMap<JobId, usize>,
}

impl Promises {
    fn is_enough(&self) -> bool {
        self.is_enough.get()
    }

    /// Submits, and whatever is not answered again under its key, until it is enough.
    async fn gateway(&self, setup: &Setup) {
        while !self.is_enough() {
            let submission = setup.submission(BATCH);
            let idempotency =
                Idempotency { key: submission.batch.to_string(), fingerprint: [1; 32], answer: String::new() };
            let submission = Submission { idempotency: Some(idempotency), ..submission };
            eventually("a submission to be taken", async || match setup.queue.submit(submission.clone()).await {
                Ok(_) => Some(()),
                Err(Error::Full { .. } | Error::Unavailable { .. }) => None,
                Err(error) => panic!("{error}"),
            })
            .await;
            let now = SystemTime::now();
            self.accepted.borrow_mut().extend(submission.jobs.iter().map(|job| (job.id, now)));
        }
    }

    async fn worker(&self, setup: &Setup) {
        let mut class = 0;
        while !self.is_enough() {
            let Ok(claims) = setup.queue.claim(&"worker".into(), 8, SHORT).await else {
                tokio::task::yield_now().await;
                continue;
            };
            class = (class + 1) % 10;
            let said: Vec<_> = claims.iter().map(|claim| done_as(claim, class)).collect();
            let settled = eventually("an answer", async || setup.queue.settle(said.clone()).await.ok()).await;
            for (claim, settled) in claims.iter().zip(settled) {
                if settled == Settled::Done {
                    self.done.borrow_mut().insert(claim.lease.job, class);
                }
            }
        }
    }
}

/// Lets `deaths` happen under load, and answers what was promised meanwhile.
async fn under_load(server: &RedisServer, deaths: impl AsyncFnOnce(&Promises)) -> Promised {
    let (gateway, worker) = (Setup::on(Backend::at(&server.url())), Setup::on(Backend::at(&server.url())));
    let promises = Promises::default();
    let story = async {
        deaths(&promises).await;
        promises.is_enough.set(true);
    };
    tokio::join!(promises.gateway(&gateway), promises.worker(&worker), story);
    drain(&gateway).await;
    Promised { accepted: promises.accepted.into_inner(), done: promises.done.into_inner() }
}

async fn more_is_done(promises: &Promises, count: usize) {
    let before = promises.done.borrow().len();
    eventually("jobs to be done", async || (promises.done.borrow().len() >= before + count).then_some(())).await;
}

#[tokio::test]
async fn nothing_accepted_is_lost_by_power_cuts_where_redis_syncs_always() {
    let server = RedisServer::with(Options { append: Some("always"), on_mains: true, ..Options::default() });

    let promised = under_load(&server, async |promises| {
        for _ in 0..DEATHS {
            more_is_done(promises, JOBS_BETWEEN).await;
            server.cut_power();
            server.restart();
        }
        more_is_done(promises, JOBS_BETWEEN).await;
    })
    .await;

    let setup = Setup::on(Backend::at(&server.url()));
    for (id, _) in &promised.accepted {
        let outcome = setup.outcome(*id).await.unwrap_or_else(|| panic!("{id} is lost"));
        let Verdict::Done { prediction, .. } = outcome.verdict else { panic!("{id} failed: {outcome:?}") };
        assert!(promised.done.get(id).is_none_or(|class| *class == prediction.class), "the outcome of {id} changed");
    }
    assert_eq!(server.command(&["XLEN", "{kana}:jobs"]), "0");
}

/// A death of Redis, and what went with it.
struct Loss {
    died: SystemTime,
    /// When it was back. Until then its last answers were still being heard.
    back: SystemTime,
    /// What its disk kept.
    synced: Synced,
    /// When the jobs were accepted that are lost.
    accepted: Vec<SystemTime>,
}

/// Lets Redis die several times under load, each after a while, by `death`.
async fn losses(server: RedisServer, death: fn(&RedisServer)) -> Vec<Loss> {
    let (server, losses) = (Arc::new(server), RefCell::new(Vec::new()));
    let promised = under_load(&server, async |promises| {
        for nth in 0..DEATHS {
            let (begun, load) = (Instant::now(), LOAD + LATER * nth as u32);
            eventually("a while to pass", async || (begun.elapsed() >= load).then_some(())).await;
            let died = SystemTime::now();
            let dying = Arc::clone(&server);
            let dying = tokio::task::spawn_blocking(move || {
                death(&dying);
                let synced = dying.synced();
                dying.restart();
                synced
            });
            let synced = dying.await.expect("a death and a restart");
            losses.borrow_mut().push(Loss { died, back: SystemTime::now(), synced, accepted: Vec::new() });
            more_is_done(promises, JOBS_BETWEEN).await;
        }
    })
    .await;
    let setup = Setup::on(Backend::at(&server.url()));
    let mut losses = losses.into_inner();
    for (id, accepted) in &promised.accepted {
        if setup.status(*id).await.is_none() {
            let loss = losses.iter_mut().find(|loss| *accepted < loss.back);
            loss.unwrap_or_else(|| panic!("{id} is lost, and nothing died since")).accepted.push(*accepted);
        }
    }
    let since = |later: SystemTime, earlier| later.duration_since(earlier).unwrap_or_default();
    for Loss { died, synced, accepted, .. } in &losses {
        let oldest = accepted.iter().min().map(|oldest| since(*died, *oldest)).unwrap_or_default();
        let (count, all) = (accepted.len(), promised.accepted.len());
        let asked = since(*died, synced.asked);
        println!("{count} of {all} lost, the oldest accepted {oldest:?} before; synced {asked:?} before");
    }
    losses
}

/// Expects that everything was kept that was accepted before the last sync but one. What comes while the disk is busy is
/// answered, and written before the next sync.
fn only_the_last_moments_are_lost(losses: &[Loss]) {
    for Loss { synced, accepted, .. } in losses {
        assert!(accepted.iter().all(|accepted| *accepted >= synced.asked_before), "what the disk kept is lost");
    }
}

#[tokio::test]
async fn a_power_cut_takes_only_what_came_since_the_last_sync_but_one_where_redis_syncs_every_second() {
    let server = RedisServer::with(Options { append: Some("everysec"), on_mains: true, ..Options::default() });

    let losses = losses(server, RedisServer::cut_power).await;

    only_the_last_moments_are_lost(&losses);
}

#[tokio::test]
async fn a_kill_takes_only_what_came_since_the_last_sync_but_one_where_redis_syncs_every_second() {
    let server = RedisServer::with(Options { append: Some("everysec"), on_mains: true, ..Options::default() });

    let losses = losses(server, RedisServer::kill).await;

    only_the_last_moments_are_lost(&losses);
}
