//! Where does an output of ReLU and max pool come from?
//!
//! The gradient of an output flows back to one element of its window alone, and to none where ReLU let nothing through. The
//! origins are kept from the forward pass; with them the backward pass is a few additions for each output.

use kana_engine::kernels::{Extent, Instructions, Kernel, LANES, Vector};
use pulp::Simd;

use super::layer::Layer;

/// For each channel of a block: the element of the window, row by row, that the output is, or [`INACTIVE`].
pub type Origins = [u8; LANES];

/// Origin of an output that is zero.
pub const INACTIVE: u8 = u8::MAX;

/// Writes the greatest of each 2×2 pixels of `convolved`, which ReLU has passed, to `output`, and where it was to `origins`.
pub fn pool(
    instructions: Instructions,
    layer: &Layer,
    convolved: &[Vector],
    output: &mut [Vector],
    origins: &mut [Origins],
) {
    instructions.run(Pool { layer, convolved, output, origins });
}

/// Writes which elements of `output` are active, for a layer without a pool.
pub fn mark_active(output: &[Vector], origins: &mut [Origins]) {
    for (vector, origins) in output.iter().zip(origins) {
        *origins = vector.0.map(|value| if value > 0.0 { 0 } else { INACTIVE });
    }
}

struct Pool<'a> {
    layer: &'a Layer,
    convolved: &'a [Vector],
    output: &'a mut [Vector],
    origins: &'a mut [Origins],
}

impl Kernel for Pool<'_> {
    #[inline(always)]
    fn run<S: Simd, const REGISTERS: usize, const ROWS: usize>(self, simd: S) {
        let (blocks, width) = (self.layer.output_blocks(), self.layer.convolved().width);
        let Extent { height, width: columns } = self.layer.output();
        for row in 0..height {
            for column in 0..columns {
                for block in 0..blocks {
                    let corner = (2 * row * width + 2 * column) * blocks + block;
                    let mut greatest = [simd.splat_f32s(0.0); REGISTERS];
                    let mut origins = [simd.splat_u32s(u32::from(INACTIVE)); REGISTERS];
                    for (origin, offset) in [0, 1, width, width + 1].into_iter().enumerate() {
                        let values = self.convolved[corner + offset * blocks].load::<S, REGISTERS>();
                        let origin = simd.splat_u32s(origin as u32);
                        for register in 0..REGISTERS {
                            let is_greater = simd.greater_than_f32s(values[register], greatest[register]);
                            greatest[register] = simd.select_f32s(is_greater, values[register], greatest[register]);
                            origins[register] = simd.select_u32s(is_greater, origin, origins[register]);
                        }
                    }
                    let to = (row * columns + column) * blocks + block;
                    self.output[to].store::<S, REGISTERS>(greatest);
                    let mut lanes = [0; LANES];
                    S::as_mut_simd_u32s(&mut lanes).0[..REGISTERS].copy_from_slice(&origins);
                    self.origins[to] = lanes.map(|origin| origin as u8);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_knows_which_element_of_its_window_it_is_and_zero_is_none() {
        let layer = Layer { input: Extent { height: 4, width: 4 }, inputs: 1, outputs: 1, is_pooled: true };
        let mut convolved = [Vector::ZERO; 4];
        convolved[2].0[3] = 7.0;

        for instructions in Instructions::available() {
            let (mut output, mut origins) = ([Vector([f32::NAN; LANES])], [[0; LANES]]);
            pool(instructions, &layer, &convolved, &mut output, &mut origins);

            let found: Vec<_> = (0..LANES).map(|lane| (output[0].0[lane], origins[0][lane])).collect();
            let expected: Vec<_> = (0..LANES).map(|lane| if lane == 3 { (7.0, 2) } else { (0.0, INACTIVE) }).collect();
            assert_eq!(found, expected);
        }
    }
}
