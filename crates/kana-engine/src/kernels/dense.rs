//! How is a fully connected layer computed?
//!
//! Its weights are many and each is used once an image, so reading them takes the time. Several images are computed
//! together, each weight read once for all of them; for a single image several blocks of outputs are, so that there are
//! enough sums to hide the latency of a multiply-add. An output is summed in the same order either way.

use pulp::Simd;

use super::instructions::{Instructions, Kernel};
use super::{LANES, Registers, Vector, accumulate, balanced, rectified, with_rows};

/// Blocks of outputs computed together for a single image: with AVX2, 4 × 2 registers of sums.
const BLOCKS: usize = 4;

/// A fully connected layer.
#[derive(Clone, Debug)]
pub struct Dense {
    /// Blocks of inputs.
    inputs: usize,
    /// `[output blocks][input blocks][LANES inputs]`.
    weights: Vec<[Vector; LANES]>,
    /// `[output blocks]`.
    bias: Vec<Vector>,
    is_rectified: bool,
}

impl Dense {
    /// Creates a layer without an activation, of weights `[output blocks][inputs][LANES inputs]`.
    pub fn new(inputs: usize, weights: Vec<[Vector; LANES]>, bias: Vec<Vector>) -> Self {
        Self { inputs, weights, bias, is_rectified: false }
    }

    /// The layer with ReLU.
    pub fn rectified(self) -> Self {
        Self { is_rectified: true, ..self }
    }

    /// Blocks of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Blocks of outputs.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Multiplies each image's `inputs` vectors of `input` by the weights into as many `outputs` vectors of `output`.
    pub fn run(&self, instructions: Instructions, input: &[Vector], output: &mut [Vector]) {
        instructions.run(Run { layer: self, input, output });
    }
}

struct Run<'a> {
    layer: &'a Dense,
    input: &'a [Vector],
    output: &'a mut [Vector],
}

impl Kernel for Run<'_> {
    #[inline(always)]
    fn run<S: Simd, const REGISTERS: usize, const ROWS: usize>(self, simd: S) {
        let images = self.input.len() / self.layer.inputs;
        if images == 1 {
            return multiply_one::<S, REGISTERS>(simd, self);
        }
        let (_, rows) = balanced(images, ROWS);
        with_rows!(rows, ROWS, multiply::<S, REGISTERS>(simd, self))
    }
}

#[inline(always)]
fn finish<S: Simd, const REGISTERS: usize>(simd: S, layer: &Dense, sum: Registers<S, REGISTERS>, output: &mut Vector) {
    output.store::<S, REGISTERS>(if layer.is_rectified { rectified(simd, sum) } else { sum });
}

/// Multiplies `ROWS` images at a time.
#[inline(always)]
fn multiply<S: Simd, const REGISTERS: usize, const ROWS: usize>(simd: S, Run { layer, input, output }: Run<'_>) {
    let (images, inputs) = (input.len() / layer.inputs, layer.inputs);
    for (block, weights) in layer.weights.chunks_exact(inputs).enumerate() {
        for group in 0..images.div_ceil(ROWS) {
            let first = (group * ROWS).min(images - ROWS);
            let mut lines: [&[Vector]; ROWS] = [&[]; ROWS];
            for (image, line) in lines.iter_mut().enumerate() {
                *line = &input[(first + image) * inputs..][..inputs];
            }
            let mut sums = [layer.bias[block].load::<S, REGISTERS>(); ROWS];
            for (at, weights) in weights.iter().enumerate() {
                let rows = lines.map(|line| &line[at]);
                for (lane, weights) in weights.iter().enumerate() {
                    accumulate::<S, REGISTERS, ROWS>(simd, &mut sums, rows.map(|row| row.0[lane]), weights);
                }
            }
            for (image, sum) in sums.into_iter().enumerate() {
                finish(simd, layer, sum, &mut output[(first + image) * layer.bias.len() + block]);
            }
        }
    }
}

/// Multiplies one image, [`BLOCKS`] blocks of outputs at a time.
#[inline(always)]
fn multiply_one<S: Simd, const REGISTERS: usize>(simd: S, Run { layer, input, output }: Run<'_>) {
    let blocks = layer.bias.len();
    let mut block = 0;
    while block + BLOCKS <= blocks {
        multiply_blocks::<S, REGISTERS, BLOCKS>(simd, layer, block, input, output);
        block += BLOCKS;
    }
    for block in block..blocks {
        multiply_blocks::<S, REGISTERS, 1>(simd, layer, block, input, output);
    }
}

/// Multiplies one image by `COUNT` blocks of outputs from `first` on.
#[inline(always)]
fn multiply_blocks<S: Simd, const REGISTERS: usize, const COUNT: usize>(
    simd: S,
    layer: &Dense,
    first: usize,
    input: &[Vector],
    output: &mut [Vector],
) {
    let mut weights: [&[[Vector; LANES]]; COUNT] = [&[]; COUNT];
    let mut sums = [[simd.splat_f32s(0.0); REGISTERS]; COUNT];
    for block in 0..COUNT {
        weights[block] = &layer.weights[(first + block) * layer.inputs..][..layer.inputs];
        sums[block] = layer.bias[first + block].load::<S, REGISTERS>();
    }
    for (at, vector) in input.iter().enumerate() {
        let weights = weights.map(|weights| &weights[at]);
        for (lane, value) in vector.0.iter().enumerate() {
            for (sum, weights) in sums.iter_mut().zip(weights) {
                let mut row = [*sum];
                accumulate::<S, REGISTERS, 1>(simd, &mut row, [*value], &weights[lane]);
                [*sum] = row;
            }
        }
    }
    for (block, sum) in sums.into_iter().enumerate() {
        finish(simd, layer, sum, &mut output[first + block]);
    }
}
