//! How is Redis reached, and what when it is not?
//!
//! One connection is shared by every call that Redis answers at once; calls that wait have connections of their own,
//! because everything behind them on a shared one would wait too. A call is answered within [`ANSWER_MAX`] or fails;
//! whoever finds Redis gone makes the others fail at once for a moment ([`SPARE`]), and the next one after that
//! connects anew. Nobody has to be told that Redis is back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisError, ServerErrorKind, Value};
use tokio::time::{Instant, timeout};

use crate::queue::Error;

use super::address::Address;
use super::dedicated::{Dedicated, is_broken};
use super::script::Scripts;
use super::trouble::{Failure, Trouble};

/// How long Redis may take to answer. It answers in well under a millisecond; a gateway's caller is promised an answer
/// within two seconds.
pub const ANSWER_MAX: Duration = Duration::from_millis(1_500);

/// How long calls fail at once after one found Redis gone: nobody waits for what was just seen to be away, and Redis
/// is missed for no longer than this once it is back.
const SPARE: Duration = Duration::from_millis(200);

/// How often one call is tried: again after a dead connection, lost functions, a lost group, a queue that moved.
const TRIES: usize = 4;

/// Connections kept for calls that wait: a process has one worker, and one reader of changes.
const IDLE_MAX: usize = 8;

/// The oldest Redis that will do: scripts with flags, and what XAUTOCLAIM and XPENDING learned, are of 7.0.
pub const MAJOR_MIN: u32 = 7;

/// The way to one Redis.
pub struct Link {
    pub scripts: Scripts,
    place: String,
    state: Mutex<State>,
    /// Held by whoever connects, so that the others wait for the same connection.
    connecting: tokio::sync::Mutex<()>,
    address: Address,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    away: Option<(Instant, String)>,
    idle: Vec<Dedicated>,
    /// Where a Redis Cluster keeps the queue, once it said so.
    moved: Option<(String, u16)>,
}

/// A shared connection, and which run of the server it leads to.
#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    /// What the server calls this run of its own.
    run: Arc<str>,
}

impl Link {
    pub fn new(address: &Address, scripts: Scripts) -> Self {
        Self {
            scripts,
            place: address.to_string(),
            state: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            address: address.clone(),
        }
    }

    /// Sends a command and waits for its answer.
    pub async fn ask(&self, action: &'static str, command: &Cmd) -> Result<Value, Error> {
        self.in_time(self.attempt(|mut live| async move { live.connection.send_packed_command(command).await }))
            .await
            .map_err(|source| Error::Unavailable { action, source })
    }

    /// Sends a command that may not be sent again unheard: `None` where it may have been done, and the answer lost.
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
        let answer = self.in_time(asking).await.map_err(|source| Error::Unavailable { action, source })?;
        Ok((answer != Value::Nil).then_some(answer))
    }

    /// Sends several commands together and waits for their answers.
    pub async fn ask_all(&self, action: &'static str, pipeline: &Pipeline) -> Result<Vec<Value>, Error> {
        let asking = self.attempt(|mut live| async move {
            let answers = live.connection.send_packed_commands(pipeline, 0, pipeline.len()).await?;
            Ok(Value::Array(answers))
        });
        match self.in_time(asking).await.map_err(|source| Error::Unavailable { action, source })? {
            Value::Array(answers) => Ok(answers),
            _ => Err(self.unexpected(action)),
        }
    }

    /// Makes again what was deleted.
    pub async fn found_again(&self, action: &'static str) -> Result<(), Error> {
        self.ask(action, &self.scripts.call("found")).await.map(drop)
    }

    /// What to say of an answer that makes no sense.
    pub fn unexpected(&self, action: &'static str) -> Error {
        Error::Unavailable { action, source: Box::new(Trouble::Unexpected { place: self.place.clone() }) }
    }

    async fn in_time<T>(&self, asking: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        match timeout(ANSWER_MAX, asking).await {
            Ok(answer) => answer,
            Err(_) => {
                let trouble = Trouble::Late { place: self.place.clone() };
                self.lose(&trouble);
                Err(trouble.into())
            }
        }
    }

    async fn attempt<F>(&self, send: impl Fn(Live) -> F) -> Result<Value, Failure>
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
            if tries == TRIES || !self.mend(live, &error).await? {
                return Err(error.into());
            }
        }
    }

    /// Does what may help against an error; whether it is worth another try.
    async fn mend(&self, live: Live, error: &RedisError) -> Result<bool, Failure> {
        if is_broken(error) {
            self.forget(&live);
            return Ok(true);
        }
        if error.detail().is_some_and(|detail| detail.starts_with("Function not found")) {
            self.load(&live).await?;
            return Ok(true);
        }
        // What was deleted, or never arrived at a new primary, is made again.
        if error.code() == Some("NOGROUP") || error.detail().is_some_and(|detail| detail.starts_with("no such key")) {
            self.found(&live).await?;
            return Ok(true);
        }
        // Every key has the same hash tag, so that one node of a Redis Cluster has all of them.
        if let Some((place, _)) = error.redirect_node() {
            let moved = place.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
            let is_new = moved.is_some() && self.state().moved != moved;
            *self.state() = State { moved, ..State::default() };
            return Ok(is_new);
        }
        // A server that is only just becoming a replica, or loading, is left for another one.
        if matches!(error.kind(), redis::ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)) {
            self.forget(&live);
        }
        Ok(false)
    }

    /// The shared connection, made where there is none.
    async fn live(&self) -> Result<Live, Failure> {
        if let Some(live) = self.current()? {
            return Ok(live);
        }
        let _connecting = self.connecting.lock().await;
        if let Some(live) = self.current()? {
            return Ok(live);
        }
        match self.connect().await {
            Ok(live) => {
                self.state().live = Some(live.clone());
                Ok(live)
            }
            Err(failure) => {
                self.lose(&*failure);
                Err(failure)
            }
        }
    }

    fn current(&self) -> Result<Option<Live>, Failure> {
        let mut state = self.state();
        match &state.away {
            Some((since, why)) if since.elapsed() < SPARE => {
                Err(Trouble::Away { place: self.place.clone(), why: why.clone() }.into())
            }
            _ => {
                state.away = None;
                Ok(state.live.clone())
            }
        }
    }

    /// Connects to a server that has the groups and the functions, where need be after making them or moving on.
    async fn connect(&self) -> Result<Live, Failure> {
        let (mut live, mut tries) = (self.introduce().await?, 0);
        loop {
            tries += 1;
            match self.found(&live).await {
                Ok(()) => return Ok(live),
                Err(error) if tries < TRIES && self.mend(live.clone(), &error).await? => {
                    if error.redirect_node().is_some() {
                        live = self.introduce().await?;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn introduce(&self) -> Result<Live, Failure> {
        let mut connection = self.open().await?;
        let info: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let version = field("redis_version").unwrap_or_default().trim();
        let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
        if major < MAJOR_MIN {
            return Err(Trouble::TooOld { place: self.place.clone(), version: version.to_owned() }.into());
        }
        Ok(Live { connection, run: field("run_id").unwrap_or_default().trim().into() })
    }

    async fn open(&self) -> Result<MultiplexedConnection, Failure> {
        let moved = self.state().moved.clone();
        let client = self.address.client(moved)?;
        // Whoever asks says how long to wait for each answer.
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(ANSWER_MAX)).set_response_timeout(None);
        Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
    }

    async fn load(&self, live: &Live) -> Result<(), Failure> {
        Ok(self.scripts.load().exec_async(&mut live.connection.clone()).await?)
    }

    async fn found(&self, live: &Live) -> Result<(), RedisError> {
        self.scripts.call("found").exec_async(&mut live.connection.clone()).await
    }

    /// A connection for a call that waits, of the server's present run.
    pub async fn dedicated(&self, action: &'static str) -> Result<Dedicated, Error> {
        let opening = async {
            let live = self.live().await?;
            let idle = {
                let mut state = self.state();
                state.idle.retain(|idle| idle.run == live.run);
                state.idle.pop()
            };
            match idle {
                Some(idle) => Ok(idle),
                None => Ok(Dedicated { connection: self.open().await?, run: live.run }),
            }
        };
        self.in_time(opening).await.map_err(|source| Error::Unavailable { action, source })
    }

    /// Keeps a connection for the next call that waits. One that failed is dropped instead.
    pub fn keep(&self, dedicated: Dedicated) {
        let mut state = self.state();
        if state.idle.len() < IDLE_MAX {
            state.idle.push(dedicated);
        }
    }

    /// Lets go of a connection that is of no more use, unless somebody has replaced it already.
    fn forget(&self, live: &Live) {
        let mut state = self.state();
        if state.live.as_ref().is_some_and(|current| Arc::ptr_eq(&current.run, &live.run)) {
            state.live = None;
        }
    }

    /// Notes that Redis is away, and lets go of every connection to it.
    fn lose(&self, why: &dyn std::fmt::Display) {
        // The node named in the URL knows where the queue is now, if another one had it.
        *self.state() = State { away: Some((Instant::now(), why.to_string())), ..State::default() };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
