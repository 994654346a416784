//! How well does a network do on images that it is not trained on?

use super::architecture::{Architecture, Parameters};
use super::loader::undistorted;
use super::native::Finished;
use crate::data::Dataset;
use kana_engine::model::card::Input;

/// Images per forward pass: few enough that their activations need little memory.
const BATCH_SIZE: usize = 512;

/// A network that is not trained, with running statistics and without dropout.
pub struct Evaluator {
    input: Input,
    network: Finished,
}

/// Result of a network on a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Number of images.
    pub images: usize,
    /// Number of images that were classified correctly.
    pub correct: usize,
    /// Mean cross-entropy: minus the natural logarithm of the probability of the true class.
    pub loss: f32,
}

impl Score {
    /// Returns the share of the images that were classified correctly, in [0, 1].
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }

    /// Returns whether this score is better than `other`: more correct images, or as many with a lower loss.
    pub fn is_better_than(&self, other: &Self) -> bool {
        self.correct > other.correct || self.correct == other.correct && self.loss < other.loss
    }
}

/// Returns whether `class` has a greater value than every other in `row`.
pub fn is_greatest(row: &[f32], class: usize) -> bool {
    row.iter().enumerate().all(|(other, value)| other == class || *value < row[class])
}

impl Evaluator {
    /// Creates the network with `parameters`, which fit the architecture, for images normalised as `input` says.
    pub fn new(architecture: &Architecture, parameters: &Parameters, input: Input) -> Self {
        Self { input, network: Finished::new(architecture, parameters) }
    }

    /// Returns the number of classes.
    pub fn class_count(&self) -> usize {
        self.network.class_count()
    }

    /// Returns the probabilities of all classes for each image, `[images][classes]`.
    pub fn probabilities(&self, dataset: &Dataset) -> Vec<Vec<f32>> {
        let mut rows = self.log_probabilities(dataset);
        rows.iter_mut().flatten().for_each(|value| *value = value.exp());
        rows
    }

    /// Returns the probabilities of all classes for images whose `samples` are normalised, `[images][H][W][C]`.
    pub fn probabilities_of(&self, samples: &[f32]) -> Vec<Vec<f32>> {
        let mut rows = self.network.logits(samples);
        rows.iter_mut().for_each(|row| into_log_probabilities(row));
        rows.iter_mut().flatten().for_each(|value| *value = value.exp());
        rows
    }

    /// Returns the outputs of the layer before the last for each image, `[images][features]`.
    pub fn features(&self, dataset: &Dataset) -> Vec<Vec<f32>> {
        let mut rows = Vec::with_capacity(dataset.len());
        for start in (0..dataset.len()).step_by(BATCH_SIZE) {
            let images = undistorted(dataset, start..(start + BATCH_SIZE).min(dataset.len()), &self.input);
            rows.extend(self.network.hidden(&images));
        }
        rows
    }

    /// Scores the network on `dataset`.
    pub fn score(&self, dataset: &Dataset) -> Score {
        let (mut correct, mut loss) = (0, 0.0);
        for (row, &label) in self.log_probabilities(dataset).iter().zip(dataset.labels()) {
            let class = usize::from(label);
            correct += usize::from(is_greatest(row, class));
            loss -= f64::from(row[class]);
        }
        Score { images: dataset.len(), correct, loss: (loss / dataset.len().max(1) as f64) as f32 }
    }

    fn log_probabilities(&self, dataset: &Dataset) -> Vec<Vec<f32>> {
        let mut rows = Vec::with_capacity(dataset.len());
        for start in (0..dataset.len()).step_by(BATCH_SIZE) {
            let images = undistorted(dataset, start..(start + BATCH_SIZE).min(dataset.len()), &self.input);
            rows.extend(self.network.logits(&images));
        }
        rows.iter_mut().for_each(|row| into_log_probabilities(row));
        rows
    }
}

/// Replaces logits by the logarithms of their probabilities.
fn into_log_probabilities(row: &mut [f32]) {
    let greatest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f32 = row.iter().map(|logit| (logit - greatest).exp()).sum();
    row.iter_mut().for_each(|logit| *logit -= greatest + total.ln());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_correct_images_are_better_and_a_lower_loss_decides_a_tie() {
        let score = |correct, loss| Score { images: 5, correct, loss };

        assert!(score(3, 0.9).is_better_than(&score(2, 0.1)));
        assert!(score(3, 0.1).is_better_than(&score(3, 0.2)));
        assert!(!score(3, 0.1).is_better_than(&score(3, 0.1)));
    }
}
