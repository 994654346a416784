//! 1. Is an accepted job ever lost?

use crate::job::{Progress, Verdict};
use crate::{Inference, Receipt, Settled, Settlement, WorkerId};

use super::fixture::{Fixture, LIMITS, LONG, NOW, TICK, an_answer, done_as, ids};

pub async fn an_accepted_job_waits_until_somebody_claims_it(fixture: &Fixture) {
    let id = fixture.submit_one().await;

    fixture.advance(LIMITS.outcome_ttl * 2).await;
    fixture.queue.sweep().await.expect("an answer");

    let status = fixture.status(id).await.expect("a status");
    assert_eq!((status.progress, status.attempts), (Progress::Queued, 0));
    assert_eq!(ids(&fixture.claim_as("worker", 1).await), [id]);
}

pub async fn a_claim_hands_over_the_job_as_it_was_submitted(fixture: &Fixture) {
    let submission = fixture.submission(1);
    fixture.queue.submit(submission.clone()).await.expect("a receipt");

    let claim = fixture.claim_one_as("worker").await;

    assert_eq!(claim.job, submission.jobs[0]);
    assert_eq!((claim.lease.job, claim.lease.worker.pod(), claim.attempt), (claim.job.id, "worker", 1));
    let status = fixture.status(claim.job.id).await.expect("a status");
    assert_eq!(status.progress, Progress::Running { worker: "worker".into() });
}

pub async fn a_settled_job_has_the_outcome_that_its_worker_gave(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    fixture.advance(TICK * 30).await;
    let claim = fixture.claim_one_as("worker").await;
    fixture.advance(TICK * 5).await;

    let settled = fixture.settle(done_as(&claim, 7)).await;

    let outcome = fixture.outcome(id).await.expect("an outcome");
    let Inference { prediction, elapsed, blank } = an_answer(7);
    assert_eq!(settled, Settled::Done);
    assert_eq!(outcome.verdict, Verdict::Done { prediction, inference: elapsed, blank });
    assert_eq!((outcome.worker.as_ref().map(WorkerId::pod), outcome.queued), (Some("worker"), TICK * 30));
    assert_eq!(outcome.settled.since(claim.job.submitted), TICK * 35);
    assert_eq!(fixture.status(id).await.expect("a status").attempts, 1);
}

pub async fn an_outcome_says_whether_its_image_was_blank(fixture: &Fixture) {
    let ids = fixture.submit(2).await;
    for (claim, is_blank) in fixture.claim_as("worker", 2).await.iter().zip([true, false]) {
        let inference = Inference { blank: is_blank, ..an_answer(3) };
        fixture.settle(Settlement { lease: claim.lease.clone(), result: Ok(inference) }).await;
    }

    for (id, is_blank) in ids.into_iter().zip([true, false]) {
        let outcome = fixture.outcome(id).await.expect("an outcome");
        assert!(matches!(outcome.verdict, Verdict::Done { blank, .. } if blank == is_blank), "{outcome:?}");
    }
}

pub async fn jobs_are_claimed_oldest_first_and_no_more_than_the_limit(fixture: &Fixture) {
    let older = fixture.submit(2).await;
    let newer = fixture.submit(2).await;

    let first = fixture.claim_as("worker", 3).await;
    let rest = fixture.claim_as("worker", 3).await;
    let none = fixture.claim_as("worker", 0).await;

    assert_eq!(ids(&first), [older[0], older[1], newer[0]]);
    assert_eq!(ids(&rest), [newer[1]]);
    assert!(none.is_empty());
}

pub async fn jobs_submitted_twice_by_an_unsure_sender_are_accepted_once(fixture: &Fixture) {
    let submission = fixture.submission(2);
    fixture.queue.submit(submission.clone()).await.expect("a receipt");

    let again = fixture.queue.submit(submission).await.expect("a receipt");

    assert_eq!(again, Receipt::Accepted);
    assert_eq!(fixture.queue.depth().await.expect("an answer").waiting, 2);
}

pub async fn a_claim_that_is_dropped_releases_its_jobs(fixture: &Fixture) {
    let all = fixture.submit(3).await;

    // Polled once, and dropped before or after it took anything.
    let dropped = tokio::time::timeout(NOW, fixture.queue.claim(&"impatient".into(), 3, NOW)).await;
    let mut taken = dropped.map_or_else(|_| Vec::new(), |claims| ids(&claims.expect("an answer")));
    while taken.len() < all.len() {
        let claims = fixture.queue.claim(&"patient".into(), 3, LONG).await.expect("an answer");
        assert!(claims.iter().all(|claim| claim.attempt == 1), "no attempt is lost");
        taken.extend(ids(&claims));
    }

    assert_eq!(taken, all);
}
