//! How does the gradient flow back through a convolution on a processor?
//!
//! The gradient of an output element is not zero only where ReLU let something through, and in a pooled layer only at the
//! largest element of each window. These few elements are added one by one, over all channels at once, which is several
//! times less work than the two matrix products over all positions.
//!
//! The images of a batch are divided into a fixed number of shards, whose sums are added in order: the result does not
//! depend on the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use super::architecture::KERNEL_SIZE;
use super::kernel::{Filters, INACTIVE, Layer, TAPS};

/// Parts of a batch whose gradients are summed separately: more than most processors have cores. Each costs one copy of
/// the weights.
const SHARDS: usize = 16;

/// Input of the backward pass of a batch.
#[derive(Clone, Copy)]
pub struct BackwardPass<'a> {
    /// Shape of the layer.
    pub layer: &'a Layer,
    /// Parameters of the layer.
    pub filters: Filters<'a>,
    /// Input of the forward pass, `[N, C, H, W]`.
    pub input: &'a [f32],
    /// Origins of the output, [`super::kernel::LayerOutput::argmax`].
    pub argmax: &'a [u8],
    /// Gradient of the output, `[N, C, H, W]`.
    pub output_gradient: &'a [f32],
    /// Whether the gradient of the input is computed.
    pub input_gradient: InputGradient,
}

/// Gradients of a batch.
pub struct Gradients {
    /// Gradient of the input, `[N, C, H, W]`; empty when [`InputGradient::Skipped`].
    pub input: Vec<f32>,
    /// Gradient of the kernels, `[out, in, H, W]`.
    pub weight: Vec<f32>,
    /// Gradient of the biases, `[out]`.
    pub bias: Vec<f32>,
}

/// Whether the gradient of the input is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputGradient {
    /// The gradient is computed.
    Computed,
    /// The gradient is not needed: the layer is the first one.
    Skipped,
}

impl BackwardPass<'_> {
    /// Computes the gradients.
    pub fn run(&self) -> Gradients {
        let images = self.input.len() / self.layer.input_len();
        let shard_images = images.div_ceil(SHARDS).max(1);
        let channels = self.layer.input[0];
        let weight = transpose_kernels(self.filters.weight, channels, TAPS);
        let shards: Vec<Gradients> = (0..images.div_ceil(shard_images))
            .into_par_iter()
            .map(|shard| self.shard(shard * shard_images..((shard + 1) * shard_images).min(images), &weight))
            .collect();
        let mut sum = Gradients {
            input: Vec::with_capacity(if self.is_input_computed() { self.input.len() } else { 0 }),
            weight: vec![0.0; self.filters.weight.len()],
            bias: vec![0.0; self.filters.bias.len()],
        };
        for shard in shards {
            sum.input.extend_from_slice(&shard.input);
            sum.weight.iter_mut().zip(&shard.weight).for_each(|(sum, part)| *sum += part);
            sum.bias.iter_mut().zip(&shard.bias).for_each(|(sum, part)| *sum += part);
        }
        sum.weight = transpose_kernels(&sum.weight, TAPS, channels);
        sum
    }

    fn is_input_computed(&self) -> bool {
        self.input_gradient == InputGradient::Computed
    }

    /// Sums the gradients of `images`. The `weight` has the channels last, `[out, H, W, in]`, and so has the sum.
    fn shard(&self, images: Range<usize>, weight: &[f32]) -> Gradients {
        let [_, rows, columns] = self.layer.input;
        let (input_len, output_len) = (self.layer.input_len(), self.layer.output_len());
        let mut sum = Gradients {
            input: vec![0.0; if self.is_input_computed() { images.len() * input_len } else { 0 }],
            weight: vec![0.0; weight.len()],
            bias: vec![0.0; self.layer.outputs],
        };
        let layout = PatchLayout::new(self.layer, self.input_gradient);
        let mut patches = vec![0.0; layout.len];
        let mut input_gradient = vec![0.0; if self.is_input_computed() { input_len } else { 0 }];
        for (position, image) in images.enumerate() {
            layout.arrange(self.layer, &self.input[image * input_len..][..input_len], &mut patches);
            input_gradient.fill(0.0);
            let range = image * output_len..(image + 1) * output_len;
            let image = ImageBackward {
                layer: self.layer,
                layout,
                output_gradient: &self.output_gradient[range.clone()],
                argmax: &self.argmax[range],
                patches: &patches,
                weight,
                input_gradient: &mut input_gradient,
                sum: &mut sum,
            };
            image.accumulate();
            if self.is_input_computed() {
                transpose(&input_gradient, rows * columns, &mut sum.input[position * input_len..][..input_len]);
            }
        }
        sum
    }
}

/// Memory layout of an image in which the patch under a kernel consists of few contiguous segments.
#[derive(Clone, Copy)]
struct PatchLayout {
    /// Segments in a patch.
    segments: usize,
    /// Elements in a segment.
    segment_len: usize,
    /// Elements from the first segment of a patch to that of the patch one column to the right.
    column_stride: usize,
    /// Elements from a segment to the one a row below.
    row_stride: usize,
    /// Elements of the whole image in this layout.
    len: usize,
}

impl PatchLayout {
    /// Chooses `[H, W, C]`, where a patch has one segment for each of its rows. Without an input gradient, which would
    /// have to be converted back, every patch gets its own copy, `[positions, H, W, C]`: the first layer has so few
    /// channels that a row of a patch is too short for vector instructions.
    fn new(layer: &Layer, input_gradient: InputGradient) -> Self {
        let [channels, _, columns] = layer.input;
        match input_gradient {
            InputGradient::Computed => Self {
                segments: KERNEL_SIZE,
                segment_len: KERNEL_SIZE * channels,
                column_stride: channels,
                row_stride: columns * channels,
                len: layer.input_len(),
            },
            InputGradient::Skipped => Self {
                segments: 1,
                segment_len: layer.kernel_len(),
                column_stride: layer.kernel_len(),
                row_stride: layer.convolved()[1] * layer.kernel_len(),
                len: layer.kernel_len() * layer.positions(),
            },
        }
    }

    /// Writes `image`, `[C, H, W]`, to `patches` in this layout.
    fn arrange(&self, layer: &Layer, image: &[f32], patches: &mut [f32]) {
        let [channels, rows, columns] = layer.input;
        if self.segments == KERNEL_SIZE {
            return transpose(image, channels, patches);
        }
        let width = layer.convolved()[1];
        for (position, patch) in patches.chunks_exact_mut(self.segment_len).enumerate() {
            for (element, value) in patch.iter_mut().enumerate() {
                let (tap, channel) = (element / channels, element % channels);
                let (down, right) = (tap / KERNEL_SIZE, tap % KERNEL_SIZE);
                *value = image[(channel * rows + position / width + down) * columns + position % width + right];
            }
        }
    }
}

/// Backward pass of one image.
struct ImageBackward<'a> {
    layer: &'a Layer,
    layout: PatchLayout,
    output_gradient: &'a [f32],
    argmax: &'a [u8],
    /// Input of the forward pass in `layout`.
    patches: &'a [f32],
    /// Kernels with the channels last, `[out, H, W, in]`.
    weight: &'a [f32],
    /// Gradient of the input with the channels last, `[H, W, C]`; empty when it is not computed.
    input_gradient: &'a mut [f32],
    /// Sums of the shard.
    sum: &'a mut Gradients,
}

impl ImageBackward<'_> {
    /// Adds the gradients of the image to the sums, with the widest vector instructions that the processor has.
    fn accumulate(self) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the line above checked that the processor has these instructions.
            return unsafe { self.accumulate_avx2() };
        }
        self.accumulate_generic();
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn accumulate_avx2(self) {
        self.accumulate_generic();
    }

    // Always inlined, so that it is compiled for the instructions of its caller.
    #[inline(always)]
    fn accumulate_generic(self) {
        let [_, rows, columns] = self.layer.output();
        let (stride, layout) = (self.layer.stride(), self.layout);
        for (line, (gradients, argmax)) in
            self.output_gradient.chunks_exact(columns).zip(self.argmax.chunks_exact(columns)).enumerate()
        {
            let (output, row) = (line / rows, line % rows);
            for (column, (&gradient, &argmax)) in gradients.iter().zip(argmax).enumerate() {
                if argmax == INACTIVE {
                    continue;
                }
                self.sum.bias[output] += gradient;
                let (down, right) = (usize::from(argmax) / 2, usize::from(argmax) % 2);
                let (row, column) = (row * stride + down, column * stride + right);
                let first = row * layout.row_stride + column * layout.column_stride;
                for segment in 0..layout.segments {
                    let at = first + segment * layout.row_stride;
                    let taps = (output * layout.segments + segment) * layout.segment_len;
                    let patch = &self.patches[at..at + layout.segment_len];
                    add_scaled(&mut self.sum.weight[taps..taps + layout.segment_len], gradient, patch);
                    if !self.input_gradient.is_empty() {
                        let weight = &self.weight[taps..taps + layout.segment_len];
                        add_scaled(&mut self.input_gradient[at..at + layout.segment_len], gradient, weight);
                    }
                }
            }
        }
    }
}

/// Adds `scale` · `source` to `target`.
#[inline(always)]
fn add_scaled(target: &mut [f32], scale: f32, source: &[f32]) {
    target.iter_mut().zip(source).for_each(|(sum, value)| *sum += scale * value);
}

/// Transposes the kernel of each output, `[rows, columns]`.
fn transpose_kernels(weight: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut transposed = vec![0.0; weight.len()];
    let kernels = weight.chunks_exact(rows * columns).zip(transposed.chunks_exact_mut(rows * columns));
    kernels.for_each(|(from, to)| transpose(from, rows, to));
    transposed
}

/// Writes the transpose of `source`, a matrix with this number of `rows`, to `target`.
fn transpose(source: &[f32], rows: usize, target: &mut [f32]) {
    let columns = source.len() / rows;
    for (row, values) in source.chunks_exact(columns).enumerate() {
        target[row..].iter_mut().step_by(rows).zip(values).for_each(|(to, from)| *to = *from);
    }
}
