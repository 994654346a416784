//! What when Redis answers, but not with what was asked for?

use kana_queue::{Error, Settled};

use crate::support::eventually;
use crate::support::queue::{Backend, Setup, done, failed};
use crate::support::redis::{Options, RedisServer};

use super::{all_goes_on, every_verb, promptly};

fn is_unavailable<T: std::fmt::Debug>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Unavailable { .. }))
}

/// A server, and a queue on it.
fn on(server: &RedisServer) -> Setup {
    Setup::on(Backend::at(&server.url()))
}

/// Submits a job, which is refused for a reason with `what` in it. Returns the error.
async fn is_refused(setup: &Setup, what: &str) -> Error {
    let error = promptly("submit", setup.queue.submit(setup.submission(1))).await.expect_err("a refusal");
    let cause = std::error::Error::source(&error).expect("a cause").to_string();
    assert!(cause.contains(what), "{cause}");
    error
}

#[tokio::test]
async fn a_redis_that_is_still_loading_refuses_and_serves_what_it_had_once_it_has_loaded() {
    let server = RedisServer::with(Options { append: Some("always"), ..Options::default() });
    let setup = on(&server);
    let kept = setup.submit_one().await;
    // The more there is, the longer it loads; it looks up from that every thousand commands.
    server.command(&["EVAL", "for n = 1, 20000 do redis.call('SET', 'ballast:' .. n, n) end", "0"]);

    server.restart_and_load(&["--key-load-delay", "100"]);
    eventually("a server that loads", async || server.ask(&["PING"]).ok().filter(|pong| pong.starts_with("-LOADING")))
        .await;
    let error = is_refused(&setup, "loading").await;
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    eventually("a server that has loaded", async || server.ask(&["PING"]).ok().filter(|pong| pong == "PONG")).await;

    all_goes_on(&setup).await;
    assert!(setup.outcome(kept).await.is_some());
}

#[tokio::test]
async fn a_redis_that_became_a_replica_refuses_until_it_is_none() {
    let server = RedisServer::start();
    let setup = on(&server);
    setup.submit_one().await;
    let held = setup.claim_one_as("worker").await;

    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    for (verb, answer) in every_verb(&setup, &held) {
        let _ = promptly(verb, answer).await;
    }
    let answer = promptly("submit", setup.queue.submit(setup.submission(1))).await;
    server.command(&["REPLICAOF", "NO", "ONE"]);

    assert!(is_unavailable(&answer), "{answer:?}");
    all_goes_on(&setup).await;
}

#[tokio::test]
async fn a_redis_without_memory_takes_no_more_jobs_and_still_finishes_those_that_it_has() {
    let server = RedisServer::start();
    let setup = on(&server);
    let submitted = setup.submit(3).await;

    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = is_refused(&setup, "OOM").await;
    assert!(matches!(error, Error::NoSpace { .. }), "{error:?}");
    let claims = setup.claim_as("worker", 3).await;
    let said = vec![done(&claims[0]), failed(&claims[1], "no")];
    let settled = setup.queue.settle(said).await.unwrap();
    setup.queue.release(&[claims[2].lease.clone()]).await.unwrap();
    setup.queue.sweep().await.unwrap();
    let status = setup.outcome(submitted[0]).await;
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);

    assert_eq!(settled, [Settled::Done, Settled::Retried]);
    assert!(status.is_some());
    all_goes_on(&setup).await;
    assert_eq!(setup.queue.depth().await.unwrap().in_flight(), 0);
}

#[tokio::test]
async fn a_redis_that_cannot_save_refuses_until_it_can() {
    let server = RedisServer::start();
    let setup = on(&server);
    setup.submit_one().await;
    let held = setup.claim_one_as("worker").await;
    server.command(&["CONFIG", "SET", "save", "3600 1000000"]);
    // Where the file should be is a folder.
    let file = server.folder().join("dump.rdb");
    std::fs::create_dir(&file).unwrap();
    server.command(&["BGSAVE"]);
    eventually("a save that failed", async || {
        server.command(&["INFO", "persistence"]).contains("rdb_last_bgsave_status:err").then_some(())
    })
    .await;

    is_refused(&setup, "MISCONF").await;
    for (verb, answer) in every_verb(&setup, &held) {
        let _ = promptly(verb, answer).await;
    }
    std::fs::remove_dir(&file).unwrap();
    server.command(&["CONFIG", "SET", "save", ""]);

    all_goes_on(&setup).await;
    assert_eq!(setup.settle(done(&held)).await, Settled::Done);
}

#[tokio::test]
async fn a_redis_with_no_connection_to_spare_refuses_until_it_has_one() {
    let server = RedisServer::start();
    let first = on(&server);
    first.submit_one().await;
    server.command(&["CONFIG", "SET", "maxclients", "1"]);

    let second = on(&server);
    let refused = promptly("depth", second.queue.depth()).await;
    let depth = promptly("depth", first.queue.depth()).await.unwrap();
    drop(first);

    assert!(is_unavailable(&refused), "{refused:?}");
    assert_eq!(depth.waiting, 1);
    eventually("a connection", async || second.queue.depth().await.ok()).await;
    assert!(second.queue.submit(second.submission(1)).await.is_ok());
}

#[tokio::test]
async fn a_wrong_password_is_refused_at_once() {
    let server = RedisServer::with(Options { password: Some("right"), ..Options::default() });
    let setup = Setup::on(Backend::at(&format!("redis://:wrong@127.0.0.1:{}", server.port())));

    let answer = promptly("depth", setup.queue.depth()).await;

    assert!(is_unavailable(&answer), "{answer:?}");
}
