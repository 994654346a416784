//! Which leases does this worker hold right now, and for what?
//!
//! Each lease is here from its claim until its job is settled, released or known to be lost, so that the heartbeat
//! extends all of them and a drain releases all of them. A batch that is being settled and a batch that is being
//! classified are held at the same time.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::watch;

use kana_queue::{Lease, Settlement};

/// The step that a held lease is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The job is being classified.
    Classifying,
    /// The result is being sent to the queue, which ends the lease a moment before its answer arrives here.
    Settling,
}

/// The leases of one worker, between claim and settlement.
#[derive(Debug, Default)]
pub struct Leases {
    stages: Mutex<HashMap<Lease, Stage>>,
    /// Whether any are held.
    busy: watch::Sender<bool>,
}

impl Leases {
    /// Holds no leases yet; `busy` is updated when the first one comes and when the last one goes.
    pub fn new(busy: watch::Sender<bool>) -> Self {
        Self { stages: Mutex::default(), busy }
    }

    /// Adds leases that were just claimed.
    pub fn add(&self, leases: impl IntoIterator<Item = Lease>) {
        self.change(|stages| stages.extend(leases.into_iter().map(|lease| (lease, Stage::Classifying))));
    }

    /// Marks leases as being settled. Returns only the settlements whose lease is still held.
    pub fn begin_settling(&self, settlements: Vec<Settlement>) -> Vec<Settlement> {
        let mut stages = self.stages.lock();
        let mut begin = |settlement: &Settlement| match stages.get_mut(&settlement.lease) {
            Some(stage) => {
                *stage = Stage::Settling;
                true
            }
            None => false,
        };
        settlements.into_iter().filter(|settlement| begin(settlement)).collect()
    }

    /// Removes leases whose jobs are settled.
    pub fn remove<'a>(&self, leases: impl IntoIterator<Item = &'a Lease>) {
        self.change(|stages| {
            for lease in leases {
                stages.remove(lease);
            }
        });
    }

    /// Removes a lease that the queue reports as lost. Returns `false` where it is no loss: a lease that is being
    /// settled ends because the queue has received the result.
    pub fn remove_lost(&self, lease: &Lease) -> bool {
        self.change(|stages| stages.get(lease) == Some(&Stage::Classifying) && stages.remove(lease).is_some())
    }

    /// All leases held, in no order.
    pub fn all(&self) -> Vec<Lease> {
        self.stages.lock().keys().cloned().collect()
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<Lease, Stage>) -> T) -> T {
        let mut stages = self.stages.lock();
        let changed = change(&mut stages);
        let busy = !stages.is_empty();
        // Sent under the lock, so that the last value sent is the true one.
        self.busy.send_if_modified(|before| std::mem::replace(before, busy) != busy);
        changed
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
        let leases = Leases::default();
        leases.add([lease(1), lease(2)]);

        assert!(leases.remove_lost(&lease(1)));

        assert_eq!(leases.begin_settling(vec![failed(1), failed(2)]), [failed(2)]);
    }

    #[test]
    fn a_lease_that_ends_while_it_is_settled_is_not_lost() {
        let leases = Leases::default();
        leases.add([lease(1)]);
        leases.begin_settling(vec![failed(1)]);

        assert!(!leases.remove_lost(&lease(1)));

        assert_eq!(leases.all(), [lease(1)]);
        leases.remove([&lease(1)]);
        assert!(leases.all().is_empty());
    }

    #[test]
    fn subscribers_are_notified_when_the_first_lease_comes_and_when_the_last_one_goes() {
        let (busy, mut seen) = watch::channel(false);
        let leases = Leases::new(busy);

        leases.add([lease(1), lease(2)]);
        assert!(seen.has_changed().unwrap() && *seen.borrow_and_update());

        leases.remove_lost(&lease(1));
        assert!(!seen.has_changed().unwrap());

        leases.remove([&lease(2)]);
        assert!(seen.has_changed().unwrap() && !*seen.borrow_and_update());
    }
}
