//! Which arithmetic does a step do channel by channel?
//!
//! Each function passes once over the activations of one image, `[pixels][blocks]` vectors, in registers: the compiler makes
//! single floats of plain loops over the lanes.

use kana_engine::kernels::{Instructions, Kernel, Registers, Vector, multiply_add};
use pulp::Simd;

/// Sums over the pixels of one image, for each block of channels.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    /// Sum of the first operand.
    pub plain: Vec<Vector>,
    /// Sum of the products of both operands.
    pub product: Vec<Vector>,
}

impl Sums {
    /// Replaces the sums by those of `values` and of `values` · `others`.
    pub fn compute(&mut self, instructions: Instructions, values: &[Vector], others: &[Vector], blocks: usize) {
        for sums in [&mut self.plain, &mut self.product] {
            sums.clear();
            sums.resize(blocks, Vector::ZERO);
        }
        instructions.run(Sum { sums: self, values, others });
    }
}

struct Sum<'a> {
    sums: &'a mut Sums,
    values: &'a [Vector],
    others: &'a [Vector],
}

impl Kernel for Sum<'_> {
    #[inline(always)]
    fn run<S: Simd, const REGISTERS: usize, const ROWS: usize>(self, simd: S) {
        let blocks = self.sums.plain.len();
        for block in 0..blocks {
            let mut plain = [simd.splat_f32s(0.0); REGISTERS];
            let mut product = plain;
            for (values, others) in self.values.chunks_exact(blocks).zip(self.others.chunks_exact(blocks)) {
                let (values, others) = (values[block].load::<S, REGISTERS>(), others[block].load::<S, REGISTERS>());
                for register in 0..REGISTERS {
                    plain[register] = simd.add_f32s(plain[register], values[register]);
                    product[register] = multiply_add(simd, values[register], others[register], product[register]);
                }
            }
            self.sums.plain[block].store::<S, REGISTERS>(plain);
            self.sums.product[block].store::<S, REGISTERS>(product);
        }
    }
}

/// Factors of each channel of a linear combination of two activations, in blocks.
#[derive(Clone, Debug, Default)]
pub struct Combination {
    /// Factor of the first.
    pub first: Vec<Vector>,
    /// Factor of the second.
    pub second: Vec<Vector>,
    /// Summand.
    pub constant: Vec<Vector>,
}

/// Writes `scale` · x + `shift` of each x of `input` to `output`; both have a vector for each block of channels.
pub fn scale(instructions: Instructions, scale: &[Vector], shift: &[Vector], input: &[Vector], output: &mut [Vector]) {
    instructions.run(Scale { scale, shift, input, output });
}

struct Scale<'a> {
    scale: &'a [Vector],
    shift: &'a [Vector],
    input: &'a [Vector],
    output: &'a mut [Vector],
}

impl Kernel for Scale<'_> {
    #[inline(always)]
    fn run<S: Simd, const REGISTERS: usize, const ROWS: usize>(self, simd: S) {
        let blocks = self.scale.len();
        for (input, output) in self.input.chunks_exact(blocks).zip(self.output.chunks_exact_mut(blocks)) {
            for block in 0..blocks {
                let scale = self.scale[block].load::<S, REGISTERS>();
                let mut sums = self.shift[block].load::<S, REGISTERS>();
                add_products(simd, &mut sums, scale, input[block].load::<S, REGISTERS>());
                output[block].store::<S, REGISTERS>(sums);
            }
        }
    }
}

/// Writes the `factors`' combination of `first` and `second` to `output`.
pub fn combine(
    instructions: Instructions,
    factors: &Combination,
    first: &[Vector],
    second: &[Vector],
    output: &mut [Vector],
) {
    instructions.run(Combine { factors, first, second, output });
}

struct Combine<'a> {
    factors: &'a Combination,
    first: &'a [Vector],
    second: &'a [Vector],
    output: &'a mut [Vector],
}

impl Kernel for Combine<'_> {
    #[inline(always)]
    fn run<S: Simd, const REGISTERS: usize, const ROWS: usize>(self, simd: S) {
        let Combination { first, second, constant } = self.factors;
        let blocks = constant.len();
        let inputs = self.first.chunks_exact(blocks).zip(self.second.chunks_exact(blocks));
        for (inputs, output) in inputs.zip(self.output.chunks_exact_mut(blocks)) {
            for block in 0..blocks {
                let mut sums = constant[block].load::<S, REGISTERS>();
                add_products(
                    simd,
                    &mut sums,
                    first[block].load::<S, REGISTERS>(),
                    inputs.0[block].load::<S, REGISTERS>(),
                );
                add_products(
                    simd,
                    &mut sums,
                    second[block].load::<S, REGISTERS>(),
                    inputs.1[block].load::<S, REGISTERS>(),
                );
                output[block].store::<S, REGISTERS>(sums);
            }
        }
    }
}

/// Sets each element of `gradient` to zero where ReLU let nothing through: where the one of `values` is zero.
pub fn rectify(instructions: Instructions, values: &[Vector], gradient: &mut [Vector]) {
    instructions.run(Rectify { values, gradient });
}

struct Rectify<'a> {
    values: &'a [Vector],
    gradient: &'a mut [Vector],
}

impl Kernel for Rectify<'_> {
    #[inline(always)]
    fn run<S: Simd, const REGISTERS: usize, const ROWS: usize>(self, simd: S) {
        let zero = simd.splat_f32s(0.0);
        for (gradient, values) in self.gradient.iter_mut().zip(self.values) {
            let (mut registers, values) = (gradient.load::<S, REGISTERS>(), values.load::<S, REGISTERS>());
            for register in 0..REGISTERS {
                let is_active = simd.greater_than_f32s(values[register], zero);
                registers[register] = simd.select_f32s(is_active, registers[register], zero);
            }
            gradient.store::<S, REGISTERS>(registers);
        }
    }
}

/// Multiplies `values` by `factors`.
pub fn multiply(instructions: Instructions, factors: &[Vector], values: &mut [Vector]) {
    instructions.run(Multiply { factors, values });
}

struct Multiply<'a> {
    factors: &'a [Vector],
    values: &'a mut [Vector],
}

impl Kernel for Multiply<'_> {
    #[inline(always)]
    fn run<S: Simd, const REGISTERS: usize, const ROWS: usize>(self, simd: S) {
        for (values, factors) in self.values.iter_mut().zip(self.factors) {
            let (mut registers, factors) = (values.load::<S, REGISTERS>(), factors.load::<S, REGISTERS>());
            for register in 0..REGISTERS {
                registers[register] = simd.mul_f32s(registers[register], factors[register]);
            }
            values.store::<S, REGISTERS>(registers);
        }
    }
}

/// Adds the products of `one` and `other` to `sums`.
#[inline(always)]
fn add_products<S: Simd, const REGISTERS: usize>(
    simd: S,
    sums: &mut Registers<S, REGISTERS>,
    one: Registers<S, REGISTERS>,
    other: Registers<S, REGISTERS>,
) {
    for register in 0..REGISTERS {
        sums[register] = multiply_add(simd, one[register], other[register], sums[register]);
    }
}
