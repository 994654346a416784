//! Which algorithm computes a convolution?
//!
//! The one that takes the fewest operations, counted by [`cost`], of those that suit the layer's shape; the weights are
//! laid out for it.

use super::direct::Direct;
use super::pool::pool;
use super::winograd::{Scratch, Tile, Winograd};
use super::{Extent, Filters, Instructions, LANES, Vector, grow};

/// A convolution with ReLU, and with a 2×2 max pool where `is_pooled`.
#[derive(Clone, Debug)]
pub struct Convolution {
    algorithm: Algorithm,
    /// Extent of its input.
    pub(crate) input: Extent,
    /// Blocks of output channels.
    pub(super) outputs: usize,
    /// Whether a quarter of the pixels is left.
    is_pooled: bool,
}

/// The computation of a convolution.
#[derive(Clone, Debug)]
enum Algorithm {
    /// By its definition.
    Direct(Direct),
    /// By tiles.
    Winograd(Winograd),
}

/// Memory that convolutions work in; as long as the largest one needs.
#[derive(Default)]
pub struct Workspace {
    /// A convolution's outputs before they are pooled.
    convolved: Vec<Vector>,
    scratch: Scratch,
}

/// Operations of a direct convolution for each weight: one a pixel. See [`cost`].
const TAPS: usize = 9;

/// Operations that the transforms of one tile and block of channels take, for inputs and for outputs: their measured time
/// in multiply-adds. Half of it is loads and stores.
const TRANSFORMS_FOUR: [usize; 2] = [366, 258];

/// The same of the smaller tiles, which have 16 points instead of 36.
const TRANSFORMS_TWO: [usize; 2] = [163, 115];

/// Multiply-adds of [`LANES`] floats that a convolution takes; reading its weights counts as one each. `None` where it has
/// fewer outputs than a tile.
fn cost(filters: &Filters, tile: Option<Tile>, input: Extent, is_pooled: bool) -> Option<usize> {
    let (inputs, outputs) = (filters.inputs.div_ceil(LANES), filters.outputs.div_ceil(LANES));
    let weights = inputs * LANES * outputs;
    let Some(tile) = tile else {
        let pixels = (input.height - 2) * (input.width - 2);
        return Some((pixels + 1) * TAPS * weights);
    };
    let tiles = Winograd::tiles(tile, input, is_pooled)?.pixels();
    let [before, after] = match tile {
        Tile::Two => TRANSFORMS_TWO,
        Tile::Four => TRANSFORMS_FOUR,
    };
    Some((tiles + 1) * tile.points() * weights + tiles * (inputs * before + outputs * after))
}

impl Convolution {
    /// Lays `filters` out for inputs of the extent `input`, which has three rows and columns or more.
    pub fn new(filters: &Filters, input: Extent, is_pooled: bool) -> Self {
        let choices = [None, Some(Tile::Two), Some(Tile::Four)];
        let best = choices.into_iter().filter_map(|tile| Some((cost(filters, tile, input, is_pooled)?, tile)));
        let tile = best.min_by_key(|(cost, _)| *cost).and_then(|(_, tile)| tile);
        Self::with(filters, tile, input, is_pooled)
            .expect("BUG: only tiles that fit have a cost, and the direct algorithm suits any shape")
    }

    /// A convolution by tiles, or directly. `None` where it has fewer outputs than a tile.
    pub(super) fn with(filters: &Filters, tile: Option<Tile>, input: Extent, is_pooled: bool) -> Option<Self> {
        let algorithm = match tile {
            None => Algorithm::Direct(Direct::new(filters, input)),
            Some(tile) => Algorithm::Winograd(Winograd::new(filters, tile, input, is_pooled)?),
        };
        Some(Self { algorithm, input, outputs: filters.outputs.div_ceil(LANES), is_pooled })
    }

    /// Extent of the outputs.
    pub fn output(&self) -> Extent {
        let Extent { height, width } = self.input;
        let side = if self.is_pooled { 2 } else { 1 };
        Extent { height: (height - 2) / side, width: (width - 2) / side }
    }

    /// Vectors of the output.
    pub fn output_vectors(&self) -> usize {
        self.output().pixels() * self.outputs
    }

    /// Convolves `input`, `height * width * blocks` vectors, into [`output_vectors`](Self::output_vectors) of `output`.
    /// `workspace` was reserved for this layer.
    pub fn run(&self, instructions: Instructions, input: &[Vector], workspace: &mut Workspace, output: &mut [Vector]) {
        match &self.algorithm {
            Algorithm::Winograd(layer) => layer.run(instructions, input, &mut workspace.scratch, output),
            Algorithm::Direct(layer) if self.is_pooled => {
                layer.run(instructions, input, &mut workspace.convolved);
                let convolved = Extent { height: self.input.height - 2, width: self.input.width - 2 };
                pool(&workspace.convolved, convolved, self.outputs, output);
            }
            Algorithm::Direct(layer) => layer.run(instructions, input, output),
        }
    }

    /// Name of the algorithm.
    pub fn algorithm(&self) -> &'static str {
        match &self.algorithm {
            Algorithm::Direct(_) => "direct",
            Algorithm::Winograd(layer) => layer.tile().name(),
        }
    }
}

impl Workspace {
    /// Grows to what `layer` needs.
    pub fn reserve(&mut self, layer: &Convolution) {
        match &layer.algorithm {
            Algorithm::Winograd(winograd) => self.scratch.reserve(winograd),
            Algorithm::Direct(_) if layer.is_pooled => {
                let vectors = (layer.input.height - 2) * (layer.input.width - 2) * layer.outputs;
                grow(&mut self.convolved, vectors);
            }
            Algorithm::Direct(_) => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::reference::{assert_convolves, filters};

    /// A way to make weights or inputs.
    type Values = fn(usize) -> f64;

    /// Floats in [-1, 1) without a pattern that a wrong index would match by chance.
    fn mixed(at: usize) -> f64 {
        (at as f64 * 0.754_877_666_246_692_7 + 0.1).fract() * 2.0 - 1.0
    }

    /// Neighbours that differ as much as they can, so that the transforms' sums cancel.
    fn alternating(at: usize) -> f64 {
        if at.is_multiple_of(2) { 1.0 } else { -1.0 + 1e-3 * mixed(at) }
    }

    /// Mostly small, with a few a thousand times greater.
    fn rugged(at: usize) -> f64 {
        mixed(at) * if at.is_multiple_of(13) { 1_000.0 } else { 1.0 }
    }

    #[test]
    fn every_algorithm_on_every_set_convolves_as_the_definition_says() {
        let extents = [(3, 3), (4, 7), (6, 6), (5, 12), (12, 12), (9, 26)];
        let channels = [(1, 5), (17, 16), (32, 40), (64, 16)];
        for (height, width) in extents {
            for (inputs, outputs) in channels {
                for (weights, values) in [(mixed as Values, mixed as Values), (alternating, mixed), (rugged, rugged)] {
                    let filters = filters(inputs, outputs, weights);
                    assert_convolves(&filters, Extent { height, width }, values);
                }
            }
        }
    }

    #[test]
    fn the_shipped_networks_large_layers_are_computed_by_tiles_and_its_smallest_directly() {
        let choice = |inputs, outputs, side, is_pooled| {
            let filters = filters(inputs, outputs, mixed);
            Convolution::new(&filters, Extent { height: side, width: side }, is_pooled).algorithm()
        };

        assert_eq!(choice(32, 32, 26, true), "winograd 4×4");
        assert_eq!(choice(32, 64, 12, true), "winograd 4×4");
        assert_eq!(choice(64, 64, 5, false), "direct");
        assert_eq!(choice(32, 64, 5, true), "winograd 2×2");
    }
}
