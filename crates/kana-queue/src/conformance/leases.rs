//! 3 and 4. Who holds a job, and for how long?

use std::time::Duration;

use crate::job::Progress;
use crate::{Hold, Settled};

use super::fixture::{Fixture, LIMITS, TICK, done, failed, ids};

pub async fn a_job_whose_lease_expires_goes_to_another_worker(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    fixture.claim_one_as("first").await;

    fixture.advance(LIMITS.lease - TICK).await;
    let before = fixture.claim_as("second", 1).await;
    fixture.advance(TICK).await;
    let again = fixture.claim_one_as("second").await;

    assert!(before.is_empty());
    assert_eq!((again.job.id, again.attempt), (id, 2));
}

pub async fn extend_keeps_a_lease_alive(fixture: &Fixture) {
    fixture.submit_one().await;
    let claim = fixture.claim_one_as("steady").await;

    for _ in 0..3 {
        fixture.advance(LIMITS.lease - TICK).await;
        assert_eq!(fixture.queue.extend(std::slice::from_ref(&claim.lease)).await.expect("an answer"), [Hold::Kept]);
    }

    assert!(fixture.claim_as("other", 1).await.is_empty());
    assert_eq!(fixture.settle(done(&claim)).await, Settled::Done);
}

pub async fn a_worker_that_lost_its_lease_learns_of_it(fixture: &Fixture) {
    fixture.submit(2).await;
    let claims = fixture.claim_as("slow", 2).await;
    let leases: Vec<_> = claims.iter().map(|claim| claim.lease.clone()).collect();

    fixture.advance(LIMITS.lease).await;
    let nobody_else_claimed = fixture.queue.extend(&leases).await.expect("an answer");
    fixture.claim_one_as("slow").await;
    let claimed_again_by_itself = fixture.queue.extend(&leases).await.expect("an answer");

    assert_eq!(nobody_else_claimed, [Hold::Lost, Hold::Lost]);
    assert_eq!(claimed_again_by_itself, [Hold::Lost, Hold::Lost]);
}

pub async fn a_lease_on_a_settled_job_is_lost(fixture: &Fixture) {
    fixture.submit(2).await;
    let claims = fixture.claim_as("worker", 2).await;
    fixture.settle(done(&claims[0])).await;

    let leases: Vec<_> = claims.iter().map(|claim| claim.lease.clone()).collect();

    assert_eq!(fixture.queue.extend(&leases).await.expect("an answer"), [Hold::Lost, Hold::Kept]);
}

pub async fn time_in_which_nobody_was_heard_is_no_lapse(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    let claim = fixture.claim_one_as("paused").await;
    fixture.advance(LIMITS.lease - TICK).await;

    for _ in 0..LIMITS.attempts_max {
        fixture.pause(Duration::from_secs(60 * 60));
        assert!(fixture.claim_as("other", 1).await.is_empty());
    }
    let held = fixture.queue.extend(std::slice::from_ref(&claim.lease)).await.expect("an answer");

    assert_eq!(held, [Hold::Kept]);
    fixture.pause(Duration::from_secs(60 * 60));
    fixture.queue.sweep().await.expect("an answer");
    fixture.advance(LIMITS.lease - TICK).await;
    assert!(fixture.claim_as("other", 1).await.is_empty(), "a pause renews a lease for a whole lease");
    fixture.advance(TICK).await;
    let again = fixture.claim_one_as("other").await;
    assert_eq!((again.job.id, again.attempt), (id, 2));
    assert_eq!(fixture.settle(failed(&again, "no")).await, Settled::Retried, "no pause counts as a failure");
}

pub async fn a_clock_set_back_holds_no_job_for_longer_than_a_lease(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    fixture.claim_one_as("dead").await;

    fixture.set_back(Duration::from_secs(24 * 60 * 60));
    fixture.queue.sweep().await.expect("an answer");
    fixture.advance(LIMITS.lease).await;

    assert_eq!(fixture.claim_one_as("other").await.job.id, id);
}

pub async fn a_clock_corrected_by_a_moment_costs_no_worker_its_lease(fixture: &Fixture) {
    fixture.submit_one().await;
    let claim = fixture.claim_one_as("steady").await;

    fixture.set_back(TICK);

    assert!(fixture.claim_as("other", 1).await.is_empty());
    assert_eq!(fixture.queue.extend(&[claim.lease]).await.expect("an answer"), [Hold::Kept]);
}

pub async fn released_jobs_wait_again_at_once_and_lose_no_attempt(fixture: &Fixture) {
    fixture.submit(2).await;
    let claims = fixture.claim_as("drained", 2).await;
    let leases: Vec<_> = claims.iter().map(|claim| claim.lease.clone()).collect();

    let holds = fixture.queue.release(&leases).await.expect("an answer");

    assert_eq!(holds, [Hold::Kept, Hold::Kept]);
    assert_eq!(fixture.status(claims[0].job.id).await.expect("a status").attempts, 0);
    let again = fixture.claim_as("other", 2).await;
    assert_eq!(again.iter().map(|claim| claim.attempt).collect::<Vec<_>>(), [1, 1], "and both at once");
}

pub async fn released_jobs_wait_first_in_line(fixture: &Fixture) {
    let older = fixture.submit(2).await;
    let claims = fixture.claim_as("drained", 2).await;
    let newer = fixture.submit(1).await;

    fixture.queue.release(&[claims[1].lease.clone(), claims[0].lease.clone()]).await.expect("an answer");

    assert_eq!(ids(&fixture.claim_as("other", 3).await), [older[0], older[1], newer[0]]);
}

pub async fn a_lost_lease_releases_nothing(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    let slow = fixture.claim_one_as("slow").await;
    fixture.advance(LIMITS.lease).await;
    fixture.claim_one_as("quick").await;

    let holds = fixture.queue.release(&[slow.lease]).await.expect("an answer");

    assert_eq!(holds, [Hold::Lost]);
    assert_eq!(fixture.status(id).await.expect("a status").progress, Progress::Running { worker: "quick".into() });
}
