//! Which data does one training step need?
//!
//! A [`Batch`] contains everything random about a step: which images, how they are distorted, and which activations are
//! dropped. It depends only on the seed, the epoch and the step, so that another thread can prepare it in advance, and a
//! resumed run can prepare it again.

use std::ops::{ControlFlow, Range};

use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;
use rand::seq::SliceRandom;

use super::architecture::Architecture;
use super::augment::{self, Distortion};
use crate::data::Dataset;
use crate::data::random::{Purpose, stream};
use kana_engine::model::card::Input;

/// Settings that determine the batches of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoaderConfig {
    /// Seed of every random choice.
    pub seed: u64,
    /// Largest number of images in a batch.
    pub batch_size: usize,
    /// Whether images are distorted.
    pub augment: bool,
    /// Share of activations dropped after the pooled convolutions; twice as many around the first dense layer.
    pub dropout: f64,
    /// Share of a target probability that is spread over all classes.
    pub label_smoothing: f64,
}

/// Position of a step in a run, both numbers from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Number of complete passes over the images.
    pub epoch: usize,
    /// Number of batches of the current pass.
    pub batch: usize,
}

/// Assignment of images to the batches of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampler {
    image_count: usize,
    /// Number of batches in an epoch.
    pub batch_count: usize,
}

impl Sampler {
    /// Creates as few batches of at most `batch_size` as hold `image_count` images. Their sizes differ by one at most: a
    /// tiny last batch would have no useful mean and variance.
    pub fn new(image_count: usize, batch_size: usize) -> Self {
        Self { image_count, batch_count: image_count.div_ceil(batch_size.max(1)).max(1) }
    }

    /// Returns the number of steps before `position`.
    pub fn steps_before(&self, position: Position) -> usize {
        position.epoch * self.batch_count + position.batch
    }

    /// Returns the position after `position`.
    pub fn next(&self, position: Position) -> Position {
        match position.batch + 1 {
            batch if batch < self.batch_count => Position { batch, ..position },
            _ => Position { epoch: position.epoch + 1, batch: 0 },
        }
    }

    /// Returns the indices of all images, in the order of `epoch`.
    fn shuffled(&self, seed: u64, epoch: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.image_count).collect();
        order.shuffle(&mut stream(seed, Purpose::Order, [epoch as u64, 0]));
        order
    }

    /// Returns the range of [`Sampler::shuffled`] that belongs to `batch`.
    fn range(&self, batch: usize) -> Range<usize> {
        let bound = |batch: usize| batch * self.image_count / self.batch_count;
        bound(batch)..bound(batch + 1)
    }
}

/// Data of one step, in host memory.
pub struct Batch {
    /// Position of the step.
    pub position: Position,
    /// Normalised samples, `[N, C, H, W]`.
    pub images: HostTensor<4>,
    /// Smoothed target probabilities, `[N, classes]`.
    pub targets: HostTensor<2>,
    /// Factors of the activations.
    pub masks: DropoutMasks,
}

/// A tensor in host memory.
pub struct HostTensor<const D: usize> {
    values: Vec<f32>,
    shape: [usize; D],
}

impl<const D: usize> HostTensor<D> {
    /// Returns the size of each dimension.
    pub fn shape(&self) -> [usize; D] {
        self.shape
    }

    /// Copies the tensor to `device`.
    pub fn to_device(&self, device: &Device) -> Tensor<D> {
        Tensor::from_data(TensorData::new(self.values.clone(), self.shape), device)
    }
}

/// Factors of the activations: 0 for those dropped, and for the others a factor above 1 that keeps the mean.
pub struct DropoutMasks {
    /// Mask of the output of norm2, `[N, C, H, W]`.
    pub norm2: HostTensor<4>,
    /// Mask of the output of norm3, `[N, C, H, W]`.
    pub norm3: HostTensor<4>,
    /// Mask of the input of dense1, `[N, features]`.
    pub flat: HostTensor<2>,
    /// Mask of the output of dense1, `[N, features]`.
    pub dense1: HostTensor<2>,
}

/// Source of the batches of a run.
pub struct Loader<'a> {
    /// Images that the network is trained on.
    pub dataset: &'a Dataset,
    /// Normalisation of the samples.
    pub input: &'a Input,
    /// Architecture that the dropout masks fit.
    pub architecture: Architecture,
    /// Settings that determine the batches.
    pub config: LoaderConfig,
}

impl Loader<'_> {
    /// Prepares all batches from `start` to the end of the last of `epochs` and passes each to `send`, until that breaks.
    pub fn load(&self, start: Position, epochs: usize, mut send: impl FnMut(Batch) -> ControlFlow<()>) {
        let sampler = self.sampler();
        let mut position = start;
        while position.epoch < epochs {
            let shuffled = sampler.shuffled(self.config.seed, position.epoch);
            let epoch = position.epoch;
            while position.epoch == epoch {
                let batch = self.batch(position, &shuffled[sampler.range(position.batch)]);
                if send(batch).is_break() {
                    return;
                }
                position = sampler.next(position);
            }
        }
    }

    fn sampler(&self) -> Sampler {
        Sampler::new(self.dataset.len(), self.config.batch_size)
    }

    fn batch(&self, position: Position, indices: &[usize]) -> Batch {
        let shape = self.dataset.shape();
        let mut values = Vec::with_capacity(indices.len() * shape.bytes());
        for &index in indices {
            let pixels = self.dataset.pixels(index);
            let samples = if self.config.augment {
                let key = [position.epoch as u64, index as u64];
                Distortion::draw(&mut stream(self.config.seed, Purpose::Augment, key)).apply(pixels, shape)
            } else {
                augment::to_unit_range(pixels)
            };
            normalise_into(&mut values, &samples, self.input);
        }
        Batch {
            position,
            images: HostTensor { values, shape: [indices.len(), shape.channels, shape.height, shape.width] },
            targets: self.targets(indices),
            masks: self.masks(position, indices.len()),
        }
    }

    fn targets(&self, indices: &[usize]) -> HostTensor<2> {
        let classes = self.architecture.class_count;
        let spread = self.config.label_smoothing as f32 / classes as f32;
        let mut values = vec![spread; indices.len() * classes];
        for (row, &index) in indices.iter().enumerate() {
            values[row * classes + usize::from(self.dataset.labels()[index])] +=
                1.0 - self.config.label_smoothing as f32;
        }
        HostTensor { values, shape: [indices.len(), classes] }
    }

    fn masks(&self, position: Position, images: usize) -> DropoutMasks {
        let step = self.sampler().steps_before(position) as u64;
        let dense = |layer: u64, share: f64, features: usize| {
            let mut random = stream(self.config.seed, Purpose::Dropout, [step, layer]);
            HostTensor { values: mask(&mut random, share, images * features), shape: [images, features] }
        };
        let (dropout, shapes) = (self.config.dropout, self.architecture.dropout_shapes());
        let image = |layer: u64, [channels, rows, columns]: [usize; 3]| {
            let flat = dense(layer, dropout, channels * rows * columns);
            HostTensor { values: flat.values, shape: [images, channels, rows, columns] }
        };
        DropoutMasks {
            norm2: image(2, shapes.norm2),
            norm3: image(3, shapes.norm3),
            flat: dense(4, 2.0 * dropout, shapes.flat),
            dense1: dense(5, 2.0 * dropout, shapes.dense1),
        }
    }
}

/// Draws `count` factors: 0 with probability `share`, and 1 / (1 - `share`) otherwise.
fn mask(random: &mut impl Rng, share: f64, count: usize) -> Vec<f32> {
    // Two random bytes a factor: the share is exact to 1/65,536.
    let mut bytes = vec![0; 2 * count];
    random.fill_bytes(&mut bytes);
    let threshold = (share * 65_536.0).round() as u32;
    let kept = (1.0 / (1.0 - share)) as f32;
    let factor = |pair: &[u8]| if u32::from(pair[0]) | u32::from(pair[1]) << 8 < threshold { 0.0 } else { kept };
    bytes.chunks_exact(2).map(factor).collect()
}

/// Appends the samples of an image, `[H, W, C]` in [0, 1], to `values`: normalised, `[C, H, W]`.
fn normalise_into(values: &mut Vec<f32>, samples: &[f32], input: &Input) {
    for channel in 0..input.shape.channels {
        let (mean, deviation) = (input.mean[channel], input.deviation[channel]);
        values.extend(
            samples.iter().skip(channel).step_by(input.shape.channels).map(|sample| (sample - mean) / deviation),
        );
    }
}

/// Returns the images of `dataset` at `indices`, normalised and not distorted, `[N, C, H, W]`.
pub fn undistorted(dataset: &Dataset, indices: Range<usize>, input: &Input) -> HostTensor<4> {
    let shape = dataset.shape();
    let dimensions = [indices.len(), shape.channels, shape.height, shape.width];
    let mut values = Vec::with_capacity(indices.len() * shape.bytes());
    for index in indices {
        normalise_into(&mut values, &augment::to_unit_range(dataset.pixels(index)), input);
    }
    HostTensor { values, shape: dimensions }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batches_of_an_epoch_cover_every_image_once() {
        let sampler = Sampler::new(33, 16);

        let sizes: Vec<usize> = (0..sampler.batch_count).map(|batch| sampler.range(batch).len()).collect();
        let mut images = sampler.shuffled(1, 0);
        images.sort_unstable();

        assert_eq!(sizes, [11, 11, 11]);
        assert_eq!(images, (0..33).collect::<Vec<_>>());
    }

    #[test]
    fn the_last_batch_of_an_epoch_is_followed_by_the_next_epoch() {
        let sampler = Sampler::new(32, 16);

        let next = sampler.next(Position { epoch: 0, batch: 1 });

        assert_eq!(next, Position { epoch: 1, batch: 0 });
        assert_eq!(sampler.steps_before(next), 2);
    }

    #[test]
    fn a_mask_drops_its_share_and_keeps_the_mean() {
        let factors = mask(&mut stream(1, Purpose::Dropout, [0, 0]), 0.25, 40_000);

        let dropped = factors.iter().filter(|factor| **factor == 0.0).count();
        let mean = factors.iter().sum::<f32>() / factors.len() as f32;
        assert!((9_600..10_400).contains(&dropped), "{dropped} of 40,000 are dropped");
        assert!((mean - 1.0).abs() < 0.02, "the mean factor is {mean}");
    }
}
