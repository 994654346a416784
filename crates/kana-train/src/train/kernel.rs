//! How is a convolution computed on a processor?
//!
//! For 3×3 kernels without padding, followed by ReLU and perhaps a 2×2 max pool: in one pass per image, while the image
//! is in the cache. The image is unrolled by im2col (K. Chellapilla et al.: High Performance Convolutional Neural Networks
//! for Document Processing, 2006), so that the convolution is one matrix product. [`super::gradient`] has the backward
//! pass.

use rayon::prelude::*;

use super::architecture::KERNEL_SIZE;
use super::matrix::{Matrix, add_product};

/// Number of elements (taps) of a kernel in one channel.
pub const TAPS: usize = KERNEL_SIZE * KERNEL_SIZE;
/// Value of [`LayerOutput::argmax`] when ReLU let no element of the window through.
pub const INACTIVE: u8 = u8::MAX;

/// Operations fused to the end of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epilogue {
    /// ReLU.
    Relu,
    /// ReLU, then max pooling of 2×2 windows.
    ReluPool,
}

/// Shape of a convolution layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Shape of an input image, `[C, H, W]`.
    pub input: [usize; 3],
    /// Number of output channels.
    pub outputs: usize,
    /// Operations after the convolution.
    pub epilogue: Epilogue,
}

/// Parameters of a convolution layer.
#[derive(Clone, Copy)]
pub struct Filters<'a> {
    /// Kernels, `[out, in, H, W]`.
    pub weight: &'a [f32],
    /// Biases, `[out]`.
    pub bias: &'a [f32],
}

/// Result of the forward pass of a batch.
pub struct LayerOutput {
    /// Activations, `[N, C, H, W]`.
    pub values: Vec<f32>,
    /// For each element of the output, the element of its window that it came from (row by row), or [`INACTIVE`].
    pub argmax: Vec<u8>,
}

/// Memory that is used again for each image.
struct Scratch {
    /// Unrolled image, `[in × taps, positions]`.
    columns: Vec<f32>,
    /// Result of the convolution, `[out, positions]`.
    convolved: Vec<f32>,
}

impl Layer {
    /// Computes the output for `input`, `[N, C, H, W]`.
    pub fn forward(&self, input: &[f32], filters: Filters<'_>) -> LayerOutput {
        let images = input.len() / self.input_len();
        let mut output = vec![0.0; images * self.output_len()];
        let mut argmax = vec![INACTIVE; output.len()];
        let each = (output.par_chunks_mut(self.output_len()), argmax.par_chunks_mut(self.output_len()));
        each.into_par_iter().enumerate().for_each_init(
            || self.scratch(),
            |scratch, (image, (output, argmax))| {
                self.convolve(&input[image * self.input_len()..][..self.input_len()], filters, scratch);
                match self.epilogue {
                    Epilogue::Relu => relu(&scratch.convolved, output, argmax),
                    Epilogue::ReluPool => self.relu_pool(&scratch.convolved, output, argmax),
                }
            },
        );
        LayerOutput { values: output, argmax }
    }

    /// Returns the rows and columns of the convolution, before pooling.
    pub fn convolved(&self) -> [usize; 2] {
        [self.input[1] + 1 - KERNEL_SIZE, self.input[2] + 1 - KERNEL_SIZE]
    }

    /// Returns the shape of an output image, `[C, H, W]`.
    pub fn output(&self) -> [usize; 3] {
        let [rows, columns] = self.convolved();
        match self.epilogue {
            Epilogue::Relu => [self.outputs, rows, columns],
            Epilogue::ReluPool => [self.outputs, rows / 2, columns / 2],
        }
    }

    /// Returns the stride of the pooling windows, 1 without pooling.
    pub fn stride(&self) -> usize {
        match self.epilogue {
            Epilogue::Relu => 1,
            Epilogue::ReluPool => 2,
        }
    }

    /// Returns the number of elements of an input image.
    pub fn input_len(&self) -> usize {
        self.input.iter().product()
    }

    /// Returns the number of elements of an output image.
    pub fn output_len(&self) -> usize {
        self.output().iter().product()
    }

    /// Returns the rows of the unrolled image: the elements of a kernel over all input channels.
    pub fn kernel_len(&self) -> usize {
        self.input[0] * TAPS
    }

    /// Returns the columns of the unrolled image: the positions of the kernel.
    pub fn positions(&self) -> usize {
        self.convolved().iter().product()
    }

    fn scratch(&self) -> Scratch {
        Scratch {
            columns: vec![0.0; self.kernel_len() * self.positions()],
            convolved: vec![0.0; self.outputs * self.positions()],
        }
    }

    fn convolve(&self, image: &[f32], filters: Filters<'_>, scratch: &mut Scratch) {
        let (kernel_len, positions) = (self.kernel_len(), self.positions());
        self.im2col(image, &mut scratch.columns);
        for (row, &bias) in scratch.convolved.chunks_exact_mut(positions).zip(filters.bias) {
            row.fill(bias);
        }
        let weight = Matrix { values: filters.weight, rows: self.outputs, columns: kernel_len };
        let columns = Matrix { values: &scratch.columns, rows: kernel_len, columns: positions };
        add_product(&mut scratch.convolved, weight, columns);
    }

    fn im2col(&self, image: &[f32], unrolled: &mut [f32]) {
        let [_, rows, columns] = self.input;
        let [out_rows, out_columns] = self.convolved();
        for (line, target) in unrolled.chunks_exact_mut(out_columns).enumerate() {
            let (channel, tap, row) = (line / out_rows / TAPS, line / out_rows % TAPS, line % out_rows);
            let start = (channel * rows + row + tap / KERNEL_SIZE) * columns + tap % KERNEL_SIZE;
            target.copy_from_slice(&image[start..start + out_columns]);
        }
    }

    fn relu_pool(&self, convolved: &[f32], output: &mut [f32], argmax: &mut [u8]) {
        let [_, _, columns] = self.output();
        let width = self.convolved()[1];
        for (row, (output, argmax)) in
            output.chunks_exact_mut(columns).zip(argmax.chunks_exact_mut(columns)).enumerate()
        {
            let top = &convolved[self.window_row(row)..];
            for column in 0..columns {
                let window =
                    [top[2 * column], top[2 * column + 1], top[width + 2 * column], top[width + 2 * column + 1]];
                let mut best = (0.0, INACTIVE);
                for (element, &value) in window.iter().enumerate() {
                    if value > best.0 {
                        best = (value, element as u8);
                    }
                }
                (output[column], argmax[column]) = best;
            }
        }
    }

    /// Returns where the windows of pooled row `row`, counted over all channels, start in the result of the convolution.
    fn window_row(&self, row: usize) -> usize {
        let rows = self.output()[1];
        let [height, width] = self.convolved();
        ((row / rows) * height + 2 * (row % rows)) * width
    }
}

fn relu(convolved: &[f32], output: &mut [f32], argmax: &mut [u8]) {
    for ((output, argmax), &sum) in output.iter_mut().zip(argmax).zip(convolved) {
        (*output, *argmax) = if sum > 0.0 { (sum, 0) } else { (0.0, INACTIVE) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pooled_element_knows_which_element_of_its_window_is_largest() {
        let layer = Layer { input: [1, 4, 4], outputs: 1, epilogue: Epilogue::ReluPool };
        let mut centre = [0.0; 9];
        centre[4] = 1.0;
        let mut image = [0.0; 16];
        // The centres of the four kernel positions are the elements 5, 6, 9 and 10.
        image[9] = 7.0;

        let output = layer.forward(&image, Filters { weight: &centre, bias: &[0.0] });

        assert_eq!((output.values, output.argmax), (vec![7.0], vec![2]));
    }

    #[test]
    fn a_window_without_a_positive_element_is_inactive() {
        let layer = Layer { input: [1, 3, 3], outputs: 1, epilogue: Epilogue::Relu };

        let output = layer.forward(&[1.0; 9], Filters { weight: &[0.0; 9], bias: &[-1.0] });

        assert_eq!((output.values, output.argmax), (vec![0.0], vec![INACTIVE]));
    }
}
