//! Which arithmetic do all layers share?
//!
//! Activations lie channels last, in blocks of [`LANES`] channels: pixel by pixel, `height * width * blocks` vectors. A
//! convolution or dense layer is then a matrix product, of rows of inputs and columns of [`LANES`] output channels, and
//! [`accumulate`] is the one step that computes all of them. Every output is summed in the same order whatever the batch,
//! so an image's probabilities never depend on its neighbours.

use std::any::TypeId;

use pulp::{Scalar128b, Simd};

pub mod convolution;
pub mod dense;
pub mod direct;
pub mod first;
pub mod instructions;
pub(crate) mod pool;
#[cfg(test)]
mod reference;
pub(crate) mod winograd;

pub use instructions::{Instructions, Kernel, NotAvailable};

/// Channels of one block: two registers of AVX2, one of AVX-512, four of NEON.
pub const LANES: usize = 16;

/// The floats of one block of channels. Aligned to a cache line: a vector across two of them takes two loads.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct Vector(pub [f32; LANES]);

impl Vector {
    /// Sixteen zeros.
    pub const ZERO: Self = Self([0.0; LANES]);
}

/// Lengthens `vectors` to `length`, unless it is longer.
pub fn grow(vectors: &mut Vec<Vector>, length: usize) {
    vectors.resize(vectors.len().max(length), Vector::ZERO);
}

/// Height and width of the activations between two layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Rows; at least one.
    pub height: usize,
    /// Columns; at least one.
    pub width: usize,
}

impl Extent {
    /// `None` where nothing would be left.
    pub fn new(height: usize, width: usize) -> Option<Self> {
        (height > 0 && width > 0).then_some(Self { height, width })
    }

    /// Pixels: height × width.
    pub fn pixels(self) -> usize {
        self.height * self.width
    }
}

/// A 3×3 convolution without padding, as the network defines it, in doubles so that folding loses no accuracy.
#[derive(Clone, Debug)]
pub struct Filters {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// `[outputs][inputs][3][3]`.
    pub weights: Vec<f64>,
    /// `[outputs]`.
    pub bias: Vec<f64>,
}

impl Filters {
    /// The 3×3 weights from an input channel to an output channel, row by row.
    pub fn taps(&self, output: usize, input: usize) -> &[f64] {
        &self.weights[(output * self.inputs + input) * 9..][..9]
    }

    /// The bias in blocks.
    pub fn bias(&self) -> Vec<Vector> {
        blocks_of(&self.bias)
    }
}

/// Splits `values` into blocks, the last filled with zeros.
pub fn blocks_of(values: &[f64]) -> Vec<Vector> {
    let block = |values: &[f64]| {
        let mut vector = Vector::ZERO;
        for (lane, value) in vector.0.iter_mut().zip(values) {
            *lane = *value as f32;
        }
        vector
    };
    values.chunks(LANES).map(block).collect()
}

/// The floats of a [`Vector`] in registers.
pub type Registers<S, const REGISTERS: usize> = [<S as Simd>::f32s; REGISTERS];

impl Vector {
    /// The floats in registers.
    #[inline(always)]
    pub fn load<S: Simd, const REGISTERS: usize>(&self) -> Registers<S, REGISTERS> {
        *S::as_simd_f32s(&self.0).0.first_chunk().expect("BUG: REGISTERS hold LANES floats")
    }

    /// Replaces the floats.
    #[inline(always)]
    pub fn store<S: Simd, const REGISTERS: usize>(&mut self, registers: Registers<S, REGISTERS>) {
        *S::as_mut_simd_f32s(&mut self.0).0.first_chunk_mut().expect("BUG: REGISTERS hold LANES floats") = registers;
    }
}

/// Computes `a * b + sum`, with one rounding where the set has such an instruction; elsewhere that is a slow library call.
#[inline(always)]
pub fn multiply_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, sum: S::f32s) -> S::f32s {
    // Not a branch: the type is known when the kernel is compiled.
    if TypeId::of::<S>() == TypeId::of::<Scalar128b>() {
        simd.add_f32s(simd.mul_f32s(a, b), sum)
    } else {
        simd.mul_add_f32s(a, b, sum)
    }
}

/// The sums of `ROWS` rows, in registers.
pub type Sums<S, const REGISTERS: usize, const ROWS: usize> = [Registers<S, REGISTERS>; ROWS];

/// Adds to each row's sums the products of one of its inputs and that input's weights.
#[inline(always)]
pub fn accumulate<S: Simd, const REGISTERS: usize, const ROWS: usize>(
    simd: S,
    sums: &mut Sums<S, REGISTERS, ROWS>,
    inputs: [f32; ROWS],
    weights: &Vector,
) {
    let weights = weights.load::<S, REGISTERS>();
    for row in 0..ROWS {
        let input = simd.splat_f32s(inputs[row]);
        for register in 0..REGISTERS {
            sums[row][register] = multiply_add(simd, input, weights[register], sums[row][register]);
        }
    }
}

/// Stores the sums with ReLU.
#[inline(always)]
pub fn rectified<S: Simd, const REGISTERS: usize>(
    simd: S,
    mut sums: Registers<S, REGISTERS>,
) -> Registers<S, REGISTERS> {
    for sum in &mut sums {
        *sum = simd.max_f32s(*sum, simd.splat_f32s(0.0));
    }
    sums
}

/// Splits `rows` into blocks of equal length, at most `max`: their number and length. The last block is moved back to stay
/// whole; a few rows are computed twice, to the same values.
pub fn balanced(rows: usize, max: usize) -> (usize, usize) {
    let blocks = rows.div_ceil(max);
    (blocks, rows.div_ceil(blocks))
}

/// Calls `$work::<…, ROWS>($arguments)` with the constant `ROWS` equal to `$rows`, which is 1 to 13.
#[doc(hidden)]
#[macro_export]
macro_rules! with_rows {
    ($rows:expr, $max:expr, $work:ident::<$($constant:ident),*>($($argument:expr),*)) => {
        match $rows.min($max) {
            1 => $work::<$($constant,)* 1>($($argument),*),
            2 => $work::<$($constant,)* 2>($($argument),*),
            3 if $max > 2 => $work::<$($constant,)* 3>($($argument),*),
            4 if $max > 2 => $work::<$($constant,)* 4>($($argument),*),
            5 if $max > 2 => $work::<$($constant,)* 5>($($argument),*),
            6 if $max > 2 => $work::<$($constant,)* 6>($($argument),*),
            7 if $max > 6 => $work::<$($constant,)* 7>($($argument),*),
            8 if $max > 6 => $work::<$($constant,)* 8>($($argument),*),
            9 if $max > 6 => $work::<$($constant,)* 9>($($argument),*),
            10 if $max > 6 => $work::<$($constant,)* 10>($($argument),*),
            11 if $max > 6 => $work::<$($constant,)* 11>($($argument),*),
            12 if $max > 6 => $work::<$($constant,)* 12>($($argument),*),
            13 if $max > 6 => $work::<$($constant,)* 13>($($argument),*),
            _ => unreachable!("BUG: no instruction set has more than 13 rows"),
        }
    };
}
pub use with_rows;
