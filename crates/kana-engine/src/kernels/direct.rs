//! How is a convolution of any shape computed?
//!
//! As its definition says: nine products for each pixel and pair of channels. Layers that Winograd's algorithm does not
//! suit, because they are small or wide, are computed so.

use pulp::Simd;

use super::instructions::{Instructions, Kernel};
use super::{Extent, Filters, LANES, Vector, accumulate, balanced, rectified, with_rows};

/// A 3×3 convolution without padding, with ReLU, its weights laid out for the loop.
#[derive(Clone, Debug)]
pub struct Direct {
    input: Extent,
    /// Blocks of input channels.
    blocks: usize,
    /// `[output blocks][9 taps][input blocks][LANES inputs]`.
    weights: Vec<[Vector; LANES]>,
    /// `[output blocks]`.
    bias: Vec<Vector>,
}

impl Direct {
    /// Lays the weights out for the loop.
    pub fn new(filters: &Filters, input: Extent) -> Self {
        let bias = filters.bias();
        let blocks = filters.inputs.div_ceil(LANES);
        let mut weights = vec![[Vector::ZERO; LANES]; bias.len() * 9 * blocks];
        for output in 0..filters.outputs {
            for channel in 0..filters.inputs {
                for (tap, weight) in filters.taps(output, channel).iter().enumerate() {
                    let block = ((output / LANES) * 9 + tap) * blocks + channel / LANES;
                    weights[block][channel % LANES].0[output % LANES] = *weight as f32;
                }
            }
        }
        Self { input, blocks, weights, bias }
    }

    /// Convolves `input`, `height * width * blocks` vectors, into `output`, (height − 2) × (width − 2) pixels.
    pub fn run(&self, instructions: Instructions, input: &[Vector], output: &mut [Vector]) {
        instructions.run(Run { layer: self, input, output });
    }
}

struct Run<'a> {
    layer: &'a Direct,
    input: &'a [Vector],
    output: &'a mut [Vector],
}

impl Kernel for Run<'_> {
    #[inline(always)]
    fn run<S: Simd, const REGISTERS: usize, const ROWS: usize>(self, simd: S) {
        let Extent { height, width } = self.layer.input;
        let (_, pixels) = balanced((height - 2) * (width - 2), ROWS);
        with_rows!(pixels, ROWS, convolve::<S, REGISTERS>(simd, self))
    }
}

/// Convolves `ROWS` pixels at a time, the end of one row with the start of the next.
#[inline(always)]
fn convolve<S: Simd, const REGISTERS: usize, const ROWS: usize>(simd: S, run: Run<'_>) {
    let Run { layer, input, output } = run;
    let Extent { height, width } = layer.input;
    let (columns, blocks) = (width - 2, layer.blocks);
    let pixels = (height - 2) * columns;
    for (block, weights) in layer.weights.chunks_exact(9 * blocks).enumerate() {
        for group in 0..pixels.div_ceil(ROWS) {
            let first = (group * ROWS).min(pixels - ROWS);
            let mut corners = [0; ROWS];
            for (at, corner) in corners.iter_mut().enumerate() {
                let pixel = first + at;
                *corner = (pixel / columns * width + pixel % columns) * blocks;
            }
            let mut sums = [layer.bias[block].load::<S, REGISTERS>(); ROWS];
            for (tap, weights) in weights.chunks_exact(blocks).enumerate() {
                let offset = (tap / 3 * width + tap % 3) * blocks;
                for (at, weights) in weights.iter().enumerate() {
                    let mut rows = [&Vector::ZERO; ROWS];
                    for (row, corner) in rows.iter_mut().zip(corners) {
                        *row = &input[corner + offset + at];
                    }
                    for (lane, weights) in weights.iter().enumerate() {
                        accumulate::<S, REGISTERS, ROWS>(simd, &mut sums, rows.map(|row| row.0[lane]), weights);
                    }
                }
            }
            for (at, sum) in sums.into_iter().enumerate() {
                let out = &mut output[(first + at) * layer.bias.len() + block];
                out.store::<S, REGISTERS>(rectified(simd, sum));
            }
        }
    }
}
