//! Do the queues that need no server keep every promise?

use std::sync::Arc;

use kana_queue::clock::Clock;
use kana_queue::conformance::Harness;
use kana_queue::memory::Memory;
use kana_queue::sqlite::Sqlite;
use kana_queue::{Limits, Queue};

struct InMemory;

impl Harness for InMemory {
    fn open(&self, limits: Limits, clock: Arc<dyn Clock>) -> Box<dyn Queue> {
        Box::new(Memory::new(limits, clock))
    }
}

/// A queue in a file of its own, which is gone with this value.
struct InFile(tempfile::TempDir);

impl InFile {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }
}

impl Harness for InFile {
    fn open(&self, limits: Limits, clock: Arc<dyn Clock>) -> Box<dyn Queue> {
        Box::new(Sqlite::open(&self.0.path().join("queue.db"), limits, clock).expect("a queue"))
    }
}

mod memory {
    kana_queue::conformance_tests!(super::InMemory);
}

mod sqlite {
    kana_queue::conformance_tests!(super::InFile::new());
}
