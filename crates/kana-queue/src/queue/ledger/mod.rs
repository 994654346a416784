//! What is the state of a queue, and how does each call change it?
//!
//! One ledger for every queue that a single process holds: [`Jobs`] is a plain state machine, which is handed the time
//! and never waits. [`Holder`] adds a lock, a clock and the callers that wait. What a journal needs to keep a ledger
//! across restarts is in `records` and `writes`.

mod claimers;
mod deadlines;
mod fault;
mod history;
mod holder;
mod operations;
mod reader;
mod records;
mod transitions;
mod writes;

pub use fault::Fault;
pub use holder::{Holder, PendingSubmission, Scribe, Shared, State};
pub use operations::{Jobs, Repeat};
pub use records::{JobRecord, OutcomeRecord, Record};
pub use writes::{Write, Writes};
