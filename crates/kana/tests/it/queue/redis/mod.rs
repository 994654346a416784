//! Does a queue in Redis keep its promises when Redis, the network or another program misbehaves?
//!
//! Every test has a real server of its own. [`Proxied`] is a queue, the server, and the network between them.

mod bounds;
mod crashes;
mod groups;
mod limits;
mod outages;
mod refusals;
mod resets;
mod sharing;
mod strangers;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures::future::join_all;
use kana_queue::conformance::START;
use kana_queue::job::{JobId, Outcome, Progress};
use kana_queue::{Cause, Claim, Cursor, Error};
use tokio::time::{Instant, timeout};

use crate::support::eventually;
use crate::support::proxy::Proxy;
use crate::support::queue::{Backend, NOW, Setup, done};
use crate::support::redis::{Options, RedisServer};

/// What every caller is promised, whatever Redis does, and how soon all goes on when Redis is back.
const PROMISED: Duration = Duration::from_secs(2);

/// A queue that reaches its server by way of a proxy.
struct Proxied {
    // Dropped in this order: the queue ends before its server.
    setup: Setup,
    proxy: Proxy,
    server: RedisServer,
}

impl Proxied {
    /// A queue that goes by the machine's own clock.
    fn new() -> Self {
        Self::to(RedisServer::start())
    }

    /// A queue whose server keeps its jobs on disk.
    fn durable() -> Self {
        Self::to(RedisServer::with(Options { append: Some("always"), ..Options::default() }))
    }

    fn to(server: RedisServer) -> Self {
        let proxy = Proxy::before(server.port());
        Self { setup: Setup::on(Backend::at(&proxy.url())), proxy, server }
    }

    /// A queue on a server whose clock the test moves.
    fn with_manual_clock() -> Self {
        let server = RedisServer::with_manual_clock(START);
        let proxy = Proxy::before(server.port());
        let backend = Backend::at(&proxy.url()).with_clock(server.clock());
        Self { setup: Setup::on(backend), proxy, server }
    }
}

/// A verb, and its call, which begins when it is first polled.
type Call<'a> = (&'static str, Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>);

/// A call of every verb, none of them begun. `held` is extended and settled.
fn every_verb<'a>(setup: &'a Setup, held: &'a Claim) -> Vec<Call<'a>> {
    let (queue, job) = (&setup.queue, held.lease.job);
    vec![
        ("submit", Box::pin(async { queue.submit(setup.submission(1)).await.map(drop) })),
        ("claim", Box::pin(async { queue.claim(&"somebody".into(), 1, NOW).await.map(drop) })),
        ("extend", Box::pin(async { queue.extend(std::slice::from_ref(&held.lease)).await.map(drop) })),
        ("settle", Box::pin(async { queue.settle(vec![done(held)]).await.map(drop) })),
        ("release", Box::pin(async { queue.release(std::slice::from_ref(&held.lease)).await.map(drop) })),
        ("reclaim", Box::pin(async { queue.reclaim(&"nobody".into(), Cause::Crashed).await.map(drop) })),
        ("sweep", Box::pin(async { queue.sweep().await })),
        ("statuses", Box::pin(async move { queue.statuses(&[job]).await.map(drop) })),
        ("batch", Box::pin(async { queue.batch(held.job.batch).await.map(drop) })),
        ("cancel", Box::pin(async move { queue.cancel(job).await.map(drop) })),
        ("depth", Box::pin(async { queue.depth().await.map(drop) })),
        ("latest", Box::pin(async { queue.latest().await.map(drop) })),
        ("changes", Box::pin(async { queue.changes(Cursor(0), NOW).await.map(drop) })),
        ("dead", Box::pin(async { queue.dead(1).await.map(drop) })),
        ("replay", Box::pin(async move { queue.replay(job).await.map(drop) })),
        ("discard", Box::pin(async move { queue.discard(job).await.map(drop) })),
    ]
}

/// Waits for an answer, for at most [`PROMISED`].
async fn promptly<T>(verb: &str, answer: impl Future<Output = T>) -> T {
    timeout(PROMISED, answer).await.unwrap_or_else(|_| panic!("{verb} was not answered within {PROMISED:?}"))
}

/// Makes all of these calls at once; each has to be answered within [`PROMISED`].
async fn at_once(verbs: Vec<Call<'_>>) -> Vec<(&'static str, Result<(), Error>)> {
    join_all(verbs.into_iter().map(async |(verb, answer)| (verb, promptly(verb, answer).await))).await
}

/// Calls every verb at once, and expects each to fail as it should where Redis is away.
async fn every_verb_is_refused(setup: &Setup, held: &Claim) {
    for (verb, answer) in at_once(every_verb(setup, held)).await {
        assert!(matches!(answer, Err(Error::Unavailable { .. })), "{verb}: {answer:?}");
    }
}

/// Calls every verb, one after the other, and expects each to succeed.
async fn every_verb_is_answered(setup: &Setup, held: &Claim) {
    for (verb, answer) in every_verb(setup, held) {
        let answer = promptly(verb, answer).await;
        assert!(answer.is_ok(), "{verb}: {answer:?}");
    }
}

/// Expects that jobs are accepted and done again, within [`PROMISED`].
async fn all_goes_on(setup: &Setup) {
    let begun = Instant::now();
    jobs_are_done(setup).await;
    assert!(begun.elapsed() < PROMISED, "it took {:?} until all went on", begun.elapsed());
}

/// Submits a job and does it, however many tries that takes.
async fn jobs_are_done(setup: &Setup) {
    let id = eventually("a submission to be accepted", async || {
        let submission = setup.submission(1);
        let id = submission.jobs[0].id;
        setup.queue.submit(submission).await.ok().map(|_| id)
    })
    .await;
    eventually("a job to be done", async || {
        let claims = setup.queue.claim(&"somebody else".into(), 40, NOW).await.ok()?;
        setup.queue.settle(claims.iter().map(done).collect()).await.ok()?;
        setup.queue.statuses(&[id]).await.ok()?.remove(0).filter(|status| is_over(&status.progress))
    })
    .await;
}

fn is_over(progress: &Progress) -> bool {
    matches!(progress, Progress::Settled(_))
}

/// Waits for a job's outcome.
async fn outcome_of(setup: &Setup, id: JobId) -> Outcome {
    eventually("an outcome", async || setup.outcome(id).await).await
}

/// Claims and settles until nothing is left; leases of dead workers expire meanwhile.
async fn drain(setup: &Setup) {
    eventually("all jobs to be over", async || {
        let claims = setup.queue.claim(&"the last one".into(), 40, NOW).await.ok()?;
        setup.queue.settle(claims.iter().map(done).collect()).await.ok()?;
        setup.queue.sweep().await.ok()?;
        let depth = setup.queue.depth().await.ok()?;
        (depth.waiting + depth.in_flight() == 0).then_some(())
    })
    .await;
}
