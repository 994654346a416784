//! What when something happened, and the answer that says so is lost?

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use kana_queue::job::{JobId, Outcome, Verdict};
use kana_queue::{Claim, Error, Idempotency, Receipt, Settled, Submission};

use crate::support::eventually;
use crate::support::proxy::Way;
use crate::support::queue::{Backend, LIMITS, LONG, NOW, Setup, an_answer, done_as, failed};
use crate::support::redis::RedisServer;

use super::{Proxied, drain, every_verb, promptly};

/// As many bytes of an answer as still arrive: none, a part of its first line, a part of its middle.
const CUTS: [usize; 3] = [0, 3, 90];

fn named(submission: Submission) -> Submission {
    let idempotency = Idempotency { key: "once".to_owned(), fingerprint: [7; 32], answer: "an answer".to_owned() };
    Submission { idempotency: Some(idempotency), ..submission }
}

/// Does something whose answer never arrives.
async fn lose_reply<T>(proxied: &Proxied, deed: impl Future<Output = Result<T, Error>>) {
    connected(proxied).await;
    proxied.proxy.half_open(Way::ToClient);
    let answer = deed.await;
    proxied.proxy.heal();
    assert!(matches!(answer, Err(Error::Unavailable { .. })), "an answer arrived that was swallowed");
}

/// Waits for a connection that works: over a broken one no reply is lost.
async fn connected(proxied: &Proxied) {
    retry(async || proxied.setup.queue.depth().await).await;
}

/// Says it again until there is an answer.
async fn retry<T>(deed: impl AsyncFn() -> Result<T, Error>) -> T {
    eventually("an answer", async || deed().await.ok()).await
}

#[tokio::test]
async fn a_reset_in_the_middle_of_any_answer_is_no_failure() {
    for cut in CUTS {
        let proxied = Proxied::new();
        proxied.setup.submit(3).await;
        let held = proxied.setup.claim_one_as("worker").await;
        for (verb, answer) in every_verb(&proxied.setup, &held) {
            connected(&proxied).await;
            proxied.proxy.reset_mid_reply(cut);

            let answer = promptly(verb, answer).await;

            assert!(answer.is_ok(), "{verb}, cut after {cut} bytes: {answer:?}");
        }
        assert!(proxied.proxy.resets() > 0);
    }
}

#[tokio::test]
async fn a_settle_whose_answer_was_lost_can_be_repeated_and_the_outcome_stays() {
    let proxied = Proxied::new();
    let id = proxied.setup.submit_one().await;
    let claim = proxied.setup.claim_one_as("worker").await;

    lose_reply(&proxied, proxied.setup.queue.settle(vec![done_as(&claim, 3)])).await;
    let again = retry(async || proxied.setup.queue.settle(vec![done_as(&claim, 3)]).await).await;
    let other = proxied.setup.settle(done_as(&claim, 5)).await;

    assert_eq!((again, other), (vec![Settled::Late], Settled::Late));
    let Some(Outcome { verdict: Verdict::Done { prediction, .. }, .. }) = proxied.setup.outcome(id).await else {
        panic!("no answer")
    };
    assert_eq!(prediction, an_answer(3).prediction);
}

#[tokio::test]
async fn a_failure_whose_report_was_answered_unheard_counts_once() {
    let proxied = Proxied::new();
    let id = proxied.setup.submit_one().await;
    let claim = proxied.setup.claim_one_as("worker").await;

    lose_reply(&proxied, proxied.setup.queue.settle(vec![failed(&claim, "no")])).await;
    for _ in 0..LIMITS.attempts_max {
        retry(async || proxied.setup.queue.settle(vec![failed(&claim, "no")]).await).await;
    }

    assert_eq!(proxied.setup.outcome(id).await, None);
    assert_eq!(proxied.setup.claim_one_as("worker").await.attempt, 2);
}

#[tokio::test]
async fn a_submission_whose_answer_was_lost_is_taken_once_under_its_key() {
    let proxied = Proxied::new();
    let submission = named(proxied.setup.submission(3));

    lose_reply(&proxied, proxied.setup.queue.submit(submission.clone())).await;
    let again = retry(async || proxied.setup.queue.submit(submission.clone()).await).await;
    // Another sender of the same would give its jobs other names.
    let other = retry(async || proxied.setup.queue.submit(named(proxied.setup.submission(3))).await).await;

    let repeated = Receipt::Repeated { batch: submission.batch, answer: "an answer".to_owned() };
    assert_eq!([again, other], [repeated.clone(), repeated]);
    assert_eq!(proxied.setup.queue.depth().await.unwrap().waiting, 3);
}

#[tokio::test]
async fn a_submission_cut_off_in_the_middle_of_its_answer_is_taken_once() {
    for cut in CUTS {
        let proxied = Proxied::new();
        connected(&proxied).await;
        proxied.proxy.reset_mid_reply(cut);

        let first = proxied.setup.queue.submit(proxied.setup.submission(3)).await;
        connected(&proxied).await;
        proxied.proxy.reset_mid_reply(cut);
        let second = proxied.setup.queue.submit(named(proxied.setup.submission(3))).await;

        assert_eq!(first.unwrap(), Receipt::Accepted);
        assert!(second.is_ok(), "{second:?}");
        assert_eq!(proxied.setup.queue.depth().await.unwrap().waiting, 6);
    }
}

/// Loses the answers to two claims, and then claims once more.
async fn claim_unheard(proxied: &Proxied, room: usize) -> Vec<Claim> {
    for _ in 0..2 {
        lose_reply(proxied, proxied.setup.queue.claim(&"worker".into(), room, NOW)).await;
    }
    retry(async || proxied.setup.queue.claim(&"worker".into(), room, NOW).await).await
}

#[tokio::test]
async fn a_first_claim_whose_answer_was_lost_costs_its_jobs_nothing() {
    let proxied = Proxied::with_manual_clock();
    proxied.setup.submit(2).await;

    let claims = claim_unheard(&proxied, 2).await;

    assert_eq!(claims.iter().map(|claim| claim.attempt).collect::<Vec<_>>(), [1, 1]);
}

#[tokio::test]
async fn a_claim_of_released_jobs_whose_answer_was_lost_costs_them_nothing() {
    let proxied = Proxied::with_manual_clock();
    proxied.setup.submit(2).await;
    let held = proxied.setup.claim_as("worker", 2).await;
    proxied.setup.queue.release(&held.into_iter().map(|claim| claim.lease).collect::<Vec<_>>()).await.unwrap();

    let claims = claim_unheard(&proxied, 2).await;

    assert_eq!(claims.iter().map(|claim| claim.attempt).collect::<Vec<_>>(), [1, 1]);
}

#[tokio::test]
async fn a_claim_of_a_retried_job_whose_answer_was_lost_costs_it_nothing() {
    let proxied = Proxied::with_manual_clock();
    proxied.setup.submit_one().await;
    let held = proxied.setup.claim_one_as("worker").await;
    proxied.setup.settle(failed(&held, "no")).await;

    let claims = claim_unheard(&proxied, 2).await;

    assert_eq!(claims.iter().map(|claim| claim.attempt).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn a_claim_cut_off_in_the_middle_of_its_answer_costs_its_jobs_nothing() {
    // The one asks for what comes before new jobs, the other reads new ones.
    for (word, is_back) in [("FCALL", true), ("XREADGROUP", false)] {
        for cut in CUTS {
            let proxied = Proxied::with_manual_clock();
            proxied.setup.submit(2).await;
            if is_back {
                let held = proxied.setup.claim_as("worker", 2).await;
                let leases: Vec<_> = held.into_iter().map(|claim| claim.lease).collect();
                proxied.setup.queue.release(&leases).await.unwrap();
            }
            proxied.proxy.lose_reply_to(word, cut);

            let claims = retry(async || proxied.setup.queue.claim(&"worker".into(), 2, NOW).await).await;

            assert_eq!(proxied.proxy.resets(), 1);
            let attempts: Vec<_> = claims.iter().map(|claim| claim.attempt).collect();
            assert_eq!(attempts, [1, 1], "{word}, cut after {cut} bytes");
        }
    }
}

#[tokio::test]
async fn a_claim_whose_answer_was_cut_off_ends_where_there_is_nothing_to_claim() {
    for word in ["FCALL", "XREADGROUP"] {
        let proxied = Proxied::with_manual_clock();
        connected(&proxied).await;
        proxied.proxy.lose_reply_to(word, 0);

        let claims = promptly("claim", proxied.setup.queue.claim(&"worker".into(), 1, NOW)).await;

        assert_eq!(claims.unwrap(), []);
        assert_eq!(proxied.proxy.resets(), 1);
    }
}

#[tokio::test]
async fn a_worker_that_lost_answers_keeps_what_did_reach_it() {
    let proxied = Proxied::with_manual_clock();
    proxied.setup.submit(2).await;
    let kept = proxied.setup.claim_one_as("worker").await;

    lose_reply(&proxied, proxied.setup.queue.claim(&"worker".into(), 1, NOW)).await;
    let claims = retry(async || proxied.setup.queue.claim(&"worker".into(), 9, NOW).await).await;

    assert_eq!(claims.len(), 1);
    assert_ne!(claims[0].lease.job, kept.lease.job);
    assert_eq!(proxied.setup.settle(failed(&kept, "no")).await, Settled::Retried);
}

#[tokio::test]
async fn a_claim_that_is_dropped_while_it_publishes_is_released_once_redis_is_back() {
    let proxied = Proxied::with_manual_clock();
    let id = proxied.setup.submit_one().await;
    let direct = Setup::on(Backend::at(&proxied.server.url()));
    // From the moment that Redis has the change to running until its answer arrives the claim waits for that answer.
    proxied.proxy.latency(Duration::from_millis(100));
    let published = async || (proxied.server.command(&["XLEN", "{kana}:changes"]) == "2").then_some(());

    let worker = "worker".into();
    tokio::select! {
        claims = proxied.setup.queue.claim(&worker, 1, NOW) => panic!("too late: {claims:?}"),
        () = eventually("the change to running", published) => {}
    }
    proxied.proxy.cut();
    eventually("a queue that is away", async || proxied.setup.queue.depth().await.err()).await;
    proxied.proxy.heal();

    // No lease expires: the clock stands still.
    assert_goes_to_another(&direct, id, LONG / 10).await;
}

/// A claim of a worker that waits for jobs in Redis, by way of the proxy.
async fn waits(proxied: &Proxied, claim: &mut (impl Future<Output = Result<Vec<Claim>, Error>> + Unpin)) {
    let blocked = eventually("one that waits", async || {
        proxied.server.command(&["INFO", "clients"]).contains("blocked_clients:1").then_some(())
    });
    tokio::select! {
        claims = claim => panic!("nothing to claim: {claims:?}"),
        () = blocked => {}
    }
}

/// Waits until Redis knows of no worker that waits for jobs.
async fn nobody_waits(server: &RedisServer) {
    eventually("a claim that is over", async || (server.command(&["ZCARD", "{kana}:idle"]) == "0").then_some(())).await;
}

/// Asserts that another worker gets the job within `wait`, and that the job was charged for no attempt before.
async fn assert_goes_to_another(direct: &Setup, job: JobId, wait: Duration) {
    let claims = direct.queue.claim(&"another".into(), 1, wait).await.unwrap();

    assert_eq!(claims.iter().map(|claim| (claim.lease.job, claim.attempt)).collect::<Vec<_>>(), [(job, 1)]);
}

#[tokio::test]
async fn a_job_goes_to_nobody_whose_claim_was_dropped_although_redis_has_not_noticed() {
    let proxied = Proxied::with_manual_clock();
    let direct = Setup::on(Backend::at(&proxied.server.url()));
    direct.queue.depth().await.unwrap();
    let worker = "worker".into();
    let mut claim = proxied.setup.queue.claim(&worker, 1, LONG);
    waits(&proxied, &mut claim).await;
    proxied.proxy.hold_ends();

    drop(claim);
    nobody_waits(&proxied.server).await;
    let id = direct.submit_one().await;

    // No lease expires: the clock stands still.
    assert_goes_to_another(&direct, id, LONG / 10).await;
}

#[tokio::test]
async fn a_job_assigned_to_a_claim_at_the_moment_that_it_is_dropped_goes_to_another_at_once() {
    let proxied = Proxied::with_manual_clock();
    let direct = Setup::on(Backend::at(&proxied.server.url()));
    direct.queue.depth().await.unwrap();
    let worker = "worker".into();
    let mut claim = proxied.setup.queue.claim(&worker, 1, LONG);
    waits(&proxied, &mut claim).await;
    proxied.proxy.stall();

    let id = direct.submit_one().await;
    drop(claim);
    proxied.proxy.heal();

    assert_goes_to_another(&direct, id, LONG / 10).await;
}

#[tokio::test]
async fn a_user_who_may_not_end_waits_still_gives_back_what_a_dropped_claim_is_assigned() {
    // By a clock that moves: Redis ends waits by it.
    let proxied = Proxied::new();
    let direct = Setup::on(Backend::at(&proxied.server.url()));
    direct.queue.depth().await.unwrap();
    proxied.server.command(&["ACL", "SETUSER", "default", "-client|unblock"]);
    let worker = "worker".into();
    let mut claim = proxied.setup.queue.claim(&worker, 1, LONG);
    waits(&proxied, &mut claim).await;
    proxied.proxy.hold_ends();

    drop(claim);
    nobody_waits(&proxied.server).await;
    let id = direct.submit_one().await;

    // A lease that expired would have cost an attempt.
    assert_goes_to_another(&direct, id, LONG).await;
}

#[tokio::test]
async fn a_job_assigned_by_a_read_that_broke_off_costs_it_nothing() {
    // By a clock that moves: Redis ends waits by it.
    let proxied = Proxied::new();
    let direct = Setup::on(Backend::at(&proxied.server.url()));
    direct.queue.depth().await.unwrap();
    let worker = "worker".into();
    let mut claim = proxied.setup.queue.claim(&worker, 1, LONG);
    waits(&proxied, &mut claim).await;

    // Redis goes on waiting for a connection that the claim has replaced, and serves it first.
    proxied.proxy.reset_clients();
    let submitted = async {
        eventually("a second read", async || {
            proxied.server.command(&["INFO", "clients"]).contains("blocked_clients:2").then_some(())
        })
        .await;
        direct.submit_one().await
    };
    let (claims, id) = tokio::join!(claim, submitted);

    // A lease that expired would have cost an attempt.
    let claims = claims.unwrap();
    assert_eq!(claims.iter().map(|claim| (claim.lease.job, claim.attempt)).collect::<Vec<_>>(), [(id, 1)]);
}

/// Jobs sent through a network that resets one in this many questions and answers.
const MEAN: u32 = 9;
const BATCHES: usize = 40;
const BATCH: usize = 5;

#[tokio::test]
async fn random_resets_lose_no_job_and_fail_none() {
    let proxied = Proxied::new();
    proxied.setup.queue.depth().await.unwrap();
    proxied.proxy.reset_at_random(4, MEAN);
    let mut answers: HashMap<JobId, usize> = HashMap::new();
    let mut accepted = Vec::new();

    for n in 0..BATCHES {
        let submission = proxied.setup.submission(BATCH);
        accepted.extend(submission.jobs.iter().map(|job| job.id));
        retry(async || proxied.setup.queue.submit(submission.clone()).await).await;
        let class = n % 10;
        let claims = proxied.setup.queue.claim(&"worker".into(), 2 * BATCH, NOW).await.unwrap_or_default();
        let said: Vec<_> = claims.iter().map(|claim| done_as(claim, class)).collect();
        let settled = retry(async || proxied.setup.queue.settle(said.clone()).await).await;
        for (claim, settled) in claims.iter().zip(settled) {
            if settled == Settled::Done {
                assert_eq!(answers.insert(claim.lease.job, class), None, "it was done before");
            }
        }
    }
    let resets = proxied.proxy.resets();
    proxied.proxy.heal();
    drain(&proxied.setup).await;

    println!("{resets} resets");
    assert!(resets > BATCHES / 2, "{resets} resets");
    // By a connection that nothing happened to.
    let reader = Setup::on(Backend::at(&proxied.server.url()));
    for id in accepted {
        let Verdict::Done { prediction, .. } = reader.outcome(id).await.expect("an outcome").verdict else {
            panic!("{id} has failed")
        };
        assert!(answers.get(&id).is_none_or(|class| *class == prediction.class), "the outcome of {id} changed");
    }
}

#[tokio::test]
async fn a_dead_worker_whose_last_claim_was_lost_leaves_its_jobs_to_others() {
    let proxied = Proxied::with_manual_clock();
    let id = proxied.setup.submit_one().await;

    lose_reply(&proxied, proxied.setup.queue.claim(&"worker".into(), 1, NOW)).await;
    connected(&proxied).await;
    proxied.setup.advance(LIMITS.lease + Duration::from_millis(1)).await;
    let claims = retry(async || proxied.setup.queue.claim(&"another".into(), 1, NOW).await).await;

    assert_eq!(claims.iter().map(|claim| claim.lease.job).collect::<Vec<_>>(), [id]);
}
