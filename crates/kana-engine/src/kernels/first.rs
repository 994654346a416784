//! How is a convolution of few channels computed?
//!
//! The network's input has one channel, or three, and a block of them would be mostly padding. So the input is read float
//! by float, the three columns of a kernel's row at once, since they lie side by side.

use pulp::Simd;

use super::instructions::{Instructions, Kernel};
use super::{Extent, Filters, LANES, Vector, accumulate, balanced, rectified, with_rows};

/// A 3×3 convolution without padding of an input that is not in blocks, with ReLU.
#[derive(Clone, Debug)]
pub struct First {
    channels: usize,
    input: Extent,
    /// `[output blocks][3 rows][3 columns][channels]`.
    weights: Vec<Vector>,
    /// `[output blocks]`.
    bias: Vec<Vector>,
    /// Floats between a pixel and each of the `3 * 3 * channels` that its kernel covers.
    offsets: Vec<usize>,
}

impl First {
    /// Lays the weights out for the loop.
    pub fn new(filters: &Filters, input: Extent) -> Self {
        let bias = filters.bias();
        let mut weights = vec![Vector::ZERO; bias.len() * 9 * filters.inputs];
        for output in 0..filters.outputs {
            let (block, lane) = (output / LANES, output % LANES);
            for channel in 0..filters.inputs {
                for (tap, weight) in filters.taps(output, channel).iter().enumerate() {
                    weights[(block * 9 + tap) * filters.inputs + channel].0[lane] = *weight as f32;
                }
            }
        }
        let row = input.width * filters.inputs;
        let offsets = (0..3).flat_map(|y| (0..3 * filters.inputs).map(move |x| y * row + x)).collect();
        Self { channels: filters.inputs, input, weights, bias, offsets }
    }

    /// Vectors of the output.
    pub fn output_vectors(&self) -> usize {
        (self.input.height - 2) * (self.input.width - 2) * self.bias.len()
    }

    /// Convolves `input`, `height * width * channels` floats, into `output`, (height − 2) × (width − 2) pixels.
    pub fn run(&self, instructions: Instructions, input: &[f32], output: &mut [Vector]) {
        instructions.run(Run { layer: self, input, output });
    }
}

struct Run<'a> {
    layer: &'a First,
    input: &'a [f32],
    output: &'a mut [Vector],
}

impl Kernel for Run<'_> {
    #[inline(always)]
    fn run<S: Simd, const REGISTERS: usize, const ROWS: usize>(self, simd: S) {
        let columns = self.layer.input.width - 2;
        let (_, pixels) = balanced(columns, ROWS);
        with_rows!(pixels, ROWS, convolve::<S, REGISTERS>(simd, self))
    }
}

/// Convolves `ROWS` neighbouring pixels of a row at a time.
#[inline(always)]
fn convolve<S: Simd, const REGISTERS: usize, const ROWS: usize>(simd: S, run: Run<'_>) {
    let Run { layer, input, output } = run;
    let First { channels, input: Extent { height, width }, .. } = *layer;
    let (rows, columns, blocks) = (height - 2, width - 2, layer.bias.len());
    for row in 0..rows {
        for group in 0..columns.div_ceil(ROWS) {
            let first = (group * ROWS).min(columns - ROWS);
            let corner = &input[(row * width + first) * channels..];
            for (block, weights) in layer.weights.chunks_exact(9 * channels).enumerate() {
                let mut sums = [layer.bias[block].load::<S, REGISTERS>(); ROWS];
                for (offset, weights) in layer.offsets.iter().zip(weights) {
                    let pixels = &corner[*offset..][..(ROWS - 1) * channels + 1];
                    let mut inputs = [0.0; ROWS];
                    for pixel in 0..ROWS {
                        inputs[pixel] = pixels[pixel * channels];
                    }
                    accumulate::<S, REGISTERS, ROWS>(simd, &mut sums, inputs, weights);
                }
                for (pixel, sum) in sums.into_iter().enumerate() {
                    let out = &mut output[(row * columns + first + pixel) * blocks + block];
                    out.store::<S, REGISTERS>(rectified(simd, sum));
                }
            }
        }
    }
}
