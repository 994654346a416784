//! Is every gradient the slope of the loss?
//!
//! The loss is computed here once more, by the definitions of the layers, in doubles and without any layout; its slope along
//! single parameters is measured by central differences.

use kana_engine::image::Shape;
use kana_engine::kernels::LANES;
use kana_engine::model::NORM_EPSILON;
use rand::RngExt;
use rand::seq::SliceRandom;

use super::*;
use crate::data::random::{Purpose, stream};
use crate::train::loader::{DropoutMasks, Position};

/// Distance between the two points of a difference, half of it: the slope is exact to about its square.
const STEP: f64 = 1e-6;
/// Parameters of each tensor that are checked.
const CHECKED: usize = 8;
/// Greatest error of a gradient, as a share of the tensor's largest: single precision, over a batch.
const ERROR_MAX: f64 = 2e-4;

/// Activations of all images, `[images][channels][height][width]`.
struct Maps {
    shape: [usize; 3],
    images: Vec<Vec<f64>>,
}

impl Maps {
    fn at(&self, image: usize, channel: usize, row: usize, column: usize) -> f64 {
        let [_, height, width] = self.shape;
        self.images[image][(channel * height + row) * width + column]
    }

    fn new(count: usize, shape: [usize; 3], value: impl Fn(usize, usize, usize, usize) -> f64) -> Self {
        let [channels, height, width] = shape;
        let places = || (0..channels).flat_map(|c| (0..height).flat_map(move |y| (0..width).map(move |x| (c, y, x))));
        let images = (0..count).map(|image| places().map(|(c, y, x)| value(image, c, y, x)).collect()).collect();
        Self { shape, images }
    }

    fn convolved(&self, weight: &[f64], bias: &[f64]) -> Self {
        let [channels, height, width] = self.shape;
        Self::new(self.images.len(), [bias.len(), height - 2, width - 2], |image, output, row, column| {
            let taps = (0..channels).flat_map(|c| (0..3).flat_map(move |y| (0..3).map(move |x| (c, y, x))));
            let product = |(c, y, x): (usize, usize, usize)| {
                weight[((output * channels + c) * 3 + y) * 3 + x] * self.at(image, c, row + y, column + x)
            };
            (bias[output] + taps.map(product).sum::<f64>()).max(0.0)
        })
    }

    fn pooled(&self) -> Self {
        let [channels, height, width] = self.shape;
        Self::new(self.images.len(), [channels, height / 2, width / 2], |image, channel, row, column| {
            let window = [(0, 0), (0, 1), (1, 0), (1, 1)];
            window.map(|(y, x)| self.at(image, channel, 2 * row + y, 2 * column + x)).into_iter().fold(0.0, f64::max)
        })
    }

    fn normalised(&self, gamma: &[f64], beta: &[f64]) -> Self {
        let [channels, height, width] = self.shape;
        let pixels = height * width;
        let count = (self.images.len() * pixels) as f64;
        let statistics: Vec<(f64, f64)> = (0..channels)
            .map(|channel| {
                let values = || self.images.iter().flat_map(|image| &image[channel * pixels..][..pixels]);
                let mean = values().sum::<f64>() / count;
                (mean, values().map(|value| (value - mean).powi(2)).sum::<f64>() / count)
            })
            .collect();
        Self::new(self.images.len(), self.shape, |image, channel, row, column| {
            let (mean, variance) = statistics[channel];
            let normalised = (self.at(image, channel, row, column) - mean) / (variance + NORM_EPSILON).sqrt();
            gamma[channel] * normalised + beta[channel]
        })
    }

    /// The activations that `mask` keeps, whose vectors lie pixel by pixel.
    fn dropped_out(&self, mask: &Mask) -> Self {
        let [channels, height, width] = self.shape;
        Self::new(self.images.len(), self.shape, |image, channel, row, column| {
            let pixel = (image * height + row) * width + column;
            let factor = mask.0[pixel * channels.div_ceil(LANES) + channel / LANES].0[channel % LANES];
            self.at(image, channel, row, column) * f64::from(factor)
        })
    }

    fn multiplied(&self, weight: &[f64], bias: &[f64]) -> Self {
        let inputs = self.images[0].len();
        Self::new(self.images.len(), [bias.len(), 1, 1], |image, output, _, _| {
            let row = weight[output * inputs..][..inputs].iter().zip(&self.images[image]);
            bias[output] + row.map(|(weight, value)| weight * value).sum::<f64>()
        })
    }

    fn rectified(mut self) -> Self {
        self.images.iter_mut().flatten().for_each(|value| *value = value.max(0.0));
        self
    }
}

/// The mean loss of `batch`.
fn loss(architecture: &Architecture, parameters: &[Vec<f64>], batch: &Batch) -> f64 {
    let Shape { channels, height, width } = architecture.image_shape;
    let masks = &batch.masks;
    let p = |place: usize| parameters[place].as_slice();
    let x = Maps::new(batch.count(), [channels, height, width], |image, channel, row, column| {
        f64::from(batch.image(image)[(row * width + column) * channels + channel])
    });
    let mut x = x.convolved(p(0), p(1)).normalised(p(2), p(3));
    let mut place = 4;
    for mask in &masks.pooled {
        x = x.convolved(p(place), p(place + 1)).pooled().normalised(p(place + 2), p(place + 3)).dropped_out(mask);
        place += 4;
    }
    let x = x.convolved(p(place), p(place + 1)).dropped_out(&masks.flat);
    let x = x.multiplied(p(place + 2), p(place + 3)).rectified().dropped_out(&masks.dense1);
    let logits = x.multiplied(p(place + 4), p(place + 5));
    let targets = batch.targets.chunks_exact(batch.classes());
    let losses = logits.images.iter().zip(targets).map(|(logits, targets)| {
        let greatest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total = greatest + logits.iter().map(|logit| (logit - greatest).exp()).sum::<f64>().ln();
        -targets.iter().zip(logits).map(|(target, logit)| f64::from(*target) * (logit - total)).sum::<f64>()
    });
    losses.sum::<f64>() / batch.count() as f64
}

fn batch(architecture: &Architecture, images: usize) -> Batch {
    let mut random = stream(7, Purpose::Augment, [0, 0]);
    let samples = (0..images * architecture.image_shape.bytes()).map(|_| random.random_range(-1.0..1.0)).collect();
    let mut targets = vec![0.1 / architecture.class_count as f32; images * architecture.class_count];
    for image in 0..images {
        targets[image * architecture.class_count + image % architecture.class_count] += 0.9;
    }
    let layers = Layer::of_network(architecture);
    let mut mask = |share, vectors| Mask::draw(&mut random, share, images * vectors);
    let (last, others) = layers.split_last().expect("three layers at least");
    let masks = DropoutMasks {
        pooled: others[1..].iter().map(|layer| mask(0.2, layer.output_vectors())).collect(),
        flat: mask(0.4, last.output_vectors()),
        dense1: mask(0.4, DENSE_WIDTH / LANES),
    };
    Batch::new(Position { epoch: 0, batch: 0 }, samples, targets, masks, images)
}

fn assert_gradients(architecture: Architecture, images: usize) {
    let architecture = architecture.checked().expect("a network");
    let mut parameters = Parameters::initial(&architecture, 3);
    let mut random = stream(7, Purpose::Weights, [9, 9]);
    for values in &mut parameters.trainable {
        // Nothing is zero, and no scale is one.
        values.iter_mut().for_each(|value| *value += random.random_range(-0.1..0.1));
    }
    let batch = batch(&architecture, images);
    let doubles: Vec<Vec<f64>> =
        parameters.trainable.iter().map(|values| values.iter().map(|value| f64::from(*value)).collect()).collect();
    let mut learner = Learner::new(architecture, parameters, Moments::zero(&architecture), 0.0);

    let gradients = learner.gradients(&batch);

    let expected = loss(&architecture, &doubles, &batch);
    assert!((gradients.totals.mean_loss() - expected).abs() < 1e-5, "{:?} and {expected}", gradients.totals);
    for (place, spec) in architecture.trainable().iter().enumerate() {
        let mut at: Vec<usize> = (0..spec.count()).collect();
        at.shuffle(&mut random);
        let scale = gradients.trainable[place].iter().fold(0.0, |most: f32, value| most.max(value.abs()));
        for at in at.into_iter().take(CHECKED) {
            let moved = |by: f64| {
                let mut parameters = doubles.clone();
                parameters[place][at] += by;
                loss(&architecture, &parameters, &batch)
            };
            let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            let found = f64::from(gradients.trainable[place][at]);
            let error = (found - slope).abs() / f64::from(scale);
            assert!(error < ERROR_MAX, "{} at {at}: {found} and {slope}, of {scale} at most", spec.name);
        }
    }
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    let image_shape = Shape { channels: 1, height: 20, width: 20 };
    assert_gradients(Architecture { image_shape, depth: 4, width: 3, class_count: 3 }, 5);
}

#[test]
fn gradients_are_the_slopes_of_the_loss_for_colour_odd_sides_and_several_blocks() {
    let image_shape = Shape { channels: 3, height: 23, width: 26 };
    assert_gradients(Architecture { image_shape, depth: 4, width: 20, class_count: 18 }, 2);
}

#[test]
fn gradients_are_the_slopes_of_the_loss_for_fewer_and_for_more_convolutions() {
    assert_gradients(Architecture::new(Shape { channels: 1, height: 16, width: 17 }, 3, 3), 4);
    assert_gradients(Architecture::new(Shape { channels: 1, height: 50, width: 48 }, 2, 3), 3);
}
