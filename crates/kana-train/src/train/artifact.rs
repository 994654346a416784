//! What does a finished run leave behind?
//!
//! An artifact: the weights of the best epoch, and a card that says how they came about and how well they did. Also
//! here: what the trainer itself computes for an artifact, the measure of every other engine.

use std::path::Path;

use anyhow::{Context, ensure};
use burn::tensor::{Device, Tensor, activation};
use sha2::{Digest, Sha256};

use super::batch::undistorted;
use super::checkpoint::{unweigh, weights, write};
use super::network::{Network, to_vec};
use super::plan::{Numbers, Plan};
use crate::data::{Dataset, Study};
use kana_engine::image::Image;
use kana_engine::model::Card;
use kana_engine::model::card::{Input, Member, Specimen};

/// The weight file of an artifact with one member.
pub const WEIGHTS_FILE: &str = "weights.safetensors";
/// The card's file.
pub const CARD_FILE: &str = "card.json";
/// Images judged at once.
const BATCH: usize = 128;
/// Inputs of the self-test, at most: loading runs them.
const SPECIMENS_MAX: usize = 64;
/// Inputs of the self-test, at least, where there are as many images.
const SPECIMENS_MIN: usize = 10;

/// A network that is not learning.
pub struct Judge<'a> {
    /// What it takes.
    pub input: &'a Input,
    network: Network,
    device: Device,
}

/// How a network did on a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Images judged right.
    pub right: usize,
    /// Mean loss: minus the logarithm of the probability of the true class.
    pub loss: f32,
}

impl<'a> Judge<'a> {
    /// The network that `numbers` make.
    ///
    /// # Errors
    /// Where the numbers do not fit the plan.
    pub fn new(plan: Plan, numbers: &Numbers, (input, device): (&'a Input, &Device)) -> anyhow::Result<Self> {
        let device = device.clone().inner();
        Ok(Self { input, network: Network::new(plan, numbers, &device)?, device })
    }

    /// Probabilities of each class, one row an image.
    pub fn probabilities(&self, dataset: &Dataset) -> Vec<Vec<f32>> {
        self.each_batch(dataset, |logits| activation::softmax(logits, 1))
    }

    /// How well it names the images of `dataset`.
    pub fn verdict(&self, dataset: &Dataset) -> Verdict {
        let rows = self.each_batch(dataset, |logits| activation::log_softmax(logits, 1));
        let (mut right, mut loss) = (0, 0.0);
        for (row, &label) in rows.iter().zip(dataset.labels()) {
            let truth = row[usize::from(label)];
            right +=
                usize::from(row.iter().enumerate().all(|(class, &other)| class == usize::from(label) || other < truth));
            loss -= f64::from(truth);
        }
        Verdict { right, loss: (loss / dataset.len().max(1) as f64) as f32 }
    }

    fn each_batch(&self, dataset: &Dataset, finish: impl Fn(Tensor<2>) -> Tensor<2>) -> Vec<Vec<f32>> {
        let classes = self.network.plan().class_count;
        let mut rows = Vec::with_capacity(dataset.len());
        for start in (0..dataset.len()).step_by(BATCH) {
            let images = undistorted(dataset, start..(start + BATCH).min(dataset.len()), self.input);
            let numbers = to_vec(finish(self.network.forward(images.tensor(&self.device))));
            rows.extend(numbers.chunks_exact(classes).map(<[f32]>::to_vec));
        }
        rows
    }
}

/// Inputs with their outputs, one a class as far as there are images, from the validation images.
pub fn specimens(study: &Study, judge: &Judge<'_>) -> Vec<Specimen> {
    let labels = study.validation.labels();
    let mut chosen: Vec<usize> = Vec::new();
    let is_first = |index: usize| !labels[..index].contains(&labels[index]);
    chosen.extend((0..labels.len()).filter(|&index| is_first(index)).take(SPECIMENS_MAX));
    let others = (0..labels.len()).filter(|&index| !is_first(index));
    chosen.extend(others.take(SPECIMENS_MIN.saturating_sub(chosen.len())));
    let images = study.validation.subset(&chosen);
    let specimen = |(index, probabilities)| Specimen { pixels: hex::encode(images.pixels(index)), probabilities };
    judge.probabilities(&images).into_iter().enumerate().map(specimen).collect()
}

/// Writes the artifact into `out`; `card` gets its one member. The card comes last: it vouches for the weights.
///
/// # Errors
/// Where the disk refuses.
pub fn save(out: &Path, mut card: Card, (plan, numbers): (&Plan, &Numbers)) -> anyhow::Result<Card> {
    let bytes = weights(plan, numbers)?;
    card.members = vec![Member { file: WEIGHTS_FILE.into(), sha256: hex::encode(Sha256::digest(&bytes)) }];
    write(&out.join(WEIGHTS_FILE), &bytes)?;
    let mut text = serde_json::to_string_pretty(&card)?;
    text.push('\n');
    write(&out.join(CARD_FILE), text.as_bytes())?;
    Ok(card)
}

/// What the trainer's own forward pass says of `images`, for the artifact in `folder`: one row of probabilities an
/// image, the members' mean. The measure that other engines must agree with.
///
/// # Errors
/// Where the artifact cannot be read, or an image is not of its shape.
pub fn probabilities(folder: &Path, images: &[Image]) -> anyhow::Result<Vec<Vec<f32>>> {
    let card_path = folder.join(CARD_FILE);
    let text = std::fs::read(&card_path).with_context(|| format!("could not read {}", card_path.display()))?;
    let card: Card = serde_json::from_slice(&text).with_context(|| format!("{} is no card", card_path.display()))?;
    let shape = card.input.shape;
    ensure!(images.iter().all(|image| image.shape() == shape), "an image is not {shape}");
    let pixels = images.iter().flat_map(|image| image.pixels()).copied().collect();
    let dataset =
        Dataset::new(shape, pixels, vec![0; images.len()]).context("BUG: every image has the card's shape")?;
    let plan = Plan { shape, width: card.architecture.width, class_count: card.labels.len() }.checked()?;
    let mut mean = vec![vec![0.0; card.labels.len()]; images.len()];
    for member in &card.members {
        let path = folder.join(&member.file);
        let bytes = std::fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
        let judge = Judge::new(plan, &unweigh(&plan, &bytes)?, (&card.input, &Device::flex()))?;
        for (mean, own) in mean.iter_mut().zip(judge.probabilities(&dataset)) {
            mean.iter_mut().zip(own).for_each(|(mean, own)| *mean += own / card.members.len() as f32);
        }
    }
    Ok(mean)
}
