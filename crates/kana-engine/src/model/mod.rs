//! Which class does an image belong to?
//!
//! A [`Classifier`] answers for a batch of images at a time. An [`Artifact`] is a model on disk: its weights, and the
//! [`Card`] that describes them, their origin and their accuracy. Loading proves that the weights are the ones that the card
//! describes, and that this machine computes the same probabilities as the trainer's.

pub mod artifact;
pub mod card;
mod check;
mod native;
pub mod onnx;
mod threads;

use crate::Prediction;
use crate::image::{Image, Shape};

pub use crate::kernels::{Instructions, NotAvailable};
pub use artifact::{Artifact, CARD_FILE};
pub use card::Card;
pub use native::{Explanation, FAMILY, LayerCost, NORM_EPSILON};

/// Errors of loading and using a model.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Unreadable file of an artifact. Caller: correct the path, or retry.
    #[error("could not read {path}")]
    Unreadable {
        /// Path of the file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Artifact that does not match its card. Caller: do not serve it.
    #[error("model {name} is refused: {reason}")]
    Refused {
        /// The artifact's name or folder.
        name: String,
        /// The mismatch, naming file, tensor, expected and found.
        reason: String,
    },
    /// Image of another shape than the model's input. Caller: fit the picture to the card's shape.
    #[error("image is {found} and the model takes {expected}")]
    Shape {
        /// Shape in the card.
        expected: Shape,
        /// Shape of the image.
        found: Shape,
    },
}

/// Classifies images. Takes processor time, never waits: in a program with an async runtime, call it on a thread of its own.
pub trait Classifier: Send {
    /// Returns one prediction for each image, in the order of `images`.
    ///
    /// # Errors
    /// [`Error::Shape`] where an image does not have the card's shape; then no image is classified.
    fn classify(&mut self, images: &[Image]) -> Result<Vec<Prediction>, Error>;

    /// The card of this classifier's model.
    fn card(&self) -> &Card;
}
