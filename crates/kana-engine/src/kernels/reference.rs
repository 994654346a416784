//! Does a convolution compute what its definition says?

use super::convolution::{Convolution, Workspace};
use super::winograd::Tile;
use crate::kernels::Instructions;
use crate::kernels::{Extent, Filters, LANES, Vector};

/// Greatest error, as a share of the sum of the magnitudes of an output's products. Single precision has 6e-8 for each of
/// the roundings that an output passes through; the transforms of the larger tiles multiply that by about ten.
const ERROR_MAX: f64 = 2e-6;

/// Filters whose weights and bias are `value` of their index.
pub fn filters(inputs: usize, outputs: usize, value: fn(usize) -> f64) -> Filters {
    let weights = (0..9 * inputs * outputs).map(value).collect();
    Filters { inputs, outputs, weights, bias: (0..outputs).map(|at| value(at + 7)).collect() }
}

/// The convolution of `input`, channels last, by its definition, with ReLU; beside each output, the sum of the magnitudes
/// of its products.
fn defined(filters: &Filters, extent: Extent, input: &[f64]) -> Vec<(f64, f64)> {
    let (rows, columns) = (extent.height - 2, extent.width - 2);
    let mut outputs = Vec::new();
    for pixel in 0..rows * columns {
        for output in 0..filters.outputs {
            let (mut sum, mut magnitude) = (filters.bias[output], filters.bias[output].abs());
            for channel in 0..filters.inputs {
                for (tap, weight) in filters.taps(output, channel).iter().enumerate() {
                    let (row, column) = (pixel / columns + tap / 3, pixel % columns + tap % 3);
                    let product = weight * input[(row * extent.width + column) * filters.inputs + channel];
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
pub fn assert_convolves(filters: &Filters, extent: Extent, value: fn(usize) -> f64) {
    let input: Vec<f64> = (0..extent.pixels() * filters.inputs).map(|at| f64::from(value(at) as f32)).collect();
    let expected = defined(filters, extent, &input);
    let blocks = filters.inputs.div_ceil(LANES);
    let mut vectors = vec![Vector::ZERO; extent.pixels() * blocks];
    for (at, value) in input.iter().enumerate() {
        let (pixel, channel) = (at / filters.inputs, at % filters.inputs);
        vectors[pixel * blocks + channel / LANES].0[channel % LANES] = *value as f32;
    }
    for instructions in Instructions::available() {
        for (tile, is_pooled) in [None, Some(Tile::Two), Some(Tile::Four)].into_iter().zip([false, true].repeat(3)) {
            let Some(layer) = Convolution::with(filters, tile, extent, is_pooled) else { continue };
            let mut workspace = Workspace::default();
            workspace.reserve(&layer);
            let mut output = vec![Vector([f32::NAN; LANES]); layer.output_vectors()];

            layer.run(instructions, &vectors, &mut workspace, &mut output);

            let side = if is_pooled { 2 } else { 1 };
            let Extent { width, .. } = layer.output();
            for (pixel, outputs) in output.chunks_exact(layer.outputs).enumerate() {
                for channel in 0..filters.outputs {
                    let (row, column) = (pixel / width * side, pixel % width * side);
                    let corners = (0..side).flat_map(|dy| (0..side).map(move |dx| (row + dy, column + dx)));
                    let each = corners.map(|(y, x)| expected[(y * (extent.width - 2) + x) * filters.outputs + channel]);
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
