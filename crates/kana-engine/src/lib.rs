//! What is in a picture?

pub mod image;
pub mod model;
mod prediction;

pub use prediction::Prediction;
