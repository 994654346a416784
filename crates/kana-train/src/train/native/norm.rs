//! How are activations normalised by a batch, and how does the gradient flow back through that?
//!
//! By the mean and variance of each channel over all images and pixels (S. Ioffe, C. Szegedy: Batch Normalization, 2015).
//! Both directions need two sums over the batch and then one linear combination of each element; the sums are of doubles,
//! added image by image in order.

use kana_engine::kernels::{LANES, Vector};
use kana_engine::model::NORM_EPSILON;

use super::elementwise::{Combination, Sums};

/// Weight of a batch in the running mean and variance that the finished network normalises by.
pub const MOMENTUM: f32 = 0.1;

/// Sums of doubles for each channel.
#[derive(Clone, Debug)]
pub struct ChannelSums {
    plain: Vec<f64>,
    product: Vec<f64>,
}

/// Gradients of a norm.
#[derive(Clone, Debug)]
pub struct NormGradient {
    /// Gradient of γ.
    pub gamma: Vec<f32>,
    /// Gradient of β.
    pub beta: Vec<f32>,
    /// How the gradient of an input follows from that of its output, and from the input.
    pub input: Combination,
}

/// Normalisation of a batch.
#[derive(Clone, Debug)]
pub struct Norm {
    /// Factor of each channel, in blocks: γ / deviation.
    pub scale: Vec<Vector>,
    /// Summand of each channel, in blocks: β − mean · scale.
    pub shift: Vec<Vector>,
    mean: Vec<f64>,
    /// Biased variance.
    variance: Vec<f64>,
    /// Elements of a channel.
    count: f64,
}

impl ChannelSums {
    /// Zero for each of `channels`.
    pub fn zero(channels: usize) -> Self {
        Self { plain: vec![0.0; channels], product: vec![0.0; channels] }
    }

    /// Adds the sums of one image.
    pub fn add(&mut self, sums: &Sums) {
        let add = |totals: &mut [f64], vectors: &[Vector]| {
            let lanes = vectors.iter().flat_map(|vector| vector.0);
            totals.iter_mut().zip(lanes).for_each(|(total, sum)| *total += f64::from(sum));
        };
        add(&mut self.plain, &sums.plain);
        add(&mut self.product, &sums.product);
    }

    /// Adds the sums of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.plain.iter_mut().zip(&other.plain).for_each(|(total, sum)| *total += sum);
        self.product.iter_mut().zip(&other.product).for_each(|(total, sum)| *total += sum);
    }
}

/// Puts one value for each channel into blocks, the last filled with zeros.
fn blocks(values: impl IntoIterator<Item = f64>) -> Vec<Vector> {
    let mut vectors = Vec::new();
    for (at, value) in values.into_iter().enumerate() {
        if at % LANES == 0 {
            vectors.push(Vector::ZERO);
        }
        vectors[at / LANES].0[at % LANES] = value as f32;
    }
    vectors
}

impl Norm {
    /// Normalises by a batch of `count` elements a channel, whose sums are x and x².
    pub fn of_batch(totals: &ChannelSums, count: usize, gamma: &[f32], beta: &[f32]) -> Self {
        let count = count as f64;
        let mean: Vec<f64> = totals.plain.iter().map(|sum| sum / count).collect();
        // Rounding can give a tiny negative variance when a channel is constant.
        let variance =
            totals.product.iter().zip(&mean).map(|(sum, mean)| (sum / count - mean * mean).max(0.0)).collect();
        Self::new(mean, variance, count, gamma, beta)
    }

    /// Normalises by running statistics.
    pub fn running(mean: &[f32], variance: &[f32], gamma: &[f32], beta: &[f32]) -> Self {
        let doubles = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect();
        Self::new(doubles(mean), doubles(variance), 1.0, gamma, beta)
    }

    fn new(mean: Vec<f64>, variance: Vec<f64>, count: f64, gamma: &[f32], beta: &[f32]) -> Self {
        let scale: Vec<f64> = gamma
            .iter()
            .zip(&variance)
            .map(|(gamma, variance)| f64::from(*gamma) * inverse_deviation(*variance))
            .collect();
        let shift =
            beta.iter().zip(mean.iter().zip(&scale)).map(|(beta, (mean, scale))| f64::from(*beta) - mean * scale);
        Self { shift: blocks(shift), scale: blocks(scale), mean, variance, count }
    }

    /// Moves the running mean and variance towards those of the batch, by unbiased estimates.
    pub fn update(&self, mean: &mut [f32], variance: &mut [f32]) {
        let unbiased = self.count / (self.count - 1.0).max(1.0);
        let move_towards = |running: &mut f32, measured: f64| *running += MOMENTUM * (measured as f32 - *running);
        mean.iter_mut().zip(&self.mean).for_each(|(running, mean)| move_towards(running, *mean));
        variance.iter_mut().zip(&self.variance).for_each(|(running, value)| move_towards(running, value * unbiased));
    }

    /// Derives the gradients.
    ///
    /// * `totals`: sums of the outputs' gradients, and of their products with the inputs.
    pub fn backward(&self, totals: &ChannelSums, gamma: &[f32]) -> NormGradient {
        let channels = gamma.len();
        let (mut gamma_gradient, mut beta_gradient) = (vec![0.0; channels], vec![0.0; channels]);
        let mut factors = [vec![0.0; channels], vec![0.0; channels], vec![0.0; channels]];
        for channel in 0..channels {
            let (mean, inverse) = (self.mean[channel], inverse_deviation(self.variance[channel]));
            let plain = totals.plain[channel];
            // Sum of the gradients times the normalised inputs.
            let product = inverse * (totals.product[channel] - mean * plain);
            gamma_gradient[channel] = product as f32;
            beta_gradient[channel] = plain as f32;
            // γ / deviation · (g − mean of g − x̂ · mean of g x̂), where x̂ = (x − mean) / deviation.
            let scale = f64::from(gamma[channel]) * inverse;
            let slope = -scale * inverse * product / self.count;
            factors[0][channel] = scale;
            factors[1][channel] = slope;
            factors[2][channel] = -scale * plain / self.count - slope * mean;
        }
        let [first, second, constant] = factors.map(blocks);
        NormGradient { gamma: gamma_gradient, beta: beta_gradient, input: Combination { first, second, constant } }
    }
}

fn inverse_deviation(variance: f64) -> f64 {
    1.0 / (variance + NORM_EPSILON).sqrt()
}
