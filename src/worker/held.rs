//! Which leases does this worker hold right now?

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::queue::Lease;

/// The leases between claim and settlement. A batch being settled and a batch being classified are in it at a time.
#[derive(Debug, Default)]
pub struct Held(Mutex<HashSet<Lease>>);

impl Held {
    /// These were claimed.
    pub fn add(&self, leases: impl IntoIterator<Item = Lease>) {
        self.set().extend(leases);
    }

    /// These are over: settled, given back or lost.
    pub fn remove<'a>(&self, leases: impl IntoIterator<Item = &'a Lease>) {
        let mut set = self.set();
        for lease in leases {
            set.remove(lease);
        }
    }

    /// Whether this one is still held.
    pub fn contains(&self, lease: &Lease) -> bool {
        self.set().contains(lease)
    }

    /// All of them.
    pub fn all(&self) -> Vec<Lease> {
        self.set().iter().cloned().collect()
    }

    // Nothing in here can panic halfway, so a poisoned lock still guards a whole set.
    fn set(&self) -> MutexGuard<'_, HashSet<Lease>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
