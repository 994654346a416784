//! Are these bytes the network's weights?
//!
//! Input normalisation and batch normalisation are affine in each channel, and every convolution is valid (no padding
//! that would mix in zeros), so each folds exactly into the weights and bias of the convolution after it.

use std::collections::BTreeSet;

use safetensors::{Dtype, SafeTensors};

use crate::image::Shape;
use crate::kernels::dense::Dense;
use crate::kernels::{Extent, Filters, LANES, Vector, blocks_of};
use crate::model::Card;

/// Added to the variance in batch normalisation, so that no deviation is zero. The trainer adds the same.
pub const NORM_EPSILON: f64 = 1e-5;

/// Least rows and columns of an input, which leave one pixel after the last convolution: ((20 − 2 − 2) / 2 − 2) / 2 − 2.
const SIDE_MIN: usize = 20;

/// Outputs of the first dense layer.
pub const HIDDEN: usize = 128;

/// The network's layers with the normalisations folded into them.
#[derive(Clone, Debug)]
pub struct Weights {
    /// The four convolutions, in order.
    pub convolutions: [Filters; 4],
    /// The two dense layers, in order.
    pub dense: [Dense; 2],
}

/// An affine map for each channel, `scale · x + shift`; in doubles, so that folding loses no accuracy.
struct Affine {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

/// The extents of the network's activations: of the input, then after each layer that changes them. `None` where the input
/// is too small for the family.
pub fn extents(shape: Shape) -> Option<[Extent; 7]> {
    let valid = |e: Extent| Extent::new(e.height.checked_sub(2)?, e.width.checked_sub(2)?);
    let halved = |e: Extent| Extent::new(e.height / 2, e.width / 2);
    let input = Extent::new(shape.height, shape.width)?;
    let first = valid(input)?;
    let second = valid(first)?;
    let second_pooled = halved(second)?;
    let third = valid(second_pooled)?;
    let third_pooled = halved(third)?;
    let fourth = valid(third_pooled)?;
    Some([input, first, second, second_pooled, third, third_pooled, fourth])
}

impl Weights {
    /// Reads the weights that `card` describes from the bytes of a safetensors file.
    ///
    /// # Errors
    /// The reason, naming the tensor, what was expected and what was found.
    pub fn read(bytes: &[u8], card: &Card) -> Result<Self, String> {
        let file = SafeTensors::deserialize(bytes).map_err(|e| format!("not a safetensors file: {e}"))?;
        let shape = card.input.shape;
        let extents = extents(shape)
            .ok_or_else(|| format!("expected an input of {SIDE_MIN}×{SIDE_MIN} or more, found {shape}"))?;
        let (channels, width, classes) = (shape.channels, card.architecture.width, card.labels.len());
        let mut tensors = Tensors { file: &file, read: BTreeSet::new() };
        let input = Affine::of_input(card);
        let first = tensors.convolution("conv1", &input, channels, width)?;
        let norm = tensors.norm("norm1", width)?;
        let second = tensors.convolution("conv2", &norm, width, width)?;
        let norm = tensors.norm("norm2", width)?;
        let third = tensors.convolution("conv3", &norm, width, 2 * width)?;
        let norm = tensors.norm("norm3", 2 * width)?;
        let fourth = tensors.convolution("conv4", &norm, 2 * width, 2 * width)?;
        let flat = Layout { channels: 2 * width, pixels: extents[6].pixels() };
        let hidden = tensors.dense("dense1", &flat, HIDDEN)?.rectified();
        let last = tensors.dense("dense2", &Layout { channels: HIDDEN, pixels: 1 }, classes)?;
        if let Some(extra) = file.names().into_iter().find(|name| !tensors.read.contains(*name)) {
            return Err(format!("tensor {extra}: expected none of this name"));
        }
        Ok(Self { convolutions: [first, second, third, fourth], dense: [hidden, last] })
    }
}

impl Affine {
    /// Maps a byte to the network's scale: `(byte / 255 − mean) / deviation`.
    fn of_input(card: &Card) -> Self {
        let input = &card.input;
        let each = || input.mean.iter().zip(&input.deviation).map(|(m, d)| (f64::from(*m), f64::from(*d)));
        Self { scale: each().map(|(_, d)| 1.0 / (255.0 * d)).collect(), shift: each().map(|(m, d)| -m / d).collect() }
    }
}

/// A dense layer's inputs: channel by channel in the file, pixel by pixel in the engine.
struct Layout {
    channels: usize,
    pixels: usize,
}

/// A file's tensors, and the names of those read so far.
struct Tensors<'a> {
    file: &'a SafeTensors<'a>,
    read: BTreeSet<String>,
}

impl Tensors<'_> {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let tensor = self.file.tensor(name).map_err(|_| format!("tensor {name}: missing"))?;
        if tensor.dtype() != Dtype::F32 {
            return Err(format!("tensor {name}: expected F32, found {:?}", tensor.dtype()));
        }
        if tensor.shape() != shape {
            return Err(format!("tensor {name}: expected {shape:?}, found {:?}", tensor.shape()));
        }
        let (floats, _) = tensor.data().as_chunks::<4>();
        let values: Vec<f32> = floats.iter().map(|b| f32::from_le_bytes(*b)).collect();
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            return Err(format!("tensor {name}: expected finite numbers, found {} at {at}", values[at]));
        }
        self.read.insert(name.to_owned());
        Ok(values)
    }

    fn norm(&mut self, name: &str, channels: usize) -> Result<Affine, String> {
        let mut part = |part: &str| self.tensor(&format!("{name}.{part}"), &[channels]);
        let (gamma, beta, mean, variance) = (part("gamma")?, part("beta")?, part("mean")?, part("variance")?);
        if let Some(at) = variance.iter().position(|v| *v < 0.0) {
            return Err(format!("tensor {name}.variance: expected none below 0, found {} at {at}", variance[at]));
        }
        let doubles = |floats: Vec<f32>| floats.into_iter().map(f64::from);
        let scale: Vec<f64> =
            doubles(gamma).zip(doubles(variance)).map(|(g, v)| g / (v + NORM_EPSILON).sqrt()).collect();
        let shift = doubles(beta).zip(doubles(mean).zip(&scale)).map(|(b, (m, s))| b - m * s).collect();
        Ok(Affine { scale, shift })
    }

    /// Reads a convolution `from` input channels `to` output channels and folds the affine map `before` it into it.
    fn convolution(&mut self, name: &str, before: &Affine, from: usize, to: usize) -> Result<Filters, String> {
        let read = self.tensor(&format!("{name}.weight"), &[to, from, 3, 3])?;
        let bias = self.tensor(&format!("{name}.bias"), &[to])?;
        let mut weights: Vec<f64> = read.into_iter().map(f64::from).collect();
        let mut bias: Vec<f64> = bias.into_iter().map(f64::from).collect();
        for (kernel, shifted) in weights.chunks_exact_mut(9 * from).zip(&mut bias) {
            for (channel, taps) in kernel.chunks_exact_mut(9).enumerate() {
                for weight in taps {
                    *shifted += *weight * before.shift[channel];
                    *weight *= before.scale[channel];
                }
            }
        }
        if !weights.iter().chain(&bias).all(|folded| (*folded as f32).is_finite()) {
            return Err(format!("tensor {name}.weight: too large to fold the normalisation before it into it"));
        }
        Ok(Filters { inputs: from, outputs: to, weights, bias })
    }

    fn dense(&mut self, name: &str, from: &Layout, to: usize) -> Result<Dense, String> {
        let weights = self.tensor(&format!("{name}.weight"), &[to, from.channels * from.pixels])?;
        let bias = self.tensor(&format!("{name}.bias"), &[to])?;
        let blocks = from.channels.div_ceil(LANES);
        let mut laid = vec![[Vector::ZERO; LANES]; to.div_ceil(LANES) * from.pixels * blocks];
        for (out, row) in weights.chunks_exact(from.channels * from.pixels).enumerate() {
            for (at, weight) in row.iter().enumerate() {
                let (channel, pixel) = (at / from.pixels, at % from.pixels);
                let block = (out / LANES * from.pixels + pixel) * blocks + channel / LANES;
                laid[block][channel % LANES].0[out % LANES] = *weight;
            }
        }
        let bias: Vec<f64> = bias.into_iter().map(f64::from).collect();
        Ok(Dense::new(from.pixels * blocks, laid, blocks_of(&bias)))
    }
}
