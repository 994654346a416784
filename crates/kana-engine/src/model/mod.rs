//! What is in this image?
//!
//! A [`Classifier`] answers, for a batch at a time, on a thread of its own. [`Artifact`] is a model on disk: weights, and
//! the [`Card`] that says what they are, where they come from and how well they did. Loading proves that the weights
//! are the ones that the card means, and that this machine computes what the trainer's computed.

pub mod artifact;
pub mod card;
mod check;
pub mod native;

use crate::Prediction;
use crate::image::{Image, Shape};

pub use artifact::Artifact;
pub use card::Card;

/// What may go wrong with a model.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the artifact could not be read.
    #[error("could not read {path}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The artifact is not what its card says. Caller: refuse to serve it.
    #[error("model {name} is refused: {reason}")]
    Refused {
        /// The artifact's name or folder.
        name: String,
        /// What is wrong, naming file, tensor, expected and found.
        reason: String,
    },
    /// An image has another shape than the model was trained on.
    #[error("image is {found} and the model takes {expected}")]
    Shape {
        /// The card's.
        expected: Shape,
        /// The image's.
        found: Shape,
    },
}

/// Says what images show. Takes processor time, never waits: call it on a thread of its own.
pub trait Classifier: Send {
    /// One prediction an image, in their order.
    ///
    /// # Errors
    /// [`Error::Shape`] where an image is not of the card's shape; none of the others is classified then.
    fn classify(&mut self, images: &[Image]) -> Result<Vec<Prediction>, Error>;

    /// The card of the model that answers.
    fn card(&self) -> &Card;
}
