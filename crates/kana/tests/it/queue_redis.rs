//! Does a queue in Redis keep its promises when Redis, the network or a stranger does what it likes?
//!
//! Every test has a real server of its own. [`Line`] is a queue, the server, and the network between them.

mod crashes;
mod outages;
mod refusals;
mod resets;
mod sharing;
mod strangers;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures::future::join_all;
use kana_queue::job::{JobId, Outcome};
use kana_queue::{Cause, Claim, Cursor, Error};
use tokio::time::{Instant, timeout};

use crate::support::eventually;
use crate::support::proxy::Proxy;
use crate::support::redis::{Options, RedisServer};
use crate::support::time::Time;
use crate::support::world::{Ground, NOW, World, done};

/// What every caller is promised, whatever Redis does, and how soon all goes on when Redis is back.
const PROMISED: Duration = Duration::from_secs(2);

/// A queue that reaches its server by way of a proxy.
struct Line {
    // In this order they end: nobody is to look for a server that is gone already.
    world: World,
    proxy: Proxy,
    server: RedisServer,
}

impl Line {
    /// By the machine's own clock, as in life.
    fn new() -> Self {
        Self::to(RedisServer::start())
    }

    /// One whose server survives its own death.
    fn durable() -> Self {
        Self::to(RedisServer::with(Options { append: Some("always"), ..Options::default() }))
    }

    fn to(server: RedisServer) -> Self {
        let proxy = Proxy::before(server.port());
        Self { world: World::on(Ground::at(&proxy.url())), proxy, server }
    }

    /// By a clock that the test moves.
    fn stopped_in_time() -> Self {
        let dawn = Ground::memory().time.now();
        let server = RedisServer::stopped_in_time(dawn);
        let proxy = Proxy::before(server.port());
        let ground = Ground::at(&proxy.url()).by(Time::from(dawn).with(server.clock()));
        Self { world: World::on(ground), proxy, server }
    }
}

/// A verb, and its answer once somebody waits for it.
type Said<'a> = (&'static str, Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>);

/// Every verb once, none of them said yet. `held` is extended and settled.
fn every_verb<'a>(world: &'a World, held: &'a Claim) -> Vec<Said<'a>> {
    let (queue, job) = (&world.queue, held.lease.job);
    vec![
        ("submit", Box::pin(async { queue.submit(world.submission(1)).await.map(drop) })),
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

/// Waits for an answer, for no longer than is promised.
async fn promptly<T>(verb: &str, answer: impl Future<Output = T>) -> T {
    timeout(PROMISED, answer).await.unwrap_or_else(|_| panic!("{verb} was not answered within {PROMISED:?}"))
}

/// Says all of these at once; each has to be answered as promised.
async fn at_once(verbs: Vec<Said<'_>>) -> Vec<(&'static str, Result<(), Error>)> {
    join_all(verbs.into_iter().map(async |(verb, answer)| (verb, promptly(verb, answer).await))).await
}

/// Says every verb, all at once, and expects each to fail as it should where Redis is away.
async fn every_verb_is_refused(world: &World, held: &Claim) {
    for (verb, answer) in at_once(every_verb(world, held)).await {
        assert!(matches!(answer, Err(Error::Unavailable { .. })), "{verb}: {answer:?}");
    }
}

/// Says every verb, one after the other, and expects each to succeed.
async fn every_verb_is_answered(world: &World, held: &Claim) {
    for (verb, answer) in every_verb(world, held) {
        let answer = promptly(verb, answer).await;
        assert!(answer.is_ok(), "{verb}: {answer:?}");
    }
}

/// Expects that jobs come in, are done and have their outcomes again, as soon as is promised.
async fn all_goes_on(world: &World) {
    let begun = Instant::now();
    jobs_are_done(world).await;
    assert!(begun.elapsed() < PROMISED, "it took {:?} until all went on", begun.elapsed());
}

/// Sends a job in and does it, however often that takes.
async fn jobs_are_done(world: &World) {
    let id = eventually("a submission to be taken", async || {
        let submission = world.submission(1);
        let id = submission.jobs[0].id;
        world.queue.submit(submission).await.ok().map(|_| id)
    })
    .await;
    eventually("a job to be done", async || {
        let claims = world.queue.claim(&"somebody else".into(), 40, NOW).await.ok()?;
        world.queue.settle(claims.iter().map(done).collect()).await.ok()?;
        world.queue.statuses(&[id]).await.ok()?.remove(0).filter(|status| is_over(&status.progress))
    })
    .await;
}

fn is_over(progress: &kana_queue::job::Progress) -> bool {
    matches!(progress, kana_queue::job::Progress::Settled(_))
}

/// The job's outcome, once it has one.
async fn outcome_of(world: &World, id: JobId) -> Outcome {
    eventually("an outcome", async || world.outcome(id).await).await
}

/// Claims and settles until nothing is left; leases that nobody holds lapse meanwhile.
async fn drain(world: &World) {
    eventually("all jobs to be over", async || {
        let claims = world.queue.claim(&"the last one".into(), 40, NOW).await.ok()?;
        world.queue.settle(claims.iter().map(done).collect()).await.ok()?;
        world.queue.sweep().await.ok()?;
        let depth = world.queue.depth().await.ok()?;
        (depth.waiting + depth.in_flight() == 0).then_some(())
    })
    .await;
}
