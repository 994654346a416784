//! How does the model look on the wire?

use std::collections::BTreeMap;

use kana_engine::image::{self, fit};
use kana_engine::model::card::{self, Card};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Description of a model: its `card.json` without the self-test, and whether it has a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Model {
    /// Name of the model.
    pub name: String,
    /// Description of the model, in one sentence.
    pub description: String,
    /// Architecture of the network.
    pub architecture: Architecture,
    /// Images that the model takes.
    pub input: Input,
    /// Labels of the classes, in the order of the model's outputs.
    pub labels: Vec<String>,
    /// Labels in Latin letters, in the same order; empty if the labels already are.
    pub romanised: Vec<String>,
    /// Files of weights.
    pub members: Vec<Member>,
    /// Training of the model.
    pub training: Training,
    /// Evaluations of the model: accuracy, and on which images.
    pub evaluation: Vec<Evaluation>,
    /// Licence of the training data.
    pub licence: String,
    /// Attribution that the licence requires.
    pub attribution: String,
    /// Whether there is a report of its training, at `/v1/model/report`.
    #[serde(default)]
    pub has_report: bool,
}

/// Architecture of the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Family of the network. `kana-cnn`: convolutions, all but the last with batch normalisation, and two dense layers.
    pub family: String,
    /// Number of convolutions.
    #[serde(default = "depth")]
    pub depth: usize,
    /// Output channels of the first two convolutions; the later ones have twice as many.
    pub width: usize,
    /// Dropout rate after the pooled convolutions; twice as high in the dense layers. Only used in training.
    pub dropout: f64,
}

/// Returns the depth that the models of an older server have.
fn depth() -> usize {
    card::DEPTH
}

/// Images that a model takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Shape of the images.
    pub shape: Shape,
    /// Mean of each channel, on the scale of [0, 1]; subtracted from every value.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel; the difference is divided by it.
    pub deviation: Vec<f32>,
    /// Method that brings an image of another size into this shape.
    pub fit: Fit,
}

/// Shape of an image: numbers of channels, rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shape {
    /// Number of channels: 1 is grey; 3 is red, green and blue.
    pub channels: usize,
    /// Number of rows, in pixels.
    pub height: usize,
    /// Number of columns, in pixels.
    pub width: usize,
}

/// Method that brings an image into a model's shape.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", tag = "as")]
pub enum Fit {
    /// One glyph, light on dark: separated from its background, cropped, and given the margin of the training images.
    Glyph {
        /// Free space between the glyph and the nearest edges, as a share of the image's side.
        margin: f32,
    },
    /// The whole picture, scaled until it covers the shape; what exceeds the shape is cut off evenly.
    Cover,
}

/// File of weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Name of the file inside the model's folder.
    pub file: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

/// Training of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Version of kana that trained the model.
    pub version: String,
    /// Files of training data.
    pub data: Vec<Source>,
    /// Number of images trained on.
    pub images: usize,
    /// Number of images held out to select the best epoch.
    pub validation_images: usize,
    /// Seed of every random choice.
    pub seed: u64,
    /// Number of epochs run.
    pub epochs: usize,
    /// Number of the epoch that the weights are from, from 1.
    pub best_epoch: usize,
    /// Remaining settings, spelled as on the command line.
    pub settings: BTreeMap<String, String>,
}

/// File of training data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name of the file.
    pub file: String,
    /// SHA-256 of the uncompressed file, in hexadecimal.
    pub sha256: String,
}

/// Result of one evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Description of the evaluated images, and whether they influenced the selection of the weights.
    pub protocol: String,
    /// Number of images evaluated.
    pub images: usize,
    /// Share of images classified correctly, in [0, 1].
    pub accuracy: f64,
}

impl From<&Card> for Model {
    fn from(card: &Card) -> Self {
        let card::Architecture { family, depth, width, dropout } = card.architecture.clone();
        Self {
            name: card.name.clone(),
            description: card.description.clone(),
            architecture: Architecture { family, depth, width, dropout },
            input: Input::from(&card.input),
            labels: card.labels.clone(),
            romanised: card.romanised.clone(),
            members: card.members.iter().map(Member::from).collect(),
            training: Training::from(&card.training),
            evaluation: card.evaluation.iter().map(Evaluation::from).collect(),
            licence: card.licence.clone(),
            attribution: card.attribution.clone(),
            has_report: false,
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
