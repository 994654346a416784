//! What do readers see, and what can be cancelled?

use crate::job::{JobId, Verdict};
use crate::{Cancellation, Settled};

use super::fixture::{Fixture, TICK, done};

pub async fn a_waiting_job_can_be_cancelled_and_is_never_claimed(fixture: &Fixture) {
    let id = fixture.submit_one().await;

    let first = fixture.queue.cancel(id).await.expect("an answer");
    let second = fixture.queue.cancel(id).await.expect("an answer");

    assert_eq!((first, second), (Cancellation::Cancelled, Cancellation::Settled));
    let outcome = fixture.outcome(id).await.expect("an outcome");
    assert_eq!((outcome.verdict, outcome.worker), (Verdict::Cancelled, None));
    assert!(fixture.claim_as("worker", 9).await.is_empty());
}

pub async fn a_job_that_started_cannot_be_cancelled(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    let claim = fixture.claim_one_as("worker").await;

    let cancellation = fixture.queue.cancel(id).await.expect("an answer");

    assert_eq!(cancellation, Cancellation::Running);
    assert_eq!(fixture.settle(done(&claim)).await, Settled::Done);
}

pub async fn a_job_that_is_unknown_cannot_be_cancelled(fixture: &Fixture) {
    assert_eq!(fixture.queue.cancel(JobId::new()).await.expect("an answer"), Cancellation::Unknown);
}

pub async fn statuses_come_in_the_order_asked_and_unknown_jobs_have_none(fixture: &Fixture) {
    let all = fixture.submit(2).await;

    let statuses = fixture.queue.statuses(&[all[1], JobId::new(), all[0]]).await.expect("an answer");

    let asked: Vec<_> = statuses.iter().map(|status| status.as_ref().map(|status| status.id)).collect();
    assert_eq!(asked, [Some(all[1]), None, Some(all[0])]);
}

pub async fn a_batch_lists_its_jobs_in_the_order_submitted(fixture: &Fixture) {
    let submission = fixture.submission(3);
    fixture.queue.submit(submission.clone()).await.expect("a receipt");
    fixture.submit(2).await;
    let claims = fixture.claim_as("worker", 2).await;
    fixture.settle(done(&claims[1])).await;

    let batch = fixture.queue.batch(submission.batch).await.expect("an answer");

    let of_batch: Vec<_> = batch.iter().map(|status| (status.id, status.filename.clone(), status.batch)).collect();
    let submitted: Vec<_> = submission.jobs.iter().map(|job| (job.id, job.filename.clone(), job.batch)).collect();
    assert_eq!(of_batch, submitted);
}

pub async fn depth_counts_waiting_running_and_dead_jobs(fixture: &Fixture) {
    fixture.submit_one().await;
    fixture.dead_letter("worker", "no").await;
    fixture.advance(TICK).await;
    let oldest = fixture.now();
    fixture.submit(5).await;
    fixture.claim_as("a", 2).await;
    fixture.claim_as("b", 1).await;
    fixture.advance(TICK).await;

    let depth = fixture.queue.depth().await.expect("an answer");

    assert_eq!((depth.waiting, depth.in_flight(), depth.dead), (2, 3, 1));
    assert_eq!(depth.running.into_iter().collect::<Vec<_>>(), [("a".into(), 2), ("b".into(), 1)]);
    assert_eq!(depth.oldest, Some(oldest));
}
