//! Do several processes, and several queues, get along in one Redis?

use std::time::Duration;

use kana_queue::job::Progress;
use kana_queue::{Cause, Idempotency, Settled, Submission, WorkerId};

use crate::support::eventually;
use crate::support::queue::{Backend, LIMITS, LONG, Setup, done, done_as, failed};
use crate::support::redis::{Options, RedisServer};

use super::jobs_are_done;

fn at(url: &str) -> Setup {
    Setup::on(Backend::at(url))
}

/// How many keys match a pattern.
fn count(server: &RedisServer, pattern: &str) -> usize {
    // The names hold bytes of any kind.
    let count = server.command(&["EVAL", "return #redis.call('KEYS', ARGV[1])", "0", pattern]);
    count.parse().unwrap_or_else(|_| panic!("{count}"))
}

/// Leaves a key of every kind behind.
async fn live_a_full_life(setup: &Setup) {
    setup.submit(4).await;
    let claims = setup.claim_as("worker", 3).await;
    setup.queue.release(&[claims[0].lease.clone()]).await.unwrap();
    setup.settle(failed(&claims[1], "no")).await;
    setup.settle(done(&claims[2])).await;
    while setup.queue.depth().await.unwrap().dead == 0 {
        let claim = setup.claim_one_as("worker").await;
        setup.settle(failed(&claim, "poison")).await;
    }
    let submission = setup.submission(1);
    let idempotency = Idempotency { key: "once".to_owned(), fingerprint: [7; 32], answer: String::new() };
    let named = Submission { idempotency: Some(idempotency), ..submission };
    setup.queue.submit(named).await.unwrap();
    setup.queue.sweep().await.unwrap();
}

#[tokio::test]
async fn two_gateways_see_the_same_outcome_of_every_job() {
    let server = RedisServer::start();
    let (first, second) = (at(&server.url()), at(&server.url()));
    let mut submitted = first.submit(3).await;
    submitted.extend(second.submit(3).await);

    let claims = first.claim_as("first", 4).await;
    let others = second.claim_as("second", 4).await;
    let settled = second.queue.settle(claims.iter().map(|claim| done_as(claim, 1)).collect()).await.unwrap();
    let late = first.queue.settle(claims.iter().map(|claim| done_as(claim, 2)).collect()).await.unwrap();
    first.queue.settle(others.iter().map(done).collect()).await.unwrap();

    assert_eq!((claims.len(), others.len()), (4, 2));
    assert_eq!((settled, late), (vec![Settled::Done; 4], vec![Settled::Late; 4]));
    let seen = first.queue.statuses(&submitted).await.unwrap();
    assert!(seen.iter().flatten().all(|status| super::is_over(&status.progress)));
    assert_eq!(second.queue.statuses(&submitted).await.unwrap(), seen);
}

#[tokio::test]
async fn a_change_wakes_the_readers_of_every_gateway() {
    let server = RedisServer::start();
    let (first, second) = (at(&server.url()), at(&server.url()));
    let id = first.submit_one().await;
    let claim = first.claim_one_as("worker").await;
    let cursor = first.queue.latest().await.unwrap();
    let both_wait = async {
        eventually("two that wait", async || {
            server.command(&["INFO", "clients"]).contains("blocked_clients:2").then_some(())
        })
        .await;
        first.settle(done(&claim)).await;
    };

    let (one, other, ()) =
        tokio::join!(first.queue.changes(cursor, LONG), second.queue.changes(cursor, LONG), both_wait);

    for changes in [one.unwrap(), other.unwrap()] {
        assert_eq!(changes.jobs.iter().map(|status| status.id).collect::<Vec<_>>(), [id]);
        assert!(matches!(changes.jobs[0].progress, Progress::Settled(_)));
    }
}

#[tokio::test]
async fn one_job_is_handed_to_one_of_many_that_wait() {
    let server = RedisServer::start();
    let setups: Vec<_> = (0..4).map(|_| at(&server.url())).collect();
    let names = ["ka", "ki", "ku", "ke"].map(WorkerId::of_pod);
    let wait = Duration::from_millis(800);
    let submit = async {
        eventually("four that wait", async || {
            server.command(&["INFO", "clients"]).contains("blocked_clients:4").then_some(())
        })
        .await;
        setups[0].submit_one().await
    };
    let claims = setups.iter().zip(&names).map(|(setup, name)| setup.queue.claim(name, 5, wait));

    let (claimed, _) = tokio::join!(futures::future::join_all(claims), submit);

    assert_eq!(claimed.into_iter().map(|claims| claims.unwrap().len()).sum::<usize>(), 1);
}

#[tokio::test]
async fn a_submission_is_spread_over_the_workers_that_wait() {
    let server = RedisServer::start();
    let setups: Vec<_> = (0..4).map(|_| at(&server.url())).collect();
    let names = ["ka", "ki", "ku", "ke"].map(WorkerId::of_pod);
    let submit = async {
        eventually("four that wait", async || {
            server.command(&["INFO", "clients"]).contains("blocked_clients:4").then_some(())
        })
        .await;
        setups[0].submit(12).await
    };
    let claims = setups.iter().zip(&names).map(|(setup, name)| setup.queue.claim(name, 12, LONG));

    let (claimed, _) = tokio::join!(futures::future::join_all(claims), submit);

    let sizes: Vec<_> = claimed.into_iter().map(|claims| claims.unwrap().len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 12);
    assert!(sizes.iter().all(|size| *size <= 4), "{sizes:?}");
}

#[tokio::test]
async fn one_worker_that_waits_alone_takes_all_that_it_may() {
    let setup = Setup::redis();
    let worker = "worker".into();
    let submit = async {
        eventually("one that waits", async || {
            setup.server().command(&["INFO", "clients"]).contains("blocked_clients:1").then_some(())
        })
        .await;
        setup.submit(12).await
    };

    let (claims, _) = tokio::join!(setup.queue.claim(&worker, 10, LONG), submit);

    assert_eq!(claims.unwrap().len(), 10);
    assert_eq!(setup.claim_as("another", 10).await.len(), 2);
}

#[tokio::test]
async fn every_key_has_the_hash_tag_of_its_prefix() {
    for (url_ends, tag) in [("", "{kana}:"), ("?prefix=blue-2", "{blue-2}:")] {
        let server = RedisServer::start();
        let setup = at(&format!("{}{url_ends}", server.url()));

        live_a_full_life(&setup).await;

        let all = count(&server, "*");
        assert!(all >= 8, "{all}");
        assert_eq!(count(&server, &format!("{tag}*")), all);
    }
}

#[tokio::test]
async fn queues_of_other_prefixes_and_databases_are_others() {
    let server = RedisServer::start();
    let (plain, prefixed) = (at(&server.url()), at(&format!("{}?prefix=blue", server.url())));
    let numbered = at(&format!("{}/3", server.url()));

    let id = plain.submit_one().await;

    for other in [&prefixed, &numbered] {
        assert_eq!(other.status(id).await, None);
        assert!(other.claim_as("worker", 9).await.is_empty());
        jobs_are_done(other).await;
    }
    assert_eq!(plain.queue.depth().await.unwrap().waiting, 1);
}

#[tokio::test]
async fn a_password_in_the_url_opens_a_server_that_asks_for_one() {
    let server = RedisServer::with(Options { password: Some("open"), ..Options::default() });

    jobs_are_done(&at(&server.url())).await;
}

#[tokio::test]
async fn a_queue_is_reached_by_tls_where_the_authority_is_named() {
    let server = RedisServer::with(Options { tls: true, ..Options::default() });
    let by_tls = at(&server.tls_url());

    jobs_are_done(&by_tls).await;

    let worker = "worker".into();
    let waiting = by_tls.queue.claim(&worker, 1, LONG);
    let submitted = async {
        eventually("one that waits", async || {
            server.command(&["INFO", "clients"]).contains("blocked_clients:1").then_some(())
        })
        .await;
        at(&server.url()).submit_one().await
    };
    let (claims, id) = tokio::join!(waiting, submitted);
    assert_eq!(claims.unwrap().iter().map(|claim| claim.lease.job).collect::<Vec<_>>(), [id]);
}

#[tokio::test]
async fn a_server_whose_authority_nobody_vouches_for_is_refused() {
    let server = RedisServer::with(Options { tls: true, ..Options::default() });
    let other = RedisServer::with(Options { tls: true, ..Options::default() });
    let (unnamed, _) = server.tls_url().split_once('?').map(|(url, ca)| (url.to_owned(), ca.to_owned())).unwrap();
    let (_, wrong) = other.tls_url().split_once('?').map(|(url, ca)| (url.to_owned(), ca.to_owned())).unwrap();

    for url in [unnamed.clone(), format!("{unnamed}?{wrong}")] {
        let answer = super::promptly("depth", at(&url).queue.depth()).await;

        assert!(answer.is_err(), "{url}: {answer:?}");
    }
}

#[tokio::test]
async fn consumers_that_hold_nothing_and_are_gone_do_not_pile_up() {
    let setup = Setup::redis();
    let server = setup.server();
    for n in 0..20 {
        setup.submit_one().await;
        let claim = setup.claim_one_as(&format!("pod-{n}")).await;
        setup.settle(done(&claim)).await;
    }
    setup.submit_one().await;
    let held = setup.claim_one_as("busy").await;
    // One that died between a nudge and its deletion.
    server.command(&["XADD", "{kana}:nudges", "*", "n", ""]);
    server.command(&["XREADGROUP", "GROUP", "workers", "nudged", "STREAMS", "{kana}:nudges", ">"]);
    let before = consumers(server, "{kana}:jobs");

    // Longer than any consumer may be idle, of which whoever lives extends what it holds.
    for _ in 0..24 {
        setup.advance(LIMITS.lease / 2).await;
        setup.queue.extend(std::slice::from_ref(&held.lease)).await.unwrap();
        setup.queue.sweep().await.unwrap();
    }

    assert!(before > 20, "{before}");
    assert_eq!(consumers(server, "{kana}:jobs"), 1);
    assert!(consumers(server, "{kana}:nudges") <= 1);
    assert_eq!(setup.settle(done(&held)).await, Settled::Done);
}

/// The number of consumers in a stream's group.
fn consumers(server: &RedisServer, stream: &str) -> usize {
    let listed = server.command(&["XINFO", "CONSUMERS", stream, "workers"]);
    listed.lines().filter(|line| *line == "name").count()
}

#[tokio::test]
async fn a_worker_whose_jobs_are_reclaimed_leaves_no_consumer_behind() {
    let setup = Setup::redis();
    for n in 0..5 {
        let worker = format!("pod-{n}");
        setup.submit_one().await;
        setup.claim_one_as(&worker).await;
        assert_eq!(setup.queue.reclaim(&worker.as_str().into(), Cause::Stopped).await.unwrap(), 1);
        let again = setup.claim_one_as("survivor").await;
        setup.settle(done(&again)).await;
    }

    for stream in ["{kana}:jobs", "{kana}:nudges"] {
        assert!(consumers(setup.server(), stream) <= 1, "{stream}");
    }
}

#[tokio::test]
async fn nothing_is_left_of_jobs_whose_time_to_live_has_ended() {
    let setup = Setup::redis();
    let server = setup.server();
    live_a_full_life(&setup).await;
    loop {
        let claims = setup.claim_as("worker", 9).await;
        if claims.is_empty() {
            break;
        }
        setup.queue.settle(claims.iter().map(done).collect()).await.unwrap();
    }

    setup.advance(LIMITS.dead_ttl * 2).await;
    setup.queue.sweep().await.unwrap();

    for kind in ["at:*", "batch:*", "key:*", "tally", "open", "graves", "back", "again"] {
        assert_eq!(count(server, &format!("{{kana}}:{kind}")), 0, "{kind}");
    }
    assert_eq!(server.command(&["XLEN", "{kana}:jobs"]), "0");
    assert_eq!(server.command(&["XLEN", "{kana}:dead"]), "0");
}

#[tokio::test]
async fn in_a_redis_cluster_the_queue_is_found_wherever_it_lives() {
    let (named, holding) = (RedisServer::start(), RedisServer::start());
    for server in [&named, &holding] {
        server.restart_with(&["--cluster-enabled", "yes", "--cluster-port", &server.port_above().to_string()]);
    }
    holding.command(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    let (port, bus) = (holding.port().to_string(), holding.port_above().to_string());
    named.command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
    eventually("the cluster", async || named.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok").then_some(()))
        .await;

    let setup = at(&named.url());
    jobs_are_done(&setup).await;

    assert_eq!(holding.command(&["EXISTS", "{kana}:jobs"]), "1");
}

/// The names of the libraries that a server has.
fn libraries(server: &RedisServer) -> Vec<String> {
    let listed = server.command(&["FUNCTION", "LIST"]);
    let names = listed.lines().collect::<Vec<_>>();
    names.windows(2).filter(|pair| pair[0] == "library_name").map(|pair| pair[1].to_owned()).collect()
}

/// Loads a library as another version of kana would, for the queue with this prefix.
fn load_library(server: &RedisServer, name: &str, prefix: &str) {
    let code = format!(
        "#!lua name={name}\nlocal ROOT, JOBS_MAX = '{{{prefix}}}', 1\nredis.register_function('{name}_f', function() return 1 end)"
    );
    server.command(&["FUNCTION", "LOAD", &code]);
}

#[tokio::test]
async fn a_library_that_nobody_used_for_a_day_is_removed_and_no_other() {
    let setup = Setup::redis();
    let server = setup.server();
    load_library(server, "kana_old", "kana");
    load_library(server, "kana_neighbour", "blue");
    load_library(server, "stranger", "kana");
    setup.submit_one().await;
    let own = libraries(server).into_iter().find(|name| name.len() > "kana_neighbour".len()).expect("a library");
    let load_again = async || {
        server.command(&["FUNCTION", "DELETE", &own]);
        setup.submit_one().await;
    };
    let noted = async || {
        let used = server.command(&["HEXISTS", "{kana}:state", "used:kana_old"]);
        (used == "1").then_some(())
    };
    eventually("the old library to be noted", noted).await;

    setup.advance(Duration::from_secs(23 * 60 * 60)).await;
    load_again().await;
    // A library of this queue that is seen now for the first time: with it, the one that may go has been looked at.
    load_library(server, "kana_older", "kana");
    load_again().await;
    let older = async || (server.command(&["HEXISTS", "{kana}:state", "used:kana_older"]) == "1").then_some(());
    eventually("the older library to be noted", older).await;
    assert_eq!(libraries(server).len(), 5);
    setup.advance(Duration::from_secs(60 * 60)).await;
    load_again().await;

    let gone = async || (!libraries(server).contains(&"kana_old".to_owned())).then_some(());
    eventually("the old library to be gone", gone).await;
    assert_eq!(libraries(server).len(), 4, "{:?}", libraries(server));
}

#[tokio::test]
async fn a_process_whose_library_was_removed_loads_it_again() {
    let setup = Setup::redis();
    let server = setup.server();
    setup.submit_one().await;
    for name in libraries(server) {
        server.command(&["FUNCTION", "DELETE", &name]);
    }

    jobs_are_done(&setup).await;

    assert_eq!(libraries(server).len(), 1);
}
