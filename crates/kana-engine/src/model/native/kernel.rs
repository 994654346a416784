//! What is the arithmetic of one layer, and on which instructions does it run?
//!
//! Activations lie channels last, each pixel's channels padded to a multiple of [`LANES`], so that the innermost loop is
//! always whole vectors over output channels. Every output is summed in the same order whatever the batch, so an
//! image's probabilities never depend on its neighbours.

/// Floats processed together: two AVX2 registers, four of NEON.
pub const LANES: usize = 16;

/// Output pixels processed together: 4 × 16 sums fill eight AVX2 registers, enough to hide a multiply-add's latency.
const PIXELS: usize = 4;

/// Rounds `channels` up to whole vectors of [`LANES`].
pub const fn padded(channels: usize) -> usize {
    channels.div_ceil(LANES) * LANES
}

/// Activations between two layers: `height * width * channels` floats, channels last.
#[derive(Clone, Copy)]
pub struct Activations<'a> {
    /// The floats; there may be more of them than are used.
    pub values: &'a [f32],
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// A 3×3 convolution without padding, its weights laid out for the kernel.
#[derive(Clone, Debug)]
pub struct Convolution {
    /// Input channels, as stored.
    pub inputs: usize,
    /// Output channels, as stored: a multiple of [`LANES`].
    pub outputs: usize,
    /// `[outputs / LANES][3][3][inputs][LANES]`.
    pub weights: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

/// A fully connected layer, its weights laid out for the kernel.
#[derive(Clone, Debug)]
pub struct Dense {
    /// Outputs, as stored: a multiple of [`LANES`].
    pub outputs: usize,
    /// `[inputs][outputs]`.
    pub weights: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

/// The instructions that the kernels use; all levels compute the same values, to the last few bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// AVX2 with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2(Proof),
    /// The instructions of the build's target: SSE2, NEON.
    Portable,
}

/// Proof that the processor has AVX2 and FMA; only [`Level::detect`] creates one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg(target_arch = "x86_64")]
pub struct Proof(());

/// Whether [`Level::Portable`] has a fused multiply-add: always on 64-bit Arm, never on baseline x86-64.
const PORTABLE_IS_FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

impl Level {
    /// Detects the best level of this processor.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Self::Avx2(Proof(()));
        }
        Self::Portable
    }
}

/// Convolves `input`, with `layer.inputs` channels, into `output` ((`height` − 2) × (`width` − 2) × `outputs`), with ReLU.
pub fn convolve(level: Level, layer: &Convolution, input: Activations<'_>, output: &mut [f32]) {
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: only `Level::detect` creates a `Proof`, and it found both features on this processor.
        Level::Avx2(_) => unsafe { convolve_avx2(layer, input, output) },
        Level::Portable => convolve_with::<PORTABLE_IS_FUSED>(layer, input, output),
    }
}

/// Multiplies `input` by the layer's weights into `output`, without an activation.
pub fn multiply(level: Level, layer: &Dense, input: &[f32], output: &mut [f32]) {
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as in `convolve`.
        Level::Avx2(_) => unsafe { multiply_avx2(layer, input, output) },
        Level::Portable => multiply_with::<PORTABLE_IS_FUSED>(layer, input, output),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn convolve_avx2(layer: &Convolution, input: Activations<'_>, output: &mut [f32]) {
    convolve_with::<true>(layer, input, output);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn multiply_avx2(layer: &Dense, input: &[f32], output: &mut [f32]) {
    multiply_with::<true>(layer, input, output);
}

/// Computes `a * b + sum`. `FUSED` says that the surrounding function has fused multiply-add; without it `mul_add` is a slow
/// library call.
#[inline(always)]
fn fused<const FUSED: bool>(a: f32, b: f32, sum: f32) -> f32 {
    if FUSED { a.mul_add(b, sum) } else { a * b + sum }
}

/// Chooses how many output pixels to compute together: as many as the registers hold, or as a narrow image has columns.
#[inline(always)]
fn convolve_with<const FUSED: bool>(layer: &Convolution, input: Activations<'_>, output: &mut [f32]) {
    match input.width - 2 {
        1 => convolve_groups::<FUSED, 1>(layer, input, output),
        2 => convolve_groups::<FUSED, 2>(layer, input, output),
        3 => convolve_groups::<FUSED, 3>(layer, input, output),
        _ => convolve_groups::<FUSED, PIXELS>(layer, input, output),
    }
}

/// Convolves `GROUP` neighbouring pixels of a row at a time; a row has at least as many.
#[inline(always)]
fn convolve_groups<const FUSED: bool, const GROUP: usize>(
    layer: &Convolution,
    input: Activations<'_>,
    output: &mut [f32],
) {
    let Activations { values, height, width } = input;
    let (rows, columns) = (height - 2, width - 2);
    let block_weights = 9 * layer.inputs * LANES;
    for (block, weights) in layer.weights.chunks_exact(block_weights).enumerate() {
        let bias: &[f32; LANES] =
            layer.bias[block * LANES..][..LANES].try_into().expect("BUG: LANES long by its range");
        for row in 0..rows {
            for group in 0..columns.div_ceil(GROUP) {
                // The last group is moved left to stay whole: a few pixels are computed twice, to the same values.
                let first = (group * GROUP).min(columns - GROUP);
                let mut sums = [*bias; GROUP];
                for (tap, tap_weights) in weights.chunks_exact(layer.inputs * LANES).enumerate() {
                    let start = ((row + tap / 3) * width + first + tap % 3) * layer.inputs;
                    sums = accumulate::<FUSED, GROUP>(sums, &values[start..], tap_weights, layer.inputs);
                }
                for (pixel, sum) in sums.iter().enumerate() {
                    let at = (row * columns + first + pixel) * layer.outputs + block * LANES;
                    for (out, sum) in output[at..][..LANES].iter_mut().zip(sum) {
                        *out = sum.max(0.0);
                    }
                }
            }
        }
    }
}

/// Adds one tap of the kernel to the sums of neighbouring pixels, `stride` floats apart in the input. The sums are passed
/// and returned by value, so that they stay in registers; through a reference each would be stored and loaded for every
/// channel.
#[inline(always)]
fn accumulate<const FUSED: bool, const GROUP: usize>(
    mut sums: [[f32; LANES]; GROUP],
    input: &[f32],
    weights: &[f32],
    stride: usize,
) -> [[f32; LANES]; GROUP] {
    let pixels: [&[f32]; GROUP] = std::array::from_fn(|p| &input[p * stride..][..stride]);
    for (channel, lanes) in weights.chunks_exact(LANES).enumerate() {
        for (sum, pixel) in sums.iter_mut().zip(pixels) {
            let value = pixel[channel];
            for lane in 0..LANES {
                sum[lane] = fused::<FUSED>(value, lanes[lane], sum[lane]);
            }
        }
    }
    sums
}

#[inline(always)]
fn multiply_with<const FUSED: bool>(layer: &Dense, input: &[f32], output: &mut [f32]) {
    output.copy_from_slice(&layer.bias);
    for (value, weights) in input.iter().zip(layer.weights.chunks_exact(layer.outputs)) {
        for (out, weight) in output.iter_mut().zip(weights) {
            *out = fused::<FUSED>(*value, *weight, *out);
        }
    }
}

/// Writes the greatest of each 2×2 pixels of `input` to `output` ((`height` / 2) × (`width` / 2) × `channels`); an odd last
/// row or column is left out.
pub fn pool(input: Activations<'_>, channels: usize, output: &mut [f32]) {
    let Activations { values, height, width } = input;
    for row in 0..height / 2 {
        for column in 0..width / 2 {
            let at =
                |dy: usize, dx: usize| &values[((2 * row + dy) * width + 2 * column + dx) * channels..][..channels];
            let corners = at(0, 0).iter().zip(at(0, 1)).zip(at(1, 0).iter().zip(at(1, 1)));
            let out = &mut output[(row * (width / 2) + column) * channels..][..channels];
            for (out, ((a, b), (c, d))) in out.iter_mut().zip(corners) {
                *out = a.max(*b).max(c.max(*d));
            }
        }
    }
}

/// Converts logits to probabilities, in place; subtracts the greatest first so that none overflows.
pub fn softmax(logits: &mut [f32]) {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for logit in logits.iter_mut() {
        *logit = (*logit - greatest).exp();
        total += *logit;
    }
    for logit in logits.iter_mut() {
        *logit /= total;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Floats in [-1, 1) without a pattern that a wrong index would match by chance.
    fn floats(count: usize) -> Vec<f32> {
        (0..count).map(|at| (at as f32 * 0.754_877_7 + 0.1).fract() * 2.0 - 1.0).collect()
    }

    #[test]
    fn both_levels_compute_the_same_layers_to_the_last_few_bits() {
        for columns in 1..=9 {
            let (height, width, inputs, outputs) = (4, columns + 2, 5, 2 * LANES);
            let layer = Convolution { inputs, outputs, weights: floats(9 * inputs * outputs), bias: floats(outputs) };
            let input = floats(height * width * inputs);
            let mut found = [Level::detect(), Level::Portable].map(|level| {
                let mut output = vec![f32::NAN; (height - 2) * columns * outputs];
                convolve(level, &layer, Activations { values: &input, height, width }, &mut output);
                output
            });

            let [best, portable] = &mut found;
            let far = best.iter().zip(portable).map(|(a, b)| (*a - *b).abs()).reduce(f32::max);

            assert!(far.is_some_and(|far| far < 1e-4), "{columns} columns: {far:?} apart");
            assert!(best.iter().all(|sum| sum.is_finite()), "{columns} columns: a pixel was left out");
        }
    }

    #[test]
    fn an_odd_last_row_or_column_is_left_out_of_the_pool() {
        let mut output = [0.0; 1];
        let values = &[1.0, 2.0, 9.0, 4.0, 3.0, 9.0, 9.0, 9.0, 9.0];

        pool(Activations { values, height: 3, width: 3 }, 1, &mut output);

        assert_eq!(output, [4.0]);
    }

    #[test]
    fn the_softmax_of_huge_logits_is_finite_and_sums_to_one() {
        let mut logits = [1e30, 1e30, -1e30];

        softmax(&mut logits);

        assert_eq!(logits, [0.5, 0.5, 0.0]);
    }
}
