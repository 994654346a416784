//! What does the network compute, in tensors of the device?
//!
//! What [`crate::train::native`] computes: of each convolution ReLU, and the pool, norm and dropout that follow it; then the
//! dense layers. Which convolutions are pooled and which have a norm is read from the architecture.

use burn_tensor::activation::{log_softmax, relu};
use burn_tensor::module::{BatchNormTrainOutput, batch_norm_train, conv2d, linear, max_pool2d};
use burn_tensor::ops::{ConvOptions, MaxPoolOptions};
use burn_tensor::{Device, Tensor};
use kana_engine::kernels::Extent;
use kana_engine::model::NORM_EPSILON;

use super::layout::{Layout, upload_images, upload_mask};
use crate::train::architecture::{Architecture, DENSE_WIDTH};
use crate::train::loader::{Batch, Mask};
use crate::train::native::{Layer, MOMENTUM};

/// Rows and columns of the window of a pool.
const POOL_SIZE: usize = 2;

/// Structure of a network, and where its tensors lie.
pub struct Network {
    layers: Vec<Layer>,
    /// Trainable parameters.
    pub trainable: Layout,
    /// Running statistics.
    pub statistics: Layout,
}

/// What a forward pass computes.
pub struct Forward {
    /// Logarithms of the probabilities, `[images, classes]`.
    pub log_probabilities: Tensor<2>,
    /// Mean and unbiased variance of each norm, one after another as the running ones.
    pub statistics: Tensor<1>,
}

/// Parameters of one pass, each flat.
struct Leaves<'a> {
    layout: &'a Layout,
    tensors: &'a [Tensor<1>],
}

impl Leaves<'_> {
    fn get<const D: usize>(&self, name: &str) -> Option<Tensor<D>> {
        let number = self.layout.find(name)?;
        Some(self.tensors[number].clone().reshape(self.layout.shape(number)))
    }

    fn expect<const D: usize>(&self, name: &str) -> Tensor<D> {
        self.get(name).expect("BUG: every convolution and dense layer has weights and biases")
    }
}

impl Network {
    /// Derives the structure of a network of this architecture.
    pub fn new(architecture: &Architecture) -> Self {
        Self {
            layers: Layer::of_network(architecture),
            trainable: Layout::new(architecture.trainable()),
            statistics: Layout::new(architecture.statistics()),
        }
    }

    /// Computes the probabilities of a batch with the parameters `leaves`, those of [`Layout::leaves`], with dropout and with
    /// the batch's own mean and variance.
    pub fn forward(&self, leaves: &[Tensor<1>], batch: &Batch, device: &Device) -> Forward {
        let leaves = Leaves { layout: &self.trainable, tensors: leaves };
        let (images, mut statistics) = (batch.count(), Vec::new());
        let mut values = upload_images(&batch.samples, images, self.layers[0].input, device);
        for (index, layer) in self.layers.iter().enumerate() {
            values = convolve(values, layer, &leaves, index + 1);
            if let Some(gamma) = leaves.get(&format!("norm{}.gamma", index + 1)) {
                let beta = leaves.expect(&format!("norm{}.beta", index + 1));
                let norm = batch_norm_train(values, gamma, beta, NORM_EPSILON);
                statistics.extend(measured(&norm, images * layer.output().pixels()));
                values = norm.output;
            }
            let mask =
                if index + 1 < self.layers.len() { batch.mask_before(index + 1) } else { Some(&batch.masks.flat) };
            if let Some(mask) = mask {
                values = values * upload_mask(mask, images, layer.outputs, layer.output(), device);
            }
        }
        let hidden = relu(dense(values.flatten(1, 3), &leaves, 1));
        let hidden = hidden * upload_row_mask(&batch.masks.dense1, images, device);
        Forward { log_probabilities: log_softmax(dense(hidden, &leaves, 2), 1), statistics: Tensor::cat(statistics, 0) }
    }
}

/// Computes convolution `number`, from 1, its ReLU and its pool.
fn convolve(values: Tensor<4>, layer: &Layer, leaves: &Leaves<'_>, number: usize) -> Tensor<4> {
    let weight = leaves.expect(&format!("conv{number}.weight"));
    let bias = leaves.expect(&format!("conv{number}.bias"));
    let values = relu(conv2d(values, weight, Some(bias), ConvOptions::new([1, 1], [0, 0], [1, 1], 1)));
    if layer.is_pooled { max_pool2d(values, MaxPoolOptions::new([POOL_SIZE, POOL_SIZE])) } else { values }
}

/// Computes dense layer `number`, from 1.
fn dense(values: Tensor<2>, leaves: &Leaves<'_>, number: usize) -> Tensor<2> {
    let weight: Tensor<2> = leaves.expect(&format!("dense{number}.weight"));
    linear(values, weight.transpose(), Some(leaves.expect(&format!("dense{number}.bias"))))
}

/// The factors of dropout for the outputs of the first dense layer, `[images, outputs]`.
fn upload_row_mask(mask: &Mask, images: usize, device: &Device) -> Tensor<2> {
    upload_mask(mask, images, DENSE_WIDTH, Extent { height: 1, width: 1 }, device).flatten(1, 3)
}

/// Mean and unbiased variance of a norm, over `count` elements a channel.
fn measured(norm: &BatchNormTrainOutput<4>, count: usize) -> [Tensor<1>; 2] {
    let unbiased = count as f64 / (count as f64 - 1.0).max(1.0);
    [norm.mean.clone().without_autodiff(), norm.variance.clone().without_autodiff() * unbiased]
}

/// Moves `running` statistics towards those of a batch.
pub fn moved(running: Tensor<1>, measured: Tensor<1>) -> Tensor<1> {
    running.clone() + (measured - running) * MOMENTUM
}
