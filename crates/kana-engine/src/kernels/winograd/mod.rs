//! How is a convolution computed with fewer multiplications than its definition has?
//!
//! By Winograd's algorithm (see [`transform`]): F(4×4, 3×3) has 36 multiplications where the definition has 144, and
//! F(2×2, 3×3) 16 where it has 36. Tiles of the input are transformed; then each of a tile's 16 or 36 points is a matrix
//! product of its own, `[tiles × inputs] · [inputs × outputs]`; then the products are transformed into outputs, pooled and
//! rectified before they are stored. A few dozen tiles pass through all three steps together, so that what they leave for
//! each other stays in the cache.
//!
//! Tiles at the right and lower border are moved back to stay whole; a few outputs are computed twice, to the same values.

mod steps;
mod transform;

use super::{Extent, Filters, LANES, Vector, balanced, grow};
use crate::kernels::instructions::Instructions;
use steps::{Multiply, Place, TransformInput, TransformOutput};
use transform::{Four, Transform, Two};

/// Tiles that pass through the three steps together, at most: few enough for the caches, and each pass reads the weights
/// again. 6 take as long, within the noise of a measurement.
const TILES_MAX: usize = 12;

/// The size of a tile of outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tile {
    /// F(2×2, 3×3).
    Two,
    /// F(4×4, 3×3).
    Four,
}

impl Tile {
    /// Rows and columns of outputs.
    pub fn outputs(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// Name of the algorithm.
    pub fn name(self) -> &'static str {
        match self {
            Self::Two => "winograd 2×2",
            Self::Four => "winograd 4×4",
        }
    }

    /// Points of a transformed tile.
    pub fn points(self) -> usize {
        (self.outputs() + 2).pow(2)
    }
}

/// A 3×3 convolution without padding, with ReLU and where `is_pooled` a 2×2 max pool, its weights transformed.
#[derive(Clone, Debug)]
pub struct Winograd {
    tile: Tile,
    is_pooled: bool,
    input: Extent,
    /// Tiles in a column and in a row.
    tiles: Extent,
    /// Tiles of one pass.
    pass: usize,
    /// Blocks of input channels.
    blocks: usize,
    /// `[output blocks][points][input blocks][LANES inputs]`.
    weights: Vec<[Vector; LANES]>,
    /// `[output blocks]`.
    bias: Vec<Vector>,
}

/// What the steps leave for each other; as long as the largest layer needs.
#[derive(Default)]
pub struct Scratch {
    /// `[input blocks][tiles][points]`.
    inputs: Vec<Vector>,
    /// `[tiles][points]`, of one block of outputs.
    products: Vec<Vector>,
}

impl Scratch {
    /// Grows to what `layer` needs.
    pub fn reserve(&mut self, layer: &Winograd) {
        let products = layer.tile.points() * layer.pass;
        grow(&mut self.inputs, products * layer.blocks);
        grow(&mut self.products, products);
    }
}

impl Winograd {
    /// Tiles that cover the outputs of `input`, in a column and in a row. `None` where there are fewer outputs than a tile
    /// has. Of a pooled layer, an odd last row or column of outputs is left out.
    pub fn tiles(tile: Tile, input: Extent, is_pooled: bool) -> Option<Extent> {
        let outputs = outputs(input, is_pooled);
        let side = tile.outputs();
        let is_covered = outputs.height >= side && outputs.width >= side;
        is_covered.then(|| Extent { height: outputs.height.div_ceil(side), width: outputs.width.div_ceil(side) })
    }

    /// Transforms the weights. `None` where there are fewer outputs than a tile has.
    pub fn new(filters: &Filters, tile: Tile, input: Extent, is_pooled: bool) -> Option<Self> {
        let tiles = Self::tiles(tile, input, is_pooled)?;
        let bias = filters.bias();
        let (blocks, points) = (filters.inputs.div_ceil(LANES), tile.points());
        let mut weights = vec![[Vector::ZERO; LANES]; bias.len() * points * blocks];
        for output in 0..filters.outputs {
            for channel in 0..filters.inputs {
                let taps = filters.taps(output, channel);
                let mut store = |point: usize, weight: f64| {
                    let block = ((output / LANES) * points + point) * blocks + channel / LANES;
                    weights[block][channel % LANES].0[output % LANES] = weight as f32;
                };
                match tile {
                    Tile::Two => transformed::<Two, 2, 4>(taps).enumerate().for_each(|(at, value)| store(at, value)),
                    Tile::Four => transformed::<Four, 4, 6>(taps).enumerate().for_each(|(at, value)| store(at, value)),
                }
            }
        }
        let (_, pass) = balanced(tiles.pixels(), TILES_MAX);
        Some(Self { tile, is_pooled, input, tiles, pass, blocks, weights, bias })
    }

    /// Size of the tiles.
    pub fn tile(&self) -> Tile {
        self.tile
    }

    /// Convolves `input`, `height * width * blocks` vectors, into `output`, (height − 2) × (width − 2) pixels or, pooled, a
    /// quarter of them. `scratch` was reserved for this layer.
    pub fn run(&self, instructions: Instructions, input: &[Vector], scratch: &mut Scratch, output: &mut [Vector]) {
        match self.tile {
            Tile::Two => self.convolve::<Two, 2, 4>(instructions, input, scratch, output),
            Tile::Four => self.convolve::<Four, 4, 6>(instructions, input, scratch, output),
        }
    }

    fn convolve<T: Transform<OUT, IN>, const OUT: usize, const IN: usize>(
        &self,
        instructions: Instructions,
        input: &[Vector],
        scratch: &mut Scratch,
        output: &mut [Vector],
    ) {
        let points = IN * IN;
        let inputs = &mut scratch.inputs[..points * self.blocks * self.pass];
        let inputs = inputs.as_chunks_mut::<IN>().0.as_chunks_mut::<IN>().0;
        let products = &mut scratch.products[..points * self.pass];
        let products = products.as_chunks_mut::<IN>().0.as_chunks_mut::<IN>().0;
        for pass in 0..self.tiles.pixels().div_ceil(self.pass) {
            let first = (pass * self.pass).min(self.tiles.pixels() - self.pass);
            instructions.run(TransformInput::<T, OUT, IN>::new(self, first, input, inputs));
            for (block, weights) in self.weights.chunks_exact(points * self.blocks).enumerate() {
                instructions.run(Multiply { inputs, weights, products });
                let place = Place { first, block };
                instructions.run(TransformOutput::<T, OUT, IN>::new(self, place, products, output));
            }
        }
    }

    /// Row and column of a tile's first output.
    #[inline(always)]
    fn corner(&self, tile: usize) -> (usize, usize) {
        let (outputs, side) = (outputs(self.input, self.is_pooled), self.tile.outputs());
        let (row, column) = (tile / self.tiles.width * side, tile % self.tiles.width * side);
        (row.min(outputs.height - side), column.min(outputs.width - side))
    }
}

/// Rows and columns of outputs that are used.
fn outputs(input: Extent, is_pooled: bool) -> Extent {
    let used = |side: usize| if is_pooled { (side - 2) & !1 } else { side - 2 };
    Extent { height: used(input.height), width: used(input.width) }
}

/// G g Gᵀ, in doubles.
fn transformed<T: Transform<OUT, IN>, const OUT: usize, const IN: usize>(taps: &[f64]) -> impl Iterator<Item = f64> {
    // G g, its columns first.
    let half: [[f64; 3]; IN] =
        std::array::from_fn(|y| std::array::from_fn(|x| (0..3).map(|row| T::KERNEL[y][row] * taps[3 * row + x]).sum()));
    half.into_iter().flat_map(|row| T::KERNEL.map(|kernel| (0..3).map(|tap| row[tap] * kernel[tap]).sum()))
}
