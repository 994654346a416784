//! How does the gradient flow back through a convolution?
//!
//! The gradient of an output is not zero only where ReLU let something through, and reaches one element of four of a pooled
//! layer. So the backward pass visits the active outputs of one channel after another, and adds that channel's share to
//! the gradients of weights and input: a fifth of the work of the two matrix products over all positions. The sums of a
//! kernel's weights, and then its weights, stay in registers while the positions of a few rows pass.

use std::ops::Range;

use kana_engine::kernels::{Extent, Instructions, Kernel, LANES, Sums, Vector, accumulate, multiply_add};
use kana_engine::with_rows;
use pulp::Simd;

use super::layer::Layer;
use super::pool::{INACTIVE, Origins};

/// Bytes of the first cache of most processors' cores.
const CACHE_BYTES: usize = 32 * 1024;

/// Elements of a kernel in one channel.
pub const TAPS: usize = 9;

/// Backward pass of a convolution, its weights laid out for the loop.
#[derive(Clone, Debug)]
pub struct Backward {
    layer: Layer,
    /// `[outputs][3 rows][3 columns][input blocks]`.
    weights: Vec<Vector>,
    /// [`Layer::corners`].
    corners: Vec<usize>,
}

/// Sums of the gradients of a convolution's parameters.
#[derive(Clone, Debug, Default)]
pub struct FilterGradient {
    /// `[outputs][3 rows][3 columns][input blocks]`.
    pub weights: Vec<Vector>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

/// One image's way back through a layer.
pub struct Image<'a> {
    /// Input of the forward pass.
    pub input: &'a [Vector],
    /// Gradient of the output.
    pub gradient: &'a [Vector],
    /// Origins of the output.
    pub origins: &'a [Origins],
    /// Receives the gradient of the input.
    pub input_gradient: &'a mut [Vector],
}

/// An output that has a gradient.
#[derive(Clone, Copy, Debug, Default)]
pub struct Active {
    /// First vector of the patch that the output was computed from.
    corner: usize,
    gradient: f32,
}

impl FilterGradient {
    /// Sets all sums of a gradient for `layer` to zero.
    pub fn clear(&mut self, layer: &Layer) {
        self.weights.clear();
        self.weights.resize(layer.outputs * TAPS * layer.input_blocks(), Vector::ZERO);
        self.bias.clear();
        self.bias.resize(layer.outputs, 0.0);
    }
}

impl Backward {
    /// Lays out `weight`, `[outputs][inputs][3][3]`.
    pub fn new(layer: Layer, weight: &[f32]) -> Self {
        let blocks = layer.input_blocks();
        let mut weights = vec![Vector::ZERO; layer.outputs * TAPS * blocks];
        for (at, &value) in weight.iter().enumerate() {
            let (output, input, tap) = (at / TAPS / layer.inputs, at / TAPS % layer.inputs, at % TAPS);
            weights[(output * TAPS + tap) * blocks + input / LANES].0[input % LANES] = value;
        }
        Self { layer, weights, corners: layer.corners() }
    }

    /// Pixels of the output that pass together: all channels of some rows. What they take of the input, and its gradient, stays
    /// in the cache.
    fn strips(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let Layer { input, is_pooled, .. } = self.layer;
        let stride = if is_pooled { 2 } else { 1 };
        // Rows of the input and of its gradient.
        let row_bytes = 2 * input.width * self.layer.input_blocks() * size_of::<Vector>();
        let rows = ((CACHE_BYTES / row_bytes).saturating_sub(2) / stride).max(1);
        let Extent { height, width } = self.layer.output();
        (0..height).step_by(rows).map(move |row| row * width..(row + rows).min(height) * width)
    }

    /// Adds the gradients of one image to `sums`, and replaces that of its input. Works in `active`.
    pub fn run(
        &self,
        instructions: Instructions,
        image: Image<'_>,
        active: &mut Vec<Active>,
        sums: &mut FilterGradient,
    ) {
        active.resize(self.layer.output().pixels(), Active::default());
        image.input_gradient.fill(Vector::ZERO);
        instructions.run(Run { pass: self, image, active, sums });
    }
}

struct Run<'a> {
    pass: &'a Backward,
    image: Image<'a>,
    active: &'a mut [Active],
    sums: &'a mut FilterGradient,
}

impl Kernel for Run<'_> {
    #[inline(always)]
    fn run<S: Simd, const REGISTERS: usize, const ROWS: usize>(self, simd: S) {
        let Self { pass, image, active, sums } = self;
        let Backward { layer, weights, .. } = pass;
        let (blocks, width) = (layer.input_blocks(), layer.input.width);
        // A row of a patch is one run of vectors, in the kernel and in the image.
        let run = 3 * blocks;
        for strip in pass.strips() {
            for output in 0..layer.outputs {
                let count = collect(pass, strip.clone(), &image, output, active);
                let active = &active[..count];
                sums.bias[output] += active.iter().map(|output| output.gradient).sum::<f32>();
                for row in 0..3 {
                    let (kernel, below) = ((output * 3 + row) * run, row * width * blocks);
                    let mut first = 0;
                    while first < run {
                        let length = (run - first).min(ROWS);
                        let sums = &mut sums.weights[kernel + first..][..length];
                        let weights = &weights[kernel + first..][..length];
                        let offset = below + first;
                        with_rows!(
                            length,
                            ROWS,
                            add_to_weights::<S, REGISTERS>(simd, active, offset, image.input, sums)
                        );
                        let to = &mut *image.input_gradient;
                        with_rows!(length, ROWS, add_to_input::<S, REGISTERS>(simd, active, offset, weights, to));
                        first += length;
                    }
                }
            }
        }
    }
}

/// Collects the active outputs of channel `output` in a strip, without a branch that nothing could predict; returns their number.
#[inline(always)]
fn collect(pass: &Backward, strip: Range<usize>, image: &Image<'_>, output: usize, active: &mut [Active]) -> usize {
    let (blocks, lane, window) = (pass.layer.output_blocks(), output % LANES, pass.layer.window());
    let mut count = 0;
    for pixel in strip {
        let at = pixel * blocks + output / LANES;
        let origin = image.origins[at][lane];
        let corner = pass.corners[pixel] + window[usize::from(origin % 4)];
        active[count] = Active { corner, gradient: image.gradient[at].0[lane] };
        count += usize::from(origin != INACTIVE);
    }
    count
}

/// Loads `ROWS` vectors.
#[inline(always)]
fn load<S: Simd, const REGISTERS: usize, const ROWS: usize>(simd: S, vectors: &[Vector]) -> Sums<S, REGISTERS, ROWS> {
    let mut registers = [[simd.splat_f32s(0.0); REGISTERS]; ROWS];
    for row in 0..ROWS {
        registers[row] = vectors[row].load::<S, REGISTERS>();
    }
    registers
}

/// Replaces `ROWS` vectors.
#[inline(always)]
fn store<S: Simd, const REGISTERS: usize, const ROWS: usize>(from: Sums<S, REGISTERS, ROWS>, vectors: &mut [Vector]) {
    for row in 0..ROWS {
        vectors[row].store::<S, REGISTERS>(from[row]);
    }
}

/// Adds each gradient times its patch to `sums`, `ROWS` vectors of the kernel.
#[inline(always)]
fn add_to_weights<S: Simd, const REGISTERS: usize, const ROWS: usize>(
    simd: S,
    active: &[Active],
    offset: usize,
    input: &[Vector],
    sums: &mut [Vector],
) {
    let mut registers = load::<S, REGISTERS, ROWS>(simd, sums);
    for output in active {
        let gradient = simd.splat_f32s(output.gradient);
        let patch: &[Vector; ROWS] =
            input[output.corner + offset..].first_chunk().expect("BUG: a patch is in its image");
        for row in 0..ROWS {
            let values = patch[row].load::<S, REGISTERS>();
            for register in 0..REGISTERS {
                registers[row][register] = multiply_add(simd, gradient, values[register], registers[row][register]);
            }
        }
    }
    store::<S, REGISTERS, ROWS>(registers, sums);
}

/// Adds each gradient times `weights`, `ROWS` vectors of the kernel, to its patch of the input's gradient.
#[inline(always)]
fn add_to_input<S: Simd, const REGISTERS: usize, const ROWS: usize>(
    simd: S,
    active: &[Active],
    offset: usize,
    weights: &[Vector],
    input_gradient: &mut [Vector],
) {
    let registers = load::<S, REGISTERS, ROWS>(simd, weights);
    for output in active {
        let gradient = simd.splat_f32s(output.gradient);
        let patch: &mut [Vector; ROWS] =
            input_gradient[output.corner + offset..].first_chunk_mut().expect("BUG: a patch is in its image");
        for row in 0..ROWS {
            let mut sums = patch[row].load::<S, REGISTERS>();
            for register in 0..REGISTERS {
                sums[register] = multiply_add(simd, gradient, registers[row][register], sums[register]);
            }
            patch[row].store::<S, REGISTERS>(sums);
        }
    }
}

/// Sums of the gradients of the first convolution's parameters.
#[derive(Clone, Debug, Default)]
pub struct FirstGradient {
    /// `[output blocks][3 rows][3 columns][channels]`.
    pub weights: Vec<Vector>,
    /// `[output blocks]`.
    pub bias: Vec<Vector>,
}

impl FirstGradient {
    /// Sets all sums of a gradient for `layer` to zero.
    pub fn clear(&mut self, layer: &Layer) {
        self.weights.clear();
        self.weights.resize(layer.output_blocks() * TAPS * layer.inputs, Vector::ZERO);
        self.bias.clear();
        self.bias.resize(layer.output_blocks(), Vector::ZERO);
    }
}

/// Adds the gradients of the first convolution, whose input has few channels and needs no gradient, to `sums`.
///
/// * `samples`: the image, `[height][width][channels]`.
/// * `gradient`: that of the convolution before ReLU, zero where it let nothing through.
pub fn add_first(
    instructions: Instructions,
    layer: &Layer,
    samples: &[f32],
    gradient: &[Vector],
    sums: &mut FirstGradient,
) {
    instructions.run(First { layer, samples, gradient, sums });
}

struct First<'a> {
    layer: &'a Layer,
    samples: &'a [f32],
    gradient: &'a [Vector],
    sums: &'a mut FirstGradient,
}

impl Kernel for First<'_> {
    #[inline(always)]
    fn run<S: Simd, const REGISTERS: usize, const ROWS: usize>(self, simd: S) {
        let count = TAPS * self.layer.inputs;
        for block in 0..self.layer.output_blocks() {
            let sums = &mut self.sums.weights[block * count..][..count];
            let mut first = 0;
            while first < count {
                let length = (count - first).min(ROWS);
                let taps = Taps { layer: self.layer, samples: self.samples, gradient: self.gradient, block, first };
                with_rows!(length, ROWS, add_taps::<S, REGISTERS>(simd, taps, &mut sums[first..][..length]));
                first += length;
            }
            let mut bias = self.sums.bias[block].load::<S, REGISTERS>();
            for pixel in self.gradient.chunks_exact(self.layer.output_blocks()) {
                let gradient = pixel[block].load::<S, REGISTERS>();
                for register in 0..REGISTERS {
                    bias[register] = simd.add_f32s(bias[register], gradient[register]);
                }
            }
            self.sums.bias[block].store::<S, REGISTERS>(bias);
        }
    }
}

/// Some samples of each patch, and the gradients of a block of channels.
#[derive(Clone, Copy)]
struct Taps<'a> {
    layer: &'a Layer,
    samples: &'a [f32],
    gradient: &'a [Vector],
    block: usize,
    /// Number of the first sample in its patch.
    first: usize,
}

/// Adds the products of `ROWS` samples of each patch and the gradient to `sums`.
#[inline(always)]
fn add_taps<S: Simd, const REGISTERS: usize, const ROWS: usize>(simd: S, taps: Taps<'_>, sums: &mut [Vector]) {
    let Taps { layer, samples, gradient, block, first } = taps;
    let (blocks, channels) = (layer.output_blocks(), layer.inputs);
    let (line, columns) = (layer.input.width * channels, layer.convolved().width);
    let mut offsets = [0; ROWS];
    for (tap, offset) in (first..).zip(&mut offsets) {
        *offset = tap / (3 * channels) * line + tap % (3 * channels);
    }
    let mut registers = load::<S, REGISTERS, ROWS>(simd, sums);
    for (row, gradients) in gradient.chunks_exact(columns * blocks).enumerate() {
        for column in 0..columns {
            let corner = row * line + column * channels;
            let inputs = offsets.map(|offset| samples[corner + offset]);
            accumulate::<S, REGISTERS, ROWS>(simd, &mut registers, inputs, &gradients[column * blocks + block]);
        }
    }
    store::<S, REGISTERS, ROWS>(registers, sums);
}
