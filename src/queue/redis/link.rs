//! How is Redis reached, and what when it is not?
//!
//! One connection is shared by every call that Redis answers at once; calls that wait have connections of their own,
//! because everything behind them on a shared one would wait too. A call is answered within [`ANSWER_MAX`] or fails;
//! whoever finds Redis gone makes the others fail at once for a moment ([`SPARE`]), and the next one after that
//! connects anew. Nobody has to be told that Redis is back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisError, ServerErrorKind, TlsCertificates, Value};
use tokio::time::{Instant, timeout};

use crate::queue::Error;

use super::address::Address;
use super::script::Scripts;

/// How long Redis may take to answer. It answers in well under a millisecond; a gateway's caller is promised an answer
/// within two seconds.
pub const ANSWER_MAX: Duration = Duration::from_millis(1_500);

/// How long calls fail at once after one found Redis gone: nobody waits for what was just seen to be away, and Redis
/// is missed for no longer than this once it is back.
const SPARE: Duration = Duration::from_millis(200);

/// How often one call is tried: once more after a connection that turned out dead, scripts that were forgotten, or a
/// group that was lost.
const TRIES: usize = 4;

/// Connections kept for calls that wait: a process has one worker, and one reader of changes.
const IDLE_MAX: usize = 8;

/// The oldest Redis that will do: scripts with flags, and what XAUTOCLAIM and XPENDING learned, are of 7.0.
const MAJOR_MIN: u32 = 7;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Why Redis did not answer.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("no answer from {place} within {} ms", ANSWER_MAX.as_millis())]
    Late { place: String },
    #[error("{place} was found away a moment ago: {why}")]
    Away { place: String, why: String },
    #[error("{place} is Redis {version}; {MAJOR_MIN}.0 or newer is needed")]
    TooOld { place: String, version: String },
    #[error("{place} answered with something else than was asked for")]
    Unexpected { place: String },
    #[error("could not read the certificate authority {path}")]
    Authority { path: String, source: std::io::Error },
}

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
}

/// A shared connection, and which run of the server it leads to.
#[derive(Clone)]
pub struct Live {
    connection: MultiplexedConnection,
    /// What the server calls this run of its own.
    pub run: Arc<str>,
}

/// A connection for a call that waits.
pub struct Dedicated {
    connection: MultiplexedConnection,
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

    /// Which run of the server answers now.
    pub async fn run(&self, action: &'static str) -> Result<Arc<str>, Error> {
        let live = self.in_time(self.live()).await;
        Ok(live.map_err(|source| Error::Unavailable { action, source })?.run)
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
        if error.is_io_error() || error.is_connection_dropped() {
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

    async fn connect(&self) -> Result<Live, Failure> {
        let mut connection = self.open().await?;
        let info: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let version = field("redis_version").unwrap_or_default().trim();
        let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
        if major < MAJOR_MIN {
            return Err(Trouble::TooOld { place: self.place.clone(), version: version.to_owned() }.into());
        }
        let live = Live { connection, run: field("run_id").unwrap_or_default().trim().into() };
        let found = self.found(&live).await;
        if let Err(error) = found {
            // Redis keeps functions as it keeps data; a new one has neither.
            if !self.mend(live.clone(), &error).await? {
                return Err(error.into());
            }
            self.found(&live).await?;
        }
        Ok(live)
    }

    async fn open(&self) -> Result<MultiplexedConnection, Failure> {
        let client = match &self.address.authority {
            None => Client::open(self.address.server.as_str())?,
            Some(path) => {
                let root = std::fs::read(path);
                let root = root.map_err(|source| Trouble::Authority { path: path.display().to_string(), source })?;
                let trusted = TlsCertificates { client_tls: None, root_cert: Some(root) };
                Client::build_with_tls(self.address.server.as_str(), trusted)?
            }
        };
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
        *self.state() = State { live: None, away: Some((Instant::now(), why.to_string())), idle: Vec::new() };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dedicated {
    /// Sends commands of which the first may wait for `wait`, and answers with their answers; `None` where the
    /// connection is of no more use, or Redis takes longer than it was given.
    pub async fn ask(&mut self, pipeline: &Pipeline, wait: Duration) -> Result<Option<Vec<Value>>, RedisError> {
        let asking = self.connection.send_packed_commands(pipeline, 0, pipeline.len());
        match timeout(wait.saturating_add(ANSWER_MAX), asking).await {
            Ok(Ok(answers)) => answers.into_iter().map(Value::extract_error).collect::<Result<_, _>>().map(Some),
            Ok(Err(error)) if error.is_io_error() || error.is_connection_dropped() => Ok(None),
            Ok(Err(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }
}
