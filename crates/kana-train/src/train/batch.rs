//! What does one step learn from?
//!
//! A [`Batch`] holds everything random about a step: which images, how distorted, which activations are dropped. It
//! follows from the seed, the epoch and the step alone, so that it can be made ahead on another thread, and made again
//! after an interruption. [`Order`] says which batches an epoch has.

use burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;
use rand::seq::SliceRandom;

use super::augment::{self, Distortion};
use super::plan::Plan;
use crate::data::Dataset;
use crate::data::random::{Purpose, stream};
use kana_engine::model::card::Input;

/// How a step's images are chosen and changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// Every random choice follows from it.
    pub seed: u64,
    /// Images a step, at most.
    pub batch_size: usize,
    /// Whether images are distorted.
    pub augment: bool,
    /// Share of activations dropped after the pooled convolutions; twice as much around the first dense layer.
    pub dropout: f64,
    /// Share of a target that is spread over all classes.
    pub label_smoothing: f64,
}

/// A step's place: epoch and batch within it, both from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whole passes over the images before it.
    pub epoch: usize,
    /// Batches of this pass before it.
    pub batch: usize,
}

/// The batches of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    image_count: usize,
    /// Batches an epoch.
    pub batches: usize,
}

impl Order {
    /// As few batches of at most `batch_size` as hold `image_count` images. They differ by one image at most: a tiny
    /// last batch would have no mean and variance to speak of.
    pub fn new(image_count: usize, batch_size: usize) -> Self {
        Self { image_count, batches: image_count.div_ceil(batch_size.max(1)).max(1) }
    }

    /// How many steps come before `place`.
    pub fn steps_before(&self, place: Place) -> usize {
        place.epoch * self.batches + place.batch
    }

    /// The place after `place`.
    pub fn after(&self, place: Place) -> Place {
        match place.batch + 1 {
            batch if batch < self.batches => Place { batch, ..place },
            _ => Place { epoch: place.epoch + 1, batch: 0 },
        }
    }

    /// The images of an epoch, in its order.
    fn shuffled(&self, seed: u64, epoch: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.image_count).collect();
        order.shuffle(&mut stream(seed, Purpose::Order, [epoch as u64, 0]));
        order
    }

    /// Which of an epoch's images are those of batch `batch`.
    fn range(&self, batch: usize) -> std::ops::Range<usize> {
        let bound = |batch: usize| batch * self.image_count / self.batches;
        bound(batch)..bound(batch + 1)
    }
}

/// One step's images and all that is random about it.
pub struct Batch {
    /// Where it belongs.
    pub place: Place,
    /// Normalised samples: images × channels × rows × columns.
    pub images: Array<4>,
    /// Smoothed probabilities: images × classes.
    pub targets: Array<2>,
    /// What is dropped.
    pub masks: Masks,
}

/// Numbers with extents, off the device.
pub struct Array<const D: usize> {
    numbers: Vec<f32>,
    extents: [usize; D],
}

impl<const D: usize> Array<D> {
    /// How far it goes in each direction.
    pub fn extents(&self) -> [usize; D] {
        self.extents
    }

    /// The same on `device`.
    pub fn tensor(&self, device: &Device) -> Tensor<D> {
        Tensor::from_data(TensorData::new(self.numbers.clone(), self.extents), device)
    }
}

/// What activations are multiplied by: 0 where dropped, and as much more elsewhere as keeps their mean.
pub struct Masks {
    /// Behind norm2.
    pub second: Array<4>,
    /// Behind norm3.
    pub third: Array<4>,
    /// Before dense1.
    pub flat: Array<2>,
    /// Behind dense1.
    pub dense: Array<2>,
}

/// Makes batches.
pub struct Kitchen<'a> {
    /// What is learned from.
    pub dataset: &'a Dataset,
    /// How samples are normalised.
    pub input: &'a Input,
    /// The network that the masks fit.
    pub plan: Plan,
    /// How images are chosen and changed.
    pub recipe: Recipe,
}

impl Kitchen<'_> {
    /// Makes batches from `from` on until `epochs` are over or `take` refuses one.
    pub fn serve(&self, from: Place, epochs: usize, mut take: impl FnMut(Batch) -> bool) {
        let order = Order::new(self.dataset.len(), self.recipe.batch_size);
        let mut place = from;
        while place.epoch < epochs {
            let shuffled = order.shuffled(self.recipe.seed, place.epoch);
            let epoch = place.epoch;
            while place.epoch == epoch {
                let batch = self.batch(place, &shuffled[order.range(place.batch)]);
                if !take(batch) {
                    return;
                }
                place = order.after(place);
            }
        }
    }

    fn batch(&self, place: Place, indices: &[usize]) -> Batch {
        let shape = self.dataset.shape();
        let mut numbers = Vec::with_capacity(indices.len() * shape.bytes());
        for &index in indices {
            let pixels = self.dataset.pixels(index);
            let samples = if self.recipe.augment {
                let key = [place.epoch as u64, index as u64];
                Distortion::drawn(&mut stream(self.recipe.seed, Purpose::Augment, key)).apply(pixels, shape)
            } else {
                augment::plain(pixels)
            };
            normalise_into(&mut numbers, &samples, self.input);
        }
        Batch {
            place,
            images: Array { numbers, extents: [indices.len(), shape.channels, shape.height, shape.width] },
            targets: self.targets(indices),
            masks: self.masks(place, indices.len()),
        }
    }

    fn targets(&self, indices: &[usize]) -> Array<2> {
        let classes = self.plan.class_count;
        let spread = self.recipe.label_smoothing as f32 / classes as f32;
        let mut numbers = vec![spread; indices.len() * classes];
        for (row, &index) in indices.iter().enumerate() {
            numbers[row * classes + usize::from(self.dataset.labels()[index])] +=
                1.0 - self.recipe.label_smoothing as f32;
        }
        Array { numbers, extents: [indices.len(), classes] }
    }

    fn masks(&self, place: Place, images: usize) -> Masks {
        let order = Order::new(self.dataset.len(), self.recipe.batch_size);
        let step = order.steps_before(place) as u64;
        let array = |layer: u64, share: f64, extents: [usize; 2]| {
            let mut random = stream(self.recipe.seed, Purpose::Dropout, [step, layer]);
            Array { numbers: mask(&mut random, share, extents[0] * extents[1]), extents }
        };
        let (dropout, measures) = (self.recipe.dropout, self.plan.activations());
        let image = |layer: u64, [channels, rows, columns]: [usize; 3]| {
            let flat = array(layer, dropout, [images, channels * rows * columns]);
            Array { numbers: flat.numbers, extents: [images, channels, rows, columns] }
        };
        Masks {
            second: image(2, measures.second),
            third: image(3, measures.third),
            flat: array(4, 2.0 * dropout, [images, measures.flat]),
            dense: array(5, 2.0 * dropout, [images, measures.dense]),
        }
    }
}

/// `count` numbers: 0 with probability `share`, and 1 / (1 - `share`) otherwise.
fn mask(random: &mut impl Rng, share: f64, count: usize) -> Vec<f32> {
    // Two bytes of chance a number: a share is met to 1/65,536.
    let mut chance = vec![0; 2 * count];
    random.fill_bytes(&mut chance);
    let threshold = (share * 65_536.0).round() as u32;
    let kept = (1.0 / (1.0 - share)) as f32;
    let decide = |pair: &[u8]| if u32::from(pair[0]) | u32::from(pair[1]) << 8 < threshold { 0.0 } else { kept };
    chance.chunks_exact(2).map(decide).collect()
}

/// Appends an image's samples as the network wants them: normalised, channel by channel.
pub fn normalise_into(numbers: &mut Vec<f32>, samples: &[f32], input: &Input) {
    for channel in 0..input.shape.channels {
        let (mean, deviation) = (input.mean[channel], input.deviation[channel]);
        numbers.extend(
            samples.iter().skip(channel).step_by(input.shape.channels).map(|sample| (sample - mean) / deviation),
        );
    }
}

/// Images of `dataset` as they are: normalised, images × channels × rows × columns.
pub fn undistorted(dataset: &Dataset, indices: std::ops::Range<usize>, input: &Input) -> Array<4> {
    let shape = dataset.shape();
    let extents = [indices.len(), shape.channels, shape.height, shape.width];
    let mut numbers = Vec::with_capacity(indices.len() * shape.bytes());
    for index in indices {
        normalise_into(&mut numbers, &augment::plain(dataset.pixels(index)), input);
    }
    Array { numbers, extents }
}
