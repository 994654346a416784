//! When does a waiting call return?

use std::time::Duration;

use futures::future::join_all;

use crate::WorkerId;
use crate::job::Progress;

use super::fixture::{Fixture, LONG, TICK, done, ids};

/// Longer than a call takes to begin to wait.
const A_MOMENT: Duration = Duration::from_millis(200);

pub async fn a_waiting_claim_is_answered_by_a_submission(fixture: &Fixture) {
    let worker = "worker".into();
    let (claims, id) = tokio::join!(fixture.queue.claim(&worker, 1, LONG), fixture.submit_one());

    assert_eq!(ids(&claims.expect("an answer")), [id]);
}

pub async fn a_waiting_claim_is_answered_by_a_release(fixture: &Fixture) {
    fixture.submit_one().await;
    let claim = fixture.claim_one_as("drained").await;
    let leases = [claim.lease];

    let worker = "worker".into();
    let (claims, _) = tokio::join!(fixture.queue.claim(&worker, 1, LONG), fixture.queue.release(&leases));

    assert_eq!(ids(&claims.expect("an answer")), [claim.job.id]);
}

pub async fn a_burst_is_shared_among_those_who_wait(fixture: &Fixture) {
    let idle: Vec<WorkerId> = ["a", "b", "c", "d"].map(WorkerId::from).into();

    let waiting = join_all(idle.iter().map(|worker| fixture.queue.claim(worker, 12, LONG)));
    let submitting = async {
        // Late enough that all of them wait, whatever a claim's way to the queue is.
        tokio::time::sleep(A_MOMENT).await;
        fixture.submit(12).await
    };
    let (claims, submitted) = tokio::join!(waiting, submitting);

    let claims: Vec<_> = claims.into_iter().map(|claims| ids(&claims.expect("an answer"))).collect();
    let sizes: Vec<usize> = claims.iter().map(Vec::len).collect();
    assert_eq!(sizes, [3, 3, 3, 3]);
    let mut all: Vec<_> = claims.concat();
    all.sort();
    assert_eq!(all, submitted);
}

pub async fn a_claim_returns_no_job_when_its_wait_has_passed(fixture: &Fixture) {
    assert!(fixture.queue.claim(&"worker".into(), 1, TICK).await.expect("an answer").is_empty());
}

pub async fn waiting_for_changes_is_answered_by_a_settlement(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    let claim = fixture.claim_one_as("worker").await;
    let latest = fixture.queue.latest().await.expect("an answer");

    let (changes, _) = tokio::join!(fixture.queue.changes(latest, LONG), fixture.settle(done(&claim)));

    let changes = changes.expect("an answer");
    assert_eq!(changes.jobs[0].id, id);
    assert!(matches!(changes.jobs[0].progress, Progress::Settled(_)));
}
