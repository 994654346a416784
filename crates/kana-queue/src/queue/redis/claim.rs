//! How does a worker get jobs, and what becomes of those that never reach it?
//!
//! A claim first calls the `claim` function, which requeues what expired and hands out jobs attempted or claimed
//! before. Where there are none of those it reads new ones straight from the stream: its share, where others wait too.
//! Where there are none either it waits for one: Redis wakes exactly as many workers as there are jobs, and each that was
//! woken calls `claim_rest` for its share of what is left. What returns to a line meanwhile wakes one by a nudge, in a
//! second stream.
//!
//! An answer may get lost on its way, with the jobs in it. So it is recorded which jobs reached which worker
//! (`delivered`), and after anything that went wrong the others are released, at no cost to them. What a claim has begun
//! in Redis is finished although its caller is gone (`caller`).

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Pipeline, RedisError, Value, pipe};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use tracing::error;

use crate::WorkerId;
use crate::backoff::{Backoff, Bounds};
use crate::job::JobId;
use crate::queue::{Claim, Error, Lease};

use super::blocking::BlockingConnection;
use super::caller::Caller;
use super::connection::{Connection, is_function_missing};
use super::delivered::Delivered;
use super::delivery::{self, ClaimReply, Deliveries, Delivery, StreamReply, Token};
use super::encoding;
use super::functions::{CHANGES_KEPT, EVENTS_MAX, GROUP};
use super::reply::Reply;

/// How often a waiting claim looks for expired leases, of which no notification comes.
pub const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How many reads in a row may break off before a claim gives up.
const BREAKS_MAX: usize = 2;

/// Between two tries to release the jobs of a caller that is gone.
const RELEASE_BACKOFF: Bounds = Bounds { first: Duration::from_millis(100), longest: Duration::from_secs(1) };

const ACTION: &str = "claim jobs";

/// Hands out jobs.
pub struct Claims {
    connection: Arc<Connection>,
    lease: Duration,
    pub delivered: Delivered,
}

/// Jobs of a caller that is gone.
enum Abandoned {
    /// What was assigned to this worker and never reached it.
    Undelivered(WorkerId),
    Claimed(Vec<Lease>),
}

/// The result of asking for jobs once.
enum Read {
    Jobs(Deliveries),
    Nothing,
    /// Nothing, because the groups were gone; they have been created again.
    GroupsCreated,
    /// Unknown: the answer may have got lost, with jobs in it.
    BrokeOff,
}

impl Claims {
    pub fn new(connection: Arc<Connection>, lease: Duration) -> Self {
        Self { connection, lease, delivered: Delivered::default() }
    }

    /// Claims jobs in a task of its own, so that the caller may be dropped at any moment: then the jobs are released.
    pub async fn claim(self: &Arc<Self>, worker: &WorkerId, limit: usize, wait: Duration) -> Result<Vec<Claim>, Error> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let (mut sender, receiver) = oneshot::channel();
        let (claims, worker) = (Arc::clone(self), worker.to_owned());
        let task = async move {
            let caller = Caller::default();
            let mut claiming = pin!(claims.wait_for_jobs(&worker, limit, wait, &caller));
            let claimed = tokio::select! {
                biased;
                // Whatever went wrong, it may have gone wrong after a delivery.
                claimed = &mut claiming => claimed.inspect_err(|_| claims.delivered.record_lost_answer(&worker)),
                () = sender.closed() => {
                    match caller.finish(&claims.connection, claiming).await {
                        Ok(claimed) => {
                            claims.delivered.remove(claimed.iter().map(|claim| &claim.lease));
                            claims.delivered.record_undelivered(&worker, Instant::now());
                        }
                        Err(_) => claims.delivered.record_lost_answer(&worker),
                    }
                    return claims.give_back(&Abandoned::Undelivered(worker.clone())).await;
                }
            };
            let runtime = Handle::current();
            let in_transit = claimed.map(|jobs| InTransit { jobs, claims: Arc::clone(&claims), runtime });
            drop(sender.send(in_transit));
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the task ends with its caller, or one release after it; a queue has no shutdown to join"
        )]
        tokio::spawn(task);
        let in_transit =
            receiver.await.map_err(|source| Error::Unavailable { action: ACTION, source: source.into() })?;
        in_transit.map(InTransit::arrive)
    }

    async fn wait_for_jobs(
        &self,
        worker: &WorkerId,
        limit: usize,
        wait: Duration,
        caller: &Caller,
    ) -> Result<Vec<Claim>, Error> {
        let deadline = Instant::now().checked_add(wait);
        let mut breaks = 0;
        loop {
            self.release_undelivered(worker).await?;
            let reading = self.delivered.reading(worker).read_owned().await;
            let left = deadline.map_or(LOOK_AGAIN, |deadline| deadline.saturating_duration_since(Instant::now()));
            let read = self.read(worker, limit, left.min(LOOK_AGAIN), caller).await?;
            match read {
                Read::Jobs(deliveries) => {
                    let claims = self.receive(worker, deliveries).await?;
                    if !claims.is_empty() {
                        return Ok(claims);
                    }
                    breaks = 0;
                }
                Read::Nothing => breaks = 0,
                Read::GroupsCreated => breaks += 1,
                Read::BrokeOff => {
                    self.delivered.record_lost_answer(worker);
                    breaks += 1;
                }
            }
            drop(reading);
            // After a break it is not known yet whether there are any.
            let is_over = deadline.is_some_and(|deadline| deadline <= Instant::now());
            if caller.is_gone() || is_over && (breaks == 0 || breaks >= BREAKS_MAX) {
                return Ok(Vec::new());
            }
        }
    }

    /// Asks for jobs once, and waits for new ones for `wait` where there are none: first for what comes before new jobs,
    /// which expired, was released or is tried again.
    async fn read(&self, worker: &WorkerId, limit: usize, wait: Duration, caller: &Caller) -> Result<Read, Error> {
        let functions = &self.connection.functions;
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let mut call = functions.call("claim");
        call.arg(worker).arg(limit).arg(millis);
        let Some(answer) = self.connection.ask_once(ACTION, &call).await? else { return Ok(Read::BrokeOff) };
        match delivery::claim_reply(answer).ok_or_else(|| self.connection.unexpected(ACTION))? {
            ClaimReply::Jobs(deliveries) => Ok(Read::Jobs(deliveries)),
            ClaimReply::ReadStream(share) => {
                let mut read = pipe();
                read.cmd("XREADGROUP").arg("GROUP").arg(GROUP).arg(worker).arg("COUNT").arg(share);
                self.add_streams(&mut read).cmd("TIME");
                let mut blocking = self.connection.blocking(ACTION).await?;
                let answers = blocking.ask(&read, Duration::ZERO).await;
                self.read_new(blocking, answers, delivery::stream_reply).await
            }
            ClaimReply::Wait if caller.is_gone() => Ok(Read::Nothing),
            ClaimReply::Wait => {
                let mut read = pipe();
                // One, so that Redis wakes as many workers as there are jobs; each then gets its share of the rest.
                read.cmd("XREADGROUP").arg("GROUP").arg(GROUP).arg(worker).arg("COUNT").arg(1).arg("BLOCK").arg(millis);
                let mut rest = functions.call("claim_rest");
                rest.arg(worker).arg(limit.saturating_sub(1));
                self.add_streams(&mut read).add_command(rest);
                let mut blocking = self.connection.blocking(ACTION).await?;
                caller.record_wait(blocking.client.clone());
                let answers = blocking.ask(&read, wait).await;
                caller.record_wait(None);
                self.read_new(blocking, answers, delivery::wait_reply).await
            }
        }
    }

    /// Adds the streams of jobs and of nudges to a command that reads them.
    fn add_streams<'a>(&self, read: &'a mut Pipeline) -> &'a mut Pipeline {
        let functions = &self.connection.functions;
        read.arg("STREAMS").arg(&functions.jobs).arg(&functions.nudges).arg(">").arg(">")
    }

    /// Reads the answers to commands that read new jobs.
    async fn read_new(
        &self,
        blocking: BlockingConnection,
        answers: Result<Option<Vec<Value>>, RedisError>,
        reply: fn(Vec<Value>, &str) -> Option<StreamReply>,
    ) -> Result<Read, Error> {
        let functions = &self.connection.functions;
        let answers = match answers {
            Ok(Some(answers)) => answers,
            Ok(None) => return Ok(Read::BrokeOff),
            // The stream or its group was deleted.
            Err(error) if matches!(error.code(), Some("NOGROUP" | "UNBLOCKED")) => {
                self.connection.keep(blocking);
                self.connection.ensure_groups(ACTION).await?;
                return Ok(Read::GroupsCreated);
            }
            // They were removed while it waited; the next call loads them.
            Err(error) if is_function_missing(&error) => return Ok(Read::BrokeOff),
            Err(source) => return Err(Error::Unavailable { action: ACTION, source: Box::new(source) }),
        };
        self.connection.keep(blocking);
        let reply = reply(answers, &functions.nudges);
        let StreamReply { jobs, nudges } = reply.ok_or_else(|| self.connection.unexpected(ACTION))?;
        if !nudges.is_empty() {
            self.delete(&functions.nudges, &nudges).await?;
        }
        Ok(if jobs.entries.is_empty() { Read::Nothing } else { Read::Jobs(jobs) })
    }

    /// Turns deliveries into claims, and publishes that new jobs run. Of several jobs, those to be claimed alone are
    /// released, unless all are: then all but the first.
    async fn receive(&self, worker: &WorkerId, deliveries: Deliveries) -> Result<Vec<Claim>, Error> {
        let Deliveries { entries, now } = deliveries;
        let (mut claims, mut events, mut foreign, mut alone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut has_company = entries.len() > 1 && entries.iter().any(|delivery| !delivery.is_alone);
        for Delivery { entry, deliveries, attempt, head, image, is_alone, is_published } in entries {
            let Some(job) = encoding::job(&head, &image) else {
                foreign.push(entry);
                continue;
            };
            if is_alone && std::mem::replace(&mut has_company, true) {
                alone.push(entry);
                continue;
            }
            if !is_published {
                events.push((job.id, encoding::running(&job, attempt, worker)));
            }
            let token = Token { claimed: now, deliveries }.pack();
            let lease = Lease { job: job.id, worker: worker.to_owned(), token };
            claims.push(Claim { lease, job, attempt });
        }
        self.release_alone(&alone).await?;
        self.delete_foreign(&foreign).await?;
        // The claims stand whether or not readers learn of them now: they will learn of the outcomes.
        let _ = self.publish(&events).await;
        // Last: a claim that is dropped before this releases them.
        self.delivered.add(worker, claims.iter().map(|claim| claim.lease.job));
        Ok(claims)
    }

    /// Releases jobs that are to be claimed alone.
    async fn release_alone(&self, entries: &[String]) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut call = self.connection.functions.call("release_alone");
        call.arg(entries);
        self.connection.ask(ACTION, &call).await.map(drop)
    }

    /// Deletes entries that are no jobs.
    async fn delete_foreign(&self, entries: &[String]) -> Result<(), Error> {
        if entries.is_empty() {
            return Ok(());
        }
        error!(?entries, "deleted entries from the queue that are no jobs: another program wrote them");
        self.delete(&self.connection.functions.jobs, entries).await
    }

    /// Releases what was assigned to a worker and never reached it, if there may be any.
    async fn release_undelivered(&self, worker: &WorkerId) -> Result<(), Error> {
        if !self.delivered.has_lost_answer(worker) {
            return Ok(());
        }
        let reading = self.delivered.reading(worker);
        let _alone = reading.write().await;
        let (asked, delivered) = (Instant::now(), self.delivered.jobs(worker));
        let mut after = Some(Vec::new());
        while let Some(entry) = after {
            let mut call = self.connection.functions.call("release_undelivered");
            call.arg(worker).arg(&entry);
            for job in &delivered {
                call.arg(job.as_bytes());
            }
            let answer = self.connection.ask(ACTION, &call).await?.bytes();
            let entry = answer.ok_or_else(|| self.connection.unexpected(ACTION))?;
            after = (!entry.is_empty()).then_some(entry);
        }
        self.delivered.record_release(worker, asked);
        Ok(())
    }

    /// Publishes changes.
    async fn publish(&self, events: &[(JobId, Vec<u8>)]) -> Result<(), Error> {
        if events.is_empty() {
            return Ok(());
        }
        let mut publishing = pipe();
        for some in events.chunks(EVENTS_MAX) {
            publishing.cmd("XADD").arg(&self.connection.functions.changes).arg("MAXLEN").arg("~").arg(CHANGES_KEPT);
            publishing.arg("*");
            for (job, body) in some {
                publishing.arg(job.as_bytes()).arg(body);
            }
        }
        self.connection.ask_all(ACTION, &publishing).await.map(drop)
    }

    /// Acknowledges and deletes entries of a stream.
    async fn delete(&self, stream: &str, entries: &[String]) -> Result<(), Error> {
        let mut deletion = pipe();
        deletion.cmd("XACK").arg(stream).arg(GROUP).arg(entries);
        deletion.cmd("XDEL").arg(stream).arg(entries);
        self.connection.ask_all(ACTION, &deletion).await.map(drop)
    }

    /// Releases jobs of a caller that is gone, until Redis has answered. While Redis is away for longer than a lease,
    /// their leases expire instead.
    async fn give_back(&self, abandoned: &Abandoned) {
        let (begun, mut backoff) = (Instant::now(), Backoff::new(RELEASE_BACKOFF));
        loop {
            let released = match abandoned {
                Abandoned::Undelivered(worker) => self.release_undelivered(worker).await,
                Abandoned::Claimed(leases) => self.release(leases).await,
            };
            // What a read that broke off is given after this is released the next time.
            let is_done = match abandoned {
                Abandoned::Undelivered(worker) => !self.delivered.has_lost_answer(worker),
                Abandoned::Claimed(_) => released.is_ok(),
            };
            if is_done || begun.elapsed() >= 2 * self.lease {
                return;
            }
            sleep(backoff.fail()).await;
        }
    }

    /// Releases jobs.
    async fn release(&self, leases: &[Lease]) -> Result<(), Error> {
        let mut call = self.connection.functions.call("release");
        add_leases(&mut call, leases);
        self.connection.ask(ACTION, &call).await?;
        self.delivered.remove(leases.iter());
        Ok(())
    }
}

/// Adds leases to the arguments of `release` or `extend`.
pub fn add_leases(call: &mut Cmd, leases: &[Lease]) {
    for Lease { job, worker, token } in leases {
        call.arg(job.as_bytes()).arg(worker).arg(Token::unpack(*token).deliveries);
    }
}

/// Claims on their way to their caller; released where they are dropped on the way.
struct InTransit {
    jobs: Vec<Claim>,
    claims: Arc<Claims>,
    runtime: Handle,
}

impl InTransit {
    fn arrive(mut self) -> Vec<Claim> {
        std::mem::take(&mut self.jobs)
    }
}

impl Drop for InTransit {
    fn drop(&mut self) {
        if self.jobs.is_empty() {
            return;
        }
        let leases = Abandoned::Claimed(self.jobs.drain(..).map(|claim| claim.lease).collect());
        let claims = Arc::clone(&self.claims);
        self.runtime.spawn(async move { claims.give_back(&leases).await });
    }
}
