//! What do the tests share?

pub mod child;
mod eventually;
pub mod cut;
pub mod http;
pub mod idx;
pub mod samples;
pub mod process;
pub mod scripted;
pub mod world;

pub use eventually::{eventually, eventually_some};
