//! What may somebody do to a queue's keys who does not know what they are?

use kana_queue::job::{JobId, Progress, Verdict};
use kana_queue::{Cursor, Hold, Settled};

use crate::support::eventually;
use crate::support::queue::{LIMITS, LONG, NOW, Setup, done, failed, ids};

use super::{all_goes_on, every_verb, every_verb_is_answered, promptly};

const JOBS: &str = "{kana}:jobs";
const NUDGES: &str = "{kana}:nudges";
const GROUP: &str = "workers";

/// A field of the group's own account of itself.
fn of_group(setup: &Setup, field: &str) -> String {
    let account = setup.server().command(&["XINFO", "GROUPS", JOBS]);
    let mut lines = account.lines().skip_while(|line| *line != field);
    lines.nth(1).unwrap_or_else(|| panic!("no {field} in {account}")).to_owned()
}

fn backlog(setup: &Setup) -> String {
    setup.server().command(&["XLEN", JOBS])
}

/// Why a job failed that nobody can do any more.
async fn why_failed(setup: &Setup, id: JobId) -> Option<String> {
    match setup.outcome(id).await?.verdict {
        Verdict::Failed { reason } => Some(reason),
        other => panic!("{id} came to {other:?}"),
    }
}

#[tokio::test]
async fn the_streams_length_is_the_backlog_even_where_the_groups_lag_is_nil() {
    let setup = Setup::redis();
    setup.submit(2).await;
    let claims = setup.claim_as("worker", 2).await;
    setup.submit(1).await;

    setup.settle(done(&claims[1])).await;

    let depth = setup.queue.depth().await.unwrap();
    assert_eq!(of_group(&setup, "lag"), "(nil)");
    assert_eq!(backlog(&setup), "2");
    assert_eq!((depth.waiting, depth.in_flight()), (1, 1));
}

#[tokio::test]
async fn waiting_jobs_that_a_stranger_trimmed_have_failed_and_say_that_they_were_lost() {
    let setup = Setup::redis();
    let submitted = setup.submit(4).await;

    setup.server().command(&["XTRIM", JOBS, "MAXLEN", "1"]);
    setup.queue.sweep().await.unwrap();

    for id in &submitted[..3] {
        let why = why_failed(&setup, *id).await.expect("an outcome");
        assert!(why.contains("lost"), "{why}");
    }
    let claim = setup.claim_one_as("worker").await;
    assert_eq!(claim.lease.job, submitted[3]);
    assert_eq!(setup.settle(done(&claim)).await, Settled::Done);
    assert_eq!(backlog(&setup), "0");
}

#[tokio::test]
async fn jobs_that_a_stranger_trimmed_from_a_worker_have_failed_and_say_that_they_were_lost() {
    let setup = Setup::redis();
    let submitted = setup.submit(4).await;
    let claims = setup.claim_as("worker", 2).await;

    setup.server().command(&["XTRIM", JOBS, "MAXLEN", "1"]);
    let depth = setup.queue.depth().await.unwrap();
    setup.queue.sweep().await.unwrap();

    assert_eq!(depth.waiting, 1, "only what can still be claimed waits");
    for id in &submitted[..3] {
        let why = why_failed(&setup, *id).await.expect("an outcome");
        assert!(why.contains("lost"), "{why}");
    }
    assert_eq!(setup.settle(done(&claims[0])).await, Settled::Late);
    assert_eq!(ids(&setup.claim_as("worker", 9).await), submitted[3..]);
    let depth = setup.queue.depth().await.unwrap();
    assert_eq!((depth.waiting, depth.in_flight()), (0, 1));
}

#[tokio::test]
async fn an_answer_to_a_job_that_a_stranger_trimmed_still_counts_where_it_comes_first() {
    let setup = Setup::redis();
    setup.submit(2).await;
    let claim = setup.claim_one_as("worker").await;
    setup.server().command(&["XTRIM", JOBS, "MAXLEN", "0"]);

    let settled = setup.settle(done(&claim)).await;
    setup.queue.sweep().await.unwrap();

    assert_eq!(settled, Settled::Done);
    let outcome = setup.outcome(claim.lease.job).await.expect("an outcome");
    assert!(matches!(outcome.verdict, Verdict::Done { .. }), "{outcome:?}");
}

#[tokio::test]
async fn retried_jobs_that_a_stranger_deleted_hold_nobody_up() {
    let setup = Setup::redis();
    let lost = setup.submit_one().await;
    let claim = setup.claim_one_as("worker").await;
    setup.settle(failed(&claim, "no")).await;
    let next = setup.submit_one().await;
    let entry = setup.server().command(&["XRANGE", JOBS, "-", "+", "COUNT", "1"]);

    setup.server().command(&["XDEL", JOBS, entry.lines().next().expect("an entry")]);
    let mut claimed = ids(&setup.claim_as("worker", 9).await);
    claimed.extend(ids(&setup.claim_as("worker", 9).await));
    setup.queue.sweep().await.unwrap();

    assert_eq!(claimed, [next]);
    assert!(why_failed(&setup, lost).await.expect("an outcome").contains("lost"));
}

#[tokio::test]
async fn a_loss_is_found_by_a_later_sweep_where_the_latest_was_a_moment_ago() {
    let setup = Setup::redis();
    let id = setup.submit_one().await;
    setup.queue.sweep().await.unwrap();
    setup.server().command(&["XTRIM", JOBS, "MAXLEN", "0"]);

    setup.advance(LIMITS.lease).await;
    setup.queue.sweep().await.unwrap();

    assert!(why_failed(&setup, id).await.expect("an outcome").contains("lost"));
}

#[tokio::test]
async fn readers_hear_of_jobs_that_were_lost() {
    let setup = Setup::redis();
    let id = setup.submit_one().await;
    let cursor = setup.queue.latest().await.unwrap();

    setup.server().command(&["XTRIM", JOBS, "MAXLEN", "0"]);
    setup.queue.sweep().await.unwrap();

    let changes = setup.queue.changes(cursor, NOW).await.unwrap();
    assert_eq!(changes.jobs.len(), 1);
    assert_eq!(changes.jobs[0].id, id);
    assert!(matches!(changes.jobs[0].progress, Progress::Settled(_)));
}

#[tokio::test]
async fn a_queue_whose_stream_was_deleted_reports_its_jobs_as_lost_and_goes_on() {
    let setup = Setup::redis();
    let waiting = setup.submit(2).await;
    let held = setup.claim_one_as("worker").await;

    setup.server().command(&["DEL", JOBS]);
    setup.queue.sweep().await.unwrap();

    for id in waiting {
        assert!(why_failed(&setup, id).await.expect("an outcome").contains("lost"));
    }
    every_verb_is_answered(&setup, &held).await;
    all_goes_on(&setup).await;
}

#[tokio::test]
async fn a_queue_that_was_flushed_begins_again_by_itself() {
    let setup = Setup::redis();
    let gone = setup.submit_one().await;
    let held = setup.claim_one_as("worker").await;

    setup.server().command(&["FLUSHALL"]);

    every_verb_is_answered(&setup, &held).await;
    assert_eq!(setup.status(gone).await, None);
    all_goes_on(&setup).await;
}

#[tokio::test]
async fn whoever_waits_is_answered_after_a_flush() {
    let setup = Setup::redis();
    let cursor = setup.queue.latest().await.unwrap();
    let story = async {
        // Both wait by now: nothing else makes a connection block.
        eventually("two that wait", async || {
            setup.server().command(&["INFO", "clients"]).contains("blocked_clients:2").then_some(())
        })
        .await;
        setup.server().command(&["FLUSHALL"]);
        setup.submit_one().await
    };

    let worker = "worker".into();
    let (claims, changes, id) =
        tokio::join!(setup.queue.claim(&worker, 1, LONG), setup.queue.changes(cursor, LONG), story);

    assert_eq!(ids(&claims.unwrap()), [id]);
    assert_eq!(changes.unwrap().jobs[0].id, id);
}

#[tokio::test]
async fn jobs_outlive_the_group_that_they_were_read_in() {
    for stream in [JOBS, NUDGES] {
        let setup = Setup::redis();
        let submitted = setup.submit(5).await;
        let first = setup.claim_as("first", 2).await;
        setup.settle(failed(&first[0], "no")).await;

        setup.server().command(&["XGROUP", "DESTROY", stream, GROUP]);

        let mut all = Vec::new();
        // Twice, because a retried job comes alone.
        for _ in 0..2 {
            all.extend(setup.claim_as("second", 9).await);
        }
        all.push(first[1].clone());
        setup.queue.settle(all.iter().map(done).collect()).await.unwrap();
        for id in submitted {
            let outcome = setup.outcome(id).await.unwrap_or_else(|| panic!("{id} has none after {stream}"));
            assert!(matches!(outcome.verdict, Verdict::Done { .. }), "{outcome:?}");
        }
        assert_eq!(backlog(&setup), "0");
    }
}

#[tokio::test]
async fn every_verb_makes_a_lost_group_again() {
    let setup = Setup::redis();
    setup.submit(2).await;
    let held = setup.claim_one_as("worker").await;

    for (verb, answer) in every_verb(&setup, &held) {
        setup.server().command(&["XGROUP", "DESTROY", JOBS, GROUP]);
        let answer = promptly(verb, answer).await;

        assert!(answer.is_ok(), "{verb}: {answer:?}");
    }
}

#[tokio::test]
async fn jobs_of_a_consumer_that_a_stranger_deleted_go_to_another_worker() {
    let setup = Setup::redis();
    let submitted = setup.submit(3).await;
    let claims = setup.claim_as("first", 2).await;

    let dropped = setup.server().command(&["XGROUP", "DELCONSUMER", JOBS, GROUP, "first"]);
    setup.queue.sweep().await.unwrap();

    assert_eq!(dropped, "2");
    let mut again = Vec::new();
    for _ in 0..3 {
        again.extend(setup.claim_as("second", 9).await);
    }
    let mut claimed = ids(&again);
    claimed.sort();
    assert_eq!(claimed, submitted);
    let lease = std::slice::from_ref(&claims[0].lease);
    assert_eq!(setup.queue.extend(lease).await.unwrap(), [Hold::Lost]);
    assert_eq!(setup.settle(failed(&claims[1], "no")).await, Settled::Late);
    let settled = setup.queue.settle(again.iter().map(done).collect()).await.unwrap();
    assert_eq!(settled, [Settled::Done; 3]);
}

#[tokio::test]
async fn functions_that_were_flushed_are_loaded_again() {
    let setup = Setup::redis();
    setup.submit_one().await;
    let held = setup.claim_one_as("worker").await;

    for (verb, answer) in every_verb(&setup, &held) {
        setup.server().command(&["FUNCTION", "FLUSH"]);
        let answer = promptly(verb, answer).await;

        assert!(answer.is_ok(), "{verb}: {answer:?}");
    }
}

#[tokio::test]
async fn connections_that_a_stranger_killed_are_made_again() {
    let setup = Setup::redis();
    setup.submit_one().await;
    let held = setup.claim_one_as("worker").await;

    for (verb, answer) in every_verb(&setup, &held) {
        setup.server().command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        let answer = promptly(verb, answer).await;

        assert!(answer.is_ok(), "{verb}: {answer:?}");
    }
}

#[tokio::test]
async fn what_a_stranger_put_among_the_jobs_is_struck() {
    let setup = Setup::redis();
    setup.server().command(&["XADD", JOBS, "*", "colour", "red"]);
    setup.server().command(&["XADD", JOBS, "*", "job", "short", "image", "none"]);
    let id = setup.submit_one().await;

    let claims = setup.claim_as("worker", 9).await;
    let depth = setup.queue.depth().await.unwrap();

    assert_eq!(ids(&claims), [id]);
    assert_eq!((depth.waiting, depth.in_flight()), (0, 1));
    assert_eq!(backlog(&setup), "1");
}

#[tokio::test]
async fn what_a_stranger_put_among_the_changes_is_passed_over() {
    let setup = Setup::redis();
    let first = setup.submit_one().await;
    setup.server().command(&["XADD", "{kana}:changes", "*", "colour", "red"]);
    let second = setup.submit_one().await;

    let changes = setup.queue.changes(Cursor(0), NOW).await.unwrap();

    assert_eq!(changes.jobs.iter().map(|status| status.id).collect::<Vec<_>>(), [first, second]);
}

#[tokio::test]
async fn readers_start_over_where_the_changes_were_deleted() {
    let setup = Setup::redis();
    setup.submit_one().await;
    let cursor = setup.queue.latest().await.unwrap();

    setup.server().command(&["DEL", "{kana}:changes"]);
    setup.set_back(LIMITS.lease);
    let id = setup.submit_one().await;
    let changes = setup.queue.changes(cursor, NOW).await.unwrap();

    assert!(cursor > Cursor(0));
    assert!(changes.missed, "it cannot know what was between");
    assert_eq!(changes.jobs.iter().map(|status| status.id).collect::<Vec<_>>(), [id]);
}
