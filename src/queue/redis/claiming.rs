//! How does a worker come by jobs, and what becomes of those that never reach it?
//!
//! A claim first asks the `claim` script, which takes back what lapsed and hands out jobs attempted or claimed before.
//! Where there are none of those it reads new ones straight from the stream, and waits there: Redis wakes exactly as
//! many workers as there are jobs. What comes back into a line meanwhile wakes one by a nudge, in a second stream.
//!
//! An answer may get lost on its way, with the jobs in it. So this remembers which jobs reached which worker, and after
//! a read that broke off it gives back the others, at no cost to them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Pipeline, Value, pipe};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::error;

use crate::job::JobId;
use crate::queue::{Claim, Error, Lease};

use super::layout;
use super::link::Link;
use super::reply::{Reply, exactly, field};

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

/// A lease's token: when it was claimed, and which delivery of its job that was.
pub fn token(claimed: u64, deliveries: u64) -> u64 {
    claimed << 16 | (deliveries & 0xffff)
}

/// When the lease with this token was claimed, in milliseconds, and which delivery that was.
pub fn of_token(token: u64) -> (u64, u64) {
    (token >> 16, token & 0xffff)
}

/// What reached whom.
#[derive(Default)]
struct Reached {
    jobs: HashSet<JobId>,
    /// A read broke off: jobs may have been delivered that never arrived.
    is_unsure: bool,
}

/// Hands out jobs.
pub struct Claims {
    link: Arc<Link>,
    reached: Mutex<HashMap<String, Reached>>,
}

/// A stream entry, taken for a worker.
struct Taken {
    entry: String,
    deliveries: u64,
    attempt: u32,
    head: Vec<u8>,
    image: Vec<u8>,
    is_alone: bool,
}

/// What a read from the streams brought.
enum Read {
    Jobs(Vec<Taken>, u64),
    Nothing,
    BrokeOff,
}

impl Claims {
    pub fn new(link: Arc<Link>) -> Self {
        Self { link, reached: Mutex::default() }
    }

    /// Claims jobs in a task of its own, so that whoever asked may stop listening at any moment: then the jobs go back.
    pub async fn claim(self: &Arc<Self>, worker: &str, room: usize, wait: Duration) -> Result<Vec<Claim>, Error> {
        if room == 0 {
            return Ok(Vec::new());
        }
        let (mut tell, told) = oneshot::channel();
        let (claims, worker) = (Arc::clone(self), worker.to_owned());
        tokio::spawn(async move {
            let claimed = tokio::select! {
                biased;
                claimed = claims.take(&worker, room, wait) => claimed,
                () = tell.closed() => {
                    claims.reached().entry(worker.clone()).or_default().is_unsure = true;
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

    async fn take(&self, worker: &str, room: usize, wait: Duration) -> Result<Vec<Claim>, Error> {
        let deadline = Instant::now().checked_add(wait);
        let mut breaks = 0;
        loop {
            if self.reached().get(worker).is_some_and(|reached| reached.is_unsure) {
                self.give_back_unclaimed(worker).await?;
            }
            let (now, taken) = self.ask(worker, room).await?;
            let claims = self.receive(worker, taken, (now, false)).await?;
            if !claims.is_empty() {
                return Ok(claims);
            }
            let left = deadline.map_or(LOOK_AGAIN, |deadline| deadline.saturating_duration_since(Instant::now()));
            let read = self.read(worker, room, left.min(LOOK_AGAIN)).await?;
            if matches!(read, Read::BrokeOff) {
                self.reached().entry(worker.to_owned()).or_default().is_unsure = true;
                breaks += 1;
            }
            if let Read::Jobs(taken, now) = read {
                let claims = self.receive(worker, taken, (now, true)).await?;
                if !claims.is_empty() {
                    return Ok(claims);
                }
            }
            let is_over = deadline.is_some_and(|deadline| deadline <= Instant::now());
            if is_over && (breaks == 0 || breaks == BREAKS_MAX) {
                return Ok(Vec::new());
            }
        }
    }

    /// What comes before new jobs: what lapsed, was released or is tried again.
    async fn ask(&self, worker: &str, room: usize) -> Result<(u64, Vec<Taken>), Error> {
        let run = self.link.run(ACTION).await?;
        let mut call = self.link.scripts.call("claim");
        call.arg(&*run).arg(worker).arg(room);
        let answer = self.link.ask(ACTION, &call).await?;
        let read = || {
            let mut answer = answer.array()?.into_iter();
            let (now, kind) = (answer.next()?.number()?, answer.next()?);
            if kind.is("stream") {
                return Some((now, Vec::new()));
            }
            let taken = answer.next()?.array()?.into_iter().map(|one| {
                let [entry, deliveries, attempt, head, image, mark] = exactly(one.array()?)?;
                Some(Taken {
                    entry: String::from_utf8(entry.bytes()?).ok()?,
                    deliveries: deliveries.number()?,
                    attempt: u32::try_from(attempt.number()?).ok()?,
                    head: head.bytes()?,
                    image: image.bytes()?,
                    is_alone: mark.is("1"),
                })
            });
            Some((now, taken.collect::<Option<Vec<_>>>()?))
        };
        read().ok_or_else(|| self.link.unexpected(ACTION))
    }

    /// Reads new jobs, and waits for them for `wait` where there are none.
    async fn read(&self, worker: &str, room: usize, wait: Duration) -> Result<Read, Error> {
        let mut dedicated = self.link.dedicated(ACTION).await?;
        let answers = match dedicated.ask(&self.reading(worker, room, wait), wait).await {
            Ok(Some(answers)) => answers,
            Ok(None) => return Ok(Read::BrokeOff),
            // The stream or its group was deleted.
            Err(error) if matches!(error.code(), Some("NOGROUP" | "UNBLOCKED")) => {
                self.link.keep(dedicated);
                self.link.found_again(ACTION).await?;
                return Ok(Read::Nothing);
            }
            Err(source) => return Err(Error::Unavailable { action: ACTION, source: Box::new(source) }),
        };
        self.link.keep(dedicated);
        let (taken, nudges, now) = self.sort(answers).ok_or_else(|| self.link.unexpected(ACTION))?;
        if !nudges.is_empty() {
            self.strike(&self.link.scripts.nudges, &nudges).await?;
        }
        Ok(if taken.is_empty() { Read::Nothing } else { Read::Jobs(taken, now) })
    }

    fn reading(&self, worker: &str, room: usize, wait: Duration) -> Pipeline {
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

    /// The jobs, the nudges' entries and the time in the answers to [`Claims::reading`].
    fn sort(&self, answers: Vec<Value>) -> Option<(Vec<Taken>, Vec<String>, u64)> {
        let [streams, time] = exactly(answers)?;
        let [seconds, micros] = exactly(time.array()?)?;
        let now = seconds.number()? * 1_000 + micros.number()? / 1_000;
        let (mut taken, mut nudges) = (Vec::new(), Vec::new());
        for stream in streams.array()? {
            let [name, entries] = exactly(stream.array()?)?;
            for entry in entries.array()? {
                let [id, fields] = exactly(entry.array()?)?;
                let entry = String::from_utf8(id.bytes()?).ok()?;
                if name.is(&self.link.scripts.nudges) {
                    nudges.push(entry);
                    continue;
                }
                let mut fields = fields.array()?;
                let head = field(&mut fields, "job").unwrap_or_default();
                let image = field(&mut fields, "image").unwrap_or_default();
                let is_alone = field(&mut fields, "alone").is_some();
                taken.push(Taken { entry, deliveries: 1, attempt: 1, head, image, is_alone });
            }
        }
        Some((taken, nudges, now))
    }

    /// Makes claims of what was taken at `now`; where it is new, tells readers that it runs.
    async fn receive(&self, worker: &str, taken: Vec<Taken>, (now, is_new): (u64, bool)) -> Result<Vec<Claim>, Error> {
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
        self.reached().entry(worker.to_owned()).or_default().jobs.extend(claims.iter().map(|claim| claim.lease.job));
        if !aside.is_empty() {
            let mut call = self.link.scripts.call("aside");
            call.arg(&aside);
            self.link.ask(ACTION, &call).await?;
        }
        if !strange.is_empty() {
            error!(entries = ?strange, "struck from the queue what somebody else put there: these are no jobs");
            self.strike(&self.link.scripts.jobs, &strange).await?;
        }
        // The claims stand whether or not readers hear of them now: they will hear of the outcomes.
        let _ = self.tell(&events).await;
        Ok(claims)
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
    async fn give_back_unclaimed(&self, worker: &str) -> Result<(), Error> {
        let run = self.link.run(ACTION).await?;
        let mut call = self.link.scripts.call("unclaim");
        call.arg(&*run).arg(worker);
        for job in self.reached().get(worker).iter().flat_map(|reached| &reached.jobs) {
            call.arg(job.as_bytes());
        }
        self.link.ask(ACTION, &call).await?;
        self.reached().entry(worker.to_owned()).or_default().is_unsure = false;
        Ok(())
    }

    /// Notes that leases are over, whoever ended them.
    pub fn forget<'a>(&self, leases: impl Iterator<Item = &'a Lease>) {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        for lease in leases {
            if let Some(reached) = reached.get_mut(&lease.worker) {
                reached.jobs.remove(&lease.job);
            }
        }
        reached.retain(|_, reached| reached.is_unsure || !reached.jobs.is_empty());
    }

    /// Asks for leases to be given up: `release` and `extend` differ in their script alone.
    pub fn naming<'a>(&self, call: &mut redis::Cmd, leases: impl Iterator<Item = &'a Lease>) {
        for Lease { job, worker, token } in leases {
            call.arg(job.as_bytes()).arg(worker).arg(of_token(*token).1);
        }
    }

    /// Gives jobs back. Where Redis is away their leases lapse instead.
    async fn release(&self, leases: Vec<Lease>) -> Result<(), Error> {
        let run = self.link.run(ACTION).await?;
        let mut call = self.link.scripts.call("release");
        call.arg(&*run);
        self.naming(&mut call, leases.iter());
        self.link.ask(ACTION, &call).await?;
        self.forget(leases.iter());
        Ok(())
    }

    fn reached(&self) -> MutexGuard<'_, HashMap<String, Reached>> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_when_it_was_claimed_and_which_delivery_that_was() {
        let (claimed, deliveries) = (1_800_000_000_123, 101);

        assert_eq!(of_token(token(claimed, deliveries)), (claimed, deliveries));
    }
}
