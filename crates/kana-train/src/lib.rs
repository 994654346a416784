//! How does a network learn to read?

pub mod data;
mod train;

pub use train::*;
