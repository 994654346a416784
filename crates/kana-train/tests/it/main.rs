//! Does the crate keep its promises? One binary, so that everything links once.
#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails by panicking")]

mod data;
mod distill;
mod fetch;
mod folds;
#[cfg(feature = "gpu")]
mod gpu;
mod idx;
mod pictures;
mod report;
mod strokes;
mod train;
