//! What does the network compute?
//!
//! ```text
//! conv1 → ReLU → norm1 → conv2 → ReLU → pool → norm2 → dropout(p) → conv3 → ReLU → pool → norm3 → dropout(p)
//!       → conv4 → ReLU → flatten → dropout(2p) → dense1 → ReLU → dropout(2p) → dense2
//! ```
//!
//! Convolutions are 3×3 without padding, pools 2×2 maxima, norms batch normalisation (S. Ioffe, C. Szegedy, 2015). The
//! parameters are flat tensors in the order of use, so that optimiser and checkpoint need not know what each is for;
//! [`Architecture`] names them.

use anyhow::ensure;
use burn::tensor::{Device, Tensor, TensorData, activation};
use kana_engine::model::NORM_EPSILON;

use super::architecture::{Architecture, KERNEL_SIZE, Parameters, TensorSpec};
use super::convolution::convolve;
use super::kernel::Epilogue;
use super::loader::DropoutMasks;

/// Weight of a batch in the running mean and variance that the finished network normalises by.
const NORM_MOMENTUM: f64 = 0.1;

/// A network on a device.
#[derive(Clone, Debug)]
pub struct Network {
    architecture: Architecture,
    specs: Vec<TensorSpec>,
    device: Device,
    /// Trainable parameters, tracked by automatic differentiation when the device is.
    pub trainable: Vec<Tensor<1>>,
    /// Running statistics, never tracked.
    pub statistics: Vec<Tensor<1>>,
}

impl Network {
    /// Copies `parameters` to `device`.
    ///
    /// # Errors
    /// Returns an error when they do not fit the architecture.
    pub fn new(architecture: Architecture, parameters: &Parameters, device: &Device) -> anyhow::Result<Self> {
        let specs = architecture.trainable();
        let counts = |specs: &[TensorSpec]| specs.iter().map(TensorSpec::count).collect::<Vec<_>>();
        let lengths = |tensors: &[Vec<f32>]| tensors.iter().map(Vec::len).collect::<Vec<_>>();
        ensure!(
            lengths(&parameters.trainable) == counts(&specs)
                && lengths(&parameters.statistics) == counts(&architecture.statistics()),
            "the parameters do not fit a network of width {} for {} classes of {} images",
            architecture.width,
            architecture.class_count,
            architecture.image_shape,
        );
        let trainable = parameters.trainable.iter().map(|values| leaf(values, device)).collect();
        let inner = device.clone().inner();
        let statistics = parameters.statistics.iter().map(|values| flat(values, &inner)).collect();
        Ok(Self { architecture, specs, device: device.clone(), trainable, statistics })
    }

    /// Returns the architecture of the network.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Returns the parameters in host memory.
    pub fn parameters(&self) -> Parameters {
        let values = |tensors: &[Tensor<1>]| tensors.iter().map(|tensor| to_vec(tensor.clone())).collect();
        Parameters { trainable: values(&self.trainable), statistics: values(&self.statistics) }
    }

    /// Computes the logits, `[N, classes]`, of `images`, `[N, C, H, W]`, in training: normalised by the statistics of the
    /// batch, which update the running statistics, and with dropout.
    pub fn forward_training(&mut self, images: Tensor<4>, masks: &DropoutMasks) -> Tensor<2> {
        let mut layers = Layers { next: self.trainable.iter().zip(&self.specs) };
        let x = layers.convolve(images, Epilogue::Relu);
        let first = ChannelStatistics::of(&x);
        let x = layers.normalise_then_convolve(x, &first, Epilogue::ReluPool);
        let second = ChannelStatistics::of(&x);
        let x = layers.normalise(x, &second) * masks.norm2.to_device(&self.device);
        let x = layers.convolve(x, Epilogue::ReluPool);
        let third = ChannelStatistics::of(&x);
        let x = layers.normalise(x, &third) * masks.norm3.to_device(&self.device);
        let x = layers.convolve(x, Epilogue::Relu);
        let x: Tensor<2> = x.flatten(1, 3) * masks.flat.to_device(&self.device);
        let x = activation::relu(layers.dense(x)) * masks.dense1.to_device(&self.device);
        let logits = layers.dense(x);
        for (index, statistics) in [first, second, third].into_iter().enumerate() {
            let [mean, variance] = statistics.unbiased();
            self.update_statistic(2 * index, mean);
            self.update_statistic(2 * index + 1, variance);
        }
        logits
    }

    /// Computes the logits, `[N, classes]`, of `images`, `[N, C, H, W]`, as the finished network does: normalised by the
    /// running statistics, without dropout.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let mut layers = Layers { next: self.trainable.iter().zip(&self.specs) };
        let mut running = self.statistics.chunks_exact(2).map(|pair| ChannelStatistics::running(&pair[0], &pair[1]));
        let mut next =
            || running.next().expect("BUG: Architecture::statistics has a mean and a variance for each of three norms");
        let x = layers.convolve(images, Epilogue::Relu);
        let x = layers.normalise_then_convolve(x, &next(), Epilogue::ReluPool);
        let x = layers.normalise(x, &next());
        let x = layers.convolve(x, Epilogue::ReluPool);
        let x = layers.normalise(x, &next());
        let x = layers.convolve(x, Epilogue::Relu);
        let x = activation::relu(layers.dense(x.flatten(1, 3)));
        layers.dense(x)
    }

    fn update_statistic(&mut self, index: usize, measured: Tensor<1>) {
        let running = self.statistics[index].clone();
        self.statistics[index] = running * (1.0 - NORM_MOMENTUM) + measured * NORM_MOMENTUM;
    }
}

/// Layers of a forward pass, which take the parameters in the order of use.
struct Layers<'a> {
    next: std::iter::Zip<std::slice::Iter<'a, Tensor<1>>, std::slice::Iter<'a, TensorSpec>>,
}

impl Layers<'_> {
    fn take<const D: usize>(&mut self) -> Tensor<D> {
        let (tensor, spec) =
            self.next.next().expect("BUG: Architecture::trainable lists what the network uses, layer by layer");
        let mut shape = [0; D];
        shape.copy_from_slice(&spec.shape);
        tensor.clone().reshape(shape)
    }

    fn convolve(&mut self, x: Tensor<4>, epilogue: Epilogue) -> Tensor<4> {
        let (weight, bias) = (self.take::<4>(), self.take::<1>());
        convolve(x, weight, bias, epilogue)
    }

    fn dense(&mut self, x: Tensor<2>) -> Tensor<2> {
        let (weight, bias) = (self.take::<2>(), self.take::<1>());
        x.matmul(weight.transpose()) + bias.unsqueeze()
    }

    fn normalise(&mut self, x: Tensor<4>, statistics: &ChannelStatistics) -> Tensor<4> {
        let (scale, offset) = self.scale_and_offset(statistics);
        let channels = scale.dims()[0];
        x * scale.reshape([1, channels, 1, 1]) + offset.reshape([1, channels, 1, 1])
    }

    /// Computes the same as `normalise` and then `convolve`: without padding, scale and offset of a channel can be folded
    /// into weight and bias. This saves four passes over the largest activations of the network.
    fn normalise_then_convolve(
        &mut self,
        x: Tensor<4>,
        statistics: &ChannelStatistics,
        epilogue: Epilogue,
    ) -> Tensor<4> {
        let (scale, offset) = self.scale_and_offset(statistics);
        let (weight, bias) = (self.take::<4>(), self.take::<1>());
        let channels = scale.dims()[0];
        let out = bias.dims()[0];
        let through =
            (weight.clone() * offset.reshape([1, channels, 1, 1])).reshape([out, channels * KERNEL_SIZE * KERNEL_SIZE]);
        let bias = bias + through.sum_dim(1).reshape([out]);
        convolve(x, weight * scale.reshape([1, channels, 1, 1]), bias, epilogue)
    }

    fn scale_and_offset(&mut self, statistics: &ChannelStatistics) -> (Tensor<1>, Tensor<1>) {
        let (gamma, beta) = (self.take::<1>(), self.take::<1>());
        let scale = gamma / (statistics.variance.clone() + NORM_EPSILON).sqrt();
        let offset = beta - statistics.mean.clone() * scale.clone();
        (scale, offset)
    }
}

/// Mean and variance of each channel, `[C]`.
struct ChannelStatistics {
    mean: Tensor<1>,
    variance: Tensor<1>,
    /// Number of samples of a channel; 0 for running statistics.
    count: usize,
}

impl ChannelStatistics {
    fn of(x: &Tensor<4>) -> Self {
        let [images, channels, rows, columns] = x.dims();
        let count = images * rows * columns;
        let flat = x.clone().reshape([images, channels, rows * columns]);
        let sum = |flat: Tensor<3>| flat.sum_dim(2).sum_dim(0).reshape([channels]);
        let mean = sum(flat.clone()) / count as f32;
        let mean_square = sum(flat.clone() * flat) / count as f32;
        // Rounding can give a tiny negative variance when a channel is constant.
        let variance = (mean_square - mean.clone() * mean.clone()).clamp_min(0.0);
        Self { mean, variance, count }
    }

    fn running(mean: &Tensor<1>, variance: &Tensor<1>) -> Self {
        Self { mean: mean.clone(), variance: variance.clone(), count: 0 }
    }

    /// Returns unbiased estimates of mean and variance, not tracked by automatic differentiation.
    fn unbiased(self) -> [Tensor<1>; 2] {
        let correction = self.count as f32 / self.count.saturating_sub(1).max(1) as f32;
        [self.mean.inner(), self.variance.inner() * correction]
    }
}

/// Creates a tensor on `device`, which gets a gradient when the device has automatic differentiation.
pub fn leaf(values: &[f32], device: &Device) -> Tensor<1> {
    let tensor = flat(values, device);
    if device.is_autodiff() { tensor.require_grad() } else { tensor }
}

/// Creates a tensor on `device`.
pub fn flat(values: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

/// Copies the values of a tensor to host memory.
pub fn to_vec<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data()
        .as_slice::<f32>()
        .expect("BUG: every tensor is created from f32, and no operation used here changes the type")
        .to_vec()
}
