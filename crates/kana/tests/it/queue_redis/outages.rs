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
use crate::support::world::{LONG, World, done};

use super::{Line, PROMISED, all_goes_on, at_once, every_verb, every_verb_is_refused, is_over, outcome_of};

/// Between two tries of somebody who was refused.
const TRY_EVERY: Duration = Duration::from_millis(20);

/// A worker that goes on for ever, whatever it is told.
async fn work(world: &World) {
    let mut tries = tokio::time::interval(TRY_EVERY);
    loop {
        match world.queue.claim(&"worker".into(), 8, LONG).await {
            Ok(claims) => drop(world.queue.settle(claims.iter().map(done).collect()).await),
            Err(_) => drop(tries.tick().await),
        }
    }
}

/// A reader that notes which jobs it saw end.
async fn follow(world: &World, ended: &RefCell<HashSet<JobId>>) {
    let mut tries = tokio::time::interval(TRY_EVERY);
    let mut cursor = world.queue.latest().await.expect("a queue that answers yet");
    loop {
        match world.queue.changes(cursor, LONG).await {
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
async fn outlives(line: Line, harm: impl FnOnce(&Line), heal: impl FnOnce(&Line)) {
    let (world, ended) = (&line.world, RefCell::new(HashSet::new()));
    let before = world.submit_one().await;
    let held = world.claim_one_as("holder").await;
    let story = async {
        let first = world.submit_one().await;
        outcome_of(world, first).await;

        harm(&line);
        every_verb_is_refused(world, &held).await;
        every_verb_is_refused(world, &held).await;
        heal(&line);

        let begun = Instant::now();
        let last = eventually("a submission to be taken", async || {
            let submission = world.submission(1);
            let id = submission.jobs[0].id;
            world.queue.submit(submission).await.ok().map(|_| id)
        })
        .await;
        eventually("the worker to do it, and the reader to hear of it", async || {
            ended.borrow().contains(&last).then_some(())
        })
        .await;
        assert!(begun.elapsed() < PROMISED, "it took {:?} until all went on", begun.elapsed());
        // Whether its answer came before or after, whoever held a job all the time has done it.
        world.queue.settle(vec![done(&held)]).await.expect("a queue that answers again");
        outcome_of(world, before).await;
    };
    tokio::select! {
        () = work(world) => {}
        () = follow(world, &ended) => {}
        () = story => {}
    }
}

#[tokio::test]
async fn a_redis_that_is_stopped_keeps_nobody_waiting() {
    outlives(Line::new(), |line| line.server.stop(), |line| line.server.cont()).await;
}

#[tokio::test]
async fn a_redis_that_is_gone_keeps_nobody_waiting() {
    outlives(Line::durable(), |line| line.server.kill(), |line| line.server.restart()).await;
}

#[tokio::test]
async fn a_network_that_refuses_keeps_nobody_waiting() {
    outlives(Line::new(), |line| line.proxy.cut(), |line| line.proxy.heal()).await;
}

#[tokio::test]
async fn a_network_that_stalls_keeps_nobody_waiting() {
    outlives(Line::new(), |line| line.proxy.stall(), |line| line.proxy.heal()).await;
}

#[tokio::test]
async fn a_network_that_swallows_questions_keeps_nobody_waiting() {
    outlives(Line::new(), |line| line.proxy.half_open(Way::ToServer), |line| line.proxy.heal()).await;
}

#[tokio::test]
async fn a_network_that_swallows_answers_keeps_nobody_waiting() {
    outlives(Line::new(), |line| line.proxy.half_open(Way::ToClient), |line| line.proxy.heal()).await;
}

#[tokio::test]
async fn a_queue_whose_redis_was_never_there_begins_when_it_comes() {
    let line = Line::new();
    line.proxy.cut();
    let job = World::memory();
    job.submit_one().await;
    let held = job.claim_one_as("holder").await;

    every_verb_is_refused(&line.world, &held).await;
    line.proxy.heal();

    all_goes_on(&line.world).await;
}

#[tokio::test]
async fn a_slow_network_slows_every_verb_and_breaks_none() {
    let line = Line::new();
    line.proxy.latency(Duration::from_millis(100));
    let world = &line.world;
    world.submit_one().await;
    let held = world.claim_one_as("holder").await;

    for (verb, answer) in at_once(every_verb(world, &held)).await {
        assert!(answer.is_ok(), "{verb}: {answer:?}");
    }
}

#[tokio::test]
async fn somebody_who_waits_for_a_job_is_answered_soon_after_an_outage_begins() {
    let line = Line::new();
    let world = &line.world;
    world.queue.depth().await.unwrap();
    let harm = async {
        eventually("somebody who waits", async || {
            line.server.command(&["INFO", "clients"]).contains("blocked_clients:1").then_some(())
        })
        .await;
        line.server.stop();
        Instant::now()
    };

    let worker = "worker".into();
    let (answer, begun) = tokio::join!(world.queue.claim(&worker, 1, LONG), harm);
    let took = begun.elapsed();
    line.server.cont();

    assert!(answer.is_err(), "{answer:?}");
    assert!(took < 3 * PROMISED, "it took {took:?}");
    all_goes_on(world).await;
}
