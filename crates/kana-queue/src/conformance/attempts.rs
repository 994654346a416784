//! 5. When is a job given up?
#![expect(clippy::panic, reason = "a queue that breaks a promise fails the test by a panic")]

use crate::job::Verdict;
use crate::{Cause, Hold, Settled, WorkerId};

use super::fixture::{Fixture, LIMITS, failed};

pub async fn after_attempts_max_failures_a_job_is_a_dead_letter_with_its_reason(fixture: &Fixture) {
    let id = fixture.submit_one().await;

    let mut answers = Vec::new();
    for n in 1..=LIMITS.attempts_max {
        let claim = fixture.claim_one_as(&format!("worker-{n}")).await;
        answers.push(fixture.settle(failed(&claim, "no such thing as this image")).await);
    }

    assert_eq!(answers, [Settled::Retried, Settled::Retried, Settled::Dead]);
    let outcome = fixture.outcome(id).await.expect("an outcome");
    let Verdict::Failed { reason } = outcome.verdict else { panic!("{id} has not failed") };
    assert!(reason.contains("no such thing as this image") && reason.contains("worker-3"), "{reason}");
    assert_eq!(outcome.worker.as_ref().map(WorkerId::pod), Some("worker-3"));
    let dead = fixture.queue.dead(9).await.expect("an answer");
    assert_eq!((dead.len(), dead[0].job.id, dead[0].attempts), (1, id, LIMITS.attempts_max));
    assert_eq!(
        (dead[0].reason.as_str(), dead[0].worker.as_ref().map(WorkerId::pod)),
        (reason.as_str(), Some("worker-3"))
    );
    assert!(fixture.claim_as("worker", 9).await.is_empty());
}

pub async fn expired_leases_make_a_dead_letter_that_names_the_last_worker(fixture: &Fixture) {
    let id = fixture.submit_one().await;

    for n in 1..=LIMITS.attempts_max {
        fixture.claim_one_as(&format!("worker-{n}")).await;
        fixture.advance(LIMITS.lease).await;
    }
    fixture.queue.sweep().await.expect("an answer");

    let outcome = fixture.outcome(id).await.expect("an outcome");
    let Verdict::Failed { reason } = outcome.verdict else { panic!("{id} has not failed") };
    assert!(reason.contains("lease of worker worker-3 expired") && reason.contains("3 of 3"), "{reason}");
    assert_eq!(outcome.worker, None, "nobody settled it");
}

pub async fn a_crashed_worker_costs_each_of_its_jobs_an_attempt(fixture: &Fixture) {
    fixture.submit(2).await;

    fixture.claim_as("crashed", 2).await;
    let reclaimed = fixture.queue.reclaim(&"crashed".into(), Cause::Crashed).await.expect("an answer");

    assert_eq!(reclaimed, 2);
    for _ in 0..2 {
        let claim = fixture.claim_one_as("other").await;
        assert_eq!((claim.attempt, fixture.settle(failed(&claim, "no")).await), (2, Settled::Retried));
        let last = fixture.claim_one_as("other").await;
        assert_eq!(fixture.settle(failed(&last, "no")).await, Settled::Dead);
    }
}

pub async fn a_stopped_worker_costs_its_jobs_no_failed_attempt(fixture: &Fixture) {
    let id = fixture.submit_one().await;

    fixture.claim_one_as("stopped").await;
    fixture.queue.reclaim(&"stopped".into(), Cause::Stopped).await.expect("an answer");

    for _ in 1..LIMITS.attempts_max {
        let claim = fixture.claim_one_as("other").await;
        assert_eq!(fixture.settle(failed(&claim, "no")).await, Settled::Retried);
    }
    let last = fixture.claim_one_as("other").await;
    assert_eq!((last.job.id, last.attempt), (id, LIMITS.attempts_max + 1));
    assert_eq!(fixture.settle(failed(&last, "no")).await, Settled::Dead);
}

pub async fn claims_max_ends_a_job_whose_worker_is_always_stopped(fixture: &Fixture) {
    let id = fixture.submit_one().await;

    for _ in 0..LIMITS.claims_max {
        fixture.claim_one_as("stopped").await;
        fixture.queue.reclaim(&"stopped".into(), Cause::Stopped).await.expect("an answer");
    }

    let outcome = fixture.outcome(id).await.expect("an outcome");
    let Verdict::Failed { reason } = outcome.verdict else { panic!("{id} has not failed") };
    assert!(reason.contains("worker stopped was stopped") && reason.contains("5 times"), "{reason}");
    assert_eq!(outcome.worker, None);
}

pub async fn jobs_of_a_dead_worker_are_reclaimed_without_touching_the_others(fixture: &Fixture) {
    fixture.submit(3).await;
    fixture.claim_as("dead", 2).await;
    let alive = fixture.claim_one_as("alive").await;

    let reclaimed = fixture.queue.reclaim(&"dead".into(), Cause::Stopped).await.expect("an answer");
    let nobody = fixture.queue.reclaim(&"unheard of".into(), Cause::Crashed).await.expect("an answer");

    assert_eq!((reclaimed, nobody), (2, 0));
    assert_eq!(fixture.queue.extend(&[alive.lease]).await.expect("an answer"), [Hold::Kept]);
    assert_eq!(fixture.queue.depth().await.expect("an answer").waiting, 2);
}

pub async fn on_a_second_attempt_a_job_is_claimed_alone(fixture: &Fixture) {
    fixture.submit(3).await;
    fixture.claim_as("first", 3).await;
    fixture.queue.reclaim(&"first".into(), Cause::Crashed).await.expect("an answer");

    let sizes =
        [fixture.claim_as("second", 9).await, fixture.claim_as("second", 9).await, fixture.claim_as("second", 9).await]
            .map(|claims| (claims.len(), claims[0].attempt));

    assert_eq!(sizes, [(1, 2), (1, 2), (1, 2)]);
}

pub async fn neither_new_jobs_nor_retried_ones_starve_the_others(fixture: &Fixture) {
    fixture.submit(6).await;
    fixture.claim_as("crashed", 3).await;
    fixture.queue.reclaim(&"crashed".into(), Cause::Crashed).await.expect("an answer");

    let mut attempts = Vec::new();
    for _ in 0..4 {
        attempts.push(fixture.claim_one_as("worker").await.attempt);
        fixture.submit_one().await;
    }

    assert!(attempts.windows(2).all(|pair| pair[0] != pair[1]), "both lines take turns: {attempts:?}");
}
