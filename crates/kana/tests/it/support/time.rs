//! Who moves the time, where a queue goes by a clock that a test moves by hand?
//!
//! A queue in this process asks a [`ManualClock`]. A queue on a server goes by the server's clock: [`ServerClock`]
//! makes that one stand still as well, and [`Time`] moves both as one.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use kana_queue::clock::{Clock, ManualClock, Timestamp};

use super::shim;

/// A test's time: a clock of its own, and the one of the server that its queue lives on, if it lives on one.
pub struct Time {
    clock: Arc<ManualClock>,
    server: Option<ServerClock>,
}

impl Time {
    /// Time that begins at `dawn`, for queues in this process.
    pub fn from(dawn: Timestamp) -> Self {
        Self { clock: Arc::new(ManualClock::at(dawn)), server: None }
    }

    /// Moves this server's clock from now on, too.
    pub fn with(self, server: ServerClock) -> Self {
        server.set(self.now());
        Self { server: Some(server), ..self }
    }

    /// What a queue is opened with.
    pub fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn advance(&self, span: Duration) {
        self.set(self.now().after(span));
    }

    pub fn set_back(&self, span: Duration) {
        self.set(self.now().before(span));
    }

    fn set(&self, now: Timestamp) {
        self.clock.set(now);
        if let Some(server) = &self.server {
            server.set(now);
        }
    }
}

/// The wall clock of one server process, which stands still until it is set.
pub struct ServerClock(Arc<File>, PathBuf);

impl ServerClock {
    /// One that shows `now`, kept in a file at `path`.
    pub fn at(path: PathBuf, now: Timestamp) -> Self {
        let clock = Self(Arc::new(File::create(&path).expect("a file for a clock")), path);
        clock.set(now);
        clock
    }

    /// A second hand on the same clock.
    pub fn share(&self) -> Self {
        Self(Arc::clone(&self.0), self.1.clone())
    }

    /// Sets it, backwards too. The server's next look sees this.
    pub fn set(&self, now: Timestamp) {
        let micros = i64::try_from(now.as_millis() * 1_000).expect("a time before the year 290,000");
        self.0.write_all_at(&micros.to_ne_bytes(), 0).expect("a file for a clock");
    }

    /// Makes a process that is about to start go by this clock.
    pub fn show_to(&self, server: &mut Command) {
        server.env("LD_PRELOAD", SHIM.1.as_path()).env("KANA_TEST_CLOCK", &self.1);
    }
}

/// The library that shows a server this clock, and the folder that it lives in: built once a process.
static SHIM: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let library = shim::build("clock.c", folder.path());
    (folder, library)
});
