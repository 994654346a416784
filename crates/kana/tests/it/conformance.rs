//! Does every queue keep the promises that the trait makes?
//!
//! One function a promise, or a clause of one, in the trait's own words; [`suite`] runs each on each queue. A new queue
//! joins by its constructor's name in the list below.

use std::time::Duration;

use kana_queue::job::{JobId, Progress, Verdict};
use kana_queue::{
    Cancellation, Cause, Claim, Cursor, Error, Hold, Idempotency, Receipt, Settled, Submission, WorkerId,
};

use crate::support::world::{LIMITS, LONG, NOW, TICK, World, an_answer, done, done_as, failed, ids, is_full};

macro_rules! suite {
    ([$($queue:ident)*] $promises:tt) => { $( suite!(@$queue $promises); )* };
    (@$queue:ident [$($promise:ident)*]) => {
        mod $queue {
            $(
                #[tokio::test]
                async fn $promise() {
                    super::$promise(&crate::support::world::World::$queue()).await;
                }
            )*
        }
    };
}

suite! {
    [memory sqlite redis]
    [
        // 1. A job accepted is never lost.
        an_accepted_job_waits_until_somebody_claims_it
        a_claim_hands_over_the_job_as_it_was_submitted
        a_settled_job_has_the_outcome_that_its_worker_gave
        jobs_are_claimed_oldest_first_and_no_more_than_there_is_room_for
        jobs_submitted_twice_by_an_unsure_sender_are_taken_once
        a_claim_that_is_dropped_gives_its_jobs_back
        // 2. Workers get a job at least once, readers get exactly one outcome.
        the_first_settle_wins_and_later_ones_are_told_so
        saying_the_same_again_is_harmless
        an_answer_whose_lease_has_lapsed_still_wins_when_it_comes_first
        a_failure_from_a_lost_lease_is_late
        no_job_is_leased_to_two_workers_at_once
        // 3. A lease that lapses goes to another worker.
        a_lease_that_lapses_goes_to_another_worker
        extend_keeps_a_lease_alive
        a_worker_that_lost_its_lease_is_told
        a_lease_on_a_settled_job_is_lost
        a_clock_set_back_holds_no_job_for_longer_than_a_lease
        a_clock_corrected_by_a_moment_costs_no_worker_its_lease
        // 4. `release` gives work back at once and costs no attempt.
        release_gives_work_back_at_once_and_costs_no_attempt
        released_jobs_wait_first_in_line
        a_lost_lease_releases_nothing
        // 5. Failed attempts, dead letters, poison.
        after_attempts_max_failures_a_job_is_a_dead_letter_with_its_reason
        lapsed_leases_make_a_dead_letter_that_names_the_last_worker
        a_crashed_worker_costs_each_of_its_jobs_an_attempt
        a_stopped_worker_costs_its_jobs_no_failed_attempt
        claims_max_ends_a_job_whose_worker_is_always_stopped
        jobs_of_a_dead_worker_are_reclaimed_without_touching_the_others
        on_a_second_attempt_a_job_is_claimed_alone
        neither_new_jobs_nor_retried_ones_starve_the_others
        dead_letters_keep_their_pixels_and_come_newest_first
        a_replayed_dead_letter_has_every_attempt_before_it_and_runs_alone
        a_replay_does_not_exceed_the_queue
        a_discarded_dead_letter_leaves_its_outcome
        dead_letters_are_kept_until_their_time_to_live_ends
        // 6. The queue is bounded.
        a_full_queue_takes_nothing_of_a_submission
        a_submission_larger_than_the_queue_is_full
        running_jobs_count_and_settled_ones_make_room
        // 7. Outcomes are kept.
        outcomes_are_kept_however_often_they_are_read_until_their_time_to_live_ends
        a_clock_set_back_takes_no_outcome_away
        // Idempotency.
        a_submission_repeated_under_its_key_is_not_taken_again
        a_key_used_with_another_body_is_refused
        a_repetition_is_recognised_even_when_the_queue_is_full
        a_key_is_forgotten_when_its_time_to_live_ends
        // Cancelling, and looking.
        a_waiting_job_can_be_cancelled_and_is_never_claimed
        a_job_that_started_cannot_be_cancelled
        a_job_that_is_unknown_cannot_be_cancelled
        statuses_come_in_the_order_asked_and_unknown_jobs_have_none
        a_batch_lists_its_jobs_in_the_order_submitted
        depth_counts_what_waits_runs_and_is_dead
        // Changes.
        changes_show_every_job_once_as_it_stands_now
        changes_behind_the_latest_are_none_and_leave_the_cursor_alone
        extending_a_lease_is_no_change
        a_cursor_that_the_queue_never_reached_starts_over
        more_changes_than_fit_come_in_parts
        // Waiting.
        a_waiting_claim_is_answered_by_a_submission
        a_waiting_claim_is_answered_by_a_release
        a_claim_answers_with_none_when_its_wait_has_passed
        waiting_for_changes_is_answered_by_a_settlement
    ]
}

async fn an_accepted_job_waits_until_somebody_claims_it(world: &World) {
    let id = world.submit_one().await;

    world.advance(LIMITS.outcome_ttl * 2);
    world.queue.sweep().await.unwrap();

    let status = world.status(id).await.unwrap();
    assert_eq!((status.progress, status.attempts), (Progress::Queued, 0));
    assert_eq!(ids(&world.claim_as("worker", 1).await), [id]);
}

async fn a_claim_hands_over_the_job_as_it_was_submitted(world: &World) {
    let submission = world.submission(1);
    world.queue.submit(submission.clone()).await.unwrap();

    let claim = world.claim_one_as("worker").await;

    assert_eq!(claim.job, submission.jobs[0]);
    assert_eq!((claim.lease.job, claim.lease.worker.pod(), claim.attempt), (claim.job.id, "worker", 1));
    let status = world.status(claim.job.id).await.unwrap();
    assert_eq!(status.progress, Progress::Running { worker: "worker".into() });
}

async fn a_settled_job_has_the_outcome_that_its_worker_gave(world: &World) {
    let id = world.submit_one().await;
    world.advance(TICK * 30);
    let claim = world.claim_one_as("worker").await;
    world.advance(TICK * 5);

    let settled = world.settle(done_as(&claim, 7)).await;

    let outcome = world.outcome(id).await.unwrap();
    let inference = an_answer(7);
    assert_eq!(settled, Settled::Done);
    assert_eq!(outcome.verdict, Verdict::Done { prediction: inference.prediction, inference: inference.elapsed });
    assert_eq!((outcome.worker.as_ref().map(WorkerId::pod), outcome.queued), (Some("worker"), TICK * 30));
    assert_eq!(outcome.settled.since(claim.job.submitted), TICK * 35);
    assert_eq!(world.status(id).await.unwrap().attempts, 1);
}

async fn jobs_are_claimed_oldest_first_and_no_more_than_there_is_room_for(world: &World) {
    let older = world.submit(2).await;
    let newer = world.submit(2).await;

    let first = world.claim_as("worker", 3).await;
    let rest = world.claim_as("worker", 3).await;
    let none = world.claim_as("worker", 0).await;

    assert_eq!(ids(&first), [older[0], older[1], newer[0]]);
    assert_eq!(ids(&rest), [newer[1]]);
    assert!(none.is_empty());
}

async fn jobs_submitted_twice_by_an_unsure_sender_are_taken_once(world: &World) {
    let submission = world.submission(2);
    world.queue.submit(submission.clone()).await.unwrap();

    let again = world.queue.submit(submission).await.unwrap();

    assert_eq!(again, Receipt::Accepted);
    assert_eq!(world.queue.depth().await.unwrap().waiting, 2);
}

async fn a_claim_that_is_dropped_gives_its_jobs_back(world: &World) {
    let all = world.submit(3).await;

    // Polled once, and dropped before or after it took anything.
    let dropped = tokio::time::timeout(NOW, world.queue.claim(&"impatient".into(), 3, NOW)).await;
    let mut taken = dropped.map_or_else(|_| Vec::new(), |claims| ids(&claims.unwrap()));
    while taken.len() < all.len() {
        let claims = world.queue.claim(&"patient".into(), 3, LONG).await.unwrap();
        assert!(claims.iter().all(|claim| claim.attempt == 1), "no attempt is lost");
        taken.extend(ids(&claims));
    }

    assert_eq!(taken, all);
}

async fn the_first_settle_wins_and_later_ones_are_told_so(world: &World) {
    let id = world.submit_one().await;
    let slow = world.claim_one_as("slow").await;
    world.advance(LIMITS.lease);
    let quick = world.claim_one_as("quick").await;

    let first = world.settle(done_as(&quick, 1)).await;
    let read = world.outcome(id).await;
    let second = world.settle(done_as(&slow, 2)).await;
    let third = world.settle(failed(&quick, "changed its mind")).await;

    assert_eq!((first, second, third), (Settled::Done, Settled::Late, Settled::Late));
    assert_eq!(read.as_ref().and_then(|outcome| outcome.worker.as_ref().map(WorkerId::pod)), Some("quick"));
    assert_eq!(world.outcome(id).await, read);
}

async fn saying_the_same_again_is_harmless(world: &World) {
    let id = world.submit_one().await;
    let claim = world.claim_one_as("worker").await;

    let answers = world.queue.settle(vec![done(&claim), done(&claim)]).await.unwrap();

    assert_eq!(answers, [Settled::Done, Settled::Late]);
    assert_eq!(world.status(id).await.unwrap().attempts, 1);
    assert_eq!(world.queue.depth().await.unwrap().waiting, 0);
}

async fn an_answer_whose_lease_has_lapsed_still_wins_when_it_comes_first(world: &World) {
    let id = world.submit_one().await;
    let slow = world.claim_one_as("slow").await;
    world.advance(LIMITS.lease);
    let quick = world.claim_one_as("quick").await;

    let settled = world.settle(done_as(&slow, 3)).await;

    assert_eq!(settled, Settled::Done);
    assert_eq!(world.outcome(id).await.unwrap().worker.as_ref().map(WorkerId::pod), Some("slow"));
    assert_eq!(world.queue.extend(&[quick.lease]).await.unwrap(), [Hold::Lost]);
    assert!(world.claim_as("third", 9).await.is_empty());
}

async fn a_failure_from_a_lost_lease_is_late(world: &World) {
    let id = world.submit_one().await;
    let slow = world.claim_one_as("slow").await;
    world.advance(LIMITS.lease);
    world.claim_one_as("quick").await;

    let settled = world.settle(failed(&slow, "too slow")).await;

    assert_eq!(settled, Settled::Late);
    assert_eq!(world.status(id).await.unwrap().progress, Progress::Running { worker: "quick".into() });
}

async fn no_job_is_leased_to_two_workers_at_once(world: &World) {
    let mut all = world.submit(20).await;

    let claims = futures::future::join_all((0..10).map(|n| {
        let worker = format!("worker-{n}");
        async move { world.claim_as(&worker, 2).await }
    }));
    let mut claimed: Vec<JobId> = claims.await.iter().flat_map(|claims| ids(claims)).collect();

    all.sort();
    claimed.sort();
    assert_eq!(claimed, all);
}

async fn a_lease_that_lapses_goes_to_another_worker(world: &World) {
    let id = world.submit_one().await;
    world.claim_one_as("first").await;

    world.advance(LIMITS.lease - TICK);
    let before = world.claim_as("second", 1).await;
    world.advance(TICK);
    let again = world.claim_one_as("second").await;

    assert!(before.is_empty());
    assert_eq!((again.job.id, again.attempt), (id, 2));
}

async fn extend_keeps_a_lease_alive(world: &World) {
    world.submit_one().await;
    let claim = world.claim_one_as("steady").await;

    for _ in 0..3 {
        world.advance(LIMITS.lease - TICK);
        assert_eq!(world.queue.extend(std::slice::from_ref(&claim.lease)).await.unwrap(), [Hold::Kept]);
    }

    assert!(world.claim_as("other", 1).await.is_empty());
    assert_eq!(world.settle(done(&claim)).await, Settled::Done);
}

async fn a_worker_that_lost_its_lease_is_told(world: &World) {
    world.submit(2).await;
    let claims = world.claim_as("slow", 2).await;
    let leases: Vec<_> = claims.iter().map(|claim| claim.lease.clone()).collect();

    world.advance(LIMITS.lease);
    let nobody_else_claimed = world.queue.extend(&leases).await.unwrap();
    world.claim_one_as("slow").await;
    let claimed_again_by_itself = world.queue.extend(&leases).await.unwrap();

    assert_eq!(nobody_else_claimed, [Hold::Lost, Hold::Lost]);
    assert_eq!(claimed_again_by_itself, [Hold::Lost, Hold::Lost]);
}

async fn a_lease_on_a_settled_job_is_lost(world: &World) {
    world.submit(2).await;
    let claims = world.claim_as("worker", 2).await;
    world.settle(done(&claims[0])).await;

    let leases: Vec<_> = claims.iter().map(|claim| claim.lease.clone()).collect();

    assert_eq!(world.queue.extend(&leases).await.unwrap(), [Hold::Lost, Hold::Kept]);
}

async fn a_clock_set_back_holds_no_job_for_longer_than_a_lease(world: &World) {
    let id = world.submit_one().await;
    world.claim_one_as("dead").await;

    world.set_back(Duration::from_secs(24 * 60 * 60));
    world.queue.sweep().await.unwrap();
    world.advance(LIMITS.lease);

    assert_eq!(world.claim_one_as("other").await.job.id, id);
}

async fn a_clock_corrected_by_a_moment_costs_no_worker_its_lease(world: &World) {
    world.submit_one().await;
    let claim = world.claim_one_as("steady").await;

    world.set_back(TICK);

    assert!(world.claim_as("other", 1).await.is_empty());
    assert_eq!(world.queue.extend(&[claim.lease]).await.unwrap(), [Hold::Kept]);
}

async fn release_gives_work_back_at_once_and_costs_no_attempt(world: &World) {
    world.submit(2).await;
    let claims = world.claim_as("drained", 2).await;
    let leases: Vec<_> = claims.iter().map(|claim| claim.lease.clone()).collect();

    let holds = world.queue.release(&leases).await.unwrap();

    assert_eq!(holds, [Hold::Kept, Hold::Kept]);
    assert_eq!(world.status(claims[0].job.id).await.unwrap().attempts, 0);
    let again = world.claim_as("other", 2).await;
    assert_eq!(again.iter().map(|claim| claim.attempt).collect::<Vec<_>>(), [1, 1], "and both at once");
}

async fn released_jobs_wait_first_in_line(world: &World) {
    let older = world.submit(2).await;
    let claims = world.claim_as("drained", 2).await;
    let newer = world.submit(1).await;

    world.queue.release(&[claims[1].lease.clone(), claims[0].lease.clone()]).await.unwrap();

    assert_eq!(ids(&world.claim_as("other", 3).await), [older[0], older[1], newer[0]]);
}

async fn a_lost_lease_releases_nothing(world: &World) {
    let id = world.submit_one().await;
    let slow = world.claim_one_as("slow").await;
    world.advance(LIMITS.lease);
    world.claim_one_as("quick").await;

    let holds = world.queue.release(&[slow.lease]).await.unwrap();

    assert_eq!(holds, [Hold::Lost]);
    assert_eq!(world.status(id).await.unwrap().progress, Progress::Running { worker: "quick".into() });
}

async fn after_attempts_max_failures_a_job_is_a_dead_letter_with_its_reason(world: &World) {
    let id = world.submit_one().await;

    let mut answers = Vec::new();
    for n in 1..=LIMITS.attempts_max {
        let claim = world.claim_one_as(&format!("worker-{n}")).await;
        answers.push(world.settle(failed(&claim, "no such thing as this image")).await);
    }

    assert_eq!(answers, [Settled::Retried, Settled::Retried, Settled::Dead]);
    let outcome = world.outcome(id).await.unwrap();
    let Verdict::Failed { reason } = outcome.verdict else { panic!("not failed") };
    assert!(reason.contains("no such thing as this image") && reason.contains("worker-3"), "{reason}");
    assert_eq!(outcome.worker.as_ref().map(WorkerId::pod), Some("worker-3"));
    let dead = world.queue.dead(9).await.unwrap();
    assert_eq!((dead.len(), dead[0].job.id, dead[0].attempts), (1, id, LIMITS.attempts_max));
    assert_eq!(
        (dead[0].reason.as_str(), dead[0].worker.as_ref().map(WorkerId::pod)),
        (reason.as_str(), Some("worker-3"))
    );
    assert!(world.claim_as("worker", 9).await.is_empty());
}

async fn lapsed_leases_make_a_dead_letter_that_names_the_last_worker(world: &World) {
    let id = world.submit_one().await;

    for n in 1..=LIMITS.attempts_max {
        world.claim_one_as(&format!("worker-{n}")).await;
        world.advance(LIMITS.lease);
    }
    world.queue.sweep().await.unwrap();

    let outcome = world.outcome(id).await.unwrap();
    let Verdict::Failed { reason } = outcome.verdict else { panic!("not failed") };
    assert!(reason.contains("lease of worker worker-3 expired") && reason.contains("3 of 3"), "{reason}");
    assert_eq!(outcome.worker, None, "nobody settled it");
}

async fn a_crashed_worker_costs_each_of_its_jobs_an_attempt(world: &World) {
    world.submit(2).await;

    world.claim_as("crashed", 2).await;
    let reclaimed = world.queue.reclaim(&"crashed".into(), Cause::Crashed).await.unwrap();

    assert_eq!(reclaimed, 2);
    for _ in 0..2 {
        let claim = world.claim_one_as("other").await;
        assert_eq!((claim.attempt, world.settle(failed(&claim, "no")).await), (2, Settled::Retried));
        let last = world.claim_one_as("other").await;
        assert_eq!(world.settle(failed(&last, "no")).await, Settled::Dead);
    }
}

async fn a_stopped_worker_costs_its_jobs_no_failed_attempt(world: &World) {
    let id = world.submit_one().await;

    world.claim_one_as("stopped").await;
    world.queue.reclaim(&"stopped".into(), Cause::Stopped).await.unwrap();

    for _ in 1..LIMITS.attempts_max {
        let claim = world.claim_one_as("other").await;
        assert_eq!(world.settle(failed(&claim, "no")).await, Settled::Retried);
    }
    let last = world.claim_one_as("other").await;
    assert_eq!((last.job.id, last.attempt), (id, LIMITS.attempts_max + 1));
    assert_eq!(world.settle(failed(&last, "no")).await, Settled::Dead);
}

async fn claims_max_ends_a_job_whose_worker_is_always_stopped(world: &World) {
    let id = world.submit_one().await;

    for _ in 0..LIMITS.claims_max {
        world.claim_one_as("stopped").await;
        world.queue.reclaim(&"stopped".into(), Cause::Stopped).await.unwrap();
    }

    let outcome = world.outcome(id).await.unwrap();
    let Verdict::Failed { reason } = outcome.verdict else { panic!("not failed") };
    assert!(reason.contains("worker stopped was stopped") && reason.contains("5 times"), "{reason}");
    assert_eq!(outcome.worker, None);
}

async fn jobs_of_a_dead_worker_are_reclaimed_without_touching_the_others(world: &World) {
    world.submit(3).await;
    world.claim_as("dead", 2).await;
    let alive = world.claim_one_as("alive").await;

    let reclaimed = world.queue.reclaim(&"dead".into(), Cause::Stopped).await.unwrap();
    let nobody = world.queue.reclaim(&"unheard of".into(), Cause::Crashed).await.unwrap();

    assert_eq!((reclaimed, nobody), (2, 0));
    assert_eq!(world.queue.extend(&[alive.lease]).await.unwrap(), [Hold::Kept]);
    assert_eq!(world.queue.depth().await.unwrap().waiting, 2);
}

async fn on_a_second_attempt_a_job_is_claimed_alone(world: &World) {
    world.submit(3).await;
    world.claim_as("first", 3).await;
    world.queue.reclaim(&"first".into(), Cause::Crashed).await.unwrap();

    let sizes =
        [world.claim_as("second", 9).await, world.claim_as("second", 9).await, world.claim_as("second", 9).await]
            .map(|claims| (claims.len(), claims[0].attempt));

    assert_eq!(sizes, [(1, 2), (1, 2), (1, 2)]);
}

async fn neither_new_jobs_nor_retried_ones_starve_the_others(world: &World) {
    world.submit(6).await;
    world.claim_as("crashed", 3).await;
    world.queue.reclaim(&"crashed".into(), Cause::Crashed).await.unwrap();

    let mut attempts = Vec::new();
    for _ in 0..4 {
        attempts.push(world.claim_one_as("worker").await.attempt);
        world.submit_one().await;
    }

    assert!(attempts.windows(2).all(|pair| pair[0] != pair[1]), "both lines take turns: {attempts:?}");
}

async fn dead_letters_keep_their_pixels_and_come_newest_first(world: &World) {
    let submission = world.submission(1);
    world.queue.submit(submission.clone()).await.unwrap();
    world.kill("worker", "first").await;
    let second = world.submit_one().await;
    world.advance(TICK);
    world.kill("worker", "second").await;

    let both = world.queue.dead(2).await.unwrap();
    let newest = world.queue.dead(1).await.unwrap();

    assert_eq!(both.iter().map(|letter| letter.job.id).collect::<Vec<_>>(), [second, submission.jobs[0].id]);
    assert_eq!(both[1].job, submission.jobs[0]);
    assert_eq!(newest, both[..1]);
}

async fn a_replayed_dead_letter_has_every_attempt_before_it_and_runs_alone(world: &World) {
    let id = world.submit_one().await;
    world.kill("worker", "no").await;
    world.submit(2).await;

    let replayed = world.queue.replay(id).await.unwrap();
    let again = world.queue.replay(id).await.unwrap();

    assert_eq!((replayed, again), (true, false));
    assert_eq!(world.status(id).await.unwrap().progress, Progress::Queued);
    let mut claims: Vec<Vec<Claim>> = vec![world.claim_as("worker", 9).await, world.claim_as("worker", 9).await];
    claims.sort_by_key(Vec::len);
    assert_eq!((ids(&claims[0]), claims[0][0].attempt), (vec![id], 1));
    assert_eq!(world.settle(failed(&claims[0][0], "no")).await, Settled::Retried);
    assert!(world.queue.dead(9).await.unwrap().is_empty());
}

async fn a_replay_does_not_exceed_the_queue(world: &World) {
    let id = world.submit_one().await;
    world.kill("worker", "no").await;
    world.submit(LIMITS.jobs_max).await;

    let replay = world.queue.replay(id).await;

    assert!(is_full(&replay), "{replay:?}");
    assert_eq!(world.queue.dead(9).await.unwrap().len(), 1);
}

async fn a_discarded_dead_letter_leaves_its_outcome(world: &World) {
    let id = world.submit_one().await;
    world.kill("worker", "no").await;

    let discarded = world.queue.discard(id).await.unwrap();
    let again = world.queue.discard(id).await.unwrap();

    assert_eq!((discarded, again), (true, false));
    assert!(matches!(world.outcome(id).await.unwrap().verdict, Verdict::Failed { .. }));
    assert_eq!(world.queue.depth().await.unwrap().dead, 0);
}

async fn dead_letters_are_kept_until_their_time_to_live_ends(world: &World) {
    let id = world.submit_one().await;
    world.kill("worker", "no").await;

    world.advance(LIMITS.dead_ttl - TICK);
    world.queue.sweep().await.unwrap();
    let kept = world.queue.dead(9).await.unwrap();
    world.advance(TICK);
    world.queue.sweep().await.unwrap();

    assert_eq!(kept[0].job.id, id);
    assert!(world.status(id).await.is_none(), "its outcome expired long before");
    assert!(world.queue.dead(9).await.unwrap().is_empty());
    assert!(!world.queue.replay(id).await.unwrap());
}

async fn a_full_queue_takes_nothing_of_a_submission(world: &World) {
    world.submit(LIMITS.jobs_max - 1).await;
    let submission = world.submission(2);
    let ids: Vec<JobId> = submission.jobs.iter().map(|job| job.id).collect();

    let answer = world.queue.submit(submission).await;

    assert!(is_full(&answer), "{answer:?}");
    assert_eq!(world.queue.statuses(&ids).await.unwrap(), [None, None]);
    assert_eq!(world.queue.depth().await.unwrap().waiting, LIMITS.jobs_max - 1);
    world.submit(1).await;
}

async fn a_submission_larger_than_the_queue_is_full(world: &World) {
    let answer = world.queue.submit(world.submission(LIMITS.jobs_max + 1)).await;

    assert!(is_full(&answer), "{answer:?}");
}

async fn running_jobs_count_and_settled_ones_make_room(world: &World) {
    world.submit(LIMITS.jobs_max).await;
    let claim = world.claim_one_as("worker").await;

    let while_running = world.queue.submit(world.submission(1)).await;
    world.settle(done(&claim)).await;
    let once_settled = world.queue.submit(world.submission(1)).await;

    assert!(is_full(&while_running), "{while_running:?}");
    assert_eq!(once_settled.unwrap(), Receipt::Accepted);
}

async fn outcomes_are_kept_however_often_they_are_read_until_their_time_to_live_ends(world: &World) {
    let id = world.submit_one().await;
    let claim = world.claim_one_as("worker").await;
    world.settle(done(&claim)).await;
    let read = world.outcome(id).await;

    world.advance(LIMITS.outcome_ttl - TICK);
    world.queue.sweep().await.unwrap();
    let read_late = world.outcome(id).await;
    world.advance(TICK);

    assert!(read.is_some());
    assert_eq!(read_late, read);
    assert_eq!(world.status(id).await, None);
    assert!(world.queue.batch(claim.job.batch).await.unwrap().is_empty());
    world.queue.sweep().await.unwrap();
    assert_eq!(world.status(id).await, None);
    assert!(world.queue.batch(claim.job.batch).await.unwrap().is_empty());
}

async fn a_clock_set_back_takes_no_outcome_away(world: &World) {
    let id = world.submit_one().await;
    let claim = world.claim_one_as("worker").await;
    world.settle(done(&claim)).await;

    world.set_back(LIMITS.outcome_ttl * 3);
    world.queue.sweep().await.unwrap();
    let read = world.outcome(id).await;
    world.advance(LIMITS.outcome_ttl);

    assert!(read.is_some());
    assert!(world.outcome(id).await.is_none(), "and keeps none for longer than its time-to-live");
}

fn under_a_key(submission: Submission, fingerprint: u8) -> Submission {
    let answer = format!("the answer to {}", submission.batch);
    let idempotency = Idempotency { key: "my key".to_owned(), fingerprint: [fingerprint; 32], answer };
    Submission { idempotency: Some(idempotency), ..submission }
}

async fn a_submission_repeated_under_its_key_is_not_taken_again(world: &World) {
    let first = under_a_key(world.submission(2), 1);
    let batch = first.batch;
    world.queue.submit(first).await.unwrap();

    let second = world.queue.submit(under_a_key(world.submission(2), 1)).await.unwrap();

    assert_eq!(second, Receipt::Repeated { batch, answer: format!("the answer to {batch}") });
    assert_eq!(world.queue.depth().await.unwrap().waiting, 2);
}

async fn a_key_used_with_another_body_is_refused(world: &World) {
    world.queue.submit(under_a_key(world.submission(1), 1)).await.unwrap();

    let other = world.queue.submit(under_a_key(world.submission(1), 2)).await;

    assert!(matches!(&other, Err(Error::KeyReused { key }) if key == "my key"), "{other:?}");
    assert_eq!(world.queue.depth().await.unwrap().waiting, 1);
}

async fn a_repetition_is_recognised_even_when_the_queue_is_full(world: &World) {
    world.queue.submit(under_a_key(world.submission(LIMITS.jobs_max), 1)).await.unwrap();

    let again = world.queue.submit(under_a_key(world.submission(LIMITS.jobs_max), 1)).await.unwrap();

    assert!(matches!(again, Receipt::Repeated { .. }));
}

async fn a_key_is_forgotten_when_its_time_to_live_ends(world: &World) {
    world.queue.submit(under_a_key(world.submission(1), 1)).await.unwrap();

    world.advance(LIMITS.outcome_ttl);

    assert_eq!(world.queue.submit(under_a_key(world.submission(1), 2)).await.unwrap(), Receipt::Accepted);
}

async fn a_waiting_job_can_be_cancelled_and_is_never_claimed(world: &World) {
    let id = world.submit_one().await;

    let first = world.queue.cancel(id).await.unwrap();
    let second = world.queue.cancel(id).await.unwrap();

    assert_eq!((first, second), (Cancellation::Cancelled, Cancellation::Settled));
    let outcome = world.outcome(id).await.unwrap();
    assert_eq!((outcome.verdict, outcome.worker), (Verdict::Cancelled, None));
    assert!(world.claim_as("worker", 9).await.is_empty());
}

async fn a_job_that_started_cannot_be_cancelled(world: &World) {
    let id = world.submit_one().await;
    let claim = world.claim_one_as("worker").await;

    let cancellation = world.queue.cancel(id).await.unwrap();

    assert_eq!(cancellation, Cancellation::Running);
    assert_eq!(world.settle(done(&claim)).await, Settled::Done);
}

async fn a_job_that_is_unknown_cannot_be_cancelled(world: &World) {
    assert_eq!(world.queue.cancel(JobId::new()).await.unwrap(), Cancellation::Unknown);
}

async fn statuses_come_in_the_order_asked_and_unknown_jobs_have_none(world: &World) {
    let all = world.submit(2).await;

    let statuses = world.queue.statuses(&[all[1], JobId::new(), all[0]]).await.unwrap();

    let asked: Vec<_> = statuses.iter().map(|status| status.as_ref().map(|status| status.id)).collect();
    assert_eq!(asked, [Some(all[1]), None, Some(all[0])]);
}

async fn a_batch_lists_its_jobs_in_the_order_submitted(world: &World) {
    let submission = world.submission(3);
    world.queue.submit(submission.clone()).await.unwrap();
    world.submit(2).await;
    let claims = world.claim_as("worker", 2).await;
    world.settle(done(&claims[1])).await;

    let batch = world.queue.batch(submission.batch).await.unwrap();

    let of_batch: Vec<_> = batch.iter().map(|status| (status.id, status.filename.clone(), status.batch)).collect();
    let submitted: Vec<_> = submission.jobs.iter().map(|job| (job.id, job.filename.clone(), job.batch)).collect();
    assert_eq!(of_batch, submitted);
}

async fn depth_counts_what_waits_runs_and_is_dead(world: &World) {
    world.submit_one().await;
    world.kill("worker", "no").await;
    world.advance(TICK);
    let oldest = kana_queue::clock::Clock::now(&*world.clock);
    world.submit(5).await;
    world.claim_as("a", 2).await;
    world.claim_as("b", 1).await;
    world.advance(TICK);

    let depth = world.queue.depth().await.unwrap();

    assert_eq!((depth.waiting, depth.in_flight(), depth.dead), (2, 3, 1));
    assert_eq!(depth.running.into_iter().collect::<Vec<_>>(), [("a".into(), 2), ("b".into(), 1)]);
    assert_eq!(depth.oldest, Some(oldest));
}

async fn changes_show_every_job_once_as_it_stands_now(world: &World) {
    let from = world.queue.latest().await.unwrap();
    let all = world.submit(3).await;
    let claims = world.claim_as("worker", 2).await;
    world.settle(done(&claims[0])).await;

    let changes = world.queue.changes(from, NOW).await.unwrap();

    let order: Vec<_> = changes.jobs.iter().map(|status| status.id).collect();
    assert_eq!(order, [all[2], all[1], all[0]], "in the order of their last change");
    assert_eq!(changes.jobs[0].progress, Progress::Queued);
    assert_eq!(changes.jobs[1].progress, Progress::Running { worker: "worker".into() });
    assert!(matches!(changes.jobs[2].progress, Progress::Settled(_)));
    assert_eq!(changes.cursor, world.queue.latest().await.unwrap());
}

async fn changes_behind_the_latest_are_none_and_leave_the_cursor_alone(world: &World) {
    world.submit(2).await;
    let latest = world.queue.latest().await.unwrap();

    let changes = world.queue.changes(latest, TICK).await.unwrap();

    assert!(changes.jobs.is_empty());
    assert_eq!(changes.cursor, latest);
}

async fn extending_a_lease_is_no_change(world: &World) {
    world.submit_one().await;
    let claim = world.claim_one_as("worker").await;
    let before = world.queue.latest().await.unwrap();

    world.queue.extend(&[claim.lease]).await.unwrap();

    assert_eq!(world.queue.latest().await.unwrap(), before);
}

async fn a_cursor_that_the_queue_never_reached_starts_over(world: &World) {
    let id = world.submit_one().await;

    let changes = world.queue.changes(Cursor(u64::MAX / 4), NOW).await.unwrap();

    assert_eq!(changes.jobs[0].id, id);
    assert_eq!(changes.cursor, world.queue.latest().await.unwrap());
}

async fn more_changes_than_fit_come_in_parts(world: &World) {
    let mut settled = Vec::new();
    while settled.len() <= kana_queue::CHANGES_MAX {
        settled.extend(world.submit(LIMITS.jobs_max).await);
        let claims = world.claim_as("worker", LIMITS.jobs_max).await;
        world.queue.settle(claims.iter().map(done).collect()).await.unwrap();
    }

    let first = world.queue.changes(Cursor(0), NOW).await.unwrap();
    let rest = world.queue.changes(first.cursor, NOW).await.unwrap();

    let seen: Vec<_> = first.jobs.iter().chain(&rest.jobs).map(|status| status.id).collect();
    assert_eq!(first.jobs.len(), kana_queue::CHANGES_MAX);
    assert_eq!(seen, settled);
}

async fn a_waiting_claim_is_answered_by_a_submission(world: &World) {
    let worker = "worker".into();
    let (claims, id) = tokio::join!(world.queue.claim(&worker, 1, LONG), world.submit_one());

    assert_eq!(ids(&claims.unwrap()), [id]);
}

async fn a_waiting_claim_is_answered_by_a_release(world: &World) {
    world.submit_one().await;
    let claim = world.claim_one_as("drained").await;
    let leases = [claim.lease];

    let worker = "worker".into();
    let (claims, _) = tokio::join!(world.queue.claim(&worker, 1, LONG), world.queue.release(&leases));

    assert_eq!(ids(&claims.unwrap()), [claim.job.id]);
}

async fn a_claim_answers_with_none_when_its_wait_has_passed(world: &World) {
    assert!(world.queue.claim(&"worker".into(), 1, TICK).await.unwrap().is_empty());
}

async fn waiting_for_changes_is_answered_by_a_settlement(world: &World) {
    let id = world.submit_one().await;
    let claim = world.claim_one_as("worker").await;
    let latest = world.queue.latest().await.unwrap();

    let (changes, _) = tokio::join!(world.queue.changes(latest, LONG), world.settle(done(&claim)));

    let changes = changes.unwrap();
    assert_eq!(changes.jobs[0].id, id);
    assert!(matches!(changes.jobs[0].progress, Progress::Settled(_)));
}
