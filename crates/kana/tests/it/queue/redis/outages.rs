//! What when Redis does not answer?
//!
//! A worker claims and a reader follows all the time, as in life, and every verb is said twice while Redis is away:
//! first to whoever still believes in the old connection, then to whoever makes a new one.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Duration;

use kana_queue::job::JobId;
use tokio::time::Instant;

use crate::support::eventually;
use crate::support::proxy::Way;
use crate::support::queue::{LONG, Setup, done};

use super::{PROMISED, Proxied, all_goes_on, at_once, every_verb, every_verb_is_refused, is_over, outcome_of};

/// Between two tries of somebody who was refused.
const TRY_EVERY: Duration = Duration::from_millis(20);

/// Runs a worker for ever, whatever the queue answers.
async fn work(setup: &Setup) {
    let mut tries = tokio::time::interval(TRY_EVERY);
    loop {
        match setup.queue.claim(&"worker".into(), 8, LONG).await {
            Ok(claims) => drop(setup.queue.settle(claims.iter().map(done).collect()).await),
            Err(_) => drop(tries.tick().await),
        }
    }
}

/// A reader that notes which jobs it saw end.
async fn follow(setup: &Setup, ended: &RefCell<HashSet<JobId>>) {
    let mut tries = tokio::time::interval(TRY_EVERY);
    let mut cursor = setup.queue.latest().await.expect("a queue that answers yet");
    loop {
        match setup.queue.changes(cursor, LONG).await {
            Ok(changes) => {
                cursor = changes.cursor;
                let over = changes.jobs.iter().filter(|status| is_over(&status.progress));
                ended.borrow_mut().extend(over.map(|status| status.id));
            }
            Err(_) => drop(tries.tick().await),
        }
    }
}

/// Plays an outage, with somebody who holds a job, somebody who waits for one and somebody who reads.
async fn outlives(proxied: Proxied, harm: impl FnOnce(&Proxied), heal: impl FnOnce(&Proxied)) {
    let (setup, ended) = (&proxied.setup, RefCell::new(HashSet::new()));
    let before = setup.submit_one().await;
    let held = setup.claim_one_as("holder").await;
    let story = async {
        let first = setup.submit_one().await;
        outcome_of(setup, first).await;

        harm(&proxied);
        every_verb_is_refused(setup, &held).await;
        every_verb_is_refused(setup, &held).await;
        heal(&proxied);

        let begun = Instant::now();
        let last = eventually("a submission to be taken", async || {
            let submission = setup.submission(1);
            let id = submission.jobs[0].id;
            setup.queue.submit(submission).await.ok().map(|_| id)
        })
        .await;
        eventually("the worker to do it, and the reader to hear of it", async || {
            ended.borrow().contains(&last).then_some(())
        })
        .await;
        assert!(begun.elapsed() < PROMISED, "it took {:?} until all went on", begun.elapsed());
        // Whether its answer came before or after, whoever held a job all the time has done it.
        setup.queue.settle(vec![done(&held)]).await.expect("a queue that answers again");
        outcome_of(setup, before).await;
    };
    tokio::select! {
        () = work(setup) => {}
        () = follow(setup, &ended) => {}
        () = story => {}
    }
}

#[tokio::test]
async fn a_redis_that_is_stopped_keeps_nobody_waiting() {
    outlives(Proxied::new(), |proxied| proxied.server.stop(), |proxied| proxied.server.cont()).await;
}

#[tokio::test]
async fn a_redis_that_is_gone_keeps_nobody_waiting() {
    outlives(Proxied::durable(), |proxied| proxied.server.kill(), |proxied| proxied.server.restart()).await;
}

#[tokio::test]
async fn a_network_that_refuses_keeps_nobody_waiting() {
    outlives(Proxied::new(), |proxied| proxied.proxy.cut(), |proxied| proxied.proxy.heal()).await;
}

#[tokio::test]
async fn a_network_that_stalls_keeps_nobody_waiting() {
    outlives(Proxied::new(), |proxied| proxied.proxy.stall(), |proxied| proxied.proxy.heal()).await;
}

#[tokio::test]
async fn a_network_that_swallows_questions_keeps_nobody_waiting() {
    outlives(Proxied::new(), |proxied| proxied.proxy.half_open(Way::ToServer), |proxied| proxied.proxy.heal()).await;
}

#[tokio::test]
async fn a_network_that_swallows_answers_keeps_nobody_waiting() {
    outlives(Proxied::new(), |proxied| proxied.proxy.half_open(Way::ToClient), |proxied| proxied.proxy.heal()).await;
}

#[tokio::test]
async fn a_queue_whose_redis_was_never_there_begins_when_it_comes() {
    let proxied = Proxied::new();
    proxied.proxy.cut();
    let job = Setup::memory();
    job.submit_one().await;
    let held = job.claim_one_as("holder").await;

    every_verb_is_refused(&proxied.setup, &held).await;
    proxied.proxy.heal();

    all_goes_on(&proxied.setup).await;
}

#[tokio::test]
async fn a_slow_network_slows_every_verb_and_breaks_none() {
    let proxied = Proxied::new();
    proxied.proxy.latency(Duration::from_millis(100));
    let setup = &proxied.setup;
    setup.submit_one().await;
    let held = setup.claim_one_as("holder").await;

    for (verb, answer) in at_once(every_verb(setup, &held)).await {
        assert!(answer.is_ok(), "{verb}: {answer:?}");
    }
}

#[tokio::test]
async fn somebody_who_waits_for_a_job_is_answered_soon_after_an_outage_begins() {
    let proxied = Proxied::new();
    let setup = &proxied.setup;
    setup.queue.depth().await.unwrap();
    let harm = async {
        eventually("somebody who waits", async || {
            proxied.server.command(&["INFO", "clients"]).contains("blocked_clients:1").then_some(())
        })
        .await;
        proxied.server.stop();
        Instant::now()
    };

    let worker = "worker".into();
    let (answer, begun) = tokio::join!(setup.queue.claim(&worker, 1, LONG), harm);
    let took = begun.elapsed();
    proxied.server.cont();

    assert!(answer.is_err(), "{answer:?}");
    assert!(took < 3 * PROMISED, "it took {took:?}");
    all_goes_on(setup).await;
}
