//! What does a model say of itself?
//!
//! `card.json` beside the weights. A program needs it to feed the model and to read its answers, a person to judge
//! whether to trust them.

use serde::{Deserialize, Serialize};

use crate::image::Shape;

pub use crate::image::fit::Fit;

/// The version of this format; a card of another one is refused.
pub const FORMAT: u32 = 1;

/// A model's description of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// [`FORMAT`].
    pub format: u32,
    /// What the model is called in addresses and logs.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// The network's shape.
    pub architecture: Architecture,
    /// What it takes.
    pub input: Input,
    /// What it tells apart, in the order of its outputs.
    pub labels: Vec<String>,
    /// The labels in Latin letters, in the same order; empty where they already are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub romanised: Vec<String>,
    /// The weight files. Several members' probabilities are averaged.
    pub members: Vec<Member>,
    /// How it was trained.
    pub training: Training,
    /// How well it did, and on what.
    pub evaluation: Vec<Evaluation>,
    /// The licence of the data that the weights were learned from.
    pub licence: String,
    /// Whom that licence asks to name.
    pub attribution: String,
    /// Inputs with their expected outputs; loading runs them.
    pub self_test: Vec<Specimen>,
}

/// The network's shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// `kana-cnn`: three convolutions with batch normalisation, one without, two dense layers.
    pub family: String,
    /// Channels of the first convolution; the later ones have twice as many.
    pub width: usize,
    /// Dropout after the pooled convolutions; the dense layers drop twice as much. Only used in training.
    pub dropout: f64,
}

/// What a model takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Channels, height and width.
    pub shape: Shape,
    /// A sample's mean, a channel, on the scale of [0, 1]; subtracted first.
    pub mean: Vec<f32>,
    /// A sample's deviation, a channel; divided by then.
    pub deviation: Vec<f32>,
    /// How a picture of another size is brought into shape.
    pub fit: Fit,
}

/// One file of weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its name inside the artifact's folder.
    pub file: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// How a model was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// kana's version.
    pub version: String,
    /// What it learned from.
    pub data: Vec<Source>,
    /// Images learned from.
    pub images: usize,
    /// Images held out to choose the best epoch.
    pub validation_images: usize,
    /// Every random choice follows from it.
    pub seed: u64,
    /// Epochs run.
    pub epochs: usize,
    /// The epoch whose weights these are, from 1.
    pub best_epoch: usize,
    /// The remaining choices, as the command line spells them.
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

/// How well a model did once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// What was held out from what, and whether the choice of weights saw it.
    pub protocol: String,
    /// Images judged.
    pub images: usize,
    /// Share judged right, in [0, 1].
    pub accuracy: f64,
}

/// An input whose output is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Specimen {
    /// The image's bytes in hexadecimal.
    pub pixels: String,
    /// The trainer's own probabilities for it.
    pub probabilities: Vec<f32>,
}
