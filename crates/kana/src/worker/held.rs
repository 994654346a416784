//! Which leases does this worker hold right now, and for what?

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use kana_queue::{Lease, Settlement};

/// What a held lease waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its job is classified.
    Working,
    /// The queue is told the result. It ends the lease by itself when it has heard, a moment before we know.
    Settling,
}

/// The leases between claim and settlement. A batch being settled and a batch being classified are in it at a time.
#[derive(Debug, Default)]
pub struct Held {
    leases: Mutex<HashMap<Lease, Stage>>,
    /// Whether there are any.
    busy: watch::Sender<bool>,
}

impl Held {
    /// None; `busy` is told whenever there are some, and whenever there are none any more.
    pub fn telling(busy: watch::Sender<bool>) -> Self {
        Self { leases: Mutex::default(), busy }
    }

    /// These were claimed.
    pub fn add(&self, leases: impl IntoIterator<Item = Lease>) {
        self.change(|map| map.extend(leases.into_iter().map(|lease| (lease, Stage::Working))));
    }

    /// The queue will be told these results; answers those whose lease was not lost before.
    pub fn settling(&self, settlements: Vec<Settlement>) -> Vec<Settlement> {
        let mut map = self.map();
        let held =
            |settlement: &Settlement| map.get_mut(&settlement.lease).map(|stage| *stage = Stage::Settling).is_some();
        settlements.into_iter().filter(held).collect()
    }

    /// These are settled.
    pub fn settled<'a>(&self, leases: impl IntoIterator<Item = &'a Lease>) {
        self.change(|map| {
            for lease in leases {
                map.remove(lease);
            }
        });
    }

    /// The queue says that this one is lost. Answers whether that is news: of one being settled it means that the
    /// queue has heard.
    pub fn lost(&self, lease: &Lease) -> bool {
        self.change(|map| map.get(lease) == Some(&Stage::Working) && map.remove(lease).is_some())
    }

    /// All of them.
    pub fn all(&self) -> Vec<Lease> {
        self.map().keys().cloned().collect()
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<Lease, Stage>) -> T) -> T {
        let mut map = self.map();
        let changed = change(&mut map);
        let busy = !map.is_empty();
        // While the map is locked, so that what is told last is the case.
        self.busy.send_if_modified(|before| std::mem::replace(before, busy) != busy);
        changed
    }

    // Nothing in here can panic halfway, so a poisoned lock still guards a whole map.
    fn map(&self) -> MutexGuard<'_, HashMap<Lease, Stage>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kana_queue::job::JobId;

    fn lease(token: u64) -> Lease {
        Lease { job: JobId::from_bytes([0; 16]), worker: "w".into(), token }
    }

    fn failed(token: u64) -> Settlement {
        Settlement { lease: lease(token), result: Err("no".into()) }
    }

    #[test]
    fn the_result_of_a_lost_lease_is_not_settled() {
        let held = Held::default();
        held.add([lease(1), lease(2)]);

        assert!(held.lost(&lease(1)));

        assert_eq!(held.settling(vec![failed(1), failed(2)]), [failed(2)]);
    }

    #[test]
    fn a_lease_that_ends_while_it_is_settled_is_not_lost() {
        let held = Held::default();
        held.add([lease(1)]);
        held.settling(vec![failed(1)]);

        assert!(!held.lost(&lease(1)));

        assert_eq!(held.all(), [lease(1)]);
        held.settled([&lease(1)]);
        assert!(held.all().is_empty());
    }

    #[test]
    fn whoever_follows_hears_when_there_is_work_and_when_there_is_none_any_more() {
        let (busy, mut heard) = watch::channel(false);
        let held = Held::telling(busy);

        held.add([lease(1), lease(2)]);
        assert!(heard.has_changed().unwrap() && *heard.borrow_and_update());

        held.lost(&lease(1));
        assert!(!heard.has_changed().unwrap());

        held.settled([&lease(2)]);
        assert!(heard.has_changed().unwrap() && !*heard.borrow_and_update());
    }
}
