//! How is the network computed?
//!
//! On one thread, in buffers that are allocated once; for more threads, create more engines. The normalisations are folded
//! into the weights when these are read ([`weights`]), a [`plan`] chooses how each layer is computed, and the arithmetic is
//! in [`crate::kernels`]. Convolutions take one image after another, whose activations then stay in the cache; the dense layers
//! take several images together, because reading their weights costs more than the arithmetic.

mod explain;
mod plan;
mod weights;

use std::sync::Arc;

use super::{Card, Classifier, Error};
use crate::Prediction;
use crate::image::Image;
use crate::kernels::convolution::Workspace;
use crate::kernels::{Instructions, Vector, grow};

pub use explain::{Explanation, LayerCost};
pub use plan::Plan;
pub use weights::{NORM_EPSILON, Weights};

/// The family of networks that this engine computes, as cards name it.
pub const FAMILY: &str = "kana-cnn";

/// Images whose dense layers are computed together, at most: two full sets of sums with AVX2.
const IMAGES_MAX: usize = 12;

/// What the card's checks leave.
const SEVERAL: &str = "BUG: a card has three convolutions at least";

/// Computes networks of the family [`FAMILY`]; several members' probabilities are averaged.
pub struct Native {
    card: Arc<Card>,
    members: Arc<[Plan]>,
    instructions: Instructions,
    buffers: Buffers,
}

/// What the layers leave for each other; as long as the largest member needs.
#[derive(Default)]
struct Buffers {
    /// The image's samples.
    input: Vec<f32>,
    /// Inputs and outputs of the convolutions, in turn.
    front: Vec<Vector>,
    back: Vec<Vector>,
    workspace: Workspace,
    /// Outputs of the last convolution, of the first and of the second dense layer, for each image.
    features: Vec<Vector>,
    hidden: Vec<Vector>,
    logits: Vec<Vector>,
    /// One image's probabilities by one member.
    probabilities: Vec<f32>,
    /// The sums over the members, for each image.
    totals: Vec<f32>,
}

impl Native {
    /// Creates an engine for plans of weights that were all read for `card`.
    pub fn new(card: Arc<Card>, members: Arc<[Plan]>, instructions: Instructions) -> Self {
        let mut buffers = Buffers::default();
        for member in members.iter() {
            grow(&mut buffers.front, member.first.output_vectors());
            for (number, layer) in member.convolutions.iter().enumerate() {
                let output = if number % 2 == 0 { &mut buffers.back } else { &mut buffers.front };
                grow(output, layer.output_vectors());
                buffers.workspace.reserve(layer);
            }
            let [hidden, last] = &member.dense;
            grow(&mut buffers.features, IMAGES_MAX * hidden.inputs());
            grow(&mut buffers.hidden, IMAGES_MAX * hidden.outputs());
            grow(&mut buffers.logits, IMAGES_MAX * last.outputs());
        }
        buffers.input.resize(card.input.shape.bytes(), 0.0);
        buffers.probabilities.resize(card.labels.len(), 0.0);
        buffers.totals.resize(IMAGES_MAX * card.labels.len(), 0.0);
        Self { card, members, instructions, buffers }
    }

    /// Computes the mean of the members' probabilities for up to [`IMAGES_MAX`] images, `[images][labels]`.
    fn probabilities(&mut self, images: &[Image]) -> &[f32] {
        let Self { card, members, instructions, buffers } = self;
        let classes = card.labels.len();
        let totals = &mut buffers.totals[..images.len() * classes];
        totals.fill(0.0);
        for member in members.iter() {
            let [hidden, last] = &member.dense;
            let features = &mut buffers.features[..images.len() * hidden.inputs()];
            for (image, features) in images.iter().zip(features.chunks_exact_mut(hidden.inputs())) {
                for (float, byte) in buffers.input.iter_mut().zip(image.pixels()) {
                    *float = f32::from(*byte);
                }
                let (mut front, mut back) = (&mut buffers.front, &mut buffers.back);
                member.first.run(*instructions, &buffers.input, front);
                let (last, others) = member.convolutions.split_last().expect(SEVERAL);
                for layer in others {
                    layer.run(*instructions, front, &mut buffers.workspace, back);
                    (front, back) = (back, front);
                }
                last.run(*instructions, front, &mut buffers.workspace, features);
            }
            let middle = &mut buffers.hidden[..images.len() * hidden.outputs()];
            let logits = &mut buffers.logits[..images.len() * last.outputs()];
            hidden.run(*instructions, features, middle);
            last.run(*instructions, middle, logits);
            for (logits, totals) in logits.chunks_exact(last.outputs()).zip(totals.chunks_exact_mut(classes)) {
                let row = &mut buffers.probabilities;
                for (probability, logit) in row.iter_mut().zip(logits.iter().flat_map(|vector| vector.0)) {
                    *probability = logit;
                }
                softmax(row);
                for (total, probability) in totals.iter_mut().zip(row) {
                    *total += *probability;
                }
            }
        }
        let share = 1.0 / members.len() as f32;
        totals.iter_mut().for_each(|total| *total *= share);
        totals
    }
}

/// Converts logits to probabilities, in place; subtracts the greatest first so that none overflows.
fn softmax(logits: &mut [f32]) {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for logit in logits.iter_mut() {
        *logit = (*logit - greatest).exp();
        total += *logit;
    }
    for logit in logits.iter_mut() {
        *logit /= total;
    }
}

impl Classifier for Native {
    fn classify(&mut self, images: &[Image]) -> Result<Vec<Prediction>, Error> {
        let expected = self.card.input.shape;
        if let Some(image) = images.iter().find(|image| image.shape() != expected) {
            return Err(Error::Shape { expected, found: image.shape() });
        }
        let card = self.card.clone();
        let mut predictions = Vec::with_capacity(images.len());
        for images in images.chunks(IMAGES_MAX) {
            for row in self.probabilities(images).chunks_exact(card.labels.len()) {
                let prediction = Prediction::from_probabilities(row.to_vec(), &card.labels);
                predictions.push(prediction.expect("BUG: a card without labels is refused when it is read"));
            }
        }
        Ok(predictions)
    }

    fn card(&self) -> &Card {
        &self.card
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_softmax_of_huge_logits_is_finite_and_sums_to_one() {
        let mut logits = [1e30, 1e30, -1e30];

        softmax(&mut logits);

        assert_eq!(logits, [0.5, 0.5, 0.0]);
    }
}
