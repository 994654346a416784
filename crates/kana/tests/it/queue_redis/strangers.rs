//! What may somebody do to a queue's keys who does not know what they are?

use kana_queue::job::{JobId, Progress, Verdict};
use kana_queue::{Cursor, Hold, Settled};

use crate::support::eventually;
use crate::support::redis::RedisServer;
use crate::support::world::{LIMITS, LONG, NOW, World, done, failed, ids};

use super::{all_goes_on, every_verb, every_verb_is_answered, promptly};

const JOBS: &str = "{kana}:jobs";
const NUDGES: &str = "{kana}:nudges";
const GROUP: &str = "workers";

fn redis(world: &World) -> &RedisServer {
    world.ground.redis.as_ref().expect("a world on a server")
}

/// A field of the group's own account of itself.
fn of_group(world: &World, field: &str) -> String {
    let account = redis(world).command(&["XINFO", "GROUPS", JOBS]);
    let mut lines = account.lines().skip_while(|line| *line != field);
    lines.nth(1).unwrap_or_else(|| panic!("no {field} in {account}")).to_owned()
}

fn backlog(world: &World) -> String {
    redis(world).command(&["XLEN", JOBS])
}

/// Why a job failed that nobody can do any more.
async fn why_failed(world: &World, id: JobId) -> Option<String> {
    match world.outcome(id).await?.verdict {
        Verdict::Failed { reason } => Some(reason),
        other => panic!("{id} came to {other:?}"),
    }
}

#[tokio::test]
async fn the_streams_length_is_the_backlog_even_where_the_groups_lag_is_nil() {
    let world = World::redis();
    world.submit(2).await;
    let claims = world.claim_as("worker", 2).await;
    world.submit(1).await;

    world.settle(done(&claims[1])).await;

    let depth = world.queue.depth().await.unwrap();
    assert_eq!(of_group(&world, "lag"), "(nil)");
    assert_eq!(backlog(&world), "2");
    assert_eq!((depth.waiting, depth.in_flight()), (1, 1));
}

#[tokio::test]
async fn waiting_jobs_that_a_stranger_trimmed_have_failed_and_say_that_they_were_lost() {
    let world = World::redis();
    let submitted = world.submit(4).await;

    redis(&world).command(&["XTRIM", JOBS, "MAXLEN", "1"]);
    world.queue.sweep().await.unwrap();

    for id in &submitted[..3] {
        let why = why_failed(&world, *id).await.expect("an outcome");
        assert!(why.contains("lost"), "{why}");
    }
    let claim = world.claim_one_as("worker").await;
    assert_eq!(claim.lease.job, submitted[3]);
    assert_eq!(world.settle(done(&claim)).await, Settled::Done);
    assert_eq!(backlog(&world), "0");
}

#[tokio::test]
async fn jobs_that_a_stranger_trimmed_from_a_worker_have_failed_and_say_that_they_were_lost() {
    let world = World::redis();
    let submitted = world.submit(4).await;
    let claims = world.claim_as("worker", 2).await;

    redis(&world).command(&["XTRIM", JOBS, "MAXLEN", "1"]);
    let depth = world.queue.depth().await.unwrap();
    world.queue.sweep().await.unwrap();

    assert_eq!(depth.waiting, 1, "only what can still be claimed waits");
    for id in &submitted[..3] {
        let why = why_failed(&world, *id).await.expect("an outcome");
        assert!(why.contains("lost"), "{why}");
    }
    assert_eq!(world.settle(done(&claims[0])).await, Settled::Late);
    assert_eq!(ids(&world.claim_as("worker", 9).await), submitted[3..]);
    let depth = world.queue.depth().await.unwrap();
    assert_eq!((depth.waiting, depth.in_flight()), (0, 1));
}

#[tokio::test]
async fn an_answer_to_a_job_that_a_stranger_trimmed_still_counts_where_it_comes_first() {
    let world = World::redis();
    world.submit(2).await;
    let claim = world.claim_one_as("worker").await;
    redis(&world).command(&["XTRIM", JOBS, "MAXLEN", "0"]);

    let settled = world.settle(done(&claim)).await;
    world.queue.sweep().await.unwrap();

    assert_eq!(settled, Settled::Done);
    let outcome = world.outcome(claim.lease.job).await.expect("an outcome");
    assert!(matches!(outcome.verdict, Verdict::Done { .. }), "{outcome:?}");
}

#[tokio::test]
async fn retried_jobs_that_a_stranger_deleted_hold_nobody_up() {
    let world = World::redis();
    let lost = world.submit_one().await;
    let claim = world.claim_one_as("worker").await;
    world.settle(failed(&claim, "no")).await;
    let next = world.submit_one().await;
    let entry = redis(&world).command(&["XRANGE", JOBS, "-", "+", "COUNT", "1"]);

    redis(&world).command(&["XDEL", JOBS, entry.lines().next().expect("an entry")]);
    let mut claimed = ids(&world.claim_as("worker", 9).await);
    claimed.extend(ids(&world.claim_as("worker", 9).await));
    world.queue.sweep().await.unwrap();

    assert_eq!(claimed, [next]);
    assert!(why_failed(&world, lost).await.expect("an outcome").contains("lost"));
}

#[tokio::test]
async fn a_loss_is_found_by_a_later_sweep_where_the_latest_was_a_moment_ago() {
    let world = World::redis();
    let id = world.submit_one().await;
    world.queue.sweep().await.unwrap();
    redis(&world).command(&["XTRIM", JOBS, "MAXLEN", "0"]);

    world.advance(LIMITS.lease);
    world.queue.sweep().await.unwrap();

    assert!(why_failed(&world, id).await.expect("an outcome").contains("lost"));
}

#[tokio::test]
async fn readers_hear_of_jobs_that_were_lost() {
    let world = World::redis();
    let id = world.submit_one().await;
    let cursor = world.queue.latest().await.unwrap();

    redis(&world).command(&["XTRIM", JOBS, "MAXLEN", "0"]);
    world.queue.sweep().await.unwrap();

    let changes = world.queue.changes(cursor, NOW).await.unwrap();
    assert_eq!(changes.jobs.len(), 1);
    assert_eq!(changes.jobs[0].id, id);
    assert!(matches!(changes.jobs[0].progress, Progress::Settled(_)));
}

#[tokio::test]
async fn a_queue_whose_stream_was_deleted_reports_its_jobs_as_lost_and_goes_on() {
    let world = World::redis();
    let waiting = world.submit(2).await;
    let held = world.claim_one_as("worker").await;

    redis(&world).command(&["DEL", JOBS]);
    world.queue.sweep().await.unwrap();

    for id in waiting {
        assert!(why_failed(&world, id).await.expect("an outcome").contains("lost"));
    }
    every_verb_is_answered(&world, &held).await;
    all_goes_on(&world).await;
}

#[tokio::test]
async fn a_queue_that_was_flushed_begins_again_by_itself() {
    let world = World::redis();
    let gone = world.submit_one().await;
    let held = world.claim_one_as("worker").await;

    redis(&world).command(&["FLUSHALL"]);

    every_verb_is_answered(&world, &held).await;
    assert_eq!(world.status(gone).await, None);
    all_goes_on(&world).await;
}

#[tokio::test]
async fn whoever_waits_is_answered_after_a_flush() {
    let world = World::redis();
    let cursor = world.queue.latest().await.unwrap();
    let story = async {
        // Both wait by now: nothing else makes a connection block.
        eventually("two that wait", async || {
            redis(&world).command(&["INFO", "clients"]).contains("blocked_clients:2").then_some(())
        })
        .await;
        redis(&world).command(&["FLUSHALL"]);
        world.submit_one().await
    };

    let worker = "worker".into();
    let (claims, changes, id) =
        tokio::join!(world.queue.claim(&worker, 1, LONG), world.queue.changes(cursor, LONG), story);

    assert_eq!(ids(&claims.unwrap()), [id]);
    assert_eq!(changes.unwrap().jobs[0].id, id);
}

#[tokio::test]
async fn jobs_outlive_the_group_that_they_were_read_in() {
    for stream in [JOBS, NUDGES] {
        let world = World::redis();
        let submitted = world.submit(5).await;
        let first = world.claim_as("first", 2).await;
        world.settle(failed(&first[0], "no")).await;

        redis(&world).command(&["XGROUP", "DESTROY", stream, GROUP]);

        let mut all = Vec::new();
        // Twice, because a retried job comes alone.
        for _ in 0..2 {
            all.extend(world.claim_as("second", 9).await);
        }
        all.push(first[1].clone());
        world.queue.settle(all.iter().map(done).collect()).await.unwrap();
        for id in submitted {
            let outcome = world.outcome(id).await.unwrap_or_else(|| panic!("{id} has none after {stream}"));
            assert!(matches!(outcome.verdict, Verdict::Done { .. }), "{outcome:?}");
        }
        assert_eq!(backlog(&world), "0");
    }
}

#[tokio::test]
async fn every_verb_makes_a_lost_group_again() {
    let world = World::redis();
    world.submit(2).await;
    let held = world.claim_one_as("worker").await;

    for (verb, answer) in every_verb(&world, &held) {
        redis(&world).command(&["XGROUP", "DESTROY", JOBS, GROUP]);
        let answer = promptly(verb, answer).await;

        assert!(answer.is_ok(), "{verb}: {answer:?}");
    }
}

#[tokio::test]
async fn jobs_of_a_consumer_that_a_stranger_deleted_go_to_another_worker() {
    let world = World::redis();
    let submitted = world.submit(3).await;
    let claims = world.claim_as("first", 2).await;

    let dropped = redis(&world).command(&["XGROUP", "DELCONSUMER", JOBS, GROUP, "first"]);
    world.queue.sweep().await.unwrap();

    assert_eq!(dropped, "2");
    let mut again = Vec::new();
    for _ in 0..3 {
        again.extend(world.claim_as("second", 9).await);
    }
    let mut claimed = ids(&again);
    claimed.sort();
    assert_eq!(claimed, submitted);
    let lease = std::slice::from_ref(&claims[0].lease);
    assert_eq!(world.queue.extend(lease).await.unwrap(), [Hold::Lost]);
    assert_eq!(world.settle(failed(&claims[1], "no")).await, Settled::Late);
    let settled = world.queue.settle(again.iter().map(done).collect()).await.unwrap();
    assert_eq!(settled, [Settled::Done; 3]);
}

#[tokio::test]
async fn functions_that_were_flushed_are_loaded_again() {
    let world = World::redis();
    world.submit_one().await;
    let held = world.claim_one_as("worker").await;

    for (verb, answer) in every_verb(&world, &held) {
        redis(&world).command(&["FUNCTION", "FLUSH"]);
        let answer = promptly(verb, answer).await;

        assert!(answer.is_ok(), "{verb}: {answer:?}");
    }
}

#[tokio::test]
async fn connections_that_a_stranger_killed_are_made_again() {
    let world = World::redis();
    world.submit_one().await;
    let held = world.claim_one_as("worker").await;

    for (verb, answer) in every_verb(&world, &held) {
        redis(&world).command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        let answer = promptly(verb, answer).await;

        assert!(answer.is_ok(), "{verb}: {answer:?}");
    }
}

#[tokio::test]
async fn what_a_stranger_put_among_the_jobs_is_struck() {
    let world = World::redis();
    redis(&world).command(&["XADD", JOBS, "*", "colour", "red"]);
    redis(&world).command(&["XADD", JOBS, "*", "job", "short", "image", "none"]);
    let id = world.submit_one().await;

    let claims = world.claim_as("worker", 9).await;
    let depth = world.queue.depth().await.unwrap();

    assert_eq!(ids(&claims), [id]);
    assert_eq!((depth.waiting, depth.in_flight()), (0, 1));
    assert_eq!(backlog(&world), "1");
}

#[tokio::test]
async fn readers_start_over_where_the_changes_were_deleted() {
    let world = World::redis();
    world.submit_one().await;
    let cursor = world.queue.latest().await.unwrap();

    redis(&world).command(&["DEL", "{kana}:changes"]);
    world.set_back(LIMITS.lease);
    let id = world.submit_one().await;
    let changes = world.queue.changes(cursor, NOW).await.unwrap();

    assert!(cursor > Cursor(0));
    assert!(changes.missed, "it cannot know what was between");
    assert_eq!(changes.jobs.iter().map(|status| status.id).collect::<Vec<_>>(), [id]);
}
