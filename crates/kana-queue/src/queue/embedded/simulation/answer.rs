//! What is known of the queue from its answers?

use std::future::Future;
use std::pin::Pin;

use crate::job::{JobId, Outcome, Status};
use crate::queue::{Claim, Error, Receipt, Settled, Settlement, Submission};

/// The call of an actor, until it is answered.
pub type Call = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// What a call answered, and what it was asked.
pub enum Answer {
    Submitted(Submission, Result<Receipt, Error>),
    Claimed(Result<Vec<Claim>, Error>),
    Settled(Settlement, Result<Vec<Settled>, Error>),
    Read(Vec<JobId>, Result<Vec<Option<Status>>, Error>),
    Other,
}

/// What is known of a job from answers alone.
#[derive(Default)]
pub struct Known {
    /// Claims during which there was a fault: the attempt failed, its lease may have lapsed, or its worker crashed.
    pub faults: u32,
    /// Whether the latest claim is without a fault so far.
    pub is_faultless: bool,
    /// The outcome that somebody was told.
    pub told: Option<Outcome>,
    /// Whether a worker was told that its answer is the outcome.
    pub is_done: bool,
}
