//! 5. What becomes of a job that was given up?

use crate::job::{Progress, Verdict};
use crate::{Claim, Settled};

use super::fixture::{Fixture, LIMITS, TICK, failed, ids, is_full};

pub async fn dead_letters_keep_their_pixels_and_come_newest_first(fixture: &Fixture) {
    let submission = fixture.submission(1);
    fixture.queue.submit(submission.clone()).await.expect("a receipt");
    fixture.dead_letter("worker", "first").await;
    let second = fixture.submit_one().await;
    fixture.advance(TICK).await;
    fixture.dead_letter("worker", "second").await;

    let both = fixture.queue.dead(2).await.expect("an answer");
    let newest = fixture.queue.dead(1).await.expect("an answer");

    assert_eq!(both.iter().map(|letter| letter.job.id).collect::<Vec<_>>(), [second, submission.jobs[0].id]);
    assert_eq!(both[1].job, submission.jobs[0]);
    assert_eq!(newest, both[..1]);
}

pub async fn a_replayed_dead_letter_has_all_its_attempts_again_and_runs_alone(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    fixture.dead_letter("worker", "no").await;
    fixture.submit(2).await;

    let replayed = fixture.queue.replay(id).await.expect("an answer");
    let again = fixture.queue.replay(id).await.expect("an answer");

    assert_eq!((replayed, again), (true, false));
    assert_eq!(fixture.status(id).await.expect("a status").progress, Progress::Queued);
    let mut claims: Vec<Vec<Claim>> = vec![fixture.claim_as("worker", 9).await, fixture.claim_as("worker", 9).await];
    claims.sort_by_key(Vec::len);
    assert_eq!((ids(&claims[0]), claims[0][0].attempt), (vec![id], 1));
    assert_eq!(fixture.settle(failed(&claims[0][0], "no")).await, Settled::Retried);
    assert!(fixture.queue.dead(9).await.expect("an answer").is_empty());
}

pub async fn a_replay_does_not_exceed_the_queue(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    fixture.dead_letter("worker", "no").await;
    fixture.submit(LIMITS.jobs_max).await;

    let replay = fixture.queue.replay(id).await;

    assert!(is_full(&replay), "{replay:?}");
    assert_eq!(fixture.queue.dead(9).await.expect("an answer").len(), 1);
}

pub async fn a_discarded_dead_letter_leaves_its_outcome(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    fixture.dead_letter("worker", "no").await;

    let discarded = fixture.queue.discard(id).await.expect("an answer");
    let again = fixture.queue.discard(id).await.expect("an answer");

    assert_eq!((discarded, again), (true, false));
    assert!(matches!(fixture.outcome(id).await.expect("an outcome").verdict, Verdict::Failed { .. }));
    assert_eq!(fixture.queue.depth().await.expect("an answer").dead, 0);
}

pub async fn the_oldest_dead_letter_goes_when_there_are_too_many(fixture: &Fixture) {
    let mut all = Vec::new();
    for _ in 0..LIMITS.dead_max + 2 {
        all.push(fixture.submit_one().await);
        fixture.dead_letter("worker", "no").await;
    }

    let kept = fixture.queue.dead(all.len()).await.expect("an answer");

    let newest: Vec<_> = all[2..].iter().rev().copied().collect();
    assert_eq!(kept.iter().map(|letter| letter.job.id).collect::<Vec<_>>(), newest);
    assert_eq!(fixture.queue.depth().await.expect("an answer").dead, LIMITS.dead_max);
    assert!(!fixture.queue.replay(all[0]).await.expect("an answer"));
    assert!(matches!(fixture.outcome(all[0]).await.expect("an outcome").verdict, Verdict::Failed { .. }));
}

pub async fn dead_letters_are_kept_until_their_time_to_live_ends(fixture: &Fixture) {
    let id = fixture.submit_one().await;
    fixture.dead_letter("worker", "no").await;

    fixture.advance(LIMITS.dead_ttl - TICK).await;
    fixture.queue.sweep().await.expect("an answer");
    let kept = fixture.queue.dead(9).await.expect("an answer");
    fixture.advance(TICK).await;
    fixture.queue.sweep().await.expect("an answer");

    assert_eq!(kept[0].job.id, id);
    assert!(fixture.status(id).await.is_none(), "its outcome expired long before");
    assert!(fixture.queue.dead(9).await.expect("an answer").is_empty());
    assert!(!fixture.queue.replay(id).await.expect("an answer"));
}
