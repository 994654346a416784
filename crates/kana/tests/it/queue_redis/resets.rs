//! What when something happened, and the answer that says so is lost?

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use kana_queue::job::{JobId, Outcome, Verdict};
use kana_queue::{Claim, Error, Idempotency, Receipt, Settled, Submission};

use crate::support::eventually;
use crate::support::proxy::Way;
use crate::support::world::{Ground, LIMITS, NOW, World, an_answer, done_as, failed};

use super::{Line, drain, every_verb, promptly};

/// As many bytes of an answer as still arrive: none, a part of its first line, a part of its middle.
const CUTS: [usize; 3] = [0, 3, 90];

fn named(submission: Submission) -> Submission {
    let idempotency = Idempotency { key: "once".to_owned(), fingerprint: [7; 32], answer: "an answer".to_owned() };
    Submission { idempotency: Some(idempotency), ..submission }
}

/// Does something whose answer never arrives.
async fn unheard<T>(line: &Line, deed: impl Future<Output = Result<T, Error>>) {
    connected(line).await;
    line.proxy.half_open(Way::ToClient);
    let answer = deed.await;
    line.proxy.heal();
    assert!(matches!(answer, Err(Error::Unavailable { .. })), "an answer arrived that was swallowed");
}

/// Waits for a connection that works: over none, nothing is done unheard.
async fn connected(line: &Line) {
    heard(async || line.world.queue.depth().await).await;
}

/// Says it again until there is an answer.
async fn heard<T>(deed: impl AsyncFn() -> Result<T, Error>) -> T {
    eventually("an answer", async || deed().await.ok()).await
}

#[tokio::test]
async fn a_reset_in_the_middle_of_any_answer_is_no_failure() {
    for cut in CUTS {
        let line = Line::new();
        line.world.submit(3).await;
        let held = line.world.claim_one_as("worker").await;
        for (verb, answer) in every_verb(&line.world, &held) {
            connected(&line).await;
            line.proxy.reset_mid_reply(cut);

            let answer = promptly(verb, answer).await;

            assert!(answer.is_ok(), "{verb}, cut after {cut} bytes: {answer:?}");
        }
        assert!(line.proxy.resets() > 0);
    }
}

#[tokio::test]
async fn a_settle_whose_answer_was_lost_can_be_repeated_and_the_outcome_stays() {
    let line = Line::new();
    let id = line.world.submit_one().await;
    let claim = line.world.claim_one_as("worker").await;

    unheard(&line, line.world.queue.settle(vec![done_as(&claim, 3)])).await;
    let again = heard(async || line.world.queue.settle(vec![done_as(&claim, 3)]).await).await;
    let other = line.world.settle(done_as(&claim, 5)).await;

    assert_eq!((again, other), (vec![Settled::Late], Settled::Late));
    let Some(Outcome { verdict: Verdict::Done { prediction, .. }, .. }) = line.world.outcome(id).await else {
        panic!("no answer")
    };
    assert_eq!(prediction, an_answer(3).prediction);
}

#[tokio::test]
async fn a_failure_whose_report_was_answered_unheard_counts_once() {
    let line = Line::new();
    let id = line.world.submit_one().await;
    let claim = line.world.claim_one_as("worker").await;

    unheard(&line, line.world.queue.settle(vec![failed(&claim, "no")])).await;
    for _ in 0..LIMITS.attempts_max {
        heard(async || line.world.queue.settle(vec![failed(&claim, "no")]).await).await;
    }

    assert_eq!(line.world.outcome(id).await, None);
    assert_eq!(line.world.claim_one_as("worker").await.attempt, 2);
}

#[tokio::test]
async fn a_submission_whose_answer_was_lost_is_taken_once_under_its_key() {
    let line = Line::new();
    let submission = named(line.world.submission(3));

    unheard(&line, line.world.queue.submit(submission.clone())).await;
    let again = heard(async || line.world.queue.submit(submission.clone()).await).await;
    // Another sender of the same would give its jobs other names.
    let other = heard(async || line.world.queue.submit(named(line.world.submission(3))).await).await;

    let repeated = Receipt::Repeated { batch: submission.batch, answer: "an answer".to_owned() };
    assert_eq!([again, other], [repeated.clone(), repeated]);
    assert_eq!(line.world.queue.depth().await.unwrap().waiting, 3);
}

#[tokio::test]
async fn a_submission_cut_off_in_the_middle_of_its_answer_is_taken_once() {
    for cut in CUTS {
        let line = Line::new();
        connected(&line).await;
        line.proxy.reset_mid_reply(cut);

        let first = line.world.queue.submit(line.world.submission(3)).await;
        connected(&line).await;
        line.proxy.reset_mid_reply(cut);
        let second = line.world.queue.submit(named(line.world.submission(3))).await;

        assert_eq!(first.unwrap(), Receipt::Accepted);
        assert!(second.is_ok(), "{second:?}");
        assert_eq!(line.world.queue.depth().await.unwrap().waiting, 6);
    }
}

/// Loses the answers to two claims, and then claims once more.
async fn claim_unheard(line: &Line, room: usize) -> Vec<Claim> {
    for _ in 0..2 {
        unheard(line, line.world.queue.claim(&"worker".into(), room, NOW)).await;
    }
    heard(async || line.world.queue.claim(&"worker".into(), room, NOW).await).await
}

#[tokio::test]
async fn a_first_claim_whose_answer_was_lost_costs_its_jobs_nothing() {
    let line = Line::stopped_in_time();
    line.world.submit(2).await;

    let claims = claim_unheard(&line, 2).await;

    assert_eq!(claims.iter().map(|claim| claim.attempt).collect::<Vec<_>>(), [1, 1]);
}

#[tokio::test]
async fn a_claim_of_released_jobs_whose_answer_was_lost_costs_them_nothing() {
    let line = Line::stopped_in_time();
    line.world.submit(2).await;
    let held = line.world.claim_as("worker", 2).await;
    line.world.queue.release(&held.into_iter().map(|claim| claim.lease).collect::<Vec<_>>()).await.unwrap();

    let claims = claim_unheard(&line, 2).await;

    assert_eq!(claims.iter().map(|claim| claim.attempt).collect::<Vec<_>>(), [1, 1]);
}

#[tokio::test]
async fn a_claim_of_a_retried_job_whose_answer_was_lost_costs_it_nothing() {
    let line = Line::stopped_in_time();
    line.world.submit_one().await;
    let held = line.world.claim_one_as("worker").await;
    line.world.settle(failed(&held, "no")).await;

    let claims = claim_unheard(&line, 2).await;

    assert_eq!(claims.iter().map(|claim| claim.attempt).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn a_claim_cut_off_in_the_middle_of_its_answer_costs_its_jobs_nothing() {
    // The one asks for what comes before new jobs, the other reads new ones.
    for (word, is_back) in [("FCALL", true), ("XREADGROUP", false)] {
        for cut in CUTS {
            let line = Line::stopped_in_time();
            line.world.submit(2).await;
            if is_back {
                let held = line.world.claim_as("worker", 2).await;
                let leases: Vec<_> = held.into_iter().map(|claim| claim.lease).collect();
                line.world.queue.release(&leases).await.unwrap();
            }
            line.proxy.lose_reply_to(word, cut);

            let claims = heard(async || line.world.queue.claim(&"worker".into(), 2, NOW).await).await;

            assert_eq!(line.proxy.resets(), 1);
            let attempts: Vec<_> = claims.iter().map(|claim| claim.attempt).collect();
            assert_eq!(attempts, [1, 1], "{word}, cut after {cut} bytes");
        }
    }
}

#[tokio::test]
async fn a_claim_whose_answer_was_cut_off_ends_where_there_is_nothing_to_claim() {
    for word in ["FCALL", "XREADGROUP"] {
        let line = Line::stopped_in_time();
        connected(&line).await;
        line.proxy.lose_reply_to(word, 0);

        let claims = promptly("claim", line.world.queue.claim(&"worker".into(), 1, NOW)).await;

        assert_eq!(claims.unwrap(), []);
        assert_eq!(line.proxy.resets(), 1);
    }
}

#[tokio::test]
async fn a_worker_that_lost_answers_keeps_what_did_reach_it() {
    let line = Line::stopped_in_time();
    line.world.submit(2).await;
    let kept = line.world.claim_one_as("worker").await;

    unheard(&line, line.world.queue.claim(&"worker".into(), 1, NOW)).await;
    let claims = heard(async || line.world.queue.claim(&"worker".into(), 9, NOW).await).await;

    assert_eq!(claims.len(), 1);
    assert_ne!(claims[0].lease.job, kept.lease.job);
    assert_eq!(line.world.settle(failed(&kept, "no")).await, Settled::Retried);
}

/// Jobs sent through a network that resets one in this many questions and answers.
const MEAN: u32 = 9;
const BATCHES: usize = 40;
const BATCH: usize = 5;

#[tokio::test]
async fn random_resets_lose_no_job_and_fail_none() {
    let line = Line::new();
    line.world.queue.depth().await.unwrap();
    line.proxy.reset_at_random(4, MEAN);
    let mut told: HashMap<JobId, usize> = HashMap::new();
    let mut accepted = Vec::new();

    for n in 0..BATCHES {
        let submission = line.world.submission(BATCH);
        accepted.extend(submission.jobs.iter().map(|job| job.id));
        heard(async || line.world.queue.submit(submission.clone()).await).await;
        let class = n % 10;
        let claims = line.world.queue.claim(&"worker".into(), 2 * BATCH, NOW).await.unwrap_or_default();
        let said: Vec<_> = claims.iter().map(|claim| done_as(claim, class)).collect();
        let settled = heard(async || line.world.queue.settle(said.clone()).await).await;
        for (claim, settled) in claims.iter().zip(settled) {
            if settled == Settled::Done {
                assert_eq!(told.insert(claim.lease.job, class), None, "it was done before");
            }
        }
    }
    let resets = line.proxy.resets();
    line.proxy.heal();
    drain(&line.world).await;

    println!("{resets} resets");
    assert!(resets > BATCHES / 2, "{resets} resets");
    // By a connection that nothing happened to.
    let reader = World::on(Ground::at(&line.server.url()));
    for id in accepted {
        let Verdict::Done { prediction, .. } = reader.outcome(id).await.expect("an outcome").verdict else {
            panic!("{id} has failed")
        };
        assert!(told.get(&id).is_none_or(|class| *class == prediction.class), "the outcome of {id} changed");
    }
}

#[tokio::test]
async fn a_dead_worker_whose_last_claim_was_lost_leaves_its_jobs_to_others() {
    let line = Line::stopped_in_time();
    let id = line.world.submit_one().await;

    unheard(&line, line.world.queue.claim(&"worker".into(), 1, NOW)).await;
    line.world.advance(LIMITS.lease + Duration::from_millis(1));
    let claims = heard(async || line.world.queue.claim(&"another".into(), 1, NOW).await).await;

    assert_eq!(claims.iter().map(|claim| claim.lease.job).collect::<Vec<_>>(), [id]);
}
