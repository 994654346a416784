//! How are the layers of a network computed?
//!
//! Decided once, when a model is loaded. The choice depends on the card alone, so every machine computes a model in the same
//! way.

use super::weights::{self, Weights};
use crate::image::Shape;
use crate::kernels::Extent;
use crate::kernels::convolution::Convolution;
use crate::kernels::dense::Dense;
use crate::kernels::first::First;

/// A network, ready to be computed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The convolution of the input.
    pub first: First,
    /// The other convolutions, in order. All but the last are pooled.
    pub convolutions: Vec<Convolution>,
    /// The two dense layers, in order.
    pub dense: [Dense; 2],
}

impl Plan {
    /// Plans the network of `weights`, which were read for inputs of `shape`.
    pub fn new(weights: &Weights, shape: Shape) -> Self {
        let extents = weights::extents(weights.convolutions.len(), shape)
            .expect("BUG: Weights::read refuses a shape that is too small, and there are no other weights");
        let mut layers = weights.convolutions.iter().zip(&extents);
        let (first, input) = layers.next().expect("BUG: a card has three convolutions at least");
        let last = layers.len() - 1;
        let other =
            |(number, (filters, input)): (usize, (_, &Extent))| Convolution::new(filters, *input, number < last);
        let convolutions = layers.enumerate().map(other).collect();
        Self { first: First::new(first, *input), convolutions, dense: weights.dense.clone() }
    }
}
