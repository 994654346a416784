//! What does a reader see of the model?

use std::collections::BTreeMap;

use kana_engine::image::{self, fit};
use kana_engine::model::card::{self, Card};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A model's description; `card.json` without the self-test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Model {
    /// Its name in addresses and logs.
    pub name: String,
    /// One sentence for people.
    pub description: String,
    /// The network's shape.
    pub architecture: Architecture,
    /// The images that it takes.
    pub input: Input,
    /// The classes that it distinguishes, in the order of its outputs.
    pub labels: Vec<String>,
    /// The labels in Latin letters, in the same order; empty where they already are.
    pub romanised: Vec<String>,
    /// The weight files.
    pub members: Vec<Member>,
    /// How it was trained.
    pub training: Training,
    /// How accurate it was, and on what.
    pub evaluation: Vec<Evaluation>,
    /// The licence of the data that the weights were learned from.
    pub licence: String,
    /// Whom that licence requires to name.
    pub attribution: String,
}

/// The network's shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// `kana-cnn`: three convolutions with batch normalisation, one without, two dense layers.
    pub family: String,
    /// Channels of the first convolution; the later ones have twice as many.
    pub width: usize,
    /// Dropout after the pooled convolutions; the dense layers drop twice as much. Only used in training.
    pub dropout: f64,
}

/// The images that a model takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Channels, height and width.
    pub shape: Shape,
    /// The mean of each channel's samples, on the scale of [0, 1]; subtracted first.
    pub mean: Vec<f32>,
    /// The standard deviation of each channel's samples; divided by after that.
    pub deviation: Vec<f32>,
    /// How an image of another size is brought into shape.
    pub fit: Fit,
}

/// The extents of an image: how many channels, rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shape {
    /// 1 is grey, 3 is red, green, blue.
    pub channels: usize,
    /// Rows, in pixels.
    pub height: usize,
    /// Columns, in pixels.
    pub width: usize,
}

/// How an image is brought into a model's shape.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", tag = "as")]
pub enum Fit {
    /// As one glyph, light on dark: separated from its background, cropped, and set with the margin of the training images.
    Glyph {
        /// Free space on the tighter sides, as a share of the image's side.
        margin: f32,
    },
    /// As a scene: scaled to cover the shape, the overhang cut off evenly.
    Cover,
}

/// One file of weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its name inside the artifact's folder.
    pub file: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// How a model was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// kana's version.
    pub version: String,
    /// The training data.
    pub data: Vec<Source>,
    /// Images trained on.
    pub images: usize,
    /// Images held out to choose the best epoch.
    pub validation_images: usize,
    /// The seed of every random choice.
    pub seed: u64,
    /// Epochs run.
    pub epochs: usize,
    /// The epoch whose weights these are, from 1.
    pub best_epoch: usize,
    /// The remaining choices, as the command line spells them.
    pub settings: BTreeMap<String, String>,
}

/// A file of training data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The file's name.
    pub file: String,
    /// SHA-256 of its uncompressed bytes, in hexadecimal.
    pub sha256: String,
}

/// The result of one evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// What was held out from what, and whether the choice of weights saw it.
    pub protocol: String,
    /// Images evaluated.
    pub images: usize,
    /// Share classified correctly, in [0, 1].
    pub accuracy: f64,
}

impl From<&Card> for Model {
    fn from(card: &Card) -> Self {
        let card::Architecture { family, width, dropout } = card.architecture.clone();
        Self {
            name: card.name.clone(),
            description: card.description.clone(),
            architecture: Architecture { family, width, dropout },
            input: Input::from(&card.input),
            labels: card.labels.clone(),
            romanised: card.romanised.clone(),
            members: card.members.iter().map(Member::from).collect(),
            training: Training::from(&card.training),
            evaluation: card.evaluation.iter().map(Evaluation::from).collect(),
            licence: card.licence.clone(),
            attribution: card.attribution.clone(),
        }
    }
}

impl From<&card::Input> for Input {
    fn from(input: &card::Input) -> Self {
        let image::Shape { channels, height, width } = input.shape;
        let fit = match input.fit {
            fit::Fit::Glyph { margin } => Fit::Glyph { margin },
            fit::Fit::Cover => Fit::Cover,
        };
        let shape = Shape { channels, height, width };
        Self { shape, mean: input.mean.clone(), deviation: input.deviation.clone(), fit }
    }
}

impl From<&card::Member> for Member {
    fn from(member: &card::Member) -> Self {
        Self { file: member.file.clone(), sha256: member.sha256.clone() }
    }
}

impl From<&card::Training> for Training {
    fn from(training: &card::Training) -> Self {
        let source = |source: &card::Source| Source { file: source.file.clone(), sha256: source.sha256.clone() };
        Self {
            version: training.version.clone(),
            data: training.data.iter().map(source).collect(),
            images: training.images,
            validation_images: training.validation_images,
            seed: training.seed,
            epochs: training.epochs,
            best_epoch: training.best_epoch,
            settings: training.settings.clone(),
        }
    }
}

impl From<&card::Evaluation> for Evaluation {
    fn from(evaluation: &card::Evaluation) -> Self {
        Self { protocol: evaluation.protocol.clone(), images: evaluation.images, accuracy: evaluation.accuracy }
    }
}
