//! Where does an image's time go?
//!
//! Each layer is measured by itself, beside what this processor reaches at most with the same instructions. A share near
//! one cannot be made faster by a better kernel, only by an algorithm with fewer multiplications: the work is counted by
//! the layer's definition, so Winograd's algorithm may exceed one.

use std::fmt;
use std::time::Instant;

use pulp::Simd;
use serde::Serialize;

use super::{Buffers, IMAGES_MAX, Native};
use crate::kernels::{Extent, LANES, Vector, accumulate};
use crate::kernels::{Instructions, Kernel};

/// Times that a layer is measured; the least counts, which nothing else on the machine made longer.
const RUNS: usize = 256;

/// Steps of the loop whose speed is the processor's peak: long enough to be timed, a few microseconds.
const PEAK_STEPS: usize = 1_000;

/// What each layer of a model takes, for one image by its first member.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The instructions used.
    pub instructions: Instructions,
    /// The most that this processor reached with them on one thread, in 10⁹ floating-point operations a second.
    pub peak_gflops: f64,
    /// The layers, in order.
    pub layers: Vec<LayerCost>,
}

/// What one layer takes, with its activation and pool.
#[derive(Clone, Debug, Serialize)]
pub struct LayerCost {
    /// Name of its weights in the model's file.
    pub name: String,
    /// `direct`, `winograd 2×2`, `winograd 4×4`, or `dense` for twelve images together.
    pub algorithm: &'static str,
    /// Floating-point operations of its definition for one image, in millions; a multiply-add is two.
    pub mflop: f64,
    /// Measured time for one image, in microseconds.
    pub micros: f64,
    /// `mflop` in `micros` as a share of the peak; above 1 where an algorithm needs fewer operations.
    pub peak_share: f64,
}

impl Native {
    /// Measures each layer. Later predictions are not affected.
    pub fn explain(&mut self) -> Explanation {
        let Self { card, members, instructions, buffers } = self;
        let (instructions, member) = (*instructions, &members[0]);
        let shape = card.input.shape;
        let Buffers { input, front, back, workspace, features, hidden, logits, .. } = buffers;
        let peak_gflops = peak(instructions);
        let mut layers = Vec::new();
        let mut add = |name: &str, algorithm, flop: usize, images: usize, work: &mut dyn FnMut()| {
            let (name, mflop, micros) = (name.to_owned(), flop as f64 / 1e6, least_micros(work) / images as f64);
            layers.push(LayerCost { name, algorithm, mflop, micros, peak_share: mflop / micros * 1e3 / peak_gflops });
        };
        let width = card.architecture.width;
        let convolution = |pixels: usize, from: usize, to: usize| 2 * 9 * pixels * from * to;
        let pixels = |input: Extent| (input.height - 2) * (input.width - 2);
        let flop = convolution(pixels(Extent { height: shape.height, width: shape.width }), shape.channels, width);
        add("conv1", "direct", flop, 1, &mut || member.first.run(instructions, input, front));
        let (mut from, mut front, mut back, last) = (width, front, back, member.convolutions.len() - 1);
        for (number, layer) in member.convolutions.iter().enumerate() {
            let to = if number == 0 { width } else { 2 * width };
            let flop = convolution(pixels(layer.input), from, to);
            let output: &mut [Vector] = if number == last { features } else { back };
            let work = &mut || layer.run(instructions, front, workspace, output);
            add(&format!("conv{}", number + 2), layer.algorithm(), flop, 1, work);
            (from, front, back) = (to, back, front);
        }
        let flat = member.convolutions[last].output().pixels() * from;
        let [first, last] = &member.dense;
        let features = &features[..IMAGES_MAX * first.inputs()];
        let hidden = &mut hidden[..IMAGES_MAX * first.outputs()];
        let logits = &mut logits[..IMAGES_MAX * last.outputs()];
        let flop = 2 * flat * super::weights::HIDDEN;
        add("dense1", "dense", flop, IMAGES_MAX, &mut || first.run(instructions, features, hidden));
        let flop = 2 * super::weights::HIDDEN * card.labels.len();
        add("dense2", "dense", flop, IMAGES_MAX, &mut || last.run(instructions, hidden, logits));
        Explanation { instructions, peak_gflops, layers }
    }
}

/// The least time of `work`, in microseconds.
fn least_micros(work: &mut dyn FnMut()) -> f64 {
    let once = |work: &mut dyn FnMut()| {
        let begun = Instant::now();
        work();
        begun.elapsed().as_secs_f64() * 1e6
    };
    (0..RUNS).map(|_| once(work)).fold(f64::INFINITY, f64::min)
}

/// Measures the most floating-point operations that this processor does a second, in 10⁹.
fn peak(instructions: Instructions) -> f64 {
    let (mut rows, mut sum) = (0, Vector::ZERO);
    let micros = least_micros(&mut || instructions.run(Peak { rows: &mut rows, sum: &mut sum }));
    (PEAK_STEPS * LANES * rows * LANES * 2) as f64 / (micros * 1e3)
}

/// The product of a few rows and weights that stay in the first cache, again and again.
struct Peak<'a> {
    rows: &'a mut usize,
    sum: &'a mut Vector,
}

impl Kernel for Peak<'_> {
    #[inline(always)]
    fn run<S: Simd, const REGISTERS: usize, const ROWS: usize>(self, simd: S) {
        // Not known when this is compiled, so that nothing is computed in advance; small, so that no sum overflows.
        let weights = std::hint::black_box([Vector([1e-3; LANES]); LANES]);
        let inputs = std::hint::black_box([[1e-3; ROWS]; LANES]);
        let mut sums = [[simd.splat_f32s(0.0); REGISTERS]; ROWS];
        for _ in 0..PEAK_STEPS {
            for lane in 0..LANES {
                accumulate::<S, REGISTERS, ROWS>(simd, &mut sums, inputs[lane], &weights[lane]);
            }
        }
        *self.rows = ROWS;
        for row in sums {
            self.sum.store::<S, REGISTERS>(row);
            std::hint::black_box(&self.sum);
        }
    }
}

impl fmt::Display for Explanation {
    /// A table with a line for each layer and for their sum.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "instructions {}, at most {:.0} GFLOP/s a thread", self.instructions, self.peak_gflops)?;
        writeln!(f, "{:<8}{:<14}{:>8}{:>9}{:>12}", "layer", "algorithm", "MFLOP", "µs", "% of peak")?;
        for layer in &self.layers {
            let LayerCost { name, algorithm, mflop, micros, peak_share } = layer;
            writeln!(f, "{name:<8}{algorithm:<14}{mflop:>8.3}{micros:>9.2}{:>12.0}", 100.0 * peak_share)?;
        }
        let (mflop, micros) = self.layers.iter().fold((0.0, 0.0), |sum, l| (sum.0 + l.mflop, sum.1 + l.micros));
        let share = mflop / micros * 1e3 / self.peak_gflops;
        write!(f, "{:<8}{:<14}{mflop:>8.3}{micros:>9.2}{:>12.0}", "sum", "", 100.0 * share)
    }
}
