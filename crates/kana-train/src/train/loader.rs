//! Which data does one training step need?
//!
//! A [`Batch`] contains everything random about a step: which images, how they are distorted, and which activations are
//! dropped. It depends only on the seed, the epoch and the step, so that another thread can prepare it in advance, and a
//! resumed run can prepare it again.

use std::ops::{ControlFlow, Range};

use rand::Rng;
use rand::seq::SliceRandom;

use super::architecture::{Architecture, DENSE_WIDTH};
use super::augment::{self, Distortion};
use super::evaluator::Evaluator;
use super::mixup;
use super::native::Layer;
use crate::data::Dataset;
use crate::data::random::{Purpose, stream};
use kana_engine::kernels::{LANES, Vector};
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
    /// Share of the images into which another one is mixed.
    pub mixup: f64,
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

/// Which of the loaders of a run prepares a batch: each in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Number of this loader, from 0.
    pub turn: usize,
    /// Number of loaders.
    pub count: usize,
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

/// Data of one step.
pub struct Batch {
    /// Position of the step.
    pub position: Position,
    /// Normalised samples, `[images][H][W][C]`.
    pub samples: Vec<f32>,
    /// Target probabilities, `[images][classes]`: those of the labels, smoothed, or the teachers'.
    pub targets: Vec<f32>,
    /// Activations that are dropped.
    pub masks: DropoutMasks,
    images: usize,
}

impl Batch {
    /// Collects what a step of `images` images needs.
    pub fn new(position: Position, samples: Vec<f32>, targets: Vec<f32>, masks: DropoutMasks, images: usize) -> Self {
        Self { position, samples, targets, masks, images }
    }

    /// Number of images.
    pub fn count(&self) -> usize {
        self.images
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.targets.len() / self.images
    }

    /// Samples of image `number`, `[H][W][C]`.
    pub fn image(&self, number: usize) -> &[f32] {
        let floats = self.samples.len() / self.images;
        &self.samples[number * floats..][..floats]
    }

    /// Mask of the input of convolution `index`, from 0; `None` where dropout does not apply: before the first two.
    pub fn mask_before(&self, index: usize) -> Option<&Mask> {
        self.masks.pooled.get(index.checked_sub(2)?)
    }
}

/// Factors of activations, in the layout of [`super::native`]: dropout sets some to zero, and multiplies the others so that
/// the mean stays.
pub struct Mask(pub Vec<Vector>);

/// Masks of a step, each for all images.
pub struct DropoutMasks {
    /// Masks of the outputs of norm2 and of the later ones.
    pub pooled: Vec<Mask>,
    /// Mask of the input of dense1.
    pub flat: Mask,
    /// Mask of the output of dense1.
    pub dense1: Mask,
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
    /// Networks whose mean probabilities are the targets; empty for those of the labels.
    pub teachers: &'a [Evaluator],
}

impl Loader<'_> {
    /// Prepares the batches from `start` to the end of the last of `epochs` whose turn it is, and passes each to `send`, until
    /// that breaks.
    pub fn load(&self, start: Position, epochs: usize, turn: Turn, mut send: impl FnMut(Batch) -> ControlFlow<()>) {
        let sampler = self.sampler();
        let mut position = start;
        while position.epoch < epochs {
            let shuffled = sampler.shuffled(self.config.seed, position.epoch);
            let epoch = position.epoch;
            while position.epoch == epoch {
                let steps = sampler.steps_before(position) - sampler.steps_before(start);
                if steps % turn.count == turn.turn {
                    let batch = self.batch(position, &shuffled[sampler.range(position.batch)]);
                    if send(batch).is_break() {
                        return;
                    }
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
        let mut samples = Vec::with_capacity(indices.len() * shape.bytes());
        for &index in indices {
            let pixels = self.dataset.pixels(index);
            let distorted = if self.config.augment {
                let key = [position.epoch as u64, index as u64];
                Distortion::draw(&mut stream(self.config.seed, Purpose::Augment, key)).apply(pixels, shape)
            } else {
                augment::to_unit_range(pixels)
            };
            normalise_into(&mut samples, &distorted, self.input);
        }
        let mut targets = self.targets(indices);
        if self.config.mixup > 0.0 {
            let step = self.sampler().steps_before(position) as u64;
            let mut random = stream(self.config.seed, Purpose::Mixup, [step, 0]);
            let guests = mixup::draw(&mut random, indices.len(), self.config.mixup);
            mixup::mix(&mut samples, &guests);
            mixup::mix(&mut targets, &guests);
        }
        if !self.teachers.is_empty() {
            targets = self.taught(&samples);
        }
        let masks = self.masks(position, indices.len());
        Batch::new(position, samples, targets, masks, indices.len())
    }

    fn targets(&self, indices: &[usize]) -> Vec<f32> {
        let classes = self.architecture.class_count;
        let spread = self.config.label_smoothing as f32 / classes as f32;
        let mut targets = vec![spread; indices.len() * classes];
        for (row, &index) in indices.iter().enumerate() {
            targets[row * classes + usize::from(self.dataset.labels()[index])] +=
                1.0 - self.config.label_smoothing as f32;
        }
        targets
    }

    /// Returns what the teachers say of the same samples, on average.
    fn taught(&self, samples: &[f32]) -> Vec<f32> {
        let share = 1.0 / self.teachers.len() as f32;
        let mut targets = Vec::new();
        for teacher in self.teachers {
            let probabilities = teacher.probabilities_of(samples).concat();
            targets.resize(probabilities.len(), 0.0);
            targets.iter_mut().zip(probabilities).for_each(|(target, probability)| *target += share * probability);
        }
        targets
    }

    fn masks(&self, position: Position, images: usize) -> DropoutMasks {
        let step = self.sampler().steps_before(position) as u64;
        let of = |layer: u64, share: f64, vectors: usize| {
            Mask::draw(&mut stream(self.config.seed, Purpose::Dropout, [step, layer]), share, images * vectors)
        };
        let numbered = (1..).zip(Layer::of_network(&self.architecture));
        let (depth, dropout) = (self.architecture.depth as u64, self.config.dropout);
        let mut masks: Vec<Mask> = numbered
            .skip(1)
            .map(|(number, layer)| {
                of(number, if number < depth { dropout } else { 2.0 * dropout }, layer.output_vectors())
            })
            .collect();
        let flat = masks.pop().expect("BUG: a network has three convolutions at least");
        DropoutMasks { pooled: masks, flat, dense1: of(depth + 1, 2.0 * dropout, DENSE_WIDTH / LANES) }
    }
}

impl Mask {
    /// Draws which activations of `vectors` vectors are dropped, each with probability `share`.
    pub fn draw(random: &mut impl Rng, share: f64, vectors: usize) -> Self {
        // Two random bytes an activation: the share is exact to 1/65,536.
        let mut bytes = vec![0; 2 * LANES * vectors];
        random.fill_bytes(&mut bytes);
        let threshold = (share * 65_536.0).round() as u32;
        let kept = (1.0 / (1.0 - share)) as f32;
        let factor = |pair: [u8; 2]| if u32::from(u16::from_le_bytes(pair)) < threshold { 0.0 } else { kept };
        let (vectors, _) = bytes.as_chunks::<{ 2 * LANES }>();
        let lane = |bytes: &[u8; 2 * LANES], lane: usize| factor([bytes[2 * lane], bytes[2 * lane + 1]]);
        Self(vectors.iter().map(|bytes| Vector(std::array::from_fn(|at| lane(bytes, at)))).collect())
    }
}

/// Appends the samples of an image, `[H, W, C]` in [0, 1], to `values`, normalised.
fn normalise_into(values: &mut Vec<f32>, samples: &[f32], input: &Input) {
    let channels = input.mean.iter().zip(&input.deviation);
    for pixel in samples.chunks_exact(input.shape.channels) {
        values
            .extend(pixel.iter().zip(channels.clone()).map(|(sample, (mean, deviation))| (sample - mean) / deviation));
    }
}

/// Returns the images of `dataset` at `indices`, normalised and not distorted, `[images][H][W][C]`.
pub fn undistorted(dataset: &Dataset, indices: Range<usize>, input: &Input) -> Vec<f32> {
    let mut values = Vec::with_capacity(indices.len() * dataset.shape().bytes());
    for index in indices {
        normalise_into(&mut values, &augment::to_unit_range(dataset.pixels(index)), input);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::super::architecture::Parameters;
    use super::*;
    use kana_engine::image::Shape;

    const SHAPE: Shape = Shape { channels: 1, height: 20, width: 20 };

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
        let mask = Mask::draw(&mut stream(1, Purpose::Dropout, [0, 0]), 0.25, 40_000 / LANES);

        let factors: Vec<f32> = mask.0.iter().flat_map(|vector| vector.0).collect();
        let dropped = factors.iter().filter(|factor| **factor == 0.0).count();
        let mean = factors.iter().sum::<f32>() / factors.len() as f32;
        assert!((9_600..10_400).contains(&dropped), "{dropped} of 40,000 are dropped");
        assert!((mean - 1.0).abs() < 0.02, "the mean factor is {mean}");
    }

    #[test]
    fn a_taught_batch_has_the_mean_of_what_the_teachers_say_of_the_distorted_images() {
        let dataset = Dataset::new(SHAPE, (0..4 * 400).map(|at| (at % 251) as u8).collect(), vec![0, 1, 2, 0]).unwrap();
        let input = super::super::input::measure(&dataset);
        let architecture = Architecture::new(SHAPE, 2, 3);
        let teachers =
            [1, 2].map(|seed| Evaluator::new(&architecture, &Parameters::initial(&architecture, seed), input.clone()));
        let config =
            LoaderConfig { seed: 1, batch_size: 4, augment: true, mixup: 0.5, dropout: 0.1, label_smoothing: 0.1 };
        let loader = Loader { dataset: &dataset, input: &input, architecture, config, teachers: &teachers };

        let batch = loader.batch(Position { epoch: 0, batch: 0 }, &[0, 1, 2, 3]);

        let [one, other] = [0, 1].map(|teacher: usize| teachers[teacher].probabilities_of(&batch.samples).concat());
        assert_eq!(batch.targets.len(), 12);
        for (target, (one, other)) in batch.targets.iter().zip(one.iter().zip(&other)) {
            assert!((target - (one + other) / 2.0).abs() < 1e-6 && (one - other).abs() > 1e-6);
        }
    }

    #[test]
    fn where_images_are_mixed_their_targets_are_mixed_alike() {
        let (black, white) = (vec![0; 400], vec![255; 400]);
        let dataset = Dataset::new(SHAPE, [black, white].concat(), vec![0, 1]).unwrap();
        let input = super::super::input::measure(&dataset);
        let architecture = Architecture::new(SHAPE, 2, 2);
        let config =
            LoaderConfig { seed: 3, batch_size: 2, augment: false, mixup: 1.0, dropout: 0.0, label_smoothing: 0.0 };
        let loader = Loader { dataset: &dataset, input: &input, architecture, config, teachers: &[] };

        let batches = (0..20).map(|epoch| loader.batch(Position { epoch, batch: 0 }, &[0, 1]));

        let rows: Vec<[f32; 2]> = batches
            .flat_map(|batch| {
                let brightness = |image: usize| batch.image(image)[0] * input.deviation[0] + input.mean[0];
                [0, 1].map(|image| [brightness(image), batch.targets[2 * image + 1]])
            })
            .collect();
        assert!(rows.iter().all(|[brightness, white]| (brightness - white).abs() < 1e-5), "{rows:?}");
        assert!(rows.iter().filter(|[_, white]| *white > 0.01 && *white < 0.99).count() > 10, "{rows:?}");
    }
}
