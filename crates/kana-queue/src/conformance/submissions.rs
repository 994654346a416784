//! 6. What is accepted, and is it accepted once?

use crate::job::JobId;
use crate::{Error, Idempotency, Receipt, Submission};

use super::fixture::{Fixture, LIMITS, done, is_full};

pub async fn a_full_queue_accepts_nothing_of_a_submission(fixture: &Fixture) {
    fixture.submit(LIMITS.jobs_max - 1).await;
    let submission = fixture.submission(2);
    let ids: Vec<JobId> = submission.jobs.iter().map(|job| job.id).collect();

    let answer = fixture.queue.submit(submission).await;

    assert!(is_full(&answer), "{answer:?}");
    assert_eq!(fixture.queue.statuses(&ids).await.expect("an answer"), [None, None]);
    assert_eq!(fixture.queue.depth().await.expect("an answer").waiting, LIMITS.jobs_max - 1);
    fixture.submit(1).await;
}

pub async fn a_submission_larger_than_the_queue_is_full(fixture: &Fixture) {
    let answer = fixture.queue.submit(fixture.submission(LIMITS.jobs_max + 1)).await;

    assert!(is_full(&answer), "{answer:?}");
}

pub async fn running_jobs_count_and_settled_ones_make_room(fixture: &Fixture) {
    fixture.submit(LIMITS.jobs_max).await;
    let claim = fixture.claim_one_as("worker").await;

    let while_running = fixture.queue.submit(fixture.submission(1)).await;
    fixture.settle(done(&claim)).await;
    let once_settled = fixture.queue.submit(fixture.submission(1)).await;

    assert!(is_full(&while_running), "{while_running:?}");
    assert_eq!(once_settled.expect("an answer"), Receipt::Accepted);
}

pub async fn a_submission_repeated_under_its_key_is_not_accepted_again(fixture: &Fixture) {
    let first = under_a_key(fixture.submission(2), 1);
    let batch = first.batch;
    fixture.queue.submit(first).await.expect("a receipt");

    let second = fixture.queue.submit(under_a_key(fixture.submission(2), 1)).await.expect("a receipt");

    assert_eq!(second, Receipt::Repeated { batch, answer: format!("the answer to {batch}") });
    assert_eq!(fixture.queue.depth().await.expect("an answer").waiting, 2);
}

pub async fn a_key_used_with_another_body_is_refused(fixture: &Fixture) {
    fixture.queue.submit(under_a_key(fixture.submission(1), 1)).await.expect("a receipt");

    let other = fixture.queue.submit(under_a_key(fixture.submission(1), 2)).await;

    assert!(matches!(&other, Err(Error::KeyReused { key }) if key == "my key"), "{other:?}");
    assert_eq!(fixture.queue.depth().await.expect("an answer").waiting, 1);
}

pub async fn a_repetition_is_recognised_even_when_the_queue_is_full(fixture: &Fixture) {
    fixture.queue.submit(under_a_key(fixture.submission(LIMITS.jobs_max), 1)).await.expect("a receipt");

    let again = fixture.queue.submit(under_a_key(fixture.submission(LIMITS.jobs_max), 1)).await.expect("a receipt");

    assert!(matches!(again, Receipt::Repeated { .. }));
}

pub async fn a_key_is_forgotten_when_its_time_to_live_ends(fixture: &Fixture) {
    fixture.queue.submit(under_a_key(fixture.submission(1), 1)).await.expect("a receipt");

    fixture.advance(LIMITS.outcome_ttl).await;

    assert_eq!(
        fixture.queue.submit(under_a_key(fixture.submission(1), 2)).await.expect("a receipt"),
        Receipt::Accepted
    );
}

fn under_a_key(submission: Submission, fingerprint: u8) -> Submission {
    let answer = format!("the answer to {}", submission.batch);
    let idempotency = Idempotency { key: "my key".to_owned(), fingerprint: [fingerprint; 32], answer };
    Submission { idempotency: Some(idempotency), ..submission }
}
