//! How does a worker come by jobs, and what becomes of those that never reach it?
//!
//! A claim first asks the `claim` script, which takes back what lapsed and hands out jobs attempted or claimed before.
//! Where there are none of those it reads new ones straight from the stream, and waits there: Redis wakes exactly as
//! many workers as there are jobs. What comes back into a line meanwhile wakes one by a nudge, in a second stream.
//!
//! An answer may get lost on its way, with the jobs in it. So it is noted which jobs reached which worker (`reached`),
//! and after anything that went wrong the others are given back, at no cost to them.

use std::sync::Arc;
use std::time::Duration;

use redis::{Pipeline, pipe};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::error;

use crate::WorkerId;
use crate::job::JobId;
use crate::queue::{Claim, Error, Lease};

use super::layout;
use super::link::Link;
use super::reached::Reached;
use super::taken::{self, Handed, News, Taken, of_token, token};

/// How often somebody who waits looks for lapsed leases, of which nobody tells it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The group that all workers read in.
pub const GROUP: &str = "workers";

/// Change entries kept, at least, and jobs told of in one of them; `lua/base.lua` has the same.
const CHANGES_KEPT: usize = 4_000;
const EVENTS_MAX: usize = 100;

/// How many reads in a row may break off before a claim is given up.
const BREAKS_MAX: usize = 2;

const ACTION: &str = "claim jobs";

/// Hands out jobs.
pub struct Claims {
    link: Arc<Link>,
    reached: Reached,
}

/// What asking for jobs brought.
enum Read {
    /// These, at this time in milliseconds.
    Jobs(Vec<Taken>, u64),
    Nothing,
    /// Nothing, because the group was gone; it is there again.
    FoundAgain,
    /// Nobody knows: the answer may have got lost, with jobs in it.
    BrokeOff,
}

impl Claims {
    pub fn new(link: Arc<Link>) -> Self {
        Self { link, reached: Reached::default() }
    }

    /// Claims jobs in a task of its own, so that whoever asked may stop listening at any moment: then the jobs go back.
    pub async fn claim(self: &Arc<Self>, worker: &WorkerId, room: usize, wait: Duration) -> Result<Vec<Claim>, Error> {
        if room == 0 {
            return Ok(Vec::new());
        }
        let (mut tell, told) = oneshot::channel();
        let (claims, worker) = (Arc::clone(self), worker.to_owned());
        tokio::spawn(async move {
            let claimed = tokio::select! {
                biased;
                // Whatever went wrong, it may have gone wrong behind a delivery.
                claimed = claims.take(&worker, room, wait) => claimed.inspect_err(|_| claims.reached.doubt(&worker)),
                () = tell.closed() => {
                    claims.reached.doubt(&worker);
                    return claims.give_back_unclaimed(&worker).await.unwrap_or_default();
                }
            };
            let arrive =
                claimed.map(|taken| Handover { taken, claims: Arc::clone(&claims), runtime: Handle::current() });
            drop(tell.send(arrive));
        });
        let arrived = told.await.map_err(|gone| Error::Unavailable { action: ACTION, source: Box::new(gone) })?;
        arrived.map(Handover::take)
    }

    async fn take(&self, worker: &WorkerId, room: usize, wait: Duration) -> Result<Vec<Claim>, Error> {
        let deadline = Instant::now().checked_add(wait);
        let mut breaks = 0;
        loop {
            if self.reached.is_unsure(worker) {
                self.give_back_unclaimed(worker).await?;
            }
            let mut read = self.ask(worker, room).await?;
            let is_new = matches!(read, Read::Nothing);
            if is_new {
                let left = deadline.map_or(LOOK_AGAIN, |deadline| deadline.saturating_duration_since(Instant::now()));
                read = self.read(worker, room, left.min(LOOK_AGAIN)).await?;
            }
            match read {
                Read::Jobs(taken, now) => {
                    let claims = self.receive(worker, taken, (now, is_new)).await?;
                    if !claims.is_empty() {
                        return Ok(claims);
                    }
                    breaks = 0;
                }
                Read::Nothing => breaks = 0,
                Read::FoundAgain => breaks += 1,
                Read::BrokeOff => {
                    self.reached.doubt(worker);
                    breaks += 1;
                }
            }
            // After a break nobody knows yet whether there are any.
            let is_over = deadline.is_some_and(|deadline| deadline <= Instant::now());
            if is_over && (breaks == 0 || breaks >= BREAKS_MAX) {
                return Ok(Vec::new());
            }
        }
    }

    /// What comes before new jobs: what lapsed, was released or is tried again.
    async fn ask(&self, worker: &WorkerId, room: usize) -> Result<Read, Error> {
        let mut call = self.link.scripts.call("claim");
        call.arg(worker).arg(room);
        let Some(answer) = self.link.ask_once(ACTION, &call).await? else { return Ok(Read::BrokeOff) };
        match taken::handed(answer) {
            Some(Handed::Out(taken, now)) => Ok(Read::Jobs(taken, now)),
            Some(Handed::Nothing) => Ok(Read::Nothing),
            None => Err(self.link.unexpected(ACTION)),
        }
    }

    /// Reads new jobs, and waits for them for `wait` where there are none.
    async fn read(&self, worker: &WorkerId, room: usize, wait: Duration) -> Result<Read, Error> {
        let mut dedicated = self.link.dedicated(ACTION).await?;
        let answers = match dedicated.ask(&self.reading(worker, room, wait), wait).await {
            Ok(Some(answers)) => answers,
            Ok(None) => return Ok(Read::BrokeOff),
            // The stream or its group was deleted.
            Err(error) if matches!(error.code(), Some("NOGROUP" | "UNBLOCKED")) => {
                self.link.keep(dedicated);
                self.link.found_again(ACTION).await?;
                return Ok(Read::FoundAgain);
            }
            Err(source) => return Err(Error::Unavailable { action: ACTION, source: Box::new(source) }),
        };
        self.link.keep(dedicated);
        let news = taken::news(answers, &self.link.scripts.nudges);
        let News { taken, nudges, now } = news.ok_or_else(|| self.link.unexpected(ACTION))?;
        if !nudges.is_empty() {
            self.strike(&self.link.scripts.nudges, &nudges).await?;
        }
        Ok(if taken.is_empty() { Read::Nothing } else { Read::Jobs(taken, now) })
    }

    fn reading(&self, worker: &WorkerId, room: usize, wait: Duration) -> Pipeline {
        let mut reading = pipe();
        reading.cmd("XREADGROUP").arg("GROUP").arg(GROUP).arg(worker).arg("COUNT").arg(room);
        if !wait.is_zero() {
            // A wait of zero milliseconds would be one without end.
            reading.arg("BLOCK").arg(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
        }
        reading.arg("STREAMS").arg(&self.link.scripts.jobs).arg(&self.link.scripts.nudges).arg(">").arg(">");
        reading.cmd("TIME");
        reading
    }

    /// Makes claims of what was taken at `now`; where it is new, tells readers that it runs.
    async fn receive(
        &self,
        worker: &WorkerId,
        taken: Vec<Taken>,
        (now, is_new): (u64, bool),
    ) -> Result<Vec<Claim>, Error> {
        let (mut claims, mut events, mut strange, mut aside) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut alone_taken = taken.len() > 1 && taken.iter().any(|taken| !taken.is_alone);
        for Taken { entry, deliveries, attempt, head, image, is_alone } in taken {
            let Some(job) = layout::job(&head, &image) else {
                strange.push(entry);
                continue;
            };
            if is_alone && std::mem::replace(&mut alone_taken, true) {
                aside.push(entry);
                continue;
            }
            if is_new {
                events.push((job.id, layout::running(&job, attempt, worker)));
            }
            let lease = Lease { job: job.id, worker: worker.to_owned(), token: token(now, deliveries) };
            claims.push(Claim { lease, job, attempt });
        }
        self.put_aside(&aside, &strange).await?;
        self.reached.add(worker, claims.iter().map(|claim| claim.lease.job));
        // The claims stand whether or not readers hear of them now: they will hear of the outcomes.
        let _ = self.tell(&events).await;
        Ok(claims)
    }

    /// Puts aside what is to be claimed alone, and strikes what is no job.
    async fn put_aside(&self, aside: &[String], strange: &[String]) -> Result<(), Error> {
        if !aside.is_empty() {
            let mut call = self.link.scripts.call("aside");
            call.arg(aside);
            self.link.ask(ACTION, &call).await?;
        }
        if !strange.is_empty() {
            error!(entries = ?strange, "struck from the queue what somebody else put there: these are no jobs");
            self.strike(&self.link.scripts.jobs, strange).await?;
        }
        Ok(())
    }

    async fn tell(&self, events: &[(JobId, Vec<u8>)]) -> Result<(), Error> {
        if events.is_empty() {
            return Ok(());
        }
        let mut telling = pipe();
        for some in events.chunks(EVENTS_MAX) {
            telling.cmd("XADD").arg(&self.link.scripts.changes).arg("MAXLEN").arg("~").arg(CHANGES_KEPT);
            telling.arg("*");
            for (job, body) in some {
                telling.arg(job.as_bytes()).arg(body);
            }
        }
        self.link.ask_all(ACTION, &telling).await.map(drop)
    }

    /// Acknowledges and deletes entries of a stream.
    async fn strike(&self, stream: &str, entries: &[String]) -> Result<(), Error> {
        let mut striking = pipe();
        striking.cmd("XACK").arg(stream).arg(GROUP).arg(entries);
        striking.cmd("XDEL").arg(stream).arg(entries);
        self.link.ask_all(ACTION, &striking).await.map(drop)
    }

    /// Gives back what was delivered to a worker and never reached it.
    async fn give_back_unclaimed(&self, worker: &WorkerId) -> Result<(), Error> {
        let mut call = self.link.scripts.call("unclaim");
        call.arg(worker);
        for job in self.reached.jobs(worker) {
            call.arg(job.as_bytes());
        }
        self.link.ask(ACTION, &call).await?;
        self.reached.trust(worker);
        Ok(())
    }

    /// Notes that leases are over, whoever ended them.
    pub fn forget<'a>(&self, leases: impl Iterator<Item = &'a Lease>) {
        self.reached.forget(leases);
    }

    /// Asks for leases to be given up: `release` and `extend` differ in their script alone.
    pub fn naming<'a>(&self, call: &mut redis::Cmd, leases: impl Iterator<Item = &'a Lease>) {
        for Lease { job, worker, token } in leases {
            call.arg(job.as_bytes()).arg(worker).arg(of_token(*token).1);
        }
    }

    /// Gives jobs back. Where Redis is away their leases lapse instead.
    async fn release(&self, leases: Vec<Lease>) -> Result<(), Error> {
        let mut call = self.link.scripts.call("release");
        self.naming(&mut call, leases.iter());
        self.link.ask(ACTION, &call).await?;
        self.forget(leases.iter());
        Ok(())
    }
}

/// Claims on their way to whoever asked for them; dropped on the way, they go back.
struct Handover {
    taken: Vec<Claim>,
    claims: Arc<Claims>,
    runtime: Handle,
}

impl Handover {
    fn take(mut self) -> Vec<Claim> {
        std::mem::take(&mut self.taken)
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        if self.taken.is_empty() {
            return;
        }
        let leases = self.taken.drain(..).map(|claim| claim.lease).collect();
        let claims = Arc::clone(&self.claims);
        self.runtime.spawn(async move { claims.release(leases).await });
    }
}
