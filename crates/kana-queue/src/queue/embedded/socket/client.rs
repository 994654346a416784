//! How does a worker use a queue that another process holds?
//!
//! [`Remote`] connects with its first call, and again after the connection was lost: until then every call fails, and its
//! caller tries again. Calls are numbered and share one connection.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::WorkerId;
use crate::job::{BatchId, JobId, Status};
use crate::queue::{
    Cancellation, Cause, Changes, Claim, Cursor, DeadLetter, Depth, Error, Hold, Lease, Limits, LostAttempt, Queue,
    Receipt, Run, Settled, Settlement, Submission,
};
use kana_engine::image::Image;

use super::address;
use super::wire::{self, Hello, Request, Response, VERSION};

/// Frames that may wait to be sent.
const SENDING_MAX: usize = 1_024;

/// The time that the holder has to answer a greeting.
const HELLO_MAX: Duration = Duration::from_secs(5);

/// A queue that another process of this machine holds.
pub struct Remote {
    path: PathBuf,
    lease: Duration,
    connection: tokio::sync::Mutex<Option<Connection>>,
    calls: Arc<AtomicU64>,
}

/// Why the queue's holder cannot be asked.
#[derive(Debug, thiserror::Error)]
enum RemoteError {
    #[error("no process holds the queue {path}: start its gateway, or wait for it")]
    NoHolder { path: PathBuf, source: io::Error },
    #[error("the process that holds the queue {path} ended the connection")]
    Lost { path: PathBuf },
    #[error("the process that holds the queue {path} is of another version of kana: run the same one everywhere")]
    Version { path: PathBuf },
    #[error(
        "the process that holds the queue {path} has leases of {theirs:?} and this one of {ours:?}: give both the same \
         --lease"
    )]
    Lease { path: PathBuf, theirs: Duration, ours: Duration },
    #[error("the process that holds the queue answered something else")]
    Confused,
}

/// Where the answers of calls go, by number.
type Pending = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Response>>>>>;

/// One connection, as all calls share it.
#[derive(Clone)]
struct Connection {
    frames: mpsc::Sender<Vec<u8>>,
    pending: Pending,
    _tasks: Arc<Tasks>,
}

/// The tasks that send and receive; they end with the last call.
struct Tasks([JoinHandle<()>; 2]);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Connection {
    #[expect(clippy::disallowed_methods, reason = "both end when the connection is dropped")]
    fn start(stream: UnixStream, calls: Arc<AtomicU64>) -> Self {
        let (from, to) = stream.into_split();
        let (frames, sending) = mpsc::channel(SENDING_MAX);
        let pending: Pending = Arc::new(Mutex::new(Some(HashMap::new())));
        let sender = tokio::spawn(send(sending, to, pending.clone()));
        let receiver = tokio::spawn(receive(from, pending.clone(), frames.downgrade(), calls));
        Self { frames, pending, _tasks: Arc::new(Tasks([sender, receiver])) }
    }

    fn is_lost(&self) -> bool {
        self.pending.lock().is_none()
    }

    /// Asks, and waits for the answer. Where this is dropped, the holder drops the call too.
    async fn ask(&self, call: u64, request: &Request) -> Option<Response> {
        let (sender, answer) = oneshot::channel();
        self.pending.lock().as_mut()?.insert(call, sender);
        let guard = CallGuard { connection: self, call, is_over: false };
        self.frames.send(wire::frame(call, request)).await.ok()?;
        let response = answer.await.ok();
        guard.finish();
        response
    }
}

/// Tells the holder of a call whose caller is gone.
struct CallGuard<'a> {
    connection: &'a Connection,
    call: u64,
    is_over: bool,
}

impl CallGuard<'_> {
    fn finish(mut self) {
        self.is_over = true;
    }
}

impl Drop for CallGuard<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // The answer may be on its way: whoever receives it then finds nobody, and gives back what it claimed.
        if let Some(pending) = self.connection.pending.lock().as_mut() {
            pending.remove(&self.call);
        }
        drop(self.connection.frames.try_send(wire::frame(self.call, &Request::Drop)));
    }
}

async fn send(mut sending: mpsc::Receiver<Vec<u8>>, mut to: OwnedWriteHalf, pending: Pending) {
    while let Some(mut frames) = sending.recv().await {
        while let Ok(next) = sending.try_recv() {
            frames.extend(next);
        }
        if to.write_all(&frames).await.is_err() {
            break;
        }
    }
    // Whoever waits is told by the end of its sender.
    pending.lock().take();
}

async fn receive(from: OwnedReadHalf, pending: Pending, frames: mpsc::WeakSender<Vec<u8>>, calls: Arc<AtomicU64>) {
    let mut from = BufReader::new(from);
    while let Ok(Some((call, response))) = wire::read::<Response>(&mut from).await {
        let waiting = pending.lock().as_mut().and_then(|pending| pending.remove(&call));
        let unclaimed = match waiting {
            Some(waiting) => waiting.send(response).err(),
            None => Some(response),
        };
        // The caller was dropped meanwhile.
        if let (Some(Response::Claim(claims)), Some(frames)) = (unclaimed, frames.upgrade())
            && !claims.is_empty()
        {
            let leases = claims.into_iter().map(|claim| claim.lease).collect();
            let call = calls.fetch_add(1, Ordering::Relaxed);
            drop(frames.send(wire::frame(call, &Request::Release(leases))).await);
        }
    }
    pending.lock().take();
}

impl Remote {
    /// Uses the queue at `path`. Connects when it is first called.
    pub fn new(path: &Path, limits: Limits) -> Self {
        let (connection, calls) = (tokio::sync::Mutex::new(None), Arc::new(AtomicU64::new(1)));
        Self { path: path.to_owned(), lease: limits.lease, connection, calls }
    }

    async fn ask(&self, action: &'static str, request: Request) -> Result<Response, Error> {
        let failed = |source: RemoteError| Error::Unavailable { action, source: Box::new(source) };
        let connection = self.connection().await.map_err(failed)?;
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        match connection.ask(call, &request).await {
            Some(Response::Failed(failure)) => Err(failure.during(action)),
            Some(response) => Ok(response),
            None => Err(failed(RemoteError::Lost { path: self.path.clone() })),
        }
    }

    async fn connection(&self) -> Result<Connection, RemoteError> {
        let mut connection = self.connection.lock().await;
        if let Some(connection) = connection.as_ref().filter(|connection| !connection.is_lost()) {
            return Ok(connection.clone());
        }
        let connected = self.connect().await?;
        *connection = Some(connected.clone());
        Ok(connected)
    }

    async fn connect(&self) -> Result<Connection, RemoteError> {
        let no_holder = |source| RemoteError::NoHolder { path: self.path.clone(), source };
        let stream = match UnixStream::connect(address::beside(&self.path)).await {
            Ok(stream) => stream,
            Err(error) => {
                let Ok(elsewhere) = address::elsewhere(&self.path) else { return Err(no_holder(error)) };
                UnixStream::connect(elsewhere).await.map_err(|_| no_holder(error))?
            }
        };
        let connection = Connection::start(stream, self.calls.clone());
        let hello = Hello { version: VERSION, lease: self.lease };
        let request = Request::Hello(hello);
        let asked = connection.ask(0, &request);
        let lost = || RemoteError::Lost { path: self.path.clone() };
        let answered = tokio::time::timeout(HELLO_MAX, asked).await.map_err(|_| lost())?.ok_or_else(lost)?;
        let path = self.path.clone();
        match answered {
            Response::Hello(theirs) if theirs == hello => Ok(connection),
            Response::Hello(Hello { version: VERSION, lease }) => {
                Err(RemoteError::Lease { path, theirs: lease, ours: self.lease })
            }
            _ => Err(RemoteError::Version { path }),
        }
    }
}

/// Asks, and takes the answer of the one form that belongs to the question.
macro_rules! ask {
    ($remote:expr, $action:literal, $request:expr, $($answer:pat => $value:expr)+) => {
        match $remote.ask($action, $request).await? {
            $($answer => Ok($value),)+
            _ => Err(Error::Unavailable { action: $action, source: Box::new(RemoteError::Confused) }),
        }
    };
}

#[async_trait]
impl Queue for Remote {
    async fn submit(&self, submission: Submission) -> Result<Receipt, Error> {
        ask!(self, "submit jobs", Request::Submit(submission), Response::Submit(receipt) => receipt)
    }

    async fn claim(&self, worker: &WorkerId, limit: usize, wait: Duration) -> Result<Vec<Claim>, Error> {
        let request = Request::Claim { worker: worker.clone(), limit, wait };
        ask!(self, "claim jobs", request, Response::Claim(claims) => claims)
    }

    async fn extend(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        ask!(self, "extend leases", Request::Extend(leases.to_vec()), Response::Holds(holds) => holds)
    }

    async fn release(&self, leases: &[Lease]) -> Result<Vec<Hold>, Error> {
        ask!(self, "release jobs", Request::Release(leases.to_vec()), Response::Holds(holds) => holds)
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, Error> {
        ask!(self, "settle jobs", Request::Settle(settlements), Response::Settle(settled) => settled)
    }

    async fn reclaim(&self, worker: &WorkerId, cause: Cause) -> Result<usize, Error> {
        let request = Request::Reclaim { worker: worker.clone(), cause };
        ask!(self, "reclaim jobs", request, Response::Reclaim(count) => count)
    }

    async fn sweep(&self) -> Result<(), Error> {
        ask!(self, "sweep the queue", Request::Sweep, Response::Sweep => ())
    }

    async fn statuses(&self, jobs: &[JobId]) -> Result<Vec<Option<Status>>, Error> {
        ask!(self, "look jobs up", Request::Statuses(jobs.to_vec()), Response::Statuses(statuses) => statuses)
    }

    async fn batch(&self, batch: BatchId) -> Result<Vec<Status>, Error> {
        ask!(self, "look a batch up", Request::Batch(batch), Response::Batch(statuses) => statuses)
    }

    async fn lost(&self, jobs: &[JobId]) -> Result<Vec<Vec<LostAttempt>>, Error> {
        ask!(self, "look lost attempts up", Request::Lost(jobs.to_vec()), Response::Lost(lost) => lost)
    }

    async fn runs(&self, before: Option<BatchId>, limit: usize) -> Result<Vec<Run>, Error> {
        ask!(self, "list runs", Request::Runs { before, limit }, Response::Runs(runs) => runs)
    }

    async fn image(&self, job: JobId) -> Result<Option<Image>, Error> {
        ask!(self, "look an image up", Request::Image(job), Response::Image(image) => image)
    }

    async fn cancel(&self, job: JobId) -> Result<Cancellation, Error> {
        ask!(self, "cancel a job", Request::Cancel(job), Response::Cancel(cancellation) => cancellation)
    }

    async fn depth(&self) -> Result<Depth, Error> {
        ask!(self, "count jobs", Request::Depth, Response::Depth(depth) => depth)
    }

    async fn latest(&self) -> Result<Cursor, Error> {
        ask!(self, "find the latest change", Request::Latest, Response::Latest(cursor) => cursor)
    }

    async fn changes(&self, after: Cursor, wait: Duration) -> Result<Changes, Error> {
        ask!(self, "read changes", Request::Changes { after, wait }, Response::Changes(changes) => changes)
    }

    async fn dead(&self, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        ask!(self, "list dead letters", Request::Dead { limit }, Response::Dead(letters) => letters)
    }

    async fn replay(&self, job: JobId) -> Result<bool, Error> {
        ask!(self, "replay a dead letter", Request::Replay(job), Response::Flag(replayed) => replayed)
    }

    async fn discard(&self, job: JobId) -> Result<bool, Error> {
        ask!(self, "discard a dead letter", Request::Discard(job), Response::Flag(discarded) => discarded)
    }
}
