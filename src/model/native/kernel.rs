//! What is the arithmetic of one layer, and on which instructions does it run?
//!
//! Activations lie channels last, each pixel's channels padded to a multiple of [`LANES`], so that the innermost loop is
//! always whole vectors over output channels. Every output is summed in the same order whatever the batch, so an
//! image's probabilities never depend on its neighbours.

/// Floats worked on together: two AVX2 registers, four of NEON.
pub const LANES: usize = 16;

/// Output pixels worked on together: 4 × 16 sums fill eight AVX2 registers and leave room for weights and inputs.
const PIXELS: usize = 4;

/// `channels`, rounded up to whole vectors.
pub const fn padded(channels: usize) -> usize {
    channels.div_ceil(LANES) * LANES
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
    /// One an output channel.
    pub bias: Vec<f32>,
}

/// A fully connected layer, its weights laid out for the kernel.
#[derive(Clone, Debug)]
pub struct Dense {
    /// Outputs, as stored: a multiple of [`LANES`].
    pub outputs: usize,
    /// `[inputs][outputs]`.
    pub weights: Vec<f32>,
    /// One an output.
    pub bias: Vec<f32>,
}

/// Which instructions the kernels run on; both give the same layers, to the last few bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// AVX2 with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2(Proof),
    /// Whatever the build's target has: SSE2, NEON.
    Portable,
}

/// That the processor was asked and has them; only [`Level::detect`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg(target_arch = "x86_64")]
pub struct Proof(());

/// Whether [`Level::Portable`] has a fused multiply-add: always on 64-bit Arm, never on the least x86-64.
const PORTABLE_IS_FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

impl Level {
    /// The best that this processor has.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Self::Avx2(Proof(()));
        }
        Self::Portable
    }
}

/// Convolves `input` (`height` × `width` × `inputs`) into `output` ((`height` − 2) × (`width` − 2) × `outputs`), with ReLU.
pub fn convolve(level: Level, layer: &Convolution, input: (&[f32], usize, usize), output: &mut [f32]) {
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: only `Level::detect` makes a `Proof`, and it found both features on this processor.
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
fn convolve_avx2(layer: &Convolution, input: (&[f32], usize, usize), output: &mut [f32]) {
    convolve_with::<true>(layer, input, output);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn multiply_avx2(layer: &Dense, input: &[f32], output: &mut [f32]) {
    multiply_with::<true>(layer, input, output);
}

/// `FUSED` says that the surrounding function has fused multiply-add; without it `mul_add` is a slow library call.
#[inline(always)]
fn fused<const FUSED: bool>(a: f32, b: f32, sum: f32) -> f32 {
    if FUSED { a.mul_add(b, sum) } else { a * b + sum }
}

#[inline(always)]
fn convolve_with<const FUSED: bool>(
    layer: &Convolution,
    (input, height, width): (&[f32], usize, usize),
    output: &mut [f32],
) {
    let (rows, columns) = (height - 2, width - 2);
    let block_weights = 9 * layer.inputs * LANES;
    for (block, weights) in layer.weights.chunks_exact(block_weights).enumerate() {
        let bias: &[f32; LANES] =
            layer.bias[block * LANES..][..LANES].try_into().expect("BUG: LANES long by its range");
        for row in 0..rows {
            let mut column = 0;
            while column < columns {
                // The last group moves left to stay whole: it computes a few pixels twice, to the same values.
                let first = column.min(columns.saturating_sub(PIXELS));
                let count = PIXELS.min(columns);
                let mut sums = [*bias; PIXELS];
                for (tap, tap_weights) in weights.chunks_exact(layer.inputs * LANES).enumerate() {
                    let start = ((row + tap / 3) * width + first + tap % 3) * layer.inputs;
                    accumulate::<FUSED>(&mut sums[..count], &input[start..], tap_weights, layer.inputs);
                }
                for (pixel, sum) in sums[..count].iter().enumerate() {
                    let at = (row * columns + first + pixel) * layer.outputs + block * LANES;
                    for (out, sum) in output[at..][..LANES].iter_mut().zip(sum) {
                        *out = sum.max(0.0);
                    }
                }
                column += PIXELS;
            }
        }
    }
}

/// Adds one tap of the kernel to the sums of neighbouring pixels, `stride` floats apart in the input.
#[inline(always)]
fn accumulate<const FUSED: bool>(sums: &mut [[f32; LANES]], input: &[f32], weights: &[f32], stride: usize) {
    if let Ok(sums) = <&mut [[f32; LANES]; PIXELS]>::try_from(&mut *sums) {
        let pixels: [&[f32]; PIXELS] = std::array::from_fn(|p| &input[p * stride..][..stride]);
        // A copy of the sums lives in registers; through the reference each would be stored and loaded a channel.
        let mut held = *sums;
        for (channel, lanes) in weights.chunks_exact(LANES).enumerate() {
            for (sum, pixel) in held.iter_mut().zip(pixels) {
                let value = pixel[channel];
                for lane in 0..LANES {
                    sum[lane] = fused::<FUSED>(value, lanes[lane], sum[lane]);
                }
            }
        }
        *sums = held;
        return;
    }
    // Fewer columns than PIXELS: the last layers of small inputs.
    for (p, sum) in sums.iter_mut().enumerate() {
        let pixel = &input[p * stride..][..stride];
        for (value, lanes) in pixel.iter().zip(weights.chunks_exact(LANES)) {
            for lane in 0..LANES {
                sum[lane] = fused::<FUSED>(*value, lanes[lane], sum[lane]);
            }
        }
    }
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

/// Takes the greatest of each 2×2 of `input` (`height` × `width` × `channels`) into `output`; an odd last row or column
/// is left out.
pub fn pool(input: (&[f32], usize, usize), channels: usize, output: &mut [f32]) {
    let (input, height, width) = input;
    for row in 0..height / 2 {
        for column in 0..width / 2 {
            let at = |dy: usize, dx: usize| &input[((2 * row + dy) * width + 2 * column + dx) * channels..][..channels];
            let corners = at(0, 0).iter().zip(at(0, 1)).zip(at(1, 0).iter().zip(at(1, 1)));
            let out = &mut output[(row * (width / 2) + column) * channels..][..channels];
            for (out, ((a, b), (c, d))) in out.iter_mut().zip(corners) {
                *out = a.max(*b).max(c.max(*d));
            }
        }
    }
}

/// Turns logits into probabilities, in place; subtracts the greatest first so that none overflows.
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
