//! What do the tests share?

pub mod child;
pub mod cut;
mod eventually;
pub mod http;
pub mod idx;
pub mod process;
pub mod samples;
pub mod scripted;
pub mod world;

pub use eventually::{eventually, eventually_some};
