//! How are a convolution and its gradients computed on a processor?
//!
//! For 3×3 kernels without a border, with ReLU and perhaps a 2×2 pool behind: one pass an image, while it is in the
//! cache. The image is unrolled (a row for each channel and place in the kernel, a column for each place of the output),
//! and the rest is matrix products:
//!
//! ```text
//! output = weight · unrolled      Δweight = Δoutput · unrolledᵀ      Δunrolled = weightᵀ · Δoutput
//! ```
//!
//! Images go to threads in shards of a fixed number, whose sums are added in order: the result does not depend on how
//! many threads there are.

use rayon::prelude::*;

use super::matrix::{Matrix, Product, multiply};
use super::plan::KERNEL;

/// Places in the kernel.
const PLACES: usize = KERNEL * KERNEL;
/// Parts of a batch whose gradients are summed apart. More than most processors have cores; each costs one copy of the
/// weights.
const SHARDS: usize = 16;
/// No place of a pool's window was chosen: all are at or below zero.
const UNCHOSEN: u8 = u8::MAX;

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
    /// For each pooled output the place in its window, or [`UNCHOSEN`]; meaningless without a pool.
    pub chosen: Vec<u8>,
}

/// What a batch's gradients are computed from.
#[derive(Clone, Copy)]
pub struct Trace<'a> {
    /// What went in.
    pub input: &'a [f32],
    /// What came out.
    pub output: &'a [f32],
    /// [`Outcome::chosen`].
    pub chosen: &'a [u8],
    /// The gradient of what came out.
    pub gradient: &'a [f32],
}

/// Gradients of a batch.
pub struct Gradients {
    /// Of what went in; empty where it was not asked for.
    pub input: Vec<f32>,
    /// Of the weight.
    pub weight: Vec<f32>,
    /// Of the bias.
    pub bias: Vec<f32>,
}

/// Whether anybody asks for the gradient of what went in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputGradient {
    /// Somebody does.
    Wanted,
    /// It is the first layer.
    Unwanted,
}

/// Room that every image needs anew.
struct Scratch {
    unrolled: Vec<f32>,
    convolved: Vec<f32>,
}

impl Layer {
    fn convolved(&self) -> [usize; 2] {
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

    fn input_len(&self) -> usize {
        self.input.iter().product()
    }

    fn output_len(&self) -> usize {
        self.output().iter().product()
    }

    /// Rows of the unrolled image.
    fn depth(&self) -> usize {
        self.input[0] * PLACES
    }

    /// Columns of the unrolled image.
    fn places(&self) -> usize {
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
                    Behind::Relu => {
                        output.iter_mut().zip(&scratch.convolved).for_each(|(out, sum)| *out = sum.max(0.0))
                    }
                    Behind::ReluPool => self.pool(&scratch.convolved, output, chosen),
                }
            },
        );
        Outcome { output, chosen }
    }

    /// The gradients of a batch.
    pub fn backward(&self, trace: Trace<'_>, weights: Weights<'_>, wanted: InputGradient) -> Gradients {
        let images = trace.input.len() / self.input_len();
        let shard_images = images.div_ceil(SHARDS).max(1);
        let shards: Vec<Gradients> = (0..images.div_ceil(shard_images))
            .into_par_iter()
            .map(|shard| {
                let range = shard * shard_images..((shard + 1) * shard_images).min(images);
                self.backward_shard(range, trace, (weights, wanted))
            })
            .collect();
        let mut sum = Gradients {
            input: Vec::with_capacity(if wanted == InputGradient::Wanted { trace.input.len() } else { 0 }),
            weight: vec![0.0; weights.weight.len()],
            bias: vec![0.0; weights.bias.len()],
        };
        for shard in shards {
            sum.input.extend_from_slice(&shard.input);
            sum.weight.iter_mut().zip(&shard.weight).for_each(|(sum, part)| *sum += part);
            sum.bias.iter_mut().zip(&shard.bias).for_each(|(sum, part)| *sum += part);
        }
        sum
    }

    fn backward_shard(
        &self,
        images: std::ops::Range<usize>,
        trace: Trace<'_>,
        (weights, wanted): (Weights<'_>, InputGradient),
    ) -> Gradients {
        let (depth, places) = (self.depth(), self.places());
        let mut scratch = self.scratch();
        let mut sum =
            Gradients { input: Vec::new(), weight: vec![0.0; weights.weight.len()], bias: vec![0.0; self.outputs] };
        if wanted == InputGradient::Wanted {
            sum.input = vec![0.0; images.len() * self.input_len()];
        }
        for (position, image) in images.enumerate() {
            self.unroll(&trace.input[image * self.input_len()..][..self.input_len()], &mut scratch.unrolled);
            self.undo_behind(trace, image, &mut scratch.convolved);
            for (bias, row) in sum.bias.iter_mut().zip(scratch.convolved.chunks_exact(places)) {
                *bias += row.iter().sum::<f32>();
            }
            let gradient = Matrix { numbers: &scratch.convolved, rows: self.outputs, columns: places };
            let unrolled = Matrix { numbers: &scratch.unrolled, rows: depth, columns: places };
            multiply(&mut sum.weight, gradient.plain(), unrolled.transposed(), Product::Added);
            if wanted == InputGradient::Wanted {
                let weight = Matrix { numbers: weights.weight, rows: self.outputs, columns: depth };
                multiply(&mut scratch.unrolled, weight.transposed(), gradient.plain(), Product::Replaced);
                self.roll_up(&scratch.unrolled, &mut sum.input[position * self.input_len()..][..self.input_len()]);
            }
        }
        sum
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

    /// Calls `each` with every row that the kernel touches: where it begins in the image and unrolled, and its length.
    fn rows(&self, mut each: impl FnMut(usize, usize, usize)) {
        let [channels, rows, columns] = self.input;
        let [out_rows, out_columns] = self.convolved();
        for channel in 0..channels {
            for place in 0..PLACES {
                let (down, right) = (place / KERNEL, place % KERNEL);
                for row in 0..out_rows {
                    let from = (channel * rows + row + down) * columns + right;
                    let to = ((channel * PLACES + place) * out_rows + row) * out_columns;
                    each(from, to, out_columns);
                }
            }
        }
    }

    fn unroll(&self, image: &[f32], unrolled: &mut [f32]) {
        self.rows(|from, to, len| unrolled[to..to + len].copy_from_slice(&image[from..from + len]));
    }

    fn roll_up(&self, unrolled: &[f32], image: &mut [f32]) {
        self.rows(|from, to, len| {
            image[from..from + len].iter_mut().zip(&unrolled[to..to + len]).for_each(|(sum, part)| *sum += part);
        });
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

    /// The gradient of the convolution itself, from that of what stands behind it.
    fn undo_behind(&self, trace: Trace<'_>, image: usize, convolved: &mut [f32]) {
        let range = image * self.output_len()..(image + 1) * self.output_len();
        let gradient = &trace.gradient[range.clone()];
        if self.behind == Behind::Relu {
            for ((sum, gradient), output) in convolved.iter_mut().zip(gradient).zip(&trace.output[range]) {
                *sum = if *output > 0.0 { *gradient } else { 0.0 };
            }
            return;
        }
        convolved.fill(0.0);
        let columns = self.output()[2];
        let width = self.convolved()[1];
        for (index, (&gradient, &chosen)) in gradient.iter().zip(&trace.chosen[range]).enumerate() {
            if chosen != UNCHOSEN {
                let (down, right) = (usize::from(chosen) / 2, usize::from(chosen) % 2);
                convolved[self.window_row(index / columns) + down * width + 2 * (index % columns) + right] = gradient;
            }
        }
    }
}
