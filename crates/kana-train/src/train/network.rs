//! What does the reference network compute, and from which numbers?
//!
//! conv1 → ReLU → norm1 → conv2 → ReLU → pool → norm2 → drop → conv3 → ReLU → pool → norm3 → drop → conv4 → ReLU →
//! flatten → drop twice as much → dense1 → ReLU → drop twice as much → dense2. All convolutions are 3×3 without border,
//! both pools 2×2. The numbers live in flat tensors, in the order in which the network uses them, so that optimiser and
//! checkpoint need not know what each is for; [`Plan`] names them.

use anyhow::ensure;
use burn::tensor::{Device, Tensor, TensorData, activation};
use kana_engine::model::NORM_EPSILON;

use super::batch::Masks;
use super::convolution::convolve;
use super::kernel::Behind;
use super::plan::{KERNEL, Numbers, Plan, Slot};

/// Share of the batch in the running mean and variance that the finished network normalises by.
const NORM_MOMENTUM: f64 = 0.1;
/// A network on a device.
#[derive(Clone, Debug)]
pub struct Network {
    plan: Plan,
    slots: Vec<Slot>,
    device: Device,
    /// What training changes; tracked by automatic differentiation where the device is.
    pub parameters: Vec<Tensor<1>>,
    /// What training measures; never tracked.
    pub statistics: Vec<Tensor<1>>,
}

impl Network {
    /// The network that `numbers` make on `device`.
    ///
    /// # Errors
    /// Where the numbers do not fit the plan.
    pub fn new(plan: Plan, numbers: &Numbers, device: &Device) -> anyhow::Result<Self> {
        let slots = plan.parameters();
        let counts = |slots: &[Slot]| slots.iter().map(Slot::count).collect::<Vec<_>>();
        let lengths = |arrays: &[Vec<f32>]| arrays.iter().map(Vec::len).collect::<Vec<_>>();
        ensure!(
            lengths(&numbers.parameters) == counts(&slots)
                && lengths(&numbers.statistics) == counts(&plan.statistics()),
            "the numbers are not those of a network of width {} for {} classes of {}",
            plan.width,
            plan.class_count,
            plan.shape,
        );
        let parameters = numbers.parameters.iter().map(|array| leaf(array, device)).collect();
        let inner = device.clone().inner();
        let statistics = numbers.statistics.iter().map(|array| flat(array, &inner)).collect();
        Ok(Self { plan, slots, device: device.clone(), parameters, statistics })
    }

    /// Its numbers, off the device.
    pub fn numbers(&self) -> Numbers {
        Numbers {
            parameters: self.parameters.iter().map(|tensor| to_vec(tensor.clone())).collect(),
            statistics: self.statistics.iter().map(|tensor| to_vec(tensor.clone())).collect(),
        }
    }

    /// Logits (images × classes) of images (images × channels × rows × columns) while training: normalised by the
    /// batch, which moves the running statistics, and with activations dropped.
    pub fn forward_training(&mut self, images: Tensor<4>, masks: &Masks) -> Tensor<2> {
        let mut layers = Layers { next: self.parameters.iter().zip(&self.slots) };
        let x = layers.convolve(images, Behind::Relu);
        let first = Moments::measured(&x);
        let x = layers.normalise_then_convolve(x, &first, Behind::ReluPool);
        let second = Moments::measured(&x);
        let x = layers.normalise(x, &second) * masks.second.tensor(&self.device);
        let x = layers.convolve(x, Behind::ReluPool);
        let third = Moments::measured(&x);
        let x = layers.normalise(x, &third) * masks.third.tensor(&self.device);
        let x = layers.convolve(x, Behind::Relu);
        let x: Tensor<2> = x.flatten(1, 3) * masks.flat.tensor(&self.device);
        let x = activation::relu(layers.connect(x)) * masks.dense.tensor(&self.device);
        let logits = layers.connect(x);
        for (index, moments) in [first, second, third].into_iter().enumerate() {
            let [mean, variance] = moments.unbiased();
            self.track(2 * index, mean);
            self.track(2 * index + 1, variance);
        }
        logits
    }

    /// Logits (images × classes) of the network as it will serve: normalised by the running statistics, nothing
    /// dropped.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let mut layers = Layers { next: self.parameters.iter().zip(&self.slots) };
        let mut tracked = self.statistics.chunks_exact(2).map(|pair| Moments::known(&pair[0], &pair[1]));
        let mut next =
            || tracked.next().expect("BUG: Plan::statistics has a mean and a variance for each of three norms");
        let x = layers.convolve(images, Behind::Relu);
        let x = layers.normalise_then_convolve(x, &next(), Behind::ReluPool);
        let x = layers.normalise(x, &next());
        let x = layers.convolve(x, Behind::ReluPool);
        let x = layers.normalise(x, &next());
        let x = layers.convolve(x, Behind::Relu);
        let x = activation::relu(layers.connect(x.flatten(1, 3)));
        layers.connect(x)
    }

    fn track(&mut self, index: usize, measured: Tensor<1>) {
        let tracked = self.statistics[index].clone();
        self.statistics[index] = tracked * (1.0 - NORM_MOMENTUM) + measured * NORM_MOMENTUM;
    }

    /// What it is built to.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// Hands out the parameters in the order of use.
struct Layers<'a> {
    next: std::iter::Zip<std::slice::Iter<'a, Tensor<1>>, std::slice::Iter<'a, Slot>>,
}

impl Layers<'_> {
    fn take<const D: usize>(&mut self) -> Tensor<D> {
        let (tensor, slot) =
            self.next.next().expect("BUG: Plan::parameters lists what the network uses, layer by layer");
        let mut extents = [0; D];
        extents.copy_from_slice(&slot.extents);
        tensor.clone().reshape(extents)
    }

    fn convolve(&mut self, x: Tensor<4>, behind: Behind) -> Tensor<4> {
        let (weight, bias) = (self.take::<4>(), self.take::<1>());
        convolve(x, (weight, bias), behind)
    }

    fn connect(&mut self, x: Tensor<2>) -> Tensor<2> {
        let (weight, bias) = (self.take::<2>(), self.take::<1>());
        x.matmul(weight.transpose()) + bias.unsqueeze()
    }

    fn normalise(&mut self, x: Tensor<4>, moments: &Moments) -> Tensor<4> {
        let (scale, offset) = self.scale_and_offset(moments);
        let channels = scale.dims()[0];
        x * scale.reshape([1, channels, 1, 1]) + offset.reshape([1, channels, 1, 1])
    }

    /// The same as normalising and then convolving: without a border, a scale and an offset a channel are but another
    /// weight and bias. It saves four passes over the largest activations of the network.
    fn normalise_then_convolve(&mut self, x: Tensor<4>, moments: &Moments, behind: Behind) -> Tensor<4> {
        let (scale, offset) = self.scale_and_offset(moments);
        let (weight, bias) = (self.take::<4>(), self.take::<1>());
        let channels = scale.dims()[0];
        let out = bias.dims()[0];
        let through = (weight.clone() * offset.reshape([1, channels, 1, 1])).reshape([out, channels * KERNEL * KERNEL]);
        let bias = bias + through.sum_dim(1).reshape([out]);
        convolve(x, (weight * scale.reshape([1, channels, 1, 1]), bias), behind)
    }

    fn scale_and_offset(&mut self, moments: &Moments) -> (Tensor<1>, Tensor<1>) {
        let (gamma, beta) = (self.take::<1>(), self.take::<1>());
        let scale = gamma / (moments.variance.clone() + NORM_EPSILON).sqrt();
        let offset = beta - moments.mean.clone() * scale.clone();
        (scale, offset)
    }
}

/// Mean and variance a channel.
struct Moments {
    mean: Tensor<1>,
    variance: Tensor<1>,
    /// Samples that they were measured on.
    count: usize,
}

impl Moments {
    fn measured(x: &Tensor<4>) -> Self {
        let [images, channels, rows, columns] = x.dims();
        let count = images * rows * columns;
        let flat = x.clone().reshape([images, channels, rows * columns]);
        let sum = |flat: Tensor<3>| flat.sum_dim(2).sum_dim(0).reshape([channels]);
        let mean = sum(flat.clone()) / count as f32;
        let mean_square = sum(flat.clone() * flat) / count as f32;
        // Rounding may take it a hair below zero where a channel is constant.
        let variance = (mean_square - mean.clone() * mean.clone()).clamp_min(0.0);
        Self { mean, variance, count }
    }

    fn known(mean: &Tensor<1>, variance: &Tensor<1>) -> Self {
        Self { mean: mean.clone(), variance: variance.clone(), count: 0 }
    }

    /// The estimates for the images that the batch was drawn from, untracked.
    fn unbiased(self) -> [Tensor<1>; 2] {
        let correction = self.count as f32 / self.count.saturating_sub(1).max(1) as f32;
        [self.mean.inner(), self.variance.inner() * correction]
    }
}

/// A tensor of `numbers` that gradients are wanted for, where `device` differentiates.
pub fn leaf(numbers: &[f32], device: &Device) -> Tensor<1> {
    let tensor = flat(numbers, device);
    if device.is_autodiff() { tensor.require_grad() } else { tensor }
}

/// A tensor of `numbers`.
pub fn flat(numbers: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(numbers.to_vec(), [numbers.len()]), device)
}

/// The numbers of a tensor.
pub fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data()
        .as_slice::<f32>()
        .expect("BUG: every tensor here was made from f32, and no operation used here changes the type")
        .to_vec()
}
