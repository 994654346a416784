//! How does a gradient flow back through a convolution on a processor?
//!
//! There is one only where ReLU let something through, and of the four places of a pool only at one. These few are added
//! up one by one, over all channels at once, which is several times less work than the two matrix products that would do
//! it for all places.
//!
//! Images go to threads in shards of a fixed number, whose sums are added in order: the result does not depend on how
//! many threads there are.

use std::ops::Range;

use rayon::prelude::*;

use super::kernel::{Layer, PLACES, UNCHOSEN, Weights};
use super::plan::KERNEL;

/// Parts of a batch whose gradients are summed apart. More than most processors have cores; each costs one copy of the
/// weights.
const SHARDS: usize = 16;

/// What a batch's gradients are computed from.
#[derive(Clone, Copy)]
pub struct Trace<'a> {
    /// What went in.
    pub input: &'a [f32],
    /// Where the output came from: [`super::kernel::Outcome::chosen`].
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

/// The gradients of a batch that went through `layer`.
pub fn backward(layer: &Layer, trace: Trace<'_>, (weights, wanted): (Weights<'_>, InputGradient)) -> Gradients {
    let images = trace.input.len() / layer.input_len();
    let shard_images = images.div_ceil(SHARDS).max(1);
    let channels = layer.input[0];
    let weight = each_kernel(weights.weight, channels, PLACES);
    let shards: Vec<Gradients> = (0..images.div_ceil(shard_images))
        .into_par_iter()
        .map(|shard| {
            let range = shard * shard_images..((shard + 1) * shard_images).min(images);
            backward_shard(layer, range, (trace, &weight, wanted))
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
    sum.weight = each_kernel(&sum.weight, PLACES, channels);
    sum
}

fn backward_shard(
    layer: &Layer,
    images: Range<usize>,
    (trace, weight, wanted): (Trace<'_>, &[f32], InputGradient),
) -> Gradients {
    let [_, rows, columns] = layer.input;
    let (input_len, output_len) = (layer.input_len(), layer.output_len());
    let is_wanted = wanted == InputGradient::Wanted;
    let mut sum = Gradients {
        input: vec![0.0; if is_wanted { images.len() * input_len } else { 0 }],
        weight: vec![0.0; weight.len()],
        bias: vec![0.0; layer.outputs],
    };
    let runs = Runs::of(layer, wanted);
    let mut read = vec![0.0; runs.read_len];
    let mut written = vec![0.0; if is_wanted { input_len } else { 0 }];
    for (position, image) in images.enumerate() {
        runs.lay_out(layer, &trace.input[image * input_len..][..input_len], &mut read);
        written.fill(0.0);
        let range = image * output_len..(image + 1) * output_len;
        let image = Image {
            layer,
            runs,
            gradient: &trace.gradient[range.clone()],
            chosen: &trace.chosen[range],
            read: &read,
            weight,
            written: &mut written,
            sum: &mut sum,
        };
        image.add();
        if is_wanted {
            transpose(&written, rows * columns, &mut sum.input[position * input_len..][..input_len]);
        }
    }
    sum
}

/// In how many runs lies what a kernel touches?
#[derive(Clone, Copy)]
struct Runs {
    /// Runs a kernel.
    count: usize,
    /// Numbers a run.
    len: usize,
    /// Numbers from the first run of a place to that of the next place in its row.
    column_stride: usize,
    /// Numbers from a run to the one below.
    row_stride: usize,
    /// Numbers of an image that is laid out so.
    read_len: usize,
}

impl Runs {
    /// Three, a row of the kernel each, when the image lies channels last. Where no input gradient is asked for, every
    /// place has a copy of all it touches: the first layer has so few channels that a row of the kernel is no run.
    fn of(layer: &Layer, wanted: InputGradient) -> Self {
        let [channels, _, columns] = layer.input;
        if wanted == InputGradient::Wanted {
            let (count, len, row_stride) = (KERNEL, KERNEL * channels, columns * channels);
            return Self { count, len, column_stride: channels, row_stride, read_len: layer.input_len() };
        }
        let len = PLACES * channels;
        let row_stride = layer.convolved()[1] * len;
        Self { count: 1, len, column_stride: len, row_stride, read_len: layer.depth() * layer.places() }
    }

    fn lay_out(&self, layer: &Layer, image: &[f32], read: &mut [f32]) {
        let [channels, rows, columns] = layer.input;
        if self.count == KERNEL {
            return transpose(image, channels, read);
        }
        let width = layer.convolved()[1];
        for (place, run) in read.chunks_exact_mut(self.len).enumerate() {
            for (tap, number) in run.iter_mut().enumerate() {
                let (down, right, channel) = (tap / channels / KERNEL, tap / channels % KERNEL, tap % channels);
                *number = image[(channel * rows + place / width + down) * columns + place % width + right];
            }
        }
    }
}

/// One image's part of a shard's sums.
struct Image<'a> {
    layer: &'a Layer,
    runs: Runs,
    gradient: &'a [f32],
    chosen: &'a [u8],
    /// What went in, laid out in runs.
    read: &'a [f32],
    /// The weights, channels last.
    weight: &'a [f32],
    /// The gradient of what went in, channels last; empty where it is not asked for.
    written: &'a mut [f32],
    sum: &'a mut Gradients,
}

impl Image<'_> {
    /// Adds the image's part, with the widest vectors that the processor is known to have.
    fn add(self) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor was just asked.
            return unsafe { self.add_avx2() };
        }
        self.add_anywhere();
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn add_avx2(self) {
        self.add_anywhere();
    }

    // Always inlined, so that it is compiled for the features of whoever calls it.
    #[inline(always)]
    fn add_anywhere(self) {
        let [_, rows, columns] = self.layer.output();
        let (step, runs) = (self.layer.step(), self.runs);
        for (line, (gradients, chosen)) in
            self.gradient.chunks_exact(columns).zip(self.chosen.chunks_exact(columns)).enumerate()
        {
            let (output, row) = (line / rows, line % rows);
            for (column, (&gradient, &chosen)) in gradients.iter().zip(chosen).enumerate() {
                if chosen == UNCHOSEN {
                    continue;
                }
                self.sum.bias[output] += gradient;
                let (row, column) = (row * step + usize::from(chosen) / 2, column * step + usize::from(chosen) % 2);
                let first = row * runs.row_stride + column * runs.column_stride;
                for run in 0..runs.count {
                    let (at, taps) = (first + run * runs.row_stride, (output * runs.count + run) * runs.len);
                    let read = &self.read[at..at + runs.len];
                    add_scaled(&mut self.sum.weight[taps..taps + runs.len], (gradient, read));
                    if !self.written.is_empty() {
                        let weight = &self.weight[taps..taps + runs.len];
                        add_scaled(&mut self.written[at..at + runs.len], (gradient, weight));
                    }
                }
            }
        }
    }
}

/// Adds `scale` · `source` to `target`.
#[inline(always)]
fn add_scaled(target: &mut [f32], (scale, source): (f32, &[f32])) {
    target.iter_mut().zip(source).for_each(|(sum, number)| *sum += scale * number);
}

/// Each output's numbers, `rows` rows, transposed to `rows` columns.
fn each_kernel(weight: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut transposed = vec![0.0; weight.len()];
    let kernels = weight.chunks_exact(rows * columns).zip(transposed.chunks_exact_mut(rows * columns));
    kernels.for_each(|(from, to)| transpose(from, rows, to));
    transposed
}

/// Writes the rows of `source`, `rows` of them, as the columns of `target`.
fn transpose(source: &[f32], rows: usize, target: &mut [f32]) {
    let columns = source.len() / rows;
    for (row, numbers) in source.chunks_exact(columns).enumerate() {
        target[row..].iter_mut().step_by(rows).zip(numbers).for_each(|(to, from)| *to = *from);
    }
}
