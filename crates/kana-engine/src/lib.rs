//! Which class does a picture show?
//!
//! This crate classifies pictures on the CPU, in three steps:
//!
//! 1. [`image::decode()`]: the bytes of a PNG, JPEG, GIF, BMP, WebP or PNM file become a [`Picture`](image::Picture) of any
//!    size, within fixed limits of pixels and memory.
//! 2. [`image::fit()`]: the picture becomes an [`Image`](image::Image) of the model's shape. A single glyph is located,
//!    cropped and redrawn as the training images are, whatever its colours, size and background.
//! 3. [`Classifier::classify`](model::Classifier::classify): a convolutional network computes a [`Prediction`] for each
//!    image, with a probability for each class.
//!
//! A model is an [`Artifact`](model::Artifact): the one compiled into this crate, which reads handwritten hiragana, or a
//! folder with a `card.json` and weights. Everything runs on the calling thread and never waits, except that
//! [`Artifact::load`](model::Artifact::load) reads files. A classifier is `Send` and needs `&mut self`: create one for each
//! thread, they share the weights.
//!
//! ```
//! use kana_engine::image::{decode, fit};
//! use kana_engine::model::Artifact;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file = include_bytes!("../tests/it/o.png");
//! let mut classifier = Artifact::built_in()?.classifier()?; // or Artifact::load(folder)?.classifier()?
//! let input = &classifier.card().input;
//!
//! let picture = decode(file)?;
//! let image = fit(&picture, input.shape, input.fit);
//! let prediction = &classifier.classify(&[image])?[0];
//!
//! assert_eq!(prediction.label, "お");
//! assert!(prediction.confidence > 0.9);
//! # Ok(())
//! # }
//! ```

pub mod image;
pub mod kernels;
pub mod model;
mod prediction;

pub use prediction::Prediction;
