//! Where does a job wait, and who may say that it is done?

pub mod clock;
pub mod job;
mod queue;
pub mod worker;

pub use queue::*;
