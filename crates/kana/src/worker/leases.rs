//! Which leases does this worker hold right now, and at which step is each job?
//!
//! Each lease is here from its claim until its job is settled, released or known to be lost, so that the heartbeat
//! extends all of them and a drain releases all of them. A batch that is being settled and a batch that is being
//! classified are held at the same time.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::watch;

use kana_queue::{Lease, Settlement};

/// Step of the work on a leased job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The job is being classified.
    Classifying,
    /// The result is being sent to the queue, which ends the lease a moment before its answer arrives here.
    Settling,
}

/// The leases of one worker, between claim and settlement.
#[derive(Debug, Default)]
pub struct Leases {
    steps: Mutex<HashMap<Lease, Step>>,
    /// Whether any are held.
    busy: watch::Sender<bool>,
}

impl Leases {
    /// Creates an empty set of leases. `busy` is updated when the first lease is added and when the last one is
    /// removed.
    pub fn new(busy: watch::Sender<bool>) -> Self {
        Self { steps: Mutex::default(), busy }
    }

    /// Adds leases that were just claimed.
    pub fn add(&self, leases: impl IntoIterator<Item = Lease>) {
        self.change(|steps| steps.extend(leases.into_iter().map(|lease| (lease, Step::Classifying))));
    }

    /// Marks leases as being settled. Returns the settlements to send: an answer in any case, because the queue takes it
    /// where no other came first; a failure only if its lease is still held.
    pub fn begin_settling(&self, mut settlements: Vec<Settlement>) -> Vec<Settlement> {
        let mut steps = self.steps.lock();
        settlements.retain(|settlement| match steps.get_mut(&settlement.lease) {
            Some(step) => {
                *step = Step::Settling;
                true
            }
            None => settlement.result.is_ok(),
        });
        settlements
    }

    /// Removes leases whose jobs are settled.
    pub fn remove<'a>(&self, leases: impl IntoIterator<Item = &'a Lease>) {
        self.change(|steps| {
            for lease in leases {
                steps.remove(lease);
            }
        });
    }

    /// Removes a lease that the queue reports as lost. Returns whether the job is lost to this worker: a lease that is
    /// being settled ends because the queue has received the result.
    pub fn remove_lost(&self, lease: &Lease) -> bool {
        self.change(|steps| steps.get(lease) == Some(&Step::Classifying) && steps.remove(lease).is_some())
    }

    /// Returns all held leases, in no order.
    pub fn all(&self) -> Vec<Lease> {
        self.steps.lock().keys().cloned().collect()
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<Lease, Step>) -> T) -> T {
        let mut steps = self.steps.lock();
        let changed = change(&mut steps);
        let busy = !steps.is_empty();
        // Sent under the lock, so that the last value sent is the true one.
        self.busy.send_if_modified(|before| std::mem::replace(before, busy) != busy);
        changed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use kana_engine::Prediction;
    use kana_queue::Inference;
    use kana_queue::job::JobId;

    fn lease(token: u64) -> Lease {
        Lease { job: JobId::from_bytes([0; 16]), worker: "w".into(), token }
    }

    fn failed(token: u64) -> Settlement {
        Settlement { lease: lease(token), result: Err("no".into()) }
    }

    fn answered(token: u64) -> Settlement {
        let prediction = Prediction::from_probabilities(vec![1.0], &["o".into()]).expect("one label");
        Settlement { lease: lease(token), result: Ok(Inference { prediction, elapsed: Duration::ZERO, blank: false }) }
    }

    #[test]
    fn of_a_lost_lease_an_answer_is_settled_and_a_failure_is_not() {
        let leases = Leases::default();
        leases.add([lease(1), lease(2), lease(3)]);

        assert!(leases.remove_lost(&lease(1)) && leases.remove_lost(&lease(2)));

        let settlements = vec![failed(1), answered(2), failed(3)];
        assert_eq!(leases.begin_settling(settlements), [answered(2), failed(3)]);
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
