//! How is a convolution computed on a processor?
//!
//! For 3×3 kernels without a border, with ReLU and perhaps a 2×2 pool behind: one pass an image, while it is in the
//! cache. The image is unrolled (a row for each channel and place in the kernel, a column for each place of the output),
//! and the output is one matrix product. [`super::gradient`] has the way back.

use rayon::prelude::*;

use super::matrix::{Matrix, Product, multiply};
use super::plan::KERNEL;

/// Places in the kernel.
pub const PLACES: usize = KERNEL * KERNEL;
/// Nothing came through: all places of the window are at or below zero.
pub const UNCHOSEN: u8 = u8::MAX;

/// What stands behind the convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// ReLU.
    Relu,
    /// ReLU, and the largest of each two by two.
    ReluPool,
}

/// A convolution's measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Channels, rows and columns of what goes in.
    pub input: [usize; 3],
    /// Channels that come out.
    pub outputs: usize,
    /// What stands behind it.
    pub behind: Behind,
}

/// Its weights.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    /// Outputs × inputs × rows × columns.
    pub weight: &'a [f32],
    /// One an output.
    pub bias: &'a [f32],
}

/// What comes out of a batch, and what its gradients need.
pub struct Outcome {
    /// Images × channels × rows × columns.
    pub output: Vec<f32>,
    /// For each output the place in its window of the convolution, row by row, or [`UNCHOSEN`].
    pub chosen: Vec<u8>,
}

/// Room that every image needs anew.
struct Scratch {
    unrolled: Vec<f32>,
    convolved: Vec<f32>,
}

impl Layer {
    /// Rows and columns of the convolution, before any pool.
    pub fn convolved(&self) -> [usize; 2] {
        [self.input[1] + 1 - KERNEL, self.input[2] + 1 - KERNEL]
    }

    /// Channels, rows and columns of what comes out.
    pub fn output(&self) -> [usize; 3] {
        let [rows, columns] = self.convolved();
        match self.behind {
            Behind::Relu => [self.outputs, rows, columns],
            Behind::ReluPool => [self.outputs, rows / 2, columns / 2],
        }
    }

    /// Rows and columns of the convolution for one of the output.
    pub fn step(&self) -> usize {
        match self.behind {
            Behind::Relu => 1,
            Behind::ReluPool => 2,
        }
    }

    /// Numbers of an image that goes in.
    pub fn input_len(&self) -> usize {
        self.input.iter().product()
    }

    /// Numbers of an image that comes out.
    pub fn output_len(&self) -> usize {
        self.output().iter().product()
    }

    /// Rows of the unrolled image.
    pub fn depth(&self) -> usize {
        self.input[0] * PLACES
    }

    /// Columns of the unrolled image.
    pub fn places(&self) -> usize {
        self.convolved().iter().product()
    }

    fn scratch(&self) -> Scratch {
        Scratch {
            unrolled: vec![0.0; self.depth() * self.places()],
            convolved: vec![0.0; self.outputs * self.places()],
        }
    }

    /// What comes out of `input` (images × channels × rows × columns).
    pub fn forward(&self, input: &[f32], weights: Weights<'_>) -> Outcome {
        let images = input.len() / self.input_len();
        let mut output = vec![0.0; images * self.output_len()];
        let mut chosen = vec![UNCHOSEN; output.len()];
        let each = (output.par_chunks_mut(self.output_len()), chosen.par_chunks_mut(self.output_len()));
        each.into_par_iter().enumerate().for_each_init(
            || self.scratch(),
            |scratch, (image, (output, chosen))| {
                self.convolve(&input[image * self.input_len()..][..self.input_len()], weights, scratch);
                match self.behind {
                    Behind::Relu => rectify(&scratch.convolved, output, chosen),
                    Behind::ReluPool => self.pool(&scratch.convolved, output, chosen),
                }
            },
        );
        Outcome { output, chosen }
    }

    fn convolve(&self, image: &[f32], weights: Weights<'_>, scratch: &mut Scratch) {
        let (depth, places) = (self.depth(), self.places());
        self.unroll(image, &mut scratch.unrolled);
        for (row, &bias) in scratch.convolved.chunks_exact_mut(places).zip(weights.bias) {
            row.fill(bias);
        }
        let weight = Matrix { numbers: weights.weight, rows: self.outputs, columns: depth };
        let unrolled = Matrix { numbers: &scratch.unrolled, rows: depth, columns: places };
        multiply(&mut scratch.convolved, weight.plain(), unrolled.plain(), Product::Added);
    }

    fn unroll(&self, image: &[f32], unrolled: &mut [f32]) {
        let [_, rows, columns] = self.input;
        let [out_rows, out_columns] = self.convolved();
        for (line, target) in unrolled.chunks_exact_mut(out_columns).enumerate() {
            let (channel, place, row) = (line / out_rows / PLACES, line / out_rows % PLACES, line % out_rows);
            let from = (channel * rows + row + place / KERNEL) * columns + place % KERNEL;
            target.copy_from_slice(&image[from..from + out_columns]);
        }
    }

    fn pool(&self, convolved: &[f32], output: &mut [f32], chosen: &mut [u8]) {
        let [_, _, columns] = self.output();
        let width = self.convolved()[1];
        for (row, (output, chosen)) in
            output.chunks_exact_mut(columns).zip(chosen.chunks_exact_mut(columns)).enumerate()
        {
            let top = &convolved[self.window_row(row)..];
            for column in 0..columns {
                let window =
                    [top[2 * column], top[2 * column + 1], top[width + 2 * column], top[width + 2 * column + 1]];
                let mut best = (0.0, UNCHOSEN);
                for (place, &value) in window.iter().enumerate() {
                    if value > best.0 {
                        best = (value, place as u8);
                    }
                }
                (output[column], chosen[column]) = best;
            }
        }
    }

    /// Where the windows of pooled row `row` (counted over all channels) begin.
    fn window_row(&self, row: usize) -> usize {
        let rows = self.output()[1];
        let [height, width] = self.convolved();
        ((row / rows) * height + 2 * (row % rows)) * width
    }
}

fn rectify(convolved: &[f32], output: &mut [f32], chosen: &mut [u8]) {
    for ((output, chosen), &sum) in output.iter_mut().zip(chosen).zip(convolved) {
        (*output, *chosen) = if sum > 0.0 { (sum, 0) } else { (0.0, UNCHOSEN) };
    }
}
