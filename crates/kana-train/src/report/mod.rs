//! What is known of a finished training run?
//!
//! [`report()`] derives every figure from the [`Inputs`]: a [`Report`] is serialised as `report.json`. [`html()`] draws
//! the same figures, with the images that they speak of, as one file that loads nothing. Both depend on their arguments
//! alone: the same inputs make the same bytes, on any number of threads.

pub mod calibration;
pub mod html;
pub mod images;
pub mod map;
pub mod mislabelled;
pub mod specialists;
pub mod verdicts;

use kana_engine::model::Card;
use kana_engine::model::card::{Evaluation, Member, Training};
use serde::Serialize;

use crate::data::Dataset;
use crate::data::evaluate::{self, ClassificationReport};
use crate::metrics::{self, Spread};
use calibration::Calibration;
use images::Images;
use map::Map;
use mislabelled::Suspect;
use specialists::{Change, Specialist, Trial};
use verdicts::{Pair, Verdict};

pub use html::html;

/// What a report is made from.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Description of the trained model.
    pub card: Card,
    /// Networks that were trained: one for each fold, or the only one.
    pub networks: Vec<Network>,
    /// Images that were trained on.
    pub development: Dataset,
    /// Images that were held out, and what the model said of them.
    pub judged: Judged,
    /// Models of a few classes that are tried beside this one, those that are asked first before the others.
    pub specialists: Vec<Specialist>,
    /// Time of the whole training, in seconds.
    pub seconds: f64,
    /// Description of the machine, in one line.
    pub machine: String,
}

/// A trained network: one of several folds, or the only one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Network {
    /// Name of the network, as in "fold 1".
    pub name: String,
    /// Results of each epoch.
    pub epochs: Vec<metrics::Epoch>,
    /// Accuracy of the chosen weights; `None` where it was not measured.
    pub accuracy: Option<FoldAccuracy>,
}

/// Accuracy of a fold's chosen weights, measured without distortion and dropout.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FoldAccuracy {
    /// Share of the fold's training images that are classified correctly, in [0, 1].
    pub training: f64,
    /// Share of the fold's held-out images that are classified correctly, in [0, 1].
    pub validation: f64,
}

/// Held-out images, and what the model said of them.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Description of how the images were chosen, as in the card's evaluation.
    pub protocol: String,
    /// Images with their true classes.
    pub images: Dataset,
    /// Probability of each class, for each image.
    pub probabilities: Vec<Vec<f32>>,
    /// Outputs of the layer before the last, for each image; empty for those that are not on the map.
    pub features: Vec<Vec<f32>>,
}

/// Figures of a finished training run: the content of `report.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Name of the model.
    pub name: String,
    /// Description of the model.
    pub description: String,
    /// Description of the machine that trained the model.
    pub machine: String,
    /// Time of the whole training, in seconds.
    pub seconds: f64,
    /// Settings, seed, epochs, and digests of the data.
    pub training: Training,
    /// Weight files with their digests.
    pub weights: Vec<Member>,
    /// Accuracies that the card states.
    pub evaluation: Vec<Evaluation>,
    /// Licence of the data.
    pub licence: String,
    /// People whom the licence requires to be named.
    pub attribution: String,
    /// Classes, in the order of the network's outputs.
    pub classes: Vec<Class>,
    /// Sizes and ranges of the images that were trained on.
    pub development: Images,
    /// Sizes and ranges of the held-out images.
    pub judged: Images,
    /// Networks with their epochs.
    pub networks: Vec<Network>,
    /// Mean accuracy over the networks; `None` where it was not measured.
    pub folds: Option<Folds>,
    /// Description of how the held-out images were chosen.
    pub protocol: String,
    /// Accuracy on the held-out images, in total and by class, and the confusion matrix.
    pub results: ClassificationReport,
    /// Mean F1 score of the classes that have held-out images, in [0, 1].
    pub macro_f1: f64,
    /// Pairs of true and predicted class with the most mistakes, the worst first.
    pub pairs: Vec<Pair>,
    /// Effect of each specialist alone, in the order in which they are asked; empty where none was tried.
    pub specialists: Vec<Trial>,
    /// Effect of all specialists together: the first that applies to an image answers; `None` where none was tried.
    pub with_specialists: Option<Change>,
    /// Agreement of confidence and accuracy; `None` where no image was judged.
    pub calibration: Option<Calibration>,
    /// Mistakes of which the model was most confident, the worst first.
    pub mistakes: Vec<Verdict>,
    /// Images whose label is likely wrong, the likeliest first.
    pub suspects: Vec<Suspect>,
    /// Held-out images in two dimensions; empty where there are no features.
    pub maps: Vec<Map>,
}

/// Label of a class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Class {
    /// Label, as in the card; the number of the class where the card has none.
    pub label: String,
    /// Label in Latin letters; `None` where it already is.
    pub romanised: Option<String>,
}

/// Mean accuracy over the networks of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Folds {
    /// Number of networks whose accuracy was measured.
    pub count: usize,
    /// Accuracy on the training images.
    pub training: Spread,
    /// Accuracy on the held-out images.
    pub validation: Spread,
}

/// Derives all figures of a run.
pub fn report(inputs: &Inputs) -> Report {
    let (card, judged) = (&inputs.card, &inputs.judged);
    let class_count = class_count(inputs);
    let verdicts = verdicts::verdicts(judged);
    let results = evaluate::from_confusion(verdicts::confusion(&verdicts, class_count), &card.labels);
    Report {
        name: card.name.clone(),
        description: card.description.clone(),
        machine: inputs.machine.clone(),
        seconds: inputs.seconds,
        training: card.training.clone(),
        weights: card.members.clone(),
        evaluation: card.evaluation.clone(),
        licence: card.licence.clone(),
        attribution: card.attribution.clone(),
        classes: classes(card, class_count),
        development: images::images(&inputs.development, class_count),
        judged: images::images(&judged.images, class_count),
        networks: inputs.networks.clone(),
        folds: folds(&inputs.networks),
        protocol: judged.protocol.clone(),
        macro_f1: macro_f1(&results),
        pairs: verdicts::pairs(&verdicts, &results),
        specialists: specialists::trials(inputs),
        with_specialists: specialists::together(inputs),
        calibration: calibration::calibration(judged, &verdicts),
        mistakes: verdicts::mistakes(&verdicts),
        suspects: mislabelled::suspects(judged, class_count),
        maps: map::maps(&judged.features),
        results,
    }
}

/// Returns the number of classes that the card, an image or a row of probabilities has.
fn class_count(inputs: &Inputs) -> usize {
    let of = |images: &Dataset| images.labels().iter().map(|&label| usize::from(label) + 1).max().unwrap_or(0);
    let outputs = inputs.judged.probabilities.iter().map(Vec::len).max().unwrap_or(0);
    inputs.card.labels.len().max(outputs).max(of(&inputs.development)).max(of(&inputs.judged.images))
}

fn classes(card: &Card, class_count: usize) -> Vec<Class> {
    let class = |number: usize| {
        let label = card.labels.get(number).cloned().unwrap_or_else(|| number.to_string());
        let romanised = card.romanised.get(number).filter(|latin| !latin.is_empty() && **latin != label).cloned();
        Class { label, romanised }
    };
    (0..class_count).map(class).collect()
}

fn macro_f1(results: &ClassificationReport) -> f64 {
    let scores: Vec<f64> = results.per_class.iter().filter(|class| class.count > 0).map(|class| class.f1).collect();
    Spread::of(&scores).mean
}

fn folds(networks: &[Network]) -> Option<Folds> {
    let measured: Vec<FoldAccuracy> = networks.iter().filter_map(|network| network.accuracy).collect();
    let over = |accuracy: fn(&FoldAccuracy) -> f64| Spread::of(&measured.iter().map(accuracy).collect::<Vec<_>>());
    (!measured.is_empty()).then(|| Folds {
        count: measured.len(),
        training: over(|fold| fold.training),
        validation: over(|fold| fold.validation),
    })
}

#[cfg(test)]
mod tests;
