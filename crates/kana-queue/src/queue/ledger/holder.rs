//! How does one process hold a queue for many callers?
//!
//! [`Holder`] is the [ledger](Jobs) behind a lock, with a clock. It wakes the callers that wait for jobs or for changes,
//! and holds back every answer until a restart would give the same one: until the journal has written what the answer
//! tells, and in the case of a submission until the disk has it. Without a journal nothing is held back.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::{Condvar, Mutex};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use crate::WorkerId;
use crate::clock::{Clock, Timestamp};
use crate::job::{BatchId, JobId, Status};
use crate::queue::poll::Poll;
use crate::queue::{
    Cancellation, Cause, Changes, Claim, Cursor, DeadLetter, Depth, Error, Hold, Lease, Limits, LostAttempt, Queue,
    Receipt, Run, Settled, Settlement, Submission,
};
use kana_engine::image::Image;

use super::claimers::Claimers;
use super::fault::Fault;
use super::operations::Jobs;
use super::writes::Writes;

/// How often a waiting claim looks whether a lease has expired, in case nobody sweeps.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A queue that this process holds: by itself one in memory, which is gone with the process.
#[derive(Clone)]
pub struct Holder {
    shared: Arc<Shared>,
}

/// What the callers of a queue and its journal share.
pub struct Shared {
    pub state: Mutex<State>,
    pub clock: Arc<dyn Clock>,
    /// How far the journal is.
    pub progress: watch::Sender<Progress>,
    /// Wakes the journal's thread when something is urgent.
    pub wake: Condvar,
    /// The journal, where there is one.
    pub scribe: OnceLock<Arc<Mutex<dyn Scribe>>>,
    changed: Notify,
}

/// The ledger and who waits for it.
pub struct State {
    pub jobs: Jobs,
    claimers: Claimers,
    /// Submissions that wait for the disk.
    pub submissions: Vec<PendingSubmission>,
    /// Why nothing is accepted at present, where that is so.
    pub refusal: Option<Fault>,
    /// Whether the journal is to end.
    pub is_closing: bool,
    /// Whether the journal's thread waits until it is woken, however long that takes.
    pub is_thread_asleep: bool,
}

/// Whoever writes down what changes.
pub trait Scribe: Send {
    /// Writes what has piled up without waiting for the disk, unless submissions are in it. Returns whether the thread
    /// has something to do in a while.
    fn write_here(&mut self) -> bool;
}

/// A submission that is in the ledger and not yet on the disk.
#[derive(Debug)]
pub struct PendingSubmission {
    pub jobs: Vec<JobId>,
    pub key: Option<String>,
    pub answer: oneshot::Sender<Result<(), Fault>>,
}

/// How far the journal is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// The latest group that survives the end of the process.
    pub written: u64,
    /// Submissions taken back, which somebody may have read meanwhile.
    pub retracted: u64,
    /// Whether the journal has ended.
    pub is_over: bool,
}

impl Shared {
    /// Writes what is urgent on this thread, unless the journal is at work: it then comes to this by itself. Returns
    /// whether nobody has to be woken.
    fn write_here(&self) -> bool {
        let Some(mut scribe) = self.scribe.get().and_then(|scribe| scribe.try_lock()) else { return false };
        let is_wanted = scribe.write_here();
        drop(scribe);
        !(is_wanted && self.state.lock().is_thread_asleep)
    }

    /// Hands waiting jobs to those who wait for them.
    fn dispatch(&self, state: &mut State, now: Timestamp) {
        let State { jobs, claimers, .. } = state;
        while !claimers.is_empty() && jobs.waiting() > 0 {
            let Some((claimer, share)) = claimers.take(jobs.first_attempts(), |worker| !jobs.is_busy(worker)) else {
                return;
            };
            let claims = jobs.claim(&claimer.worker, share.max(1), now);
            // Its receiver goes only after it has left the line, under the same lock.
            drop(claimer.claims.send(claims));
        }
    }
}

impl Holder {
    /// Creates an empty queue in memory.
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self::of(Jobs::new(limits, Writes::discarded()), clock)
    }

    /// Creates a queue of these jobs.
    pub(in crate::queue) fn of(jobs: Jobs, clock: Arc<dyn Clock>) -> Self {
        let (claimers, submissions) = (Claimers::default(), Vec::new());
        let state = Mutex::new(State {
            jobs,
            claimers,
            submissions,
            refusal: None,
            is_closing: false,
            is_thread_asleep: false,
        });
        let (progress, wake, changed, scribe) =
            (watch::Sender::default(), Condvar::new(), Notify::new(), OnceLock::new());
        Self { shared: Arc::new(Shared { state, clock, progress, wake, scribe, changed }) }
    }

    pub(in crate::queue) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Does one operation. Returns its answer, and the group of the journal that makes it certain.
    fn apply<T>(&self, operation: impl FnOnce(&mut State, Timestamp) -> T) -> (T, u64) {
        let shared = &*self.shared;
        let mut guard = shared.state.lock();
        let state = &mut *guard;
        let (latest, now) = (state.jobs.latest(), shared.clock.now());
        let answer = operation(state, now);
        shared.dispatch(state, now);
        let (is_changed, is_urgent) = (state.jobs.latest() > latest, state.jobs.writes.is_urgent());
        let group = state.jobs.writes.group().saturating_sub(u64::from(!is_urgent));
        // The disk is waited for on the journal's thread; only to write takes less than to wake it.
        let is_quick = state.submissions.is_empty() && state.refusal.is_none();
        drop(guard);
        if is_changed {
            shared.changed.notify_waiters();
        }
        if is_urgent && !(is_quick && shared.write_here()) {
            shared.wake.notify_one();
        }
        (answer, group)
    }

    /// Does one operation that only some callers have to wait for.
    fn write<T>(&self, operation: impl FnOnce(&mut Jobs, Timestamp) -> T) -> T {
        self.apply(|state, now| operation(&mut state.jobs, now)).0
    }

    /// Does one operation, and answers when a restart would know of it.
    async fn write_certain<T>(
        &self,
        action: &'static str,
        operation: impl FnOnce(&mut Jobs, Timestamp) -> T + Send,
    ) -> Result<T, Error> {
        let (answer, group) = self.apply(|state, now| operation(&mut state.jobs, now));
        self.wait(action, |progress| progress.written >= group).await?;
        Ok(answer)
    }

    /// Reads, and answers when a restart would give the same answer. `read` returns the group that makes it certain.
    async fn read<T>(
        &self,
        action: &'static str,
        read: impl Fn(&Jobs, Timestamp) -> (T, u64) + Send,
    ) -> Result<T, Error> {
        loop {
            let (answer, group, before) = {
                let state = self.shared.state.lock();
                let (answer, group) = read(&state.jobs, self.shared.clock.now());
                (answer, group, *self.shared.progress.borrow())
            };
            if before.written >= group {
                return Ok(answer);
            }
            let progress = self.wait(action, |progress| progress.written >= group).await?;
            if progress.retracted == before.retracted {
                return Ok(answer);
            }
        }
    }

    /// Where the jobs of a batch stand, each with its place in line.
    pub(in crate::queue) async fn batch_by_place(
        &self,
        action: &'static str,
        batch: BatchId,
    ) -> Result<Vec<(u64, Status)>, Error> {
        self.read(action, |ledger, now| {
            let statuses = ledger.batch(batch, now);
            let group = ledger.group_of(statuses.iter().map(|(_, status)| status.id));
            (statuses, group)
        })
        .await
    }

    async fn wait(&self, action: &'static str, is_there: impl Fn(&Progress) -> bool) -> Result<Progress, Error> {
        let progress = *self.shared.progress.borrow();
        if is_there(&progress) {
            return Ok(progress);
        }
        let mut receiver = self.shared.progress.subscribe();
        let over = || Error::Unavailable { action, source: "the queue was closed".into() };
        let reached = receiver.wait_for(|progress| is_there(progress) || progress.is_over).await;
        let progress = *reached.map_err(|_| over())?;
        if is_there(&progress) { Ok(progress) } else { Err(over()) }
    }
}

/// A claim that waits. Where it is dropped, jobs on their way to it are released.
struct Ticket<'a> {
    holder: &'a Holder,
    id: u64,
    claims: oneshot::Receiver<Vec<Claim>>,
}

impl Ticket<'_> {
    /// Waits until `next`. Returns the jobs that came.
    async fn wait_until(&mut self, next: Instant) -> Option<Vec<Claim>> {
        tokio::time::timeout_at(next, &mut self.claims).await.ok().and_then(Result::ok)
    }

    /// Leaves the line. Returns the jobs that came in the last moment.
    fn withdraw(&mut self) -> Vec<Claim> {
        let mut state = self.holder.shared.state.lock();
        state.claimers.remove(self.id);
        self.claims.try_recv().unwrap_or_default()
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let leases: Vec<Lease> = self.withdraw().into_iter().map(|claim| claim.lease).collect();
        if !leases.is_empty() {
            self.holder.write(|jobs, now| jobs.release(&leases, now));
        }
    }
}

#[async_trait]
impl Queue for Holder {
    async fn submit(&self, submission: Submission) -> Result<Receipt, Error> {
        const ACTION: &str = "submit jobs";
        let jobs = submission.jobs.iter().map(|job| job.id).collect();
        let key = submission.idempotency.as_ref().map(|idempotency| idempotency.key.clone());
        let (answer, _) = self.apply(|state, now| {
            if let Some(fault) = &state.refusal {
                return Err(fault.clone().during(ACTION));
            }
            let receipt = state.jobs.submit(submission, now)?;
            if state.jobs.writes.group() == 0 {
                return Ok((receipt, None));
            }
            // A repetition is certain no earlier than what it repeats.
            state.jobs.writes.ask();
            let (answer, pending) = oneshot::channel();
            // What a repetition names is another submission's to take back.
            let jobs = if receipt == Receipt::Accepted { jobs } else { Vec::new() };
            state.submissions.push(PendingSubmission { key: key.filter(|_| !jobs.is_empty()), jobs, answer });
            Ok((receipt, Some(pending)))
        });
        let (receipt, pending) = answer?;
        match pending {
            None => Ok(receipt),
            Some(pending) => match pending.await {
                Ok(written) => written.map(|()| receipt).map_err(|fault| fault.during(ACTION)),
                Err(source) => Err(Error::Unavailable { action: ACTION, source: Box::new(source) }),
            },
        }
    }

    async fn claim(&self, worker: &WorkerId, limit: usize, wait: Duration) -> Result<Vec<Claim>, Error> {
        let (claims, ticket) = self
            .apply(|state, now| {
                let claims = state.jobs.claim(worker, limit, now);
                let is_over = !claims.is_empty() || wait.is_zero() || limit == 0;
                (claims, (!is_over).then(|| state.claimers.add(worker.clone(), limit)))
            })
            .0;
        let Some((id, receiver)) = ticket else { return Ok(claims) };
        let mut ticket = Ticket { holder: self, id, claims: receiver };
        let deadline = Instant::now().checked_add(wait);
        while deadline.is_none_or(|deadline| Instant::now() < deadline) {
            let look = Instant::now() + LOOK_AGAIN;
            if let Some(claims) = ticket.wait_until(deadline.map_or(look, |deadline| deadline.min(look))).await {
                return Ok(claims);
            }
            self.write(Jobs::catch_up);
        }
        Ok(ticket.withdraw())
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        Ok(self.write(|jobs, now| jobs.extend(leases, now)))
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        Ok(self.write(|jobs, now| jobs.release(leases, now)))
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, Error> {
        self.write_certain("settle jobs", |jobs, now| jobs.settle(settlements, now)).await
    }

    async fn reclaim(&self, worker: &WorkerId, cause: Cause) -> Result<usize, Error> {
        self.write_certain("reclaim jobs", |jobs, now| jobs.reclaim(worker, cause, now)).await
    }

    async fn sweep(&self) -> Result<(), Error> {
        let (refusal, _) = self.apply(|state, now| {
            state.jobs.catch_up(now);
            state.jobs.writes.flush();
            state.refusal.clone()
        });
        refusal.map_or(Ok(()), |fault| Err(fault.during("accept jobs")))
    }

    async fn statuses(&self, jobs: &[JobId]) -> Result<Vec<Option<Status>>, Error> {
        self.read("look jobs up", |ledger, now| (ledger.statuses(jobs, now), ledger.group_of(jobs.iter().copied())))
            .await
    }

    async fn batch(&self, batch: BatchId) -> Result<Vec<Status>, Error> {
        let by_place = self.batch_by_place("look a batch up", batch).await?;
        Ok(by_place.into_iter().map(|(_, status)| status).collect())
    }

    async fn lost(&self, jobs: &[JobId]) -> Result<Vec<Vec<LostAttempt>>, Error> {
        let look = |ledger: &Jobs| jobs.iter().map(|id| ledger.history.lost(*id)).collect();
        self.read("look lost attempts up", |ledger, _| (look(ledger), ledger.group_of(jobs.iter().copied()))).await
    }

    async fn runs(&self, before: Option<BatchId>, limit: usize) -> Result<Vec<Run>, Error> {
        Ok(self.shared.state.lock().jobs.history.runs(before, limit))
    }

    async fn image(&self, job: JobId) -> Result<Option<Image>, Error> {
        Ok(self.shared.state.lock().jobs.image(job).cloned())
    }

    async fn cancel(&self, job: JobId) -> Result<Cancellation, Error> {
        self.write_certain("cancel a job", |jobs, now| jobs.cancel(job, now)).await
    }

    async fn depth(&self) -> Result<Depth, Error> {
        Ok(self.shared.state.lock().jobs.depth())
    }

    async fn latest(&self) -> Result<Cursor, Error> {
        Ok(Cursor(self.shared.state.lock().jobs.latest()))
    }

    async fn changes(&self, after: Cursor, wait: Duration) -> Result<Changes, Error> {
        let mut poll = Poll::new(&self.shared.changed, wait, Duration::MAX);
        loop {
            let changes = self
                .read("read changes", |ledger, _| {
                    let changes = ledger.changes(after);
                    let group = ledger.group_of(changes.jobs.iter().map(|status| status.id));
                    (changes, group)
                })
                .await?;
            if !changes.jobs.is_empty() || !poll.again().await {
                return Ok(changes);
            }
        }
    }

    async fn dead(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        Ok(self.shared.state.lock().jobs.dead(limit))
    }

    async fn replay(&self, job: JobId) -> Result<bool, Error> {
        self.write_certain("replay a dead letter", |jobs, now| jobs.replay(job, now)).await?
    }

    async fn discard(&self, job: JobId) -> Result<bool, Error> {
        self.write_certain("discard a dead letter", |jobs, now| jobs.discard(job, now)).await
    }
}
