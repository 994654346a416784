//! Where do claimed jobs go when whoever asked for them has gone away?
//!
//! Back in line. A claim is committed before its caller hears of it, and a caller may stop listening at any moment:
//! then the claims are dropped, on their way or on arrival, and dropping them releases them.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::WorkerId;
use crate::queue::{Claim, Error, Hold, Lease};

use super::desk::{Ask, Desk, Flush, Task};
use super::ledger::Ledger;

/// Leases that nobody took, until the desk releases them.
#[derive(Clone, Debug, Default)]
pub struct Returns(Arc<Mutex<Vec<Lease>>>);

impl Returns {
    /// What releases the leases that came back, where any did.
    pub fn task(&self) -> Option<Box<dyn Task>> {
        let leases = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if leases.is_empty() {
            return None;
        }
        let work = move |ledger: &mut Ledger<'_>| ledger.release(&leases);
        // Where the file fails they lapse instead, and nobody is there to be told.
        let reply = |_: Result<Vec<Hold>, Error>| {};
        let (action, flush) = ("release jobs that nobody took", Flush::Whenever);
        Some(Box::new(Ask { action, flush, otherwise: None, work, reply, answer: None }))
    }

    fn add(&self, leases: impl Iterator<Item = Lease>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(leases);
    }
}

/// Claims jobs, and takes them back where this is dropped before they arrive.
pub async fn claim(desk: &Desk, worker: &WorkerId, room: usize) -> Result<Vec<Claim>, Error> {
    let action = "claim jobs";
    let (tell, told) = oneshot::channel();
    let (returns, waker) = (desk.returns().clone(), desk.weak());
    let worker = worker.to_owned();
    let work = move |ledger: &mut Ledger<'_>| ledger.claim(&worker, room);
    // Only what is committed is handed over: until then a claim is no more than an intention.
    let hand_over = |claims| Handover { claims, returns, waker };
    let reply = |answer: Result<Vec<Claim>, Error>| drop(tell.send(answer.map(hand_over)));
    let (flush, otherwise) = (Flush::Whenever, Some(Vec::new()));
    desk.send(Box::new(Ask { action, flush, otherwise, work, reply, answer: None })).await;
    let answer = told.await.unwrap_or_else(|gone| Err(Error::Unavailable { action, source: Box::new(gone) }));
    answer.map(Handover::take)
}

/// Claims on their way to whoever asked for them.
struct Handover {
    claims: Vec<Claim>,
    returns: Returns,
    waker: Option<mpsc::WeakSender<Box<dyn Task>>>,
}

impl Handover {
    fn take(mut self) -> Vec<Claim> {
        std::mem::take(&mut self.claims)
    }
}

impl Drop for Handover {
    fn drop(&mut self) {
        if self.claims.is_empty() {
            return;
        }
        self.returns.add(self.claims.drain(..).map(|claim| claim.lease));
        if let Some(desk) = self.waker.as_ref().and_then(mpsc::WeakSender::upgrade) {
            // The desk looks for returns with every group of calls: where there is no room for one more call, there
            // is another group to come.
            drop(desk.try_send(nothing()));
        }
    }
}

/// A call that does nothing but make the desk look.
fn nothing() -> Box<dyn Task> {
    let (work, reply) = (|_: &mut Ledger<'_>| Ok(()), |_: Result<(), Error>| {});
    Box::new(Ask { action: "look", flush: Flush::Whenever, otherwise: Some(()), work, reply, answer: None })
}
