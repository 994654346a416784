//! How long may one call keep Redis from answering others?
//!
//! Redis runs one call at a time, so each is bounded: by the jobs that it touches, and by the pixels that it reads. What
//! is larger takes several calls.

use kana_engine::image::{Image, Shape};
use kana_queue::{Cause, Claim, Limits, Submission};

use crate::support::queue::{Backend, LIMITS, LONG, NOW, Setup, TICK, done};
use crate::support::redis::RedisServer;

/// More jobs than one call ends attempts.
const MANY: usize = 600;

/// A shape of 150 KB.
const COLOUR: Shape = Shape { channels: 3, height: 224, width: 224 };

fn roomy() -> Setup {
    Setup::with_limits(Backend::redis(), Limits { jobs_max: 2 * MANY, ..LIMITS })
}

/// How often functions were called since the last [`reset`].
pub fn calls(server: &RedisServer) -> u64 {
    statistic(server, "fcall", "calls")
}

pub fn reset(server: &RedisServer) {
    server.command(&["CONFIG", "RESETSTAT"]);
}

/// A number that the server keeps of a command; 0 where nobody sent it.
fn statistic(server: &RedisServer, command: &str, name: &str) -> u64 {
    let all = server.command(&["INFO", "commandstats"]);
    let line = all.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:")));
    let value = line.and_then(|line| line.split(',').find_map(|field| field.strip_prefix(&format!("{name}="))));
    value.map_or(0, |value| value.parse().expect("a number"))
}

async fn submit_in_colour(setup: &Setup, count: usize) {
    let submission = setup.submission(count);
    let image = Image::new(COLOUR, vec![7; COLOUR.bytes()]).expect("as many samples as the shape has");
    let jobs = submission.jobs.into_iter().map(|job| kana_queue::job::Job { image: image.clone(), ..job }).collect();
    setup.queue.submit(Submission { jobs, ..submission }).await.unwrap();
}

async fn hold_many(setup: &Setup) -> Vec<Claim> {
    setup.submit(MANY).await;
    let claims = setup.claim_as("worker", MANY).await;
    assert_eq!(claims.len(), MANY);
    claims
}

#[tokio::test]
async fn a_reclaim_of_many_jobs_takes_several_calls_and_returns_them_all() {
    let setup = roomy();
    hold_many(&setup).await;
    reset(setup.server());

    let reclaimed = setup.queue.reclaim(&"worker".into(), Cause::Stopped).await.unwrap();

    assert_eq!(reclaimed, MANY);
    assert!(calls(setup.server()) >= 3, "{} calls", calls(setup.server()));
    assert_eq!(setup.queue.depth().await.unwrap().waiting, MANY);
}

#[tokio::test]
async fn many_leases_that_expire_at_once_take_several_calls() {
    let setup = roomy();
    hold_many(&setup).await;
    setup.advance(LIMITS.lease - TICK).await;
    reset(setup.server());

    setup.advance(TICK).await;

    assert!(calls(setup.server()) >= 3, "{} calls", calls(setup.server()));
    assert_eq!(setup.queue.depth().await.unwrap().waiting, MANY);
}

#[tokio::test]
async fn a_lease_that_expired_is_lost_though_no_call_has_come_to_it() {
    let setup = roomy();
    let claims = hold_many(&setup).await;
    setup.advance(LIMITS.lease - TICK).await;
    setup.pause(TICK);

    let last = claims.last().expect("many").lease.clone();
    let hold = setup.queue.extend(std::slice::from_ref(&last)).await.unwrap();
    let released = setup.queue.release(&[last]).await.unwrap();

    assert_eq!((hold, released), (vec![kana_queue::Hold::Lost], vec![kana_queue::Hold::Lost]));
}

#[tokio::test]
async fn large_images_make_more_calls() {
    let setup = roomy();
    submit_in_colour(&setup, 30).await;
    setup.claim_as("worker", 30).await;
    reset(setup.server());

    let reclaimed = setup.queue.reclaim(&"worker".into(), Cause::Stopped).await.unwrap();

    assert_eq!(reclaimed, 30);
    assert!(calls(setup.server()) >= 4, "{} calls", calls(setup.server()));
}

#[tokio::test]
async fn a_sweep_reads_no_pixels_of_jobs_that_are_held() {
    // By a clock that moves: Redis measures with it.
    let server = RedisServer::start();

    // The shortest of several, because a busy machine makes any of them longer. 15 MB of pixels take 3 ms at least.
    let mut shortest = u64::MAX;
    for prefix in ["one", "two", "three"] {
        let setup = Setup::with_limits(
            Backend::at(&format!("{}?prefix={prefix}", server.url())),
            Limits { jobs_max: MANY, ..LIMITS },
        );
        submit_in_colour(&setup, 100).await;
        assert_eq!(setup.claim_as("worker", 100).await.len(), 100);
        reset(&server);
        setup.queue.sweep().await.unwrap();
        shortest = shortest.min(statistic(&server, "xrange", "usec"));
    }

    assert!(shortest < 1_500, "{shortest} µs");
}

#[tokio::test]
async fn a_batch_of_many_jobs_is_read_completely_and_in_order() {
    let setup = roomy();
    let submitted = setup.submit(MANY).await;
    let batch = setup.status(submitted[0]).await.expect("a status").batch;

    let read = setup.queue.batch(batch).await.unwrap();

    assert_eq!(read.iter().map(|status| status.id).collect::<Vec<_>>(), submitted);
}

#[tokio::test]
async fn many_jobs_that_never_reached_their_worker_are_all_released() {
    let setup = roomy();
    setup.submit(MANY).await;
    // As a worker's connection does that breaks before the answer.
    let (group, count) = (["XREADGROUP", "GROUP", "workers", "worker"], MANY.to_string());
    let read = [&group[..], &["COUNT", &count, "STREAMS", "{kana}:jobs", ">"]].concat();
    setup.server().command(&read);

    drop(tokio::time::timeout(NOW, setup.queue.claim(&"worker".into(), 1, LIMITS.lease)).await);
    let mut claimed = 0;
    while claimed < MANY {
        claimed += setup.queue.claim(&"other".into(), MANY, LIMITS.lease).await.unwrap().len();
    }

    assert_eq!(claimed, MANY);
}

#[tokio::test]
async fn outcomes_that_expired_are_freed_beside_redis_and_not_by_its_only_thread() {
    let setup = roomy();
    let claims = hold_many(&setup).await;
    setup.queue.settle(claims.iter().map(done).collect()).await.unwrap();
    reset(setup.server());

    setup.advance(LIMITS.outcome_ttl).await;

    assert!(statistic(setup.server(), "unlink", "calls") >= 1);
    let left = setup.server().command(&["EVAL", "return #redis.call('KEYS', '{kana}:at:*')", "0"]);
    assert_eq!(left, "0");
}

#[tokio::test]
async fn outcomes_to_which_another_kana_gave_more_time_stay() {
    let setup = Setup::redis();
    setup.submit_one().await;
    let claim = setup.claim_one_as("worker").await;
    setup.settle(done(&claim)).await;
    let later = "for _, key in ipairs(redis.call('KEYS', '{kana}:at:*')) do redis.call('PEXPIRE', key, ARGV[1]) end";
    setup.server().command(&["EVAL", later, "0", &(2 * LIMITS.outcome_ttl).as_millis().to_string()]);

    setup.advance(LIMITS.outcome_ttl).await;

    let left = setup.server().command(&["EVAL", "return #redis.call('KEYS', '{kana}:at:*')", "0"]);
    assert_eq!(left, "1");
}

#[tokio::test]
async fn a_reader_that_follows_asks_only_for_what_comes_next() {
    let setup = Setup::redis();
    setup.submit(6).await;
    let claims = setup.claim_as("worker", 6).await;
    let mut cursor = setup.queue.latest().await.unwrap();
    reset(setup.server());

    for claim in &claims {
        let (changes, _) = tokio::join!(setup.queue.changes(cursor, LONG), setup.settle(done(claim)));
        let changes = changes.unwrap();
        assert_eq!(changes.jobs.iter().map(|status| status.id).collect::<Vec<_>>(), [claim.lease.job]);
        cursor = changes.cursor;
    }

    // Only a look at the whole range asks for its end: once at first, and once a second.
    let looks = statistic(setup.server(), "xrevrange", "calls");
    assert!(looks < claims.len() as u64, "{looks} looks");
}
