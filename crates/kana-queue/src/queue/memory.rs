//! What does a queue look like with nothing but its promises?
//!
//! [`Memory`] lives and dies with its process. It is what tests and simulations run against, and the plainest reading of
//! what [`Queue`](super::Queue) means: the ledger of the [embedded](super::embedded) queue, without a journal.

pub use super::ledger::Holder as Memory;
