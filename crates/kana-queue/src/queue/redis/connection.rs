//! How is Redis reached, and what happens when it is not?
//!
//! One connection is shared by every call that Redis answers at once; blocking calls have connections of their own,
//! because everything sent after them on a shared one would wait too. A call is answered within [`ANSWER_MAX`] or
//! fails; a call that finds Redis unreachable makes the others fail at once for a moment ([`Unreachable`]), and the next
//! one after that connects anew. No notification is needed when Redis is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisError, ServerErrorKind, Value};
use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::queue::{Error, Limits};

use super::address::{Address, Node};
use super::blocking::{BlockingConnection, is_broken};
use super::caller::Client;
use super::error::{BoxError, ConnectionError, Unreachable, failed};
use super::functions::Functions;
use super::limits::{self, Opened};
use super::settings::Info;

/// How long Redis may take to answer. It answers in well under a millisecond; a gateway's caller is promised an answer
/// within two seconds.
pub const ANSWER_MAX: Duration = Duration::from_millis(1_500);

/// How often one call is tried: again after a broken connection, lost functions, a lost group, a queue that moved.
const TRIES: usize = 4;

/// Connections kept for blocking calls: a process has one worker, and one reader of changes.
const IDLE_MAX: usize = 8;

/// The oldest major version of Redis that works: scripts with flags, and what XAUTOCLAIM and XPENDING learned, are of 7.0.
pub const MAJOR_MIN: u32 = 7;

/// The connections to one Redis.
pub struct Connection {
    pub functions: Arc<Functions>,
    /// The server's URL without its password, for messages.
    server: String,
    state: Mutex<State>,
    /// Limits of this process, which are the queue's unless those have changed since it was let in.
    limits: Limits,
    /// Whether the queue let this process in, at any time.
    was_let_in: AtomicBool,
    /// Which of the server's settings may lose jobs, as of the last connection.
    warnings: Mutex<Vec<String>>,
    /// Held by the call that connects, so that the others wait for the same connection.
    connecting: tokio::sync::Mutex<()>,
    address: Address,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    unreachable: Option<Unreachable>,
    idle: Vec<BlockingConnection>,
    /// The node of a Redis Cluster that has the queue, once it redirected a call there.
    moved: Option<Node>,
}

/// What [`Connection::introduce`] learned: a connection, and which of the server's settings may lose jobs.
struct Introduction {
    live: Live,
    warnings: Vec<String>,
}

/// A shared connection, and which run of the server it leads to.
#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    /// The server's own name for this run.
    run: Arc<str>,
}

impl Connection {
    pub fn new(address: &Address, limits: Limits) -> Self {
        Self {
            functions: Arc::new(Functions::new(address, &limits)),
            limits,
            was_let_in: AtomicBool::new(false),
            server: address.to_string(),
            state: Mutex::default(),
            warnings: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            address: address.clone(),
        }
    }

    /// Sends a command and returns its answer.
    pub async fn ask(&self, action: &'static str, command: &Cmd) -> Result<Value, Error> {
        self.in_time(self.attempt(|mut live| async move { live.connection.send_packed_command(command).await }))
            .await
            .map_err(|source| failed(action, source))
    }

    /// Sends a command that may not be sent twice: `None` where it may have been executed, and the answer lost.
    pub async fn ask_once(&self, action: &'static str, command: &Cmd) -> Result<Option<Value>, Error> {
        let asking = self.attempt(|mut live| async move {
            match live.connection.send_packed_command(command).await {
                Err(error) if is_broken(&error) => {
                    self.forget(&live);
                    Ok(Value::Nil)
                }
                answer => answer,
            }
        });
        let answer = self.in_time(asking).await.map_err(|source| failed(action, source))?;
        Ok((answer != Value::Nil).then_some(answer))
    }

    /// Sends several commands together and returns their answers.
    pub async fn ask_all(&self, action: &'static str, pipeline: &Pipeline) -> Result<Vec<Value>, Error> {
        let asking = self.attempt(|mut live| async move {
            let answers = live.connection.send_packed_commands(pipeline, 0, pipeline.len()).await?;
            Ok(Value::Array(answers))
        });
        match self.in_time(asking).await.map_err(|source| failed(action, source))? {
            Value::Array(answers) => Ok(answers),
            _ => Err(self.unexpected(action)),
        }
    }

    /// Creates the streams and their groups where they were deleted.
    pub async fn ensure_groups(&self, action: &'static str) -> Result<(), Error> {
        self.ask(action, &self.open_call()).await.map(drop)
    }

    /// The error for an answer of another shape than expected.
    pub fn unexpected(&self, action: &'static str) -> Error {
        Error::Unavailable { action, source: Box::new(ConnectionError::Unexpected { server: self.server.clone() }) }
    }

    async fn in_time<T>(&self, asking: impl Future<Output = Result<T, BoxError>>) -> Result<T, BoxError> {
        timeout(ANSWER_MAX, asking).await.unwrap_or_else(|_| Err(self.timed_out().into()))
    }

    /// Waits for the answer to a call that others share, as long as for one of its own.
    pub async fn answered<T>(
        &self,
        action: &'static str,
        asking: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        timeout(ANSWER_MAX, asking).await.unwrap_or_else(|_| Err(failed(action, self.timed_out().into())))
    }

    fn timed_out(&self) -> ConnectionError {
        let error = ConnectionError::TimedOut { server: self.server.clone() };
        self.mark_unreachable(&error);
        error
    }

    async fn attempt<F>(&self, send: impl Fn(Live) -> F) -> Result<Value, BoxError>
    where
        F: Future<Output = Result<Value, RedisError>>,
    {
        let mut tries = 0;
        loop {
            tries += 1;
            let live = self.live().await?;
            let error = match send(live.clone()).await.and_then(Value::extract_error) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if tries == TRIES || !self.repair(live, &error).await? {
                return Err(error.into());
            }
        }
    }

    /// Repairs what an error says is broken, and returns whether another try is worth it.
    async fn repair(&self, live: Live, error: &RedisError) -> Result<bool, BoxError> {
        if is_broken(error) {
            self.forget(&live);
            return Ok(true);
        }
        if is_function_missing(error) {
            self.load(&live).await?;
            return Ok(true);
        }
        // Groups that were deleted, or never arrived at a new primary, are created again.
        if error.code() == Some("NOGROUP") || error.detail().is_some_and(|detail| detail.starts_with("no such key")) {
            self.open_queue(&live).await?;
            return Ok(true);
        }
        // Every key has the same hash tag, so that one node of a Redis Cluster has all of them.
        if let Some((place, _)) = error.redirect_node() {
            let moved = Node::parse(place);
            let mut state = self.state.lock();
            let is_new = moved.is_some() && state.moved != moved;
            *state = State { moved, ..State::default() };
            return Ok(is_new);
        }
        // A server that is only just becoming a replica, or loading, is left for another one.
        if matches!(error.kind(), redis::ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)) {
            self.forget(&live);
        }
        Ok(false)
    }

    /// The shared connection, made where there is none.
    async fn live(&self) -> Result<Live, BoxError> {
        if let Some(live) = self.current()? {
            return Ok(live);
        }
        let _connecting = self.connecting.lock().await;
        if let Some(live) = self.current()? {
            return Ok(live);
        }
        match self.connect().await {
            Ok(live) => {
                self.state.lock().live = Some(live.clone());
                Ok(live)
            }
            Err(error) => {
                self.mark_unreachable(&*error);
                Err(error)
            }
        }
    }

    fn current(&self) -> Result<Option<Live>, BoxError> {
        let mut state = self.state.lock();
        match state.unreachable.as_ref().and_then(|unreachable| unreachable.error(&self.server)) {
            Some(error) => Err(error.into()),
            None => {
                state.unreachable = None;
                Ok(state.live.clone())
            }
        }
    }

    /// Connects to a server that has the groups and the functions: creates them where they are missing, and follows
    /// redirections.
    async fn connect(&self) -> Result<Live, BoxError> {
        let (Introduction { mut live, mut warnings }, mut tries) = (self.introduce().await?, 0);
        loop {
            tries += 1;
            match self.open_queue(&live).await {
                Ok(answer) => {
                    self.enter(answer)?;
                    self.keep_warnings(warnings);
                    return Ok(live);
                }
                Err(error) if tries < TRIES && self.repair(live.clone(), &error).await? => {
                    if error.redirect_node().is_some() {
                        Introduction { live, warnings } = self.introduce().await?;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn introduce(&self) -> Result<Introduction, BoxError> {
        let mut connection = self.open().await?;
        let sections = ["server", "memory", "persistence"];
        let info: String = redis::cmd("INFO").arg(&sections).query_async(&mut connection).await?;
        let info = Info::new(&info);
        let version = info.field("redis_version");
        let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
        if major < MAJOR_MIN {
            return Err(ConnectionError::TooOld { server: self.server.clone(), version: version.to_owned() }.into());
        }
        Ok(Introduction { live: Live { connection, run: info.field("run_id").into() }, warnings: info.warnings() })
    }

    /// Which of the server's settings may lose jobs; empty before the first connection.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.lock().clone()
    }

    /// Keeps the warnings about the server, and logs them where they are new.
    fn keep_warnings(&self, warnings: Vec<String>) {
        let mut known = self.warnings.lock();
        if *known != warnings {
            warnings.iter().for_each(|warning| warn!(server = %self.server, "{}: {warning}", self.server));
            *known = warnings;
        }
    }

    async fn open(&self) -> Result<MultiplexedConnection, BoxError> {
        let moved = self.state.lock().moved.clone();
        let client = self.address.client(moved)?;
        // Each call has its own limit on how long it waits for an answer.
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(ANSWER_MAX)).set_response_timeout(None);
        Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
    }

    async fn load(&self, live: &Live) -> Result<(), BoxError> {
        self.functions.load().exec_async(&mut live.connection.clone()).await?;
        let (functions, live, server) = (Arc::clone(&self.functions), live.clone(), self.server.clone());
        #[expect(
            clippy::disallowed_methods,
            reason = "the task ends after a few calls, and nobody has to wait for it; a queue has no shutdown to join"
        )]
        tokio::spawn(async move {
            // A library too many does no harm, and this user may not be allowed to look.
            if let Err(error) = functions.remove_unused_libraries(live.connection, &server).await {
                debug!(server, error = %error, "could not remove unused libraries from {server}");
            }
        });
        Ok(())
    }

    /// Opens the queue, and creates its groups where they are missing.
    async fn open_queue(&self, live: &Live) -> Result<Value, RedisError> {
        self.open_call().query_async(&mut live.connection.clone()).await
    }

    fn open_call(&self) -> Cmd {
        self.functions.open(self.was_let_in.load(Ordering::Relaxed))
    }

    /// Takes note of what the queue says to this process.
    fn enter(&self, answer: Value) -> Result<(), BoxError> {
        let unexpected = || ConnectionError::Unexpected { server: self.server.clone() };
        let server = &self.server;
        match limits::opened(answer, &self.limits, server).ok_or_else(unexpected)?? {
            Opened::Open => {}
            Opened::Follows(difference) => warn!(
                server,
                "the limits of the queue at {server} were changed, and this process goes by them: it has {difference}"
            ),
            Opened::Replaced(difference) => info!(
                server,
                "this process's limits are now those of the queue at {server}, which nobody used: it had {difference}"
            ),
        }
        self.was_let_in.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Returns a connection for one blocking call, to the server's present run.
    pub async fn blocking(&self, action: &'static str) -> Result<BlockingConnection, Error> {
        let opening = async {
            let live = self.live().await?;
            let idle = {
                let mut state = self.state.lock();
                state.idle.retain(|idle| idle.run == live.run);
                state.idle.pop()
            };
            match idle {
                Some(idle) => Ok(idle),
                None => Ok(BlockingConnection::new(self.open().await?, live.run).await),
            }
        };
        self.in_time(opening).await.map_err(|source| failed(action, source))
    }

    /// Keeps a connection for the next blocking call. A broken one is dropped instead.
    pub fn keep(&self, blocking: BlockingConnection) {
        let mut state = self.state.lock();
        if state.idle.len() < IDLE_MAX {
            state.idle.push(blocking);
        }
    }

    /// Ends what a client waits for in a blocking call, where the server is the same and this user may.
    pub async fn unblock(&self, client: &Client) {
        let live = self.state.lock().live.clone().filter(|live| live.run == client.run);
        if let Some(mut live) = live {
            let mut unblock = redis::cmd("CLIENT");
            unblock.arg("UNBLOCK").arg(client.id);
            drop(timeout(ANSWER_MAX, live.connection.send_packed_command(&unblock)).await);
        }
    }

    /// Drops a broken connection, unless another call has replaced it already.
    fn forget(&self, live: &Live) {
        let mut state = self.state.lock();
        if state.live.as_ref().is_some_and(|current| Arc::ptr_eq(&current.run, &live.run)) {
            state.live = None;
        }
    }

    /// Drops every connection, and makes calls fail at once for a moment.
    fn mark_unreachable(&self, reason: &(dyn std::error::Error + Send + Sync + 'static)) {
        // The node named in the URL knows where the queue is now, if another one had it.
        *self.state.lock() = State { unreachable: Some(Unreachable::new(reason)), ..State::default() };
    }
}

/// Whether a function was called that the server does not know.
pub fn is_function_missing(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.starts_with("Function not found"))
}
