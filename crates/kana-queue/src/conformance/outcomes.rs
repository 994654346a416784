//! 2 and 7. Does every job have exactly one outcome, for as long as outcomes are kept?

use crate::job::{JobId, Progress};
use crate::{Hold, Settled, WorkerId};

use super::fixture::{Fixture, LIMITS, TICK, done, done_as, failed, ids};

pub async fn the_first_settlement_wins_and_later_ones_are_late(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    let slow = fixture.claim_one_as("slow").await;
    fixture.advance(LIMITS.lease).await;
    let quick = fixture.claim_one_as("quick").await;

    let first = fixture.settle(done_as(&quick, 1)).await;
    let read = fixture.outcome(id).await;
    let second = fixture.settle(done_as(&slow, 2)).await;
    let third = fixture.settle(failed(&quick, "changed its mind")).await;

    assert_eq!((first, second, third), (Settled::Done, Settled::Late, Settled::Late));
    assert_eq!(read.as_ref().and_then(|outcome| outcome.worker.as_ref().map(WorkerId::pod)), Some("quick"));
    assert_eq!(fixture.outcome(id).await, read);
}

pub async fn settling_again_is_harmless(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    let claim = fixture.claim_one_as("worker").await;

    let answers = fixture.queue.settle(vec![done(&claim), done(&claim)]).await.expect("an answer");

    assert_eq!(answers, [Settled::Done, Settled::Late]);
    assert_eq!(fixture.status(id).await.expect("a status").attempts, 1);
    assert_eq!(fixture.queue.depth().await.expect("an answer").waiting, 0);
}

pub async fn an_answer_whose_lease_has_expired_still_wins_when_it_comes_first(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    let slow = fixture.claim_one_as("slow").await;
    fixture.advance(LIMITS.lease).await;
    let quick = fixture.claim_one_as("quick").await;

    let settled = fixture.settle(done_as(&slow, 3)).await;

    assert_eq!(settled, Settled::Done);
    assert_eq!(fixture.outcome(id).await.expect("an outcome").worker.as_ref().map(WorkerId::pod), Some("slow"));
    assert_eq!(fixture.queue.extend(&[quick.lease]).await.expect("an answer"), [Hold::Lost]);
    assert!(fixture.claim_as("third", 9).await.is_empty());
}

pub async fn a_failure_from_a_lost_lease_is_late(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    let slow = fixture.claim_one_as("slow").await;
    fixture.advance(LIMITS.lease).await;
    fixture.claim_one_as("quick").await;

    let settled = fixture.settle(failed(&slow, "too slow")).await;

    assert_eq!(settled, Settled::Late);
    assert_eq!(fixture.status(id).await.expect("a status").progress, Progress::Running { worker: "quick".into() });
}

pub async fn no_job_is_leased_to_two_workers_at_once(fixture: &Fixture) {
    let mut all = fixture.submit(20).await;

    let claims = futures::future::join_all((0..10).map(|n| {
        let worker = format!("worker-{n}");
        async move { fixture.claim_as(&worker, 2).await }
    }));
    let mut claimed: Vec<JobId> = claims.await.iter().flat_map(|claims| ids(claims)).collect();

    all.sort();
    claimed.sort();
    assert_eq!(claimed, all);
}

pub async fn outcomes_are_kept_however_often_they_are_read_until_their_time_to_live_ends(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    let claim = fixture.claim_one_as("worker").await;
    fixture.settle(done(&claim)).await;
    let read = fixture.outcome(id).await;

    fixture.advance(LIMITS.outcome_ttl - TICK).await;
    fixture.queue.sweep().await.expect("an answer");
    let read_late = fixture.outcome(id).await;
    fixture.advance(TICK).await;

    assert!(read.is_some());
    assert_eq!(read_late, read);
    assert_eq!(fixture.status(id).await, None);
    assert!(fixture.queue.batch(claim.job.batch).await.expect("an answer").is_empty());
    fixture.queue.sweep().await.expect("an answer");
    assert_eq!(fixture.status(id).await, None);
    assert!(fixture.queue.batch(claim.job.batch).await.expect("an answer").is_empty());
}

pub async fn a_clock_set_back_takes_no_outcome_away(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    let claim = fixture.claim_one_as("worker").await;
    fixture.settle(done(&claim)).await;

    fixture.set_back(LIMITS.outcome_ttl * 3);
    fixture.queue.sweep().await.expect("an answer");
    let read = fixture.outcome(id).await;
    fixture.advance(LIMITS.outcome_ttl).await;

    assert!(read.is_some());
    assert!(fixture.outcome(id).await.is_none(), "and keeps none for longer than its time-to-live");
}
