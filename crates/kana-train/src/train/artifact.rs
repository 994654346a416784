//! What does a finished run write?
//!
//! An artifact: the weights, of one network or of several whose probabilities are averaged, and a card that says how they
//! were trained and how accurate they are. The card contains test inputs with the outputs of the trainer, which every other
//! engine must reproduce.

use std::path::Path;

use anyhow::bail;
use sha2::{Digest, Sha256};

use super::Config;
use super::architecture::{Architecture, Parameters};
use super::atomic_write::atomic_write;
use super::evaluator::{Evaluator, is_greatest};
use super::run_folder::{members, read_json};
use super::weights::encode_weights;
use crate::data::{Classes, Dataset};
use kana_engine::image::Image;
use kana_engine::model::card::{self, Input, Member, Specimen, Training};
use kana_engine::model::{CARD_FILE, Card, FAMILY};

/// Weight file of an artifact with one member.
const WEIGHTS_FILE: &str = "weights.safetensors";
/// Largest number of inputs of the self-test: every load computes all of them.
const SPECIMENS_MAX: usize = 64;
/// Smallest number of inputs of the self-test, when there are as many images.
const SPECIMENS_MIN: usize = 10;

/// Describes a model of `classes` trained as `config` says, but for its data, weights and accuracy.
pub fn describe(config: &Config, classes: &Classes, input: &Input) -> Card {
    let few = if config.fast_dev_run { " A trial of the program, with few images: of no use." } else { "" };
    let Architecture { depth, width, .. } = Architecture::new(input.shape, config.width, classes.labels.len());
    Card {
        format: card::FORMAT,
        name: config.name(),
        description: format!("Tells apart {} classes of {} images.{few}", classes.labels.len(), input.shape),
        architecture: card::Architecture { family: FAMILY.into(), depth, width, dropout: config.dropout },
        input: input.clone(),
        labels: classes.labels.clone(),
        romanised: classes.romanised.clone(),
        members: Vec::new(),
        training: Training {
            version: env!("CARGO_PKG_VERSION").into(),
            data: Vec::new(),
            images: 0,
            validation_images: 0,
            seed: config.seed,
            epochs: config.epochs,
            best_epoch: 0,
            settings: config.settings(),
        },
        evaluation: Vec::new(),
        licence: classes.licence.clone(),
        attribution: classes.attribution.clone(),
        self_test: Vec::new(),
    }
}

/// Selects inputs of the self-test from `images`, one a class as far as possible, and computes their outputs: the mean of
/// the `members`.
pub fn specimens(images: &Dataset, members: &[Evaluator]) -> Vec<Specimen> {
    let labels = images.labels();
    let is_first = |index: usize| !labels[..index].contains(&labels[index]);
    let mut chosen: Vec<usize> = (0..labels.len()).filter(|&index| is_first(index)).take(SPECIMENS_MAX).collect();
    let others = (0..labels.len()).filter(|&index| !is_first(index));
    chosen.extend(others.take(SPECIMENS_MIN.saturating_sub(chosen.len())));
    let images = images.subset(&chosen);
    let specimen = |(index, probabilities)| Specimen { pixels: hex::encode(images.pixels(index)), probabilities };
    mean_probabilities(members, &images).into_iter().enumerate().map(specimen).collect()
}

/// Computes the mean of the members' probabilities of all classes for each image, `[images][classes]`.
pub fn mean_probabilities(members: &[Evaluator], images: &Dataset) -> Vec<Vec<f32>> {
    let share = 1.0 / members.len() as f32;
    let mut mean: Vec<Vec<f32>> = Vec::new();
    for member in members {
        let probabilities = member.probabilities(images);
        mean.resize_with(probabilities.len(), || vec![0.0; member.class_count()]);
        for (mean, probabilities) in mean.iter_mut().zip(probabilities) {
            mean.iter_mut().zip(probabilities).for_each(|(mean, probability)| *mean += probability * share);
        }
    }
    mean
}

/// Returns the share of `images` to whose class `probabilities` give the most, in [0, 1].
pub fn accuracy(images: &Dataset, probabilities: &[Vec<f32>]) -> f64 {
    let rows = probabilities.iter().zip(images.labels());
    let correct = rows.filter(|(row, label)| is_greatest(row, usize::from(**label))).count();
    correct as f64 / images.len().max(1) as f64
}

/// Writes an artifact of `members`, the parameters of one network or more, into the folder `out`, and returns its complete
/// card. The card is written last: its presence means that the weights are there.
///
/// # Errors
/// Returns the error of the file system.
pub fn save(out: &Path, mut card: Card, architecture: &Architecture, members: &[&Parameters]) -> anyhow::Result<Card> {
    card.members.clear();
    for (number, parameters) in members.iter().enumerate() {
        let file =
            if members.len() == 1 { WEIGHTS_FILE.to_owned() } else { format!("fold-{}.safetensors", number + 1) };
        let bytes = encode_weights(architecture, parameters)?;
        atomic_write(&out.join(&file), &bytes)?;
        card.members.push(Member { file, sha256: hex::encode(Sha256::digest(&bytes)) });
    }
    let mut text = serde_json::to_string_pretty(&card)?;
    text.push('\n');
    atomic_write(&out.join(CARD_FILE), text.as_bytes())?;
    Ok(card)
}

/// Computes the probabilities of all classes for each of `images`, `[N, classes]`, with the forward pass of the trainer:
/// the mean of the members of the artifact in `folder`. Other engines must agree with the result.
///
/// # Errors
/// Returns an error when the artifact cannot be read or parsed, and when an image does not have the shape of its card.
pub fn probabilities(folder: &Path, images: &[Image]) -> anyhow::Result<Vec<Vec<f32>>> {
    let card: Card = read_json(&folder.join(CARD_FILE))?;
    let shape = card.input.shape;
    if let Some(other) = images.iter().map(Image::shape).find(|other| *other != shape) {
        bail!("an image is {other}, the model takes {shape}");
    }
    let pixels = images.iter().flat_map(|image| image.pixels()).copied().collect();
    let dataset =
        Dataset::new(shape, pixels, vec![0; images.len()]).expect("BUG: every image has the shape of the card");
    let members = members(folder, &card)?;
    Ok(mean_probabilities(&members, &dataset))
}
