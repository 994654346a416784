//! How does Redis hold a queue for many machines?
//!
//! A stream and a consumer group hold the jobs: an entry waits until it is read, is held by whoever read it, and is
//! deleted when its job has its outcome, so that the stream's length is exactly what waits and runs. Beside it:
//!
//! ```text
//! {prefix}:jobs      stream     what waits and what runs, oldest first; image bytes inline
//! {prefix}:back      sorted set entries released before they were ever attempted
//! {prefix}:again     sorted set entries attempted before: each is claimed alone
//! {prefix}:tally     hash       their attempts
//! {prefix}:at:…      hashes     where each job stands, those of one minute together
//! {prefix}:batch:…   hashes     the jobs of a batch
//! {prefix}:key:…     strings    idempotency keys
//! {prefix}:changes   stream     changes for readers, bounded
//! {prefix}:nudges    stream     wakes one waiting worker when a job comes back
//! {prefix}:lost:…    hashes     attempts that ended without an outcome, of the jobs of one minute together
//! {prefix}:runs      sorted set batches that have a name, the latest
//! {prefix}:dead      stream     dead letters, and {prefix}:graves, a hash that finds them
//! {prefix}:open      hash       jobs without an outcome, counted: more than the stream holds means that some were lost
//! {prefix}:idle      sorted set workers that wait for jobs, and until when
//! {prefix}:ends      sorted set when each of the hashes at:… without open jobs is over
//! {prefix}:state     hash       the queue's layout and limits, when leases expire next, which line was claimed from last
//! ```
//!
//! Leases are the group's own pending entries: reading gives one, a heartbeat renews it. Only the clock of Redis counts,
//! so that the clocks of its clients do not matter. Every verb is one function (`functions`, `lua/`), which Redis runs
//! completely or not at all. Concurrent submissions share calls, and so do concurrent settlements (`group`).

mod address;
mod blocking;
mod caller;
mod changes;
mod claim;
mod connection;
mod delivered;
mod delivery;
mod encoding;
mod error;
mod functions;
mod group;
mod limits;
mod reply;
mod settings;
mod settle;
mod submit;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use redis::Cmd;
use tracing::{error, warn};

use crate::WorkerId;
use crate::job::{BatchId, JobId, Status};
use kana_engine::image::Image;

use super::pictures::Pictures;
use super::rules::RUNS_MAX;
use super::{
    Cancellation, Cause, Changes, Claim, Cursor, DeadLetter, Depth, Error, Hold, Lease, Limits, LostAttempt, Queue,
    Receipt, Run, Settled, Settlement, Submission,
};
pub use address::Address;
use changes::ChangeStream;
use claim::{Claims, add_leases};
use connection::Connection;
use group::{Call, Groups, JOBS_PER_CALL};
use reply::{Reply, Submitted, exactly, field};
use settle::Settle;
use submit::Submit;

/// Jobs looked up in one call, at most: some two milliseconds.
const LOOK_UPS_PER_CALL: usize = 500;

/// A queue in Redis 7.0 or newer, or in Valkey.
pub struct Redis {
    connection: Arc<Connection>,
    claims: Arc<Claims>,
    submits: Groups<Submit>,
    settles: Groups<Settle>,
    changes: ChangeStream,
    /// What this process submitted lately: Redis drops pixels with the job.
    pictures: Mutex<Pictures>,
    limits: Limits,
}

/// The answer of `statuses`.
struct Found {
    /// Jobs that were asked for; of a batch, all that it has.
    jobs: usize,
    /// What is known of them, each with its position in what was asked.
    statuses: Vec<(usize, Status)>,
}

impl Redis {
    /// Creates the queue at `address`. It connects when it is first used: a Redis that is away now may come later.
    pub fn new(address: &Address, limits: Limits) -> Self {
        let connection = Arc::new(Connection::new(address, limits));
        let claims = Arc::new(Claims::new(Arc::clone(&connection), limits.lease));
        let changes = ChangeStream::new(Arc::clone(&connection));
        let submits = Groups::new(Submit(Arc::clone(&connection)));
        let settles = Groups::new(Settle { connection: Arc::clone(&connection), claims: Arc::clone(&claims) });
        Self { connection, claims, submits, settles, changes, pictures: Mutex::default(), limits }
    }

    /// Calls a function that answers 1 or 0 for each lease.
    async fn hold(&self, action: &'static str, function: &'static str, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let mut holds = Vec::with_capacity(leases.len());
        for leases in leases.chunks(JOBS_PER_CALL) {
            let mut call = self.connection.functions.call(function);
            add_leases(&mut call, leases);
            let answers = self.connection.ask(action, &call).await?.array();
            let answers = answers.filter(|answers| answers.len() == leases.len());
            let answers = answers.ok_or_else(|| self.connection.unexpected(action))?;
            let hold = |answer: &redis::Value| if answer.number() == Some(1) { Hold::Kept } else { Hold::Lost };
            holds.extend(answers.iter().map(hold));
        }
        Ok(holds)
    }

    /// Calls a function with one job, and returns its answer.
    async fn call_with(&self, action: &'static str, function: &'static str, job: JobId) -> Result<redis::Value, Error> {
        let mut call = self.connection.functions.call(function);
        call.arg(job.as_bytes());
        self.connection.ask(action, &call).await
    }

    /// Calls `statuses`.
    async fn look_up(&self, action: &'static str, call: &Cmd) -> Result<Found, Error> {
        let answer = self.connection.ask(action, call).await?;
        let read = || {
            let [jobs, statuses] = exactly(answer.array()?)?;
            let statuses = statuses.array()?.into_iter().map(|one| {
                let [place, id, body] = exactly(one.array()?)?;
                let id = JobId::from_bytes(id.bytes()?.try_into().ok()?);
                Some((usize::try_from(place.number()?).ok()?.checked_sub(1)?, encoding::status(id, &body.bytes()?)?))
            });
            let mut statuses = statuses.collect::<Option<Vec<_>>>()?;
            statuses.sort_unstable_by_key(|(place, _)| *place);
            Some(Found { jobs: usize::try_from(jobs.number()?).ok()?, statuses })
        };
        read().ok_or_else(|| self.connection.unexpected(action))
    }
}

#[async_trait]
impl Queue for Redis {
    async fn submit(&self, submission: Submission) -> Result<Receipt, Error> {
        let key = submission.idempotency.as_ref().map(|idempotency| idempotency.key.clone());
        let jobs: Vec<_> = submission.jobs.iter().cloned().map(Arc::new).collect();
        match self.connection.answered(Submit::ACTION, self.submits.ask(submission)).await? {
            Submitted::Receipt(receipt) => {
                let mut pictures = self.pictures.lock();
                jobs.into_iter().for_each(|job| pictures.keep(job));
                Ok(receipt)
            }
            Submitted::Full => Err(Error::Full { limit: self.limits.jobs_max }),
            Submitted::KeyReused => Err(Error::KeyReused { key: key.unwrap_or_default() }),
        }
    }

    async fn claim(&self, worker: &WorkerId, limit: usize, wait: Duration) -> Result<Vec<Claim>, Error> {
        self.claims.claim(worker, limit, wait).await
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        let holds = self.hold("extend leases", "extend", leases).await?;
        let lost = leases.iter().zip(&holds).filter(|(_, hold)| **hold == Hold::Lost);
        self.claims.delivered.remove(lost.map(|(lease, _)| lease));
        Ok(holds)
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        let holds = self.hold("release jobs", "release", leases).await?;
        self.claims.delivered.remove(leases.iter());
        Ok(holds)
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, Error> {
        let (mut settled, mut settlements) = (Vec::with_capacity(settlements.len()), settlements.into_iter());
        loop {
            let some: Vec<_> = settlements.by_ref().take(JOBS_PER_CALL).collect();
            if some.is_empty() {
                return Ok(settled);
            }
            settled.extend(self.connection.answered(Settle::ACTION, self.settles.ask(some)).await?);
        }
    }

    async fn reclaim(&self, worker: &WorkerId, cause: Cause) -> Result<usize, Error> {
        let action = "reclaim jobs";
        let mut call = self.connection.functions.call("reclaim");
        call.arg(worker).arg(match cause {
            Cause::Stopped => "stopped",
            Cause::Crashed => "crashed",
        });
        let mut jobs = 0;
        loop {
            let answer = self.connection.ask(action, &call).await?;
            let [held, more] = reply::numbers(answer).ok_or_else(|| self.connection.unexpected(action))?;
            jobs += usize::try_from(held).unwrap_or(usize::MAX);
            if more == 0 {
                return Ok(jobs);
            }
        }
    }

    async fn sweep(&self) -> Result<(), Error> {
        let action = "sweep the queue";
        let (mut unheld, mut lost) = (0, 0);
        loop {
            let answer = self.connection.ask(action, &self.connection.functions.call("sweep")).await?;
            let numbers = reply::numbers(answer).ok_or_else(|| self.connection.unexpected(action))?;
            let [unheld_now, lost_now, more] = numbers;
            (unheld, lost) = (unheld + unheld_now, lost + lost_now);
            if more == 0 {
                break;
            }
        }
        if unheld > 0 {
            warn!(jobs = unheld, "requeued {unheld} jobs whose consumer another program deleted");
        }
        if lost > 0 {
            error!(
                jobs = lost,
                "{lost} jobs are lost: another program deleted them from the stream; their outcome says so"
            );
        }
        Ok(())
    }

    async fn statuses(&self, jobs: &[JobId]) -> Result<Vec<Option<Status>>, Error> {
        let mut statuses = vec![None; jobs.len()];
        for (jobs, statuses) in jobs.chunks(LOOK_UPS_PER_CALL).zip(statuses.chunks_mut(LOOK_UPS_PER_CALL)) {
            let mut call = self.connection.functions.call("statuses");
            for job in jobs {
                call.arg(job.as_bytes());
            }
            for (place, status) in self.look_up("look jobs up", &call).await?.statuses {
                if let Some(asked) = statuses.get_mut(place) {
                    *asked = Some(status);
                }
            }
        }
        Ok(statuses)
    }

    async fn batch(&self, batch: BatchId) -> Result<Vec<Status>, Error> {
        let (mut statuses, mut from) = (Vec::new(), 0);
        loop {
            let mut call = self.connection.functions.call("statuses");
            call.arg("batch").arg(batch.as_bytes()).arg(from).arg(LOOK_UPS_PER_CALL);
            let page = self.look_up("look a batch up", &call).await?;
            statuses.extend(page.statuses.into_iter().map(|(_, status)| status));
            from += LOOK_UPS_PER_CALL;
            if from >= page.jobs {
                return Ok(statuses);
            }
        }
    }

    async fn lost(&self, jobs: &[JobId]) -> Result<Vec<Vec<LostAttempt>>, Error> {
        let action = "look lost attempts up";
        let mut lost = Vec::with_capacity(jobs.len());
        for jobs in jobs.chunks(LOOK_UPS_PER_CALL) {
            let mut call = self.connection.functions.call("lost");
            for job in jobs {
                call.arg(job.as_bytes());
            }
            let answers =
                self.connection.ask(action, &call).await?.array().filter(|answers| answers.len() == jobs.len());
            let read = |answer: redis::Value| encoding::lost(&answer.bytes()?);
            let answers = answers.and_then(|answers| answers.into_iter().map(read).collect::<Option<Vec<_>>>());
            lost.extend(answers.ok_or_else(|| self.connection.unexpected(action))?);
        }
        Ok(lost)
    }

    async fn runs(&self, before: Option<BatchId>, limit: usize) -> Result<Vec<Run>, Error> {
        let action = "list runs";
        let mut call = self.connection.functions.call("runs");
        call.arg(before.as_ref().map_or(&[][..], |batch| batch.as_bytes())).arg(limit.min(RUNS_MAX));
        let answers = self.connection.ask(action, &call).await?.array();
        let read = |answer: redis::Value| {
            let [batch, name] = exactly(answer.array()?)?;
            let batch = BatchId::from_bytes(batch.bytes()?.try_into().ok()?);
            Some(Run { batch, name: String::from_utf8(name.bytes()?).ok()? })
        };
        let runs = answers.and_then(|answers| answers.into_iter().map(read).collect());
        runs.ok_or_else(|| self.connection.unexpected(action))
    }

    async fn image(&self, job: JobId) -> Result<Option<Image>, Error> {
        if let Some(image) = self.pictures.lock().image(job) {
            return Ok(Some(image.clone()));
        }
        let action = "look an image up";
        let answer = self.call_with(action, "image", job).await?;
        Ok(answer.bytes().and_then(|bytes| encoding::pixels(&bytes)))
    }

    async fn cancel(&self, job: JobId) -> Result<Cancellation, Error> {
        let action = "cancel a job";
        let mut call = self.connection.functions.call("cancel");
        call.arg(job.as_bytes()).arg(&encoding::CANCELLED_TAIL);
        match self.connection.ask(action, &call).await?.bytes().as_deref() {
            Some(b"cancelled") => Ok(Cancellation::Cancelled),
            Some(b"running") => Ok(Cancellation::Running),
            Some(b"settled") => Ok(Cancellation::Settled),
            Some(b"unknown") => Ok(Cancellation::Unknown),
            _ => Err(self.connection.unexpected(action)),
        }
    }

    async fn depth(&self) -> Result<Depth, Error> {
        let action = "count jobs";
        let answer = self.connection.ask(action, &self.connection.functions.call("depth")).await?;
        reply::depth(answer).ok_or_else(|| self.connection.unexpected(action))
    }

    async fn latest(&self) -> Result<Cursor, Error> {
        self.changes.latest().await
    }

    async fn changes(&self, after: Cursor, wait: Duration) -> Result<Changes, Error> {
        self.changes.changes(after, wait).await
    }

    fn warnings(&self) -> Vec<String> {
        self.connection.warnings()
    }

    async fn dead(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        let action = "list dead letters";
        let mut listing = redis::cmd("XREVRANGE");
        listing.arg(&self.connection.functions.dead).arg("+").arg("-").arg("COUNT").arg(limit.min(i32::MAX as usize));
        let answer = self.connection.ask(action, &listing).await?;
        let read = || {
            let letters = answer.array()?.into_iter().map(|entry| {
                let [_, fields] = exactly(entry.array()?)?;
                let mut fields = fields.array()?;
                let (job, image) = (field(&mut fields, "job")?, field(&mut fields, "image")?);
                encoding::dead_letter(&job, &image, &field(&mut fields, "letter")?)
            });
            letters.collect::<Option<Vec<_>>>()
        };
        read().ok_or_else(|| self.connection.unexpected(action))
    }

    async fn replay(&self, job: JobId) -> Result<bool, Error> {
        let action = "replay a dead letter";
        match self.call_with(action, "replay", job).await?.bytes().as_deref() {
            Some(b"replayed") => Ok(true),
            Some(b"unknown") => Ok(false),
            Some(b"full") => Err(Error::Full { limit: self.limits.jobs_max }),
            _ => Err(self.connection.unexpected(action)),
        }
    }

    async fn discard(&self, job: JobId) -> Result<bool, Error> {
        let answer = self.call_with("discard a dead letter", "discard", job).await?;
        Ok(answer.number() == Some(1))
    }
}
