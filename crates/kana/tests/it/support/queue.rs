//! Where does a test's queue live, and which clock does it go by?
//!
//! The suite of `kana_queue` has the callers and the clock; a [`Backend`] is what the queue stands on, and
//! [`Setup`] is both.

use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use kana_queue::clock::{Clock, Timestamp};
use kana_queue::conformance::{Fixture, Harness, START};
use kana_queue::{Limits, Queue, Url};

pub use kana_queue::conformance::{LIMITS, LONG, NOW, TICK, a_job, an_answer, done, done_as, failed, ids};

use super::redis::RedisServer;
use super::time::ServerClock;

/// The address of a queue, and whatever must not go before it does.
pub struct Backend {
    url: Url,
    /// The server that the queue lives on, where the test started one for it.
    redis: Option<RedisServer>,
    /// The clock of that server, where it stands still.
    clock: Option<ServerClock>,
    _folder: Option<tempfile::TempDir>,
}

impl Backend {
    pub fn memory() -> Self {
        Self { url: Url::Memory, redis: None, clock: None, _folder: None }
    }

    /// A folder of the test's own.
    pub fn embedded() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = Url::Sqlite(folder.path().join("queue.db"));
        Self { url, _folder: Some(folder), ..Self::memory() }
    }

    /// A server of the test's own, whose clock shows what the test's shows.
    pub fn redis() -> Self {
        let server = RedisServer::with_manual_clock(START);
        let backend = Self::at(&server.url()).with_clock(server.clock());
        Self { redis: Some(server), ..backend }
    }

    /// Whatever is at this address, which goes by a clock of its own.
    pub fn at(url: &str) -> Self {
        Self { url: Url::from_str(url).expect("a queue's address"), ..Self::memory() }
    }

    /// The same, on a server whose clock the test moves.
    pub fn with_clock(self, clock: ServerClock) -> Self {
        Self { clock: Some(clock), ..self }
    }
}

impl Harness for Backend {
    fn open(&self, limits: Limits, clock: Arc<dyn Clock>) -> Box<dyn Queue> {
        kana_queue::open(&self.url, limits, clock).expect("a queue")
    }

    fn clock_moved(&self, now: Timestamp) {
        if let Some(clock) = &self.clock {
            clock.set(now);
        }
    }
}

/// A queue under test, and what it stands on.
pub struct Setup {
    fixture: Fixture,
    backend: Arc<Backend>,
}

impl Setup {
    pub fn memory() -> Self {
        Self::on(Backend::memory())
    }

    pub fn redis() -> Self {
        Self::on(Backend::redis())
    }

    pub fn on(backend: Backend) -> Self {
        Self::with_limits(backend, LIMITS)
    }

    pub fn with_limits(backend: Backend, limits: Limits) -> Self {
        let backend = Arc::new(backend);
        Self { fixture: Fixture::with_limits(Arc::clone(&backend), limits), backend }
    }

    /// The server that the test started for this queue.
    pub fn server(&self) -> &RedisServer {
        self.backend.redis.as_ref().expect("a queue on a server of its own")
    }
}

impl Deref for Setup {
    type Target = Fixture;

    fn deref(&self) -> &Fixture {
        &self.fixture
    }
}
