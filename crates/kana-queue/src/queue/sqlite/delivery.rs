//! What becomes of claimed jobs whose caller is gone?
//!
//! They are released. A claim is committed before its caller gets it, and the caller may be dropped at any moment: then
//! the claims are dropped, on their way or on arrival, and dropping them releases them.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::WorkerId;
use crate::queue::{Claim, Error, Hold, Lease};

use super::operations::Operations;
use super::writer::{Call, Durability, Task, Writer};

/// Leases whose callers were dropped, until the writer releases them.
#[derive(Clone, Debug, Default)]
pub struct DroppedLeases(Arc<Mutex<Vec<Lease>>>);

impl DroppedLeases {
    /// The task that releases the leases, where there are any.
    pub fn task(&self) -> Option<Box<dyn Task>> {
        let leases = std::mem::take(&mut *self.0.lock());
        if leases.is_empty() {
            return None;
        }
        let work = move |operations: &mut Operations<'_>| operations.release(&leases);
        // Where the file fails they expire instead, and no caller waits for the answer.
        let reply = |_: Result<Vec<Hold>, Error>| {};
        let (action, durability) = ("release jobs whose caller is gone", Durability::Eventual);
        Some(Box::new(Call { action, durability, otherwise: None, work, reply, answer: None }))
    }

    fn add(&self, leases: impl Iterator<Item = Lease>) {
        self.0.lock().extend(leases);
    }
}

/// Claims jobs, and releases them where this future is dropped before they arrive.
pub async fn claim(writer: &Writer, worker: &WorkerId, limit: usize) -> Result<Vec<Claim>, Error> {
    let action = "claim jobs";
    let (sender, receiver) = oneshot::channel();
    let (dropped, writer_calls) = (writer.dropped().clone(), writer.weak());
    let worker = worker.to_owned();
    let work = move |operations: &mut Operations<'_>| operations.claim(&worker, limit);
    // Only committed claims are sent: until then there is nothing to release.
    let send = |claims| InTransit { claims, dropped, writer_calls };
    let reply = |answer: Result<Vec<Claim>, Error>| drop(sender.send(answer.map(send)));
    let (durability, otherwise) = (Durability::Eventual, Some(Vec::new()));
    writer.send(Box::new(Call { action, durability, otherwise, work, reply, answer: None })).await;
    let answer = receiver.await.unwrap_or_else(|source| Err(Error::Unavailable { action, source: Box::new(source) }));
    answer.map(InTransit::arrive)
}

/// Claims on their way to their caller; released where they are dropped on the way.
struct InTransit {
    claims: Vec<Claim>,
    dropped: DroppedLeases,
    writer_calls: Option<mpsc::WeakSender<Box<dyn Task>>>,
}

impl InTransit {
    fn arrive(mut self) -> Vec<Claim> {
        std::mem::take(&mut self.claims)
    }
}

impl Drop for InTransit {
    fn drop(&mut self) {
        if self.claims.is_empty() {
            return;
        }
        self.dropped.add(self.claims.drain(..).map(|claim| claim.lease));
        if let Some(calls) = self.writer_calls.as_ref().and_then(mpsc::WeakSender::upgrade) {
            // The writer looks for dropped leases with every group of calls: where one more call does not fit, another
            // group is to come.
            drop(calls.try_send(nothing()));
        }
    }
}

/// A call that does nothing but make the writer look for dropped leases.
fn nothing() -> Box<dyn Task> {
    let (work, reply) = (|_: &mut Operations<'_>| Ok(()), |_: Result<(), Error>| {});
    Box::new(Call { action: "look", durability: Durability::Eventual, otherwise: Some(()), work, reply, answer: None })
}
