//! Which sums turn a tile of the input into one that is multiplied point by point, and the products into outputs?
//!
//! Winograd's minimal filtering F(m, 3), in one dimension: A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural
//! Networks", 2015, arXiv 1509.09308, section 4. A tile `d` of m + 2 inputs becomes as many values Bᵀd, a kernel `g` of
//! three weights becomes Gg, and m outputs are Aᵀ(Gg ⊙ Bᵀd): m + 2 multiplications where the definition has 3m. In two
//! dimensions, each transform is applied to the columns and then to the rows.
//!
//! A value is the tile's polynomial at one point, and the points decide how far rounding errors grow.

use pulp::Simd;

use crate::kernels::multiply_add;

/// The transforms of F(`OUT`, 3), which takes `IN` = `OUT` + 2 inputs.
pub trait Transform<const OUT: usize, const IN: usize> {
    /// G, a row for each point.
    const KERNEL: [[f64; 3]; IN];

    /// Bᵀd.
    fn input<S: Simd>(simd: S, d: [S::f32s; IN]) -> [S::f32s; IN];

    /// Aᵀm.
    fn output<S: Simd>(simd: S, m: [S::f32s; IN]) -> [S::f32s; OUT];
}

/// F(2, 3) with the points 0, 1, −1 and ∞.
pub struct Two;

/// F(4, 3) with the points 0, ±1/√2, ±√2 and ∞. Lavin and Gray's 0, ±1, ±2 and ∞ take as many operations, but a greatest
/// factor of 8 where this has 2.8, and three times the rounding error.
pub struct Four;

impl Transform<2, 4> for Two {
    const KERNEL: [[f64; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];

    #[inline(always)]
    fn input<S: Simd>(simd: S, d: [S::f32s; 4]) -> [S::f32s; 4] {
        let add = |a, b| simd.add_f32s(a, b);
        let subtract = |a, b| simd.sub_f32s(a, b);
        [subtract(d[0], d[2]), add(d[1], d[2]), subtract(d[2], d[1]), subtract(d[3], d[1])]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, m: [S::f32s; 4]) -> [S::f32s; 2] {
        let add = |a, b| simd.add_f32s(a, b);
        [add(m[0], add(m[1], m[2])), add(simd.sub_f32s(m[1], m[2]), m[3])]
    }
}

/// The points of [`Four`] are ±`NEAR`, ±`FAR` and 0: their squares are 1/2 and 2, their product is 1.
const NEAR: f64 = std::f64::consts::FRAC_1_SQRT_2;
const FAR: f64 = std::f64::consts::SQRT_2;

impl Transform<4, 6> for Four {
    /// `[1, p, p²]` for a point p, divided by the product of its distances from the other finite points.
    const KERNEL: [[f64; 3]; 6] = [
        [1.0, 0.0, 0.0],
        [-2.0 / 3.0, -2.0 / 3.0 * NEAR, -1.0 / 3.0],
        [-2.0 / 3.0, 2.0 / 3.0 * NEAR, -1.0 / 3.0],
        [1.0 / 6.0, FAR / 6.0, 1.0 / 3.0],
        [1.0 / 6.0, -FAR / 6.0, 1.0 / 3.0],
        [0.0, 0.0, 1.0],
    ];

    #[inline(always)]
    fn input<S: Simd>(simd: S, d: [S::f32s; 6]) -> [S::f32s; 6] {
        let times = |a, factor, sum| scaled(simd, a, factor, sum);
        // For ±p, the even powers are the same and the odd ones have opposite signs.
        let (near_even, near_odd) = (times(d[2], -2.0, d[4]), times(d[1], -2.0, d[3]));
        let (far_even, far_odd) = (times(d[2], -0.5, d[4]), times(d[1], -0.5, d[3]));
        [
            times(d[2], -2.5, simd.add_f32s(d[0], d[4])),
            times(near_odd, NEAR as f32, near_even),
            times(near_odd, -NEAR as f32, near_even),
            times(far_odd, FAR as f32, far_even),
            times(far_odd, -FAR as f32, far_even),
            times(d[3], -2.5, simd.add_f32s(d[1], d[5])),
        ]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, m: [S::f32s; 6]) -> [S::f32s; 4] {
        let times = |a, factor, sum| scaled(simd, a, factor, sum);
        let add = |a, b| simd.add_f32s(a, b);
        let subtract = |a, b| simd.sub_f32s(a, b);
        let (near_even, near_odd) = (add(m[1], m[2]), subtract(m[1], m[2]));
        let (far_even, far_odd) = (add(m[3], m[4]), subtract(m[3], m[4]));
        // p³ is p/2 for the near point and 2p for the far one; p² is 1/2 and 2.
        let far = simd.mul_f32s(far_odd, simd.splat_f32s(FAR as f32));
        let near = simd.mul_f32s(near_odd, simd.splat_f32s(NEAR as f32));
        [
            add(m[0], add(near_even, far_even)),
            add(near, far),
            times(near_even, 0.5, simd.mul_f32s(far_even, simd.splat_f32s(2.0))),
            times(near, 0.5, times(far, 2.0, m[5])),
        ]
    }
}

/// `a * factor + sum`.
#[inline(always)]
fn scaled<S: Simd>(simd: S, a: S::f32s, factor: f32, sum: S::f32s) -> S::f32s {
    multiply_add(simd, a, simd.splat_f32s(factor), sum)
}
