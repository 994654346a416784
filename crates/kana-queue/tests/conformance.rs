//! Do the queues that need no server keep every promise?

use std::path::PathBuf;
use std::sync::Arc;

use kana_queue::clock::Clock;
use kana_queue::conformance::Harness;
use kana_queue::embedded::{Embedded, Remote};
use kana_queue::memory::Memory;
use kana_queue::{Limits, Queue};
use parking_lot::Mutex;

struct InMemory;

impl Harness for InMemory {
    fn open(&self, limits: Limits, clock: Arc<dyn Clock>) -> Box<dyn Queue> {
        Box::new(Memory::new(limits, clock))
    }
}

/// A queue in a folder of its own, which is gone with this value.
struct OnDisk(tempfile::TempDir);

impl OnDisk {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("queue.db")
    }
}

impl Harness for OnDisk {
    fn open(&self, limits: Limits, clock: Arc<dyn Clock>) -> Box<dyn Queue> {
        Box::new(Embedded::open(&self.path(), limits, clock).expect("a queue"))
    }
}

/// The same, reached through its socket as by another process. The holder ends after whoever uses it.
struct ThroughASocket {
    holder: Mutex<Option<Embedded>>,
    place: OnDisk,
}

impl ThroughASocket {
    fn new() -> Self {
        Self { holder: Mutex::default(), place: OnDisk::new() }
    }
}

impl Harness for ThroughASocket {
    fn open(&self, limits: Limits, clock: Arc<dyn Clock>) -> Box<dyn Queue> {
        let path = self.place.path();
        *self.holder.lock() = Some(Embedded::open(&path, limits, clock).expect("a queue"));
        Box::new(Remote::new(&path, limits))
    }
}

mod memory {
    kana_queue::conformance_tests!(super::InMemory);
}

mod embedded {
    kana_queue::conformance_tests!(super::OnDisk::new());
}

mod socket {
    kana_queue::conformance_tests!(super::ThroughASocket::new());
}
