//! How well does a network do on images that it is not trained on?

use burn::tensor::{Device, Tensor, activation};

use super::architecture::{Architecture, Parameters};
use super::loader::undistorted;
use super::network::{Network, to_vec};
use crate::data::Dataset;
use kana_engine::model::card::Input;

/// Images per forward pass.
const BATCH_SIZE: usize = 128;

/// A network that is not trained, with running statistics and without dropout.
pub struct Evaluator {
    input: Input,
    network: Network,
    device: Device,
}

/// Result of a network on a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Number of images that were classified correctly.
    pub correct: usize,
    /// Mean cross-entropy: minus the natural logarithm of the probability of the true class.
    pub loss: f32,
}

impl Score {
    /// Returns whether this score is better than `other`: more correct images, or as many with a lower loss.
    pub fn is_better_than(&self, other: &Self) -> bool {
        self.correct > other.correct || self.correct == other.correct && self.loss < other.loss
    }
}

impl Evaluator {
    /// Creates the network with `parameters` on `device`, for images normalised as `input` says.
    ///
    /// # Errors
    /// Returns an error when the parameters do not fit the architecture.
    pub fn new(
        architecture: Architecture,
        parameters: &Parameters,
        input: Input,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let device = device.clone().inner();
        Ok(Self { input, network: Network::new(architecture, parameters, &device)?, device })
    }

    /// Returns the probabilities of all classes for each image, `[N, classes]`.
    pub fn probabilities(&self, dataset: &Dataset) -> Vec<Vec<f32>> {
        self.forward(dataset, |logits| activation::softmax(logits, 1))
    }

    /// Scores the network on `dataset`.
    pub fn score(&self, dataset: &Dataset) -> Score {
        let rows = self.forward(dataset, |logits| activation::log_softmax(logits, 1));
        let (mut correct, mut loss) = (0, 0.0);
        for (row, &label) in rows.iter().zip(dataset.labels()) {
            let truth = row[usize::from(label)];
            let is_correct = row.iter().enumerate().all(|(class, &other)| class == usize::from(label) || other < truth);
            correct += usize::from(is_correct);
            loss -= f64::from(truth);
        }
        Score { correct, loss: (loss / dataset.len().max(1) as f64) as f32 }
    }

    fn forward(&self, dataset: &Dataset, finish: impl Fn(Tensor<2>) -> Tensor<2>) -> Vec<Vec<f32>> {
        let classes = self.network.architecture().class_count;
        let mut rows = Vec::with_capacity(dataset.len());
        for start in (0..dataset.len()).step_by(BATCH_SIZE) {
            let images = undistorted(dataset, start..(start + BATCH_SIZE).min(dataset.len()), &self.input);
            let values = to_vec(finish(self.network.forward(images.to_device(&self.device))));
            rows.extend(values.chunks_exact(classes).map(<[f32]>::to_vec));
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_correct_images_are_better_and_a_lower_loss_decides_a_tie() {
        let score = |correct, loss| Score { correct, loss };

        assert!(score(3, 0.9).is_better_than(&score(2, 0.1)));
        assert!(score(3, 0.1).is_better_than(&score(3, 0.2)));
        assert!(!score(3, 0.1).is_better_than(&score(3, 0.1)));
    }
}
