//! Where does a job wait, and who may say that it is done?

pub mod backoff;
pub mod clock;
pub mod job;
mod queue;
mod worker_id;

pub use queue::*;
pub use worker_id::WorkerId;
