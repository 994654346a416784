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

/// Outputs of the first dense layer.
pub const HIDDEN: usize = 128;

/// The network's layers with the normalisations folded into them.
#[derive(Clone, Debug)]
pub struct Weights {
    /// The convolutions, in order.
    pub convolutions: Vec<Filters>,
    /// The two dense layers, in order.
    pub dense: [Dense; 2],
}

/// An affine map for each channel, `scale · x + shift`; in doubles, so that folding loses no accuracy.
struct Affine {
    scale: Vec<f64>,
    shift: Vec<f64>,
}

/// The extents of the input of each of `depth` convolutions, and of the output of the last. `None` where the input is too
/// small for so many.
pub fn extents(depth: usize, shape: Shape) -> Option<Vec<Extent>> {
    let mut extents = vec![Extent::new(shape.height, shape.width)?];
    for number in 0..depth {
        let Extent { height, width } = extents[number];
        let convolved = [height.checked_sub(2)?, width.checked_sub(2)?];
        let is_pooled = number > 0 && number + 1 < depth;
        let [height, width] = convolved.map(|side| if is_pooled { side / 2 } else { side });
        extents.push(Extent::new(height, width)?);
    }
    Some(extents)
}

/// Least rows and columns of an input, which leave one pixel after the last of `depth` convolutions: 10 for three of them, and
/// twice as many for each further one. For four, ((20 − 2 − 2) / 2 − 2) / 2 − 2 is one.
fn side_min(depth: usize) -> usize {
    10 << (depth - 3)
}

impl Weights {
    /// Reads the weights that `card` describes from the bytes of a safetensors file.
    ///
    /// # Errors
    /// The reason, naming the tensor, what was expected and what was found.
    pub fn read(bytes: &[u8], card: &Card) -> Result<Self, String> {
        let file = SafeTensors::deserialize(bytes).map_err(|e| format!("not a safetensors file: {e}"))?;
        let (shape, depth, width) = (card.input.shape, card.architecture.depth, card.architecture.width);
        let extents = extents(depth, shape).ok_or_else(|| {
            let least = side_min(depth);
            format!("expected an input of {least}×{least} or more for {depth} convolutions, found {shape}")
        })?;
        let mut tensors = Tensors { file: &file, read: BTreeSet::new() };
        let (mut before, mut channels) = (Affine::of_input(card), shape.channels);
        let mut convolutions = Vec::with_capacity(depth);
        for number in 1..=depth {
            let outputs = if number <= 2 { width } else { 2 * width };
            convolutions.push(tensors.convolution(&format!("conv{number}"), &before, channels, outputs)?);
            if number < depth {
                before = tensors.norm(&format!("norm{number}"), outputs)?;
            }
            channels = outputs;
        }
        let flat = Layout { channels, pixels: extents[depth].pixels() };
        let hidden = tensors.dense("dense1", &flat, HIDDEN)?.rectified();
        let last = tensors.dense("dense2", &Layout { channels: HIDDEN, pixels: 1 }, card.labels.len())?;
        if let Some(extra) = file.names().into_iter().find(|name| !tensors.read.contains(*name)) {
            return Err(format!("tensor {extra}: expected none of this name"));
        }
        Ok(Self { convolutions, dense: [hidden, last] })
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
