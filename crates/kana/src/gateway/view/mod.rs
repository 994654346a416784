//! What do responses and events look like on the wire?
//!
//! These types are the contract: `/openapi.json` is generated from them, and clients are generated from that. What is
//! not known yet is absent, never null. Times are milliseconds since the Unix epoch, durations are milliseconds.

mod job;
mod model;
mod pod;
mod run;
pub mod schema;
mod service;

pub use job::{Attempt, AttemptEnd, Batch, CANCELLED, Counts, Job, Receipt, Rejection, State};
pub use model::Model;
pub use pod::{Console, Fault, Phase, Pod, Range, Scale, ScaledBy, Stop};
pub use run::Run;
pub use service::{DeadLetter, Queue, Status};
