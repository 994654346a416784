//! How are tiles transformed and multiplied?
//!
//! Each step is a kernel of its own. In one function for all of them, the compiler no longer kept the sums of the products
//! in registers, and the whole took half as long again.

use std::marker::PhantomData;

use pulp::Simd;

use super::transform::Transform;
use super::{Winograd, outputs};
use crate::kernels::instructions::Kernel;
use crate::kernels::{LANES, Vector, accumulate, balanced, with_rows};

/// A transformed tile of one block of channels: a vector for each point.
pub type Points<const IN: usize> = [[Vector; IN]; IN];

/// Transforms a pass's tiles of the input.
pub struct TransformInput<'a, T, const OUT: usize, const IN: usize> {
    layer: &'a Winograd,
    first: usize,
    input: &'a [Vector],
    inputs: &'a mut [Points<IN>],
    transform: PhantomData<T>,
}

/// The tiles and channels of a step's outputs.
pub struct Place {
    /// The first tile of the pass.
    pub first: usize,
    /// The block of output channels.
    pub block: usize,
}

/// Transforms a pass's products, of one block of output channels, into outputs.
pub struct TransformOutput<'a, T, const OUT: usize, const IN: usize> {
    layer: &'a Winograd,
    place: Place,
    products: &'a [Points<IN>],
    output: &'a mut [Vector],
    transform: PhantomData<T>,
}

/// Multiplies all points of a pass's tiles by the weights of one block of output channels.
pub struct Multiply<'a, const IN: usize> {
    /// `[blocks][tiles]`.
    pub inputs: &'a [Points<IN>],
    /// `[points][blocks][LANES inputs]`.
    pub weights: &'a [[Vector; LANES]],
    /// A tile each.
    pub products: &'a mut [Points<IN>],
}

impl<'a, T, const OUT: usize, const IN: usize> TransformInput<'a, T, OUT, IN> {
    /// From the tile `first` on, `inputs` being `[blocks][tiles]`.
    pub fn new(layer: &'a Winograd, first: usize, input: &'a [Vector], inputs: &'a mut [Points<IN>]) -> Self {
        Self { layer, first, input, inputs, transform: PhantomData }
    }
}

impl<'a, T, const OUT: usize, const IN: usize> TransformOutput<'a, T, OUT, IN> {
    /// At `place`, `products` being a tile each.
    pub fn new(layer: &'a Winograd, place: Place, products: &'a [Points<IN>], output: &'a mut [Vector]) -> Self {
        Self { layer, place, products, output, transform: PhantomData }
    }
}

impl<T: Transform<OUT, IN>, const OUT: usize, const IN: usize> Kernel for TransformInput<'_, T, OUT, IN> {
    #[inline(always)]
    fn run<S: Simd, const REGISTERS: usize, const ROWS: usize>(self, simd: S) {
        let Self { layer, first, input, inputs, .. } = self;
        let (blocks, width) = (layer.blocks, layer.input.width);
        // `half[y][x]`: columns are transformed, rows not yet.
        let mut half = [[simd.splat_f32s(0.0); IN]; IN];
        for tile in 0..layer.pass {
            let (row, column) = layer.corner(first + tile);
            for block in 0..blocks {
                let corner = (row * width + column) * blocks + block;
                for register in 0..REGISTERS {
                    for x in 0..IN {
                        let mut column = [simd.splat_f32s(0.0); IN];
                        for y in 0..IN {
                            let vector = &input[corner + (y * width + x) * blocks];
                            column[y] = S::as_simd_f32s(&vector.0).0[register];
                        }
                        let column = T::input(simd, column);
                        for y in 0..IN {
                            half[y][x] = column[y];
                        }
                    }
                    let transformed = &mut inputs[block * layer.pass + tile];
                    for y in 0..IN {
                        let points = T::input(simd, half[y]);
                        for x in 0..IN {
                            S::as_mut_simd_f32s(&mut transformed[y][x].0).0[register] = points[x];
                        }
                    }
                }
            }
        }
    }
}

impl<const IN: usize> Kernel for Multiply<'_, IN> {
    #[inline(always)]
    fn run<S: Simd, const REGISTERS: usize, const ROWS: usize>(self, simd: S) {
        let (_, rows) = balanced(self.products.len(), ROWS);
        with_rows!(rows, ROWS, multiply::<S, IN, REGISTERS>(simd, self))
    }
}

/// Multiplies `ROWS` tiles at a time.
#[inline(always)]
fn multiply<S: Simd, const IN: usize, const REGISTERS: usize, const ROWS: usize>(simd: S, work: Multiply<'_, IN>) {
    let Multiply { inputs, weights, products } = work;
    let tiles = products.len();
    for (point, weights) in weights.chunks_exact(inputs.len() / tiles).enumerate() {
        let (y, x) = (point / IN, point % IN);
        for group in 0..tiles.div_ceil(ROWS) {
            let first = (group * ROWS).min(tiles - ROWS);
            let mut sums = [[simd.splat_f32s(0.0); REGISTERS]; ROWS];
            for (inputs, weights) in inputs.chunks_exact(tiles).zip(weights) {
                let rows: &[Points<IN>; ROWS] = inputs[first..].first_chunk().expect("BUG: a group is whole");
                for (lane, weights) in weights.iter().enumerate() {
                    let mut values = [0.0; ROWS];
                    for row in 0..ROWS {
                        values[row] = rows[row][y][x].0[lane];
                    }
                    accumulate::<S, REGISTERS, ROWS>(simd, &mut sums, values, weights);
                }
            }
            for (product, sum) in products[first..][..ROWS].iter_mut().zip(sums) {
                product[y][x].store::<S, REGISTERS>(sum);
            }
        }
    }
}

impl<T: Transform<OUT, IN>, const OUT: usize, const IN: usize> Kernel for TransformOutput<'_, T, OUT, IN> {
    #[inline(always)]
    fn run<S: Simd, const REGISTERS: usize, const ROWS: usize>(self, simd: S) {
        let Self { layer, place: Place { first, block }, products, output, .. } = self;
        let columns = outputs(layer.input, layer.is_pooled).width;
        let blocks = layer.bias.len();
        let mut half = [[simd.splat_f32s(0.0); IN]; OUT];
        for (tile, points) in products.iter().enumerate() {
            let (row, column) = layer.corner(first + tile);
            for register in 0..REGISTERS {
                for x in 0..IN {
                    let mut column = [simd.splat_f32s(0.0); IN];
                    for y in 0..IN {
                        column[y] = S::as_simd_f32s(&points[y][x].0).0[register];
                    }
                    let column = T::output(simd, column);
                    for y in 0..OUT {
                        half[y][x] = column[y];
                    }
                }
                let mut tile = [[simd.splat_f32s(0.0); OUT]; OUT];
                for y in 0..OUT {
                    tile[y] = T::output(simd, half[y]);
                }
                let bias = S::as_simd_f32s(&layer.bias[block].0).0[register];
                let mut store = |pixel: usize, value: S::f32s| {
                    let rectified = simd.max_f32s(simd.add_f32s(value, bias), simd.splat_f32s(0.0));
                    S::as_mut_simd_f32s(&mut output[pixel * blocks + block].0).0[register] = rectified;
                };
                if layer.is_pooled {
                    // Adding the bias and ReLU keep the order, so that they may follow the maximum.
                    for y in (0..OUT).step_by(2) {
                        for x in (0..OUT).step_by(2) {
                            let upper = simd.max_f32s(tile[y][x], tile[y][x + 1]);
                            let lower = simd.max_f32s(tile[y + 1][x], tile[y + 1][x + 1]);
                            let pixel = (row + y) / 2 * (columns / 2) + (column + x) / 2;
                            store(pixel, simd.max_f32s(upper, lower));
                        }
                    }
                } else {
                    for (y, line) in tile.into_iter().enumerate() {
                        for (x, value) in line.into_iter().enumerate() {
                            store((row + y) * columns + column + x, value);
                        }
                    }
                }
            }
        }
    }
}
