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
    let x = x.convolved(p(0), p(1)).normalised(p(2), p(3));
    let x = x.convolved(p(4), p(5)).pooled().normalised(p(6), p(7)).dropped_out(&masks.norm2);
    let x = x.convolved(p(8), p(9)).pooled().normalised(p(10), p(11)).dropped_out(&masks.norm3);
    let x = x.convolved(p(12), p(13)).dropped_out(&masks.flat);
    let x = x.multiplied(p(14), p(15)).rectified().dropped_out(&masks.dense1);
    let logits = x.multiplied(p(16), p(17));
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
    let [_, second, third, fourth] = Layer::of_network(architecture).map(|layer| layer.output_vectors());
    let mut mask = |share, vectors| Mask::draw(&mut random, share, images * vectors);
    let masks = DropoutMasks {
        norm2: mask(0.2, second),
        norm3: mask(0.2, third),
        flat: mask(0.4, fourth),
        dense1: mask(0.4, DENSE_WIDTH / LANES),
    };
    Batch::new(Position { epoch: 0, batch: 0 }, samples, targets, masks, images)
}

fn assert_gradients(image_shape: Shape, width: usize, class_count: usize, images: usize) {
    let architecture = Architecture { image_shape, width, class_count }.checked().expect("a network");
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
    assert_gradients(Shape { channels: 1, height: 20, width: 20 }, 3, 3, 5);
}

#[test]
fn gradients_are_the_slopes_of_the_loss_for_colour_odd_sides_and_several_blocks() {
    assert_gradients(Shape { channels: 3, height: 23, width: 26 }, 20, 18, 2);
}
