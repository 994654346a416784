//! Which changes do readers get?

use crate::job::Progress;
use crate::{CHANGES_MAX, Cursor};

use super::fixture::{Fixture, LIMITS, NOW, TICK, done};

pub async fn changes_show_every_job_once_as_it_stands_now(fixture: &Fixture) {
    let from = fixture.queue.latest().await.expect("an answer");
    let all = fixture.submit(3).await;
    let claims = fixture.claim_as("worker", 2).await;
    fixture.settle(done(&claims[0])).await;

    let changes = fixture.queue.changes(from, NOW).await.expect("an answer");

    let order: Vec<_> = changes.jobs.iter().map(|status| status.id).collect();
    assert_eq!(order, [all[2], all[1], all[0]], "in the order of their last change");
    assert_eq!(changes.jobs[0].progress, Progress::Queued);
    assert_eq!(changes.jobs[1].progress, Progress::Running { worker: "worker".into() });
    assert!(matches!(changes.jobs[2].progress, Progress::Settled(_)));
    assert_eq!(changes.cursor, fixture.queue.latest().await.expect("an answer"));
}

pub async fn after_the_latest_change_there_are_none_and_the_cursor_stays(fixture: &Fixture) {
    fixture.submit(2).await;
    let latest = fixture.queue.latest().await.expect("an answer");

    let changes = fixture.queue.changes(latest, TICK).await.expect("an answer");

    assert!(changes.jobs.is_empty());
    assert_eq!(changes.cursor, latest);
}

pub async fn extending_a_lease_is_no_change(fixture: &Fixture) {
    fixture.submit_one().await;
    let claim = fixture.claim_one_as("worker").await;
    let before = fixture.queue.latest().await.expect("an answer");

    fixture.queue.extend(&[claim.lease]).await.expect("an answer");

    assert_eq!(fixture.queue.latest().await.expect("an answer"), before);
}

pub async fn a_cursor_that_the_queue_never_reached_starts_from_the_beginning(fixture: &Fixture) {
    let id = fixture.submit_one().await;

    let changes = fixture.queue.changes(Cursor(u64::MAX / 4), NOW).await.expect("an answer");

    assert_eq!(changes.jobs[0].id, id);
    assert_eq!(changes.cursor, fixture.queue.latest().await.expect("an answer"));
}

pub async fn more_changes_than_the_maximum_come_in_parts(fixture: &Fixture) {
    let mut settled = Vec::new();
    while settled.len() <= CHANGES_MAX {
        settled.extend(fixture.submit(LIMITS.jobs_max).await);
        let claims = fixture.claim_as("worker", LIMITS.jobs_max).await;
        fixture.queue.settle(claims.iter().map(done).collect()).await.expect("an answer");
    }

    let first = fixture.queue.changes(Cursor(0), NOW).await.expect("an answer");
    let rest = fixture.queue.changes(first.cursor, NOW).await.expect("an answer");

    let seen: Vec<_> = first.jobs.iter().chain(&rest.jobs).map(|status| status.id).collect();
    assert_eq!(first.jobs.len(), CHANGES_MAX);
    assert_eq!(seen, settled);
}
