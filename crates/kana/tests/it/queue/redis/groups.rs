//! Does every caller get its own answer where several share a call of Redis?
//!
//! Callers that begin at the same moment share one: nothing is sent before each has asked.

use std::time::Duration;

use futures::future::join_all;
use kana_engine::image::{Image, Shape};
use kana_queue::job::Job;
use kana_queue::{Error, Idempotency, Limits, Receipt, Settled, Submission};

use crate::support::proxy::Proxy;
use crate::support::queue::{Backend, LIMITS, Setup, done, failed};
use crate::support::redis::{Options, RedisServer};

use super::bounds::{calls, reset};
use super::{all_goes_on, promptly};

/// Callers at the same moment.
const MANY: usize = 30;

/// More jobs than one call takes.
const LOTS: usize = 450;

/// A shape of 150 KB, of which seven fit into a call.
const COLOUR: Shape = Shape { channels: 3, height: 224, width: 224 };

fn roomy() -> Setup {
    Setup::with_limits(Backend::redis(), Limits { jobs_max: 2 * LOTS, ..LIMITS })
}

fn under_key(submission: Submission, fingerprint: u8) -> Submission {
    let answer = "an answer".to_owned();
    let idempotency = Idempotency { key: "once".to_owned(), fingerprint: [fingerprint; 32], answer };
    Submission { idempotency: Some(idempotency), ..submission }
}

fn in_colour(submission: Submission) -> Submission {
    let image = Image::new(COLOUR, vec![7; COLOUR.bytes()]).expect("as many samples as the shape has");
    let jobs = submission.jobs.into_iter().map(|job| Job { image: image.clone(), ..job }).collect();
    Submission { jobs, ..submission }
}

/// Submits all of these at the same moment.
async fn submit_together(setup: &Setup, submissions: Vec<Submission>) -> Vec<Result<Receipt, Error>> {
    join_all(submissions.into_iter().map(|submission| setup.queue.submit(submission))).await
}

/// Whether each of these was accepted.
fn are_accepted(answers: &[Result<Receipt, Error>]) -> bool {
    answers.iter().all(|answer| matches!(answer, Ok(Receipt::Accepted)))
}

#[tokio::test]
async fn submissions_of_the_same_moment_share_a_call() {
    let setup = Setup::redis();
    setup.queue.depth().await.unwrap();
    reset(setup.server());

    let answers = submit_together(&setup, (0..MANY).map(|_| setup.submission(1)).collect()).await;

    assert!(are_accepted(&answers), "{answers:?}");
    assert_eq!(calls(setup.server()), 1);
    assert_eq!(setup.queue.depth().await.unwrap().waiting, MANY);
}

#[tokio::test]
async fn settlements_of_the_same_moment_share_a_call_and_each_caller_gets_its_own_result() {
    let setup = Setup::redis();
    setup.submit(MANY).await;
    let claims = setup.claim_as("worker", MANY).await;
    setup.settle(done(&claims[0])).await;
    reset(setup.server());

    let bad = failed(&claims[1], "no");
    let settlements = [vec![done(&claims[0]), bad], vec![done(&claims[2]), done(&claims[2])]];
    let rest = claims.iter().skip(3).map(|claim| vec![done(claim)]);
    let settled = join_all(settlements.into_iter().chain(rest).map(|some| setup.queue.settle(some))).await;

    assert_eq!(calls(setup.server()), 1);
    let settled: Vec<_> = settled.into_iter().map(Result::unwrap).collect();
    assert_eq!(settled[..2], [vec![Settled::Late, Settled::Retried], vec![Settled::Done, Settled::Late]]);
    assert!(settled[2..].iter().all(|settled| *settled == [Settled::Done]), "{settled:?}");
}

#[tokio::test]
async fn a_submission_that_finds_the_queue_full_leaves_the_room_to_those_that_share_its_call() {
    let setup = Setup::redis();
    setup.submit(LIMITS.jobs_max - 3).await;
    reset(setup.server());

    let sizes = [1, 5, 2, 1];
    let answers = submit_together(&setup, sizes.map(|jobs| setup.submission(jobs)).into()).await;

    assert_eq!(calls(setup.server()), 1);
    let [one, five, two, another] = &answers[..] else { panic!("{answers:?}") };
    assert!(one.is_ok() && two.is_ok(), "{answers:?}");
    for full in [five, another] {
        assert!(matches!(full, Err(Error::Full { limit }) if *limit == LIMITS.jobs_max), "{answers:?}");
    }
    assert_eq!(setup.queue.depth().await.unwrap().waiting, LIMITS.jobs_max);
}

#[tokio::test]
async fn a_key_names_one_submission_of_those_that_share_a_call() {
    let setup = Setup::redis();
    let first = under_key(setup.submission(2), 7);
    let (again, other, plain) =
        (under_key(setup.submission(2), 7), under_key(setup.submission(2), 8), setup.submission(1));
    let batch = first.batch;
    setup.queue.depth().await.unwrap();
    reset(setup.server());

    let answers = submit_together(&setup, vec![first, again, other, plain]).await;

    assert_eq!(calls(setup.server()), 1);
    let [first, again, other, plain] = answers.try_into().unwrap();
    let repeated = Receipt::Repeated { batch, answer: "an answer".to_owned() };
    assert_eq!((first.unwrap(), again.unwrap(), plain.unwrap()), (Receipt::Accepted, repeated, Receipt::Accepted));
    assert!(matches!(&other, Err(Error::KeyReused { key }) if key == "once"), "{other:?}");
    assert_eq!(setup.queue.depth().await.unwrap().waiting, 3);
}

#[tokio::test]
async fn jobs_that_come_twice_in_one_call_are_accepted_once() {
    let setup = Setup::redis();
    let submission = setup.submission(2);
    let ids: Vec<_> = submission.jobs.iter().map(|job| job.id).collect();

    let answers = submit_together(&setup, vec![submission.clone(), submission.clone()]).await;

    assert!(are_accepted(&answers), "{answers:?}");
    assert_eq!(setup.queue.depth().await.unwrap().waiting, 2);
    let read = setup.queue.batch(submission.batch).await.unwrap();
    assert_eq!(read.iter().map(|status| status.id).collect::<Vec<_>>(), ids);
}

#[tokio::test]
async fn jobs_of_one_batch_that_come_in_one_call_are_all_read_with_it() {
    let setup = Setup::redis();
    let (one, other) = (setup.submission(2), setup.submission(1));
    let ids: Vec<_> = one.jobs.iter().chain(&other.jobs).map(|job| job.id).collect();
    let batch = one.batch;
    let jobs = other.jobs.into_iter().map(|job| Job { batch, ..job }).collect();

    let answers = submit_together(&setup, vec![one, Submission { batch, jobs, idempotency: None, name: None }]).await;

    assert!(are_accepted(&answers), "{answers:?}");
    let read = setup.queue.batch(batch).await.unwrap();
    assert_eq!(read.iter().map(|status| status.id).collect::<Vec<_>>(), ids);
}

#[tokio::test]
async fn many_submissions_of_the_same_moment_take_several_calls() {
    let setup = roomy();
    setup.queue.depth().await.unwrap();
    reset(setup.server());

    let answers = submit_together(&setup, (0..LOTS).map(|_| setup.submission(1)).collect()).await;

    assert!(are_accepted(&answers), "{answers:?}");
    let calls = calls(setup.server());
    assert!((3..10).contains(&calls), "{calls} calls");
}

#[tokio::test]
async fn large_submissions_of_the_same_moment_take_several_calls() {
    let setup = roomy();
    setup.queue.depth().await.unwrap();
    reset(setup.server());

    let answers = submit_together(&setup, (0..MANY).map(|_| in_colour(setup.submission(1))).collect()).await;

    assert!(are_accepted(&answers), "{answers:?}");
    let calls = calls(setup.server());
    assert!((5..15).contains(&calls), "{calls} calls");
}

#[tokio::test]
async fn a_caller_that_is_dropped_takes_nobody_with_it() {
    let server = RedisServer::start();
    let setup = Setup::on(Backend::at(&server.url()));
    setup.submit(2).await;
    let claims = setup.claim_as("worker", 2).await;
    server.stop();
    let gone: Vec<_> = (0..MANY / 3).map(|_| setup.queue.submit(setup.submission(1))).collect();
    let gone = (join_all(gone), setup.queue.settle(vec![done(&claims[0])]));
    let stay = submit_together(&setup, (0..MANY / 3).map(|_| setup.submission(1)).collect());
    let settles = setup.queue.settle(vec![done(&claims[1])]);

    // Those that go wait, are under way, or share a call with others.
    let go = async {
        let both = async { tokio::join!(gone.0, gone.1) };
        drop(tokio::time::timeout(Duration::from_millis(100), both).await);
        server.cont();
    };
    let (stay, settled, ()) = tokio::join!(stay, settles, go);

    assert!(are_accepted(&stay), "{stay:?}");
    assert_eq!(settled.unwrap(), [Settled::Done]);
    all_goes_on(&setup).await;
}

#[tokio::test]
async fn a_redis_out_of_memory_refuses_everyone_who_shares_a_call_by_the_same_name() {
    let server = RedisServer::with(Options { memory_max: Some(100 * 1024 * 1024), ..Options::default() });
    let setup = Setup::on(Backend::at(&server.url()));
    setup.queue.depth().await.unwrap();
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);

    let answers = submit_together(&setup, (0..MANY).map(|_| setup.submission(1)).collect()).await;

    for answer in answers {
        assert!(matches!(answer, Err(Error::NoSpace { .. })), "{answer:?}");
    }
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    all_goes_on(&setup).await;
}

#[tokio::test]
async fn everyone_who_shares_a_call_that_redis_does_not_answer_learns_of_it_in_time() {
    let server = RedisServer::start();
    let proxy = Proxy::before(server.port());
    let setup = Setup::with_limits(Backend::at(&proxy.url()), Limits { jobs_max: 2 * LOTS, ..LIMITS });
    setup.queue.depth().await.unwrap();
    proxy.stall();

    let submissions = (0..LOTS).map(|_| setup.submission(1)).collect();
    let answers = promptly("submit", submit_together(&setup, submissions)).await;

    for answer in answers {
        assert!(matches!(answer, Err(Error::Unavailable { .. })), "{answer:?}");
    }
    proxy.heal();
    all_goes_on(&setup).await;
}
