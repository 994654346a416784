//! Which shape does a convolution of the network have?

use kana_engine::image::Shape;
use kana_engine::kernels::{Extent, LANES};

use crate::train::architecture::{Architecture, KERNEL_SIZE};

/// Rows and columns that a convolution without padding takes off its input.
const TRIMMED: usize = KERNEL_SIZE - 1;

/// Shape of a 3×3 convolution without padding, followed by ReLU and perhaps a 2×2 max pool.
///
/// Activations lie as in [`kana_engine::kernels`]: pixel by pixel, in blocks of [`LANES`] channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Height and width of the input.
    pub input: Extent,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Whether a max pool follows.
    pub is_pooled: bool,
}

impl Layer {
    /// The convolutions of a network, in order.
    pub fn of_network(architecture: &Architecture) -> Vec<Self> {
        let Shape { channels, height, width } = architecture.image_shape;
        let (mut input, mut inputs) = (Extent { height, width }, channels);
        let mut layers = Vec::with_capacity(architecture.depth);
        for number in 1..=architecture.depth {
            let outputs = if number <= 2 { architecture.width } else { 2 * architecture.width };
            let layer = Self { input, inputs, outputs, is_pooled: 1 < number && number < architecture.depth };
            (input, inputs) = (layer.output(), outputs);
            layers.push(layer);
        }
        layers
    }

    /// Height and width before the pool.
    pub fn convolved(&self) -> Extent {
        Extent { height: self.input.height - TRIMMED, width: self.input.width - TRIMMED }
    }

    /// Height and width of the output.
    pub fn output(&self) -> Extent {
        let Extent { height, width } = self.convolved();
        if self.is_pooled { Extent { height: height / 2, width: width / 2 } } else { Extent { height, width } }
    }

    /// Blocks of input channels.
    pub fn input_blocks(&self) -> usize {
        self.inputs.div_ceil(LANES)
    }

    /// Blocks of output channels.
    pub fn output_blocks(&self) -> usize {
        self.outputs.div_ceil(LANES)
    }

    /// Vectors of an input image.
    pub fn input_vectors(&self) -> usize {
        self.input.pixels() * self.input_blocks()
    }

    /// Vectors of an image before the pool.
    pub fn convolved_vectors(&self) -> usize {
        self.convolved().pixels() * self.output_blocks()
    }

    /// Vectors of an output image.
    pub fn output_vectors(&self) -> usize {
        self.output().pixels() * self.output_blocks()
    }

    /// Vectors of the input before the patch that each pixel of the output was computed from; before that of the first element
    /// of its window in a pooled layer.
    pub fn corners(&self) -> Vec<usize> {
        let stride = if self.is_pooled { 2 } else { 1 };
        let Extent { height, width } = self.output();
        let pixel = |row: usize, column: usize| (row * self.input.width + column) * stride * self.input_blocks();
        (0..height).flat_map(|row| (0..width).map(move |column| pixel(row, column))).collect()
    }

    /// Vectors from the patch of the first element of a window to those of its four elements, row by row.
    pub fn window(&self) -> [usize; 4] {
        let below = self.input.width;
        [0, 1, below, below + 1].map(|pixels| pixels * self.input_blocks())
    }
}
