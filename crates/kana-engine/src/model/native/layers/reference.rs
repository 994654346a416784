//! Does a convolution compute what its definition says?

use super::{Extent, Kernels, LANES, Vector};
use crate::model::native::instructions::Instructions;
use crate::model::native::layers::winograd::Tile;
use crate::model::native::plan::{Convolution, Workspace};

/// Greatest error, as a share of the sum of the magnitudes of an output's products. Single precision has 6e-8 for each of
/// the roundings that an output passes through; the transforms of the larger tiles multiply that by about ten.
const ERROR_MAX: f64 = 2e-6;

/// Kernels whose weights and bias are `value` of their index.
pub fn kernels(inputs: usize, outputs: usize, value: fn(usize) -> f64) -> Kernels {
    let weights = (0..9 * inputs * outputs).map(value).collect();
    Kernels { inputs, outputs, weights, bias: (0..outputs).map(|at| value(at + 7)).collect() }
}

/// The convolution of `input`, channels last, by its definition, with ReLU; beside each output, the sum of the magnitudes
/// of its products.
fn defined(kernels: &Kernels, extent: Extent, input: &[f64]) -> Vec<(f64, f64)> {
    let (rows, columns) = (extent.height - 2, extent.width - 2);
    let mut outputs = Vec::new();
    for pixel in 0..rows * columns {
        for output in 0..kernels.outputs {
            let (mut sum, mut magnitude) = (kernels.bias[output], kernels.bias[output].abs());
            for channel in 0..kernels.inputs {
                for (tap, weight) in kernels.taps(output, channel).iter().enumerate() {
                    let (row, column) = (pixel / columns + tap / 3, pixel % columns + tap % 3);
                    let product = weight * input[(row * extent.width + column) * kernels.inputs + channel];
                    sum += product;
                    magnitude += product.abs();
                }
            }
            outputs.push((sum.max(0.0), magnitude));
        }
    }
    outputs
}

/// Checks each algorithm, pooled and not, on each instruction set against the definition.
pub fn assert_convolves(kernels: &Kernels, extent: Extent, value: fn(usize) -> f64) {
    let input: Vec<f64> = (0..extent.pixels() * kernels.inputs).map(|at| f64::from(value(at) as f32)).collect();
    let expected = defined(kernels, extent, &input);
    let blocks = kernels.inputs.div_ceil(LANES);
    let mut vectors = vec![Vector::ZERO; extent.pixels() * blocks];
    for (at, value) in input.iter().enumerate() {
        let (pixel, channel) = (at / kernels.inputs, at % kernels.inputs);
        vectors[pixel * blocks + channel / LANES].0[channel % LANES] = *value as f32;
    }
    for instructions in Instructions::available() {
        for (tile, is_pooled) in [None, Some(Tile::Two), Some(Tile::Four)].into_iter().zip([false, true].repeat(3)) {
            let Some(layer) = Convolution::with(kernels, tile, extent, is_pooled) else { continue };
            let mut workspace = Workspace::default();
            workspace.reserve(&layer);
            let mut output = vec![Vector([f32::NAN; LANES]); layer.output_vectors()];

            layer.run(instructions, &vectors, &mut workspace, &mut output);

            let side = if is_pooled { 2 } else { 1 };
            let Extent { width, .. } = layer.output();
            for (pixel, outputs) in output.chunks_exact(layer.outputs).enumerate() {
                for channel in 0..kernels.outputs {
                    let (row, column) = (pixel / width * side, pixel % width * side);
                    let corners = (0..side).flat_map(|dy| (0..side).map(move |dx| (row + dy, column + dx)));
                    let each = corners.map(|(y, x)| expected[(y * (extent.width - 2) + x) * kernels.outputs + channel]);
                    let (sum, magnitude) = each.fold((0.0, 0.0), |a: (f64, f64), b| (a.0.max(b.0), a.1.max(b.1)));
                    let error = (f64::from(outputs[channel / LANES].0[channel % LANES]) - sum).abs();
                    assert!(
                        error <= ERROR_MAX * neighbourhood(&expected, magnitude),
                        "{instructions}, {}, {extent:?}, pixel {pixel}, channel {channel}: {error:e} of {magnitude:e}",
                        layer.algorithm()
                    );
                }
            }
        }
    }
}

/// The greatest magnitude of any output: a tile's outputs share their rounding errors.
fn neighbourhood(expected: &[(f64, f64)], least: f64) -> f64 {
    expected.iter().map(|(_, magnitude)| *magnitude).fold(least, f64::max)
}
