//! What when the processes of one queue do not agree on its limits, or on how it is stored?

use std::error::Error as _;
use std::time::Duration;

use kana_queue::{Depth, Error, Limits};

use crate::support::eventually;
use crate::support::queue::{Backend, LIMITS, Setup};

use super::jobs_are_done;

const SHORTER: Limits = Limits { lease: Duration::from_secs(5), ..LIMITS };

/// Longer than a queue must be unused before another process's limits count.
const UNUSED: Duration = Duration::from_secs(31);

/// Another process at the same queue, with a shorter lease.
fn another(setup: &Setup) -> Setup {
    Setup::with_limits(Backend::at(&setup.server().url()), SHORTER)
}

fn reason(answer: Result<Depth, Error>) -> String {
    answer.expect_err("a refusal").source().expect("a cause").to_string()
}

/// Calls until the queue lets this process in.
async fn let_in(setup: &Setup) {
    eventually("a queue that lets it in", async || setup.queue.depth().await.ok()).await;
}

#[tokio::test]
async fn a_process_with_another_lease_is_refused_and_told_both() {
    let setup = Setup::redis();
    setup.submit_one().await;
    let other = another(&setup);

    let at_once = reason(other.queue.depth().await);
    let again = reason(other.queue.depth().await);

    for reason in [at_once, again] {
        assert!(reason.contains("lease 6s and this process 5s") && reason.contains("--lease"), "{reason}");
    }
    jobs_are_done(&setup).await;
}

#[tokio::test]
async fn a_process_that_comes_when_nobody_uses_the_queue_sets_its_limits() {
    let setup = Setup::redis();
    setup.submit_one().await;
    setup.pause(UNUSED);
    let other = another(&setup);

    let_in(&other).await;

    // Who was only away follows.
    setup.claim_one_as("worker").await;
    setup.advance(SHORTER.lease).await;
    assert_eq!(setup.claim_one_as("another").await.attempt, 2);
    let late = Setup::on(Backend::at(&setup.server().url()));
    assert!(reason(late.queue.depth().await).contains("lease 5s and this process 6s"));
}

#[tokio::test]
async fn an_operator_lets_new_limits_in_while_the_queue_is_used() {
    let setup = Setup::redis();
    setup.submit_one().await;
    let other = another(&setup);
    reason(other.queue.depth().await);

    setup.server().command(&["HDEL", "{kana}:state", "limits"]);
    let_in(&other).await;

    setup.claim_one_as("worker").await;
    setup.advance(SHORTER.lease).await;
    assert_eq!(setup.claim_one_as("another").await.attempt, 2);
    // Though its connection breaks.
    setup.server().command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    jobs_are_done(&setup).await;
}

#[tokio::test]
async fn a_queue_of_another_layout_is_refused_by_its_number() {
    let setup = Setup::redis();
    setup.submit_one().await;
    setup.server().command(&["HSET", "{kana}:state", "layout", "2"]);
    setup.pause(UNUSED);

    let refused = reason(Setup::on(Backend::at(&setup.server().url())).queue.depth().await);

    assert!(refused.contains("layout 2") && refused.contains("layout 1"), "{refused}");
}
