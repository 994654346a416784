//! How is a model described?
//!
//! By `card.json` beside its weights. A program needs the card to prepare the model's input and to interpret its output, a
//! person to judge whether to trust it.

use serde::{Deserialize, Serialize};

use crate::image::Shape;

pub use crate::image::fit::Fit;

/// Convolutions of a network whose card does not say how many: all had four once.
pub const DEPTH: usize = 4;

/// The version of the card's format; a card of another version is refused.
pub const FORMAT: u32 = 1;

/// A model's description of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// [`FORMAT`].
    pub format: u32,
    /// The model's name in addresses and logs.
    pub name: String,
    /// A sentence that describes the model to people.
    pub description: String,
    /// The network's shape.
    pub architecture: Architecture,
    /// The shape and scale of the input.
    pub input: Input,
    /// The classes, in the order of the network's outputs.
    pub labels: Vec<String>,
    /// The labels in Latin letters, in the same order; empty where they already are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub romanised: Vec<String>,
    /// The weight files. Several members' probabilities are averaged.
    pub members: Vec<Member>,
    /// The training that made the weights.
    pub training: Training,
    /// Measured accuracies.
    pub evaluation: Vec<Evaluation>,
    /// The licence of the data that the weights were learned from.
    pub licence: String,
    /// The people whom the licence requires to be named.
    pub attribution: String,
    /// Inputs with their expected outputs; run when the model is loaded.
    pub self_test: Vec<Specimen>,
}

/// The network's shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// [`FAMILY`](super::FAMILY): convolutions, all but the last with batch normalisation, and two dense layers.
    pub family: String,
    /// Convolutions. All but the first and the last are pooled.
    #[serde(default = "depth", skip_serializing_if = "is_depth")]
    pub depth: usize,
    /// Channels of the first two convolutions; the later ones have twice as many.
    pub width: usize,
    /// Dropout after the pooled convolutions, in [0, 1]; the dense layers have twice as much. Only used in training.
    pub dropout: f64,
}

fn depth() -> usize {
    DEPTH
}

fn is_depth(depth: &usize) -> bool {
    *depth == DEPTH
}

/// A model's input: its shape, and how samples are normalised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Channels, height and width.
    pub shape: Shape,
    /// The mean sample of each channel, on the scale of [0, 1]; subtracted first.
    pub mean: Vec<f32>,
    /// The standard deviation of each channel's samples; the difference is divided by it.
    pub deviation: Vec<f32>,
    /// How a picture is converted to this shape.
    pub fit: Fit,
}

/// One file of weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The file's name in the artifact's folder.
    pub file: String,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
}

/// The training of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Version of kana that trained the model.
    pub version: String,
    /// Files of training data.
    pub data: Vec<Source>,
    /// Number of training images.
    pub images: usize,
    /// Number of images held out to choose the best epoch.
    pub validation_images: usize,
    /// Seed of all random choices.
    pub seed: u64,
    /// Number of epochs run.
    pub epochs: usize,
    /// The epoch whose weights these are, from 1.
    pub best_epoch: usize,
    /// The remaining settings, by their names on the command line.
    pub settings: std::collections::BTreeMap<String, String>,
}

/// A file of training data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The file's name.
    pub file: String,
    /// SHA-256 of its uncompressed bytes, in hexadecimal.
    pub sha256: String,
}

/// A measured accuracy of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// The images that were held out, and whether they influenced the choice of weights.
    pub protocol: String,
    /// Number of images classified.
    pub images: usize,
    /// Share of images classified correctly, in [0, 1].
    pub accuracy: f64,
}

/// An input of the self-test with its expected output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Specimen {
    /// The image's bytes (height × width × channels), in hexadecimal.
    pub pixels: String,
    /// The probabilities that the trainer computed, one for each label.
    pub probabilities: Vec<f32>,
}
