//! How does a test move the clock of a server?
//!
//! [`ServerClock`] makes it stand still, and sets it. [`Time`] moves it together with a clock of the test's own.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use kana_queue::clock::{Clock, ManualClock, Timestamp};

use super::shim;

/// A test's time: a clock of its own, and that of a server.
pub struct Time {
    clock: ManualClock,
    server: Option<ServerClock>,
}

impl Time {
    /// Creates a time that begins at `start`.
    pub fn from(start: Timestamp) -> Self {
        Self { clock: ManualClock::at(start), server: None }
    }

    /// Sets this server's clock too, now and from now on.
    pub fn with(self, server: ServerClock) -> Self {
        server.set(self.now());
        Self { server: Some(server), ..self }
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
    /// Creates a clock that shows `now`, kept in a file at `path`.
    pub fn at(path: PathBuf, now: Timestamp) -> Self {
        let clock = Self(Arc::new(File::create(&path).expect("a file for a clock")), path);
        clock.set(now);
        clock
    }

    /// A second handle of the same clock.
    pub fn share(&self) -> Self {
        Self(Arc::clone(&self.0), self.1.clone())
    }

    /// Sets the clock, backwards too. The server sees it the next time that it reads its clock.
    pub fn set(&self, now: Timestamp) {
        let micros = i64::try_from(now.as_millis() * 1_000).expect("a time before the year 290,000");
        self.0.write_all_at(&micros.to_ne_bytes(), 0).expect("a file for a clock");
    }

    /// Makes a process that is about to start go by this clock.
    pub fn show_to(&self, server: &mut Command) {
        server.env("LD_PRELOAD", SHIM.1.as_path()).env("KANA_TEST_CLOCK", &self.1);
    }
}

/// The folder and the path of the library that gives a server this clock, built once a process.
static SHIM: LazyLock<(tempfile::TempDir, PathBuf)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let library = shim::build("clock.c", folder.path());
    (folder, library)
});
