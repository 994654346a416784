//! What do answers look like on the wire?
//!
//! These types are the contract: `/openapi.json` is generated from them, and clients are generated from that. What is
//! not known yet is absent, never null. Moments are milliseconds since the Unix epoch, spans are milliseconds.

mod job;
mod model;
pub mod schema;
mod service;

pub use job::{Batch, CANCELLED, Counts, Job, Receipt, Rejection, State};
pub use model::Model;
pub use service::{DeadLetter, Pod, Queue, Range, Status, Trouble};
