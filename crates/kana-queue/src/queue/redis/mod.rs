//! How does Redis hold a queue for many machines?
//!
//! A stream and a consumer group hold the jobs: an entry waits until it is read, is held by whoever read it, and is
//! deleted when its job has its outcome, so that the stream's length is exactly what waits and runs. Beside it:
//!
//! ```text
//! {prefix}:jobs      stream     what waits and what runs, oldest first; image bytes inline
//! {prefix}:back      sorted set entries given back before they were ever attempted
//! {prefix}:again     sorted set entries attempted before: each is claimed alone
//! {prefix}:tally     hash       what those have been through
//! {prefix}:at:…      hashes     where each job stands, those of one minute together
//! {prefix}:batch:…   hashes     the jobs of a batch
//! {prefix}:key:…     strings    idempotency keys
//! {prefix}:changes   stream     what readers are told, bounded
//! {prefix}:nudges    stream     wakes one waiting worker when a job comes back
//! {prefix}:dead      stream     dead letters, and {prefix}:graves, a hash that finds them
//! {prefix}:open      hash       jobs without an outcome, counted: more than the stream holds means that some were lost
//! {prefix}:state     hash       when leases lapse next, and whose turn it is
//! ```
//!
//! Leases are the group's own pending entries: reading gives one, a heartbeat renews it, and time is told by Redis
//! alone, so that the clocks of its clients do not matter. Every verb is one function (`script`, `lua/`), which
//! Redis runs completely or not at all.

mod address;
mod claiming;
mod dedicated;
mod following;
mod layout;
mod link;
mod reached;
mod reply;
mod script;
mod taken;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::Cmd;
use tracing::{error, warn};

use crate::WorkerId;
use crate::job::{BatchId, JobId, Status};

use super::{
    Cancellation, Cause, Changes, Claim, Cursor, DeadLetter, Depth, Error, Hold, Lease, Limits, Queue, Receipt,
    Settled, Settlement, Submission,
};
pub use address::Address;
use claiming::Claims;
use following::Follower;
use link::Link;
use reply::{Reply, Submitted, exactly};
use script::Scripts;
use taken::of_token;

/// A queue in Redis 7.0 or newer, or in Valkey.
pub struct Redis {
    link: Arc<Link>,
    claims: Arc<Claims>,
    follower: Follower,
    limits: Limits,
}

impl Redis {
    /// The queue at `address`, which is first called when it is first used: a Redis that is away now may come later.
    pub fn new(address: &Address, limits: Limits) -> Self {
        let link = Arc::new(Link::new(address, Scripts::new(address, &limits)));
        let (claims, follower) = (Arc::new(Claims::new(Arc::clone(&link))), Follower::new(Arc::clone(&link)));
        Self { link, claims, follower, limits }
    }

    /// Calls a script that answers 1 or 0 for each lease, and forgets those that are over.
    async fn hold(&self, action: &'static str, script: &'static str, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self.link.scripts.call(script);
        self.claims.naming(&mut call, leases.iter());
        let answers = self.link.ask(action, &call).await?.array();
        let answers = answers.filter(|answers| answers.len() == leases.len());
        let answers = answers.ok_or_else(|| self.link.unexpected(action))?;
        let hold = |answer: &redis::Value| if answer.number() == Some(1) { Hold::Kept } else { Hold::Lost };
        Ok(answers.iter().map(hold).collect())
    }

    /// Calls a script with one job, and answers with the one word or number that it answers.
    async fn ask_of(&self, action: &'static str, script: &'static str, job: JobId) -> Result<redis::Value, Error> {
        let mut call = self.link.scripts.call(script);
        call.arg(job.as_bytes());
        self.link.ask(action, &call).await
    }

    /// The statuses that the `statuses` script answers, each with its place in what was asked.
    async fn look(&self, action: &'static str, call: &Cmd) -> Result<Vec<(usize, Status)>, Error> {
        let answer = self.link.ask(action, call).await?;
        let read = || {
            let statuses = answer.array()?.into_iter().map(|one| {
                let [place, id, body] = exactly(one.array()?)?;
                let id = JobId::from_bytes(id.bytes()?.try_into().ok()?);
                Some((usize::try_from(place.number()?).ok()?.checked_sub(1)?, layout::status(id, &body.bytes()?)?))
            });
            let mut statuses = statuses.collect::<Option<Vec<_>>>()?;
            statuses.sort_unstable_by_key(|(place, _)| *place);
            Some(statuses)
        };
        read().ok_or_else(|| self.link.unexpected(action))
    }
}

#[async_trait]
impl Queue for Redis {
    async fn submit(&self, submission: Submission) -> Result<Receipt, Error> {
        let action = "submit jobs";
        let mut call = self.link.scripts.call("submit");
        call.arg(submission.batch.as_bytes());
        match &submission.idempotency {
            Some(named) => call.arg(&named.key).arg(&named.fingerprint).arg(&named.answer),
            None => call.arg("").arg("").arg(""),
        };
        for job in &submission.jobs {
            call.arg(job.id.as_bytes()).arg(layout::queued(job)).arg(layout::image(&job.image));
        }
        let answer = self.link.ask(action, &call).await?;
        match reply::submitted(answer).ok_or_else(|| self.link.unexpected(action))? {
            Submitted::Taken(receipt) => Ok(receipt),
            Submitted::Full => Err(Error::Full { limit: self.limits.jobs_max }),
            Submitted::Reused => {
                Err(Error::KeyReused { key: submission.idempotency.map_or_else(String::new, |named| named.key) })
            }
        }
    }

    async fn claim(&self, worker: &WorkerId, room: usize, wait: Duration) -> Result<Vec<Claim>, Error> {
        self.claims.claim(worker, room, wait).await
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        let holds = self.hold("extend leases", "extend", leases).await?;
        let lost = leases.iter().zip(&holds).filter(|(_, hold)| **hold == Hold::Lost);
        self.claims.forget(lost.map(|(lease, _)| lease));
        Ok(holds)
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        let holds = self.hold("release jobs", "release", leases).await?;
        self.claims.forget(leases.iter());
        Ok(holds)
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, Error> {
        let action = "settle jobs";
        if settlements.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self.link.scripts.call("settle");
        for Settlement { lease: Lease { job, worker, token }, result } in &settlements {
            let (claimed, deliveries) = of_token(*token);
            call.arg(job.as_bytes()).arg(worker).arg(deliveries).arg(&claimed.to_be_bytes());
            match result {
                Ok(inference) => call.arg("1").arg(layout::done_tail(worker, inference)),
                Err(why) => call.arg("0").arg(why),
            };
        }
        let answers = self.link.ask(action, &call).await?.array().unwrap_or_default();
        let settled = |answer: redis::Value| match answer.bytes()?.as_slice() {
            b"done" => Some(Settled::Done),
            b"retried" => Some(Settled::Retried),
            b"dead" => Some(Settled::Dead),
            b"late" => Some(Settled::Late),
            _ => None,
        };
        let answers = answers.into_iter().map(settled).collect::<Option<Vec<_>>>();
        let answers = answers.filter(|answers| answers.len() == settlements.len());
        let answers = answers.ok_or_else(|| self.link.unexpected(action))?;
        self.claims.forget(settlements.iter().map(|settlement| &settlement.lease));
        Ok(answers)
    }

    async fn reclaim(&self, worker: &WorkerId, cause: Cause) -> Result<usize, Error> {
        let action = "reclaim jobs";
        let mut call = self.link.scripts.call("reclaim");
        call.arg(worker).arg(match cause {
            Cause::Stopped => "stopped",
            Cause::Crashed => "crashed",
        });
        let held = self.link.ask(action, &call).await?.number();
        let held = held.and_then(|held| usize::try_from(held).ok());
        held.ok_or_else(|| self.link.unexpected(action))
    }

    async fn sweep(&self) -> Result<(), Error> {
        let action = "sweep the queue";
        let answer = self.link.ask(action, &self.link.scripts.call("sweep")).await?;
        let found = answer.array().and_then(exactly).and_then(|[a, b]| Some((a.number()?, b.number()?)));
        let (orphans, lost) = found.ok_or_else(|| self.link.unexpected(action))?;
        if orphans > 0 {
            warn!("put {orphans} jobs back in line whose consumer somebody else deleted");
        }
        if lost > 0 {
            error!("{lost} jobs are lost: somebody else deleted them from the stream; each has failed and says so");
        }
        Ok(())
    }

    async fn statuses(&self, jobs: &[JobId]) -> Result<Vec<Option<Status>>, Error> {
        let mut statuses = vec![None; jobs.len()];
        if jobs.is_empty() {
            return Ok(statuses);
        }
        let mut call = self.link.scripts.call("statuses");
        for job in jobs {
            call.arg(job.as_bytes());
        }
        for (place, status) in self.look("look jobs up", &call).await? {
            if let Some(asked) = statuses.get_mut(place) {
                *asked = Some(status);
            }
        }
        Ok(statuses)
    }

    async fn batch(&self, batch: BatchId) -> Result<Vec<Status>, Error> {
        let mut call = self.link.scripts.call("statuses");
        call.arg("batch").arg(batch.as_bytes());
        Ok(self.look("look a batch up", &call).await?.into_iter().map(|(_, status)| status).collect())
    }

    async fn cancel(&self, job: JobId) -> Result<Cancellation, Error> {
        let action = "cancel a job";
        let mut call = self.link.scripts.call("cancel");
        call.arg(job.as_bytes()).arg(&layout::CANCELLED_TAIL);
        match self.link.ask(action, &call).await?.bytes().as_deref() {
            Some(b"cancelled") => Ok(Cancellation::Cancelled),
            Some(b"running") => Ok(Cancellation::Running),
            Some(b"settled") => Ok(Cancellation::Settled),
            Some(b"unknown") => Ok(Cancellation::Unknown),
            _ => Err(self.link.unexpected(action)),
        }
    }

    async fn depth(&self) -> Result<Depth, Error> {
        let action = "count jobs";
        let answer = self.link.ask(action, &self.link.scripts.call("depth")).await?;
        reply::depth(answer).ok_or_else(|| self.link.unexpected(action))
    }

    async fn latest(&self) -> Result<Cursor, Error> {
        self.follower.latest().await
    }

    async fn changes(&self, after: Cursor, wait: Duration) -> Result<Changes, Error> {
        self.follower.changes(after, wait).await
    }

    async fn dead(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        self.follower.dead(limit).await
    }

    async fn replay(&self, job: JobId) -> Result<bool, Error> {
        let action = "replay a dead letter";
        match self.ask_of(action, "replay", job).await?.bytes().as_deref() {
            Some(b"replayed") => Ok(true),
            Some(b"unknown") => Ok(false),
            Some(b"full") => Err(Error::Full { limit: self.limits.jobs_max }),
            _ => Err(self.link.unexpected(action)),
        }
    }

    async fn discard(&self, job: JobId) -> Result<bool, Error> {
        let answer = self.ask_of("discard a dead letter", "discard", job).await?;
        Ok(answer.number() == Some(1))
    }
}
