//! What does the gateway know of the present, and how does the present reach those who watch?

pub mod counters;
pub mod event_log;
pub mod jobs;
pub mod maintenance;
pub mod pods;
pub mod rate;
