//! What does a finished run write?
//!
//! An artifact: the weights of the best epoch, and a card that says how they were trained and how accurate they are. The
//! card contains test inputs with the outputs of the trainer, which every other engine must reproduce.

use std::path::Path;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use super::architecture::{Architecture, Parameters};
use super::atomic_write::atomic_write;
use super::evaluator::Evaluator;
use super::weights::{encode_weights, parse_weights};
use crate::data::Dataset;
use kana_engine::image::Image;
use kana_engine::model::card::{Member, Specimen};
use kana_engine::model::{CARD_FILE, Card};

/// Weight file of an artifact with one member.
const WEIGHTS_FILE: &str = "weights.safetensors";
/// Largest number of inputs of the self-test: every load computes all of them.
const SPECIMENS_MAX: usize = 64;
/// Smallest number of inputs of the self-test, when there are as many images.
const SPECIMENS_MIN: usize = 10;

/// Selects inputs of the self-test from the `validation` images, one a class as far as possible, and computes their
/// outputs.
pub fn specimens(validation: &Dataset, evaluator: &Evaluator) -> Vec<Specimen> {
    let labels = validation.labels();
    let is_first = |index: usize| !labels[..index].contains(&labels[index]);
    let mut chosen: Vec<usize> = (0..labels.len()).filter(|&index| is_first(index)).take(SPECIMENS_MAX).collect();
    let others = (0..labels.len()).filter(|&index| !is_first(index));
    chosen.extend(others.take(SPECIMENS_MIN.saturating_sub(chosen.len())));
    let images = validation.subset(&chosen);
    let specimen = |(index, probabilities)| Specimen { pixels: hex::encode(images.pixels(index)), probabilities };
    evaluator.probabilities(&images).into_iter().enumerate().map(specimen).collect()
}

/// Writes an artifact with one member into the folder `out` and returns its complete card. The card is written last: its
/// presence means that the weights are there.
///
/// # Errors
/// Returns the error of the file system.
pub fn save(out: &Path, mut card: Card, architecture: &Architecture, parameters: &Parameters) -> anyhow::Result<Card> {
    let bytes = encode_weights(architecture, parameters)?;
    card.members = vec![Member { file: WEIGHTS_FILE.into(), sha256: hex::encode(Sha256::digest(&bytes)) }];
    atomic_write(&out.join(WEIGHTS_FILE), &bytes)?;
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
    let path = folder.join(CARD_FILE);
    let text = std::fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
    let card: Card = serde_json::from_slice(&text).with_context(|| format!("could not parse {}", path.display()))?;
    let shape = card.input.shape;
    if let Some(other) = images.iter().map(Image::shape).find(|other| *other != shape) {
        bail!("an image is {other}, the model takes {shape}");
    }
    let pixels = images.iter().flat_map(|image| image.pixels()).copied().collect();
    let dataset =
        Dataset::new(shape, pixels, vec![0; images.len()]).expect("BUG: every image has the shape of the card");
    let architecture =
        Architecture { image_shape: shape, width: card.architecture.width, class_count: card.labels.len() }
            .checked()?;
    let mut mean = vec![vec![0.0; card.labels.len()]; images.len()];
    for member in &card.members {
        let path = folder.join(&member.file);
        let bytes = std::fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
        let parameters =
            parse_weights(&architecture, &bytes).with_context(|| format!("could not parse {}", path.display()))?;
        let evaluator = Evaluator::new(&architecture, &parameters, card.input.clone());
        for (mean, probabilities) in mean.iter_mut().zip(evaluator.probabilities(&dataset)) {
            let share = card.members.len() as f32;
            mean.iter_mut().zip(probabilities).for_each(|(mean, probability)| *mean += probability / share);
        }
    }
    Ok(mean)
}
