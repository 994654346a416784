//! How are the layers of a network computed?
//!
//! Decided once, when a model is loaded. The choice depends on the card alone, so every machine computes a model in the same
//! way.

use super::weights::{self, Weights};
use crate::image::Shape;
use crate::kernels::convolution::Convolution;
use crate::kernels::dense::Dense;
use crate::kernels::first::First;

/// A network, ready to be computed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The convolution of the input.
    pub first: First,
    /// The other convolutions, in order.
    pub convolutions: [Convolution; 3],
    /// The two dense layers, in order.
    pub dense: [Dense; 2],
}

impl Plan {
    /// Plans the network of `weights`, which were read for inputs of `shape`.
    pub fn new(weights: &Weights, shape: Shape) -> Self {
        let extents = weights::extents(shape)
            .expect("BUG: Weights::read refuses a shape that is too small, and there are no other weights");
        let [first, second, third, fourth] = &weights.convolutions;
        Self {
            first: First::new(first, extents[0]),
            convolutions: [
                Convolution::new(second, extents[1], true),
                Convolution::new(third, extents[3], true),
                Convolution::new(fourth, extents[5], false),
            ],
            dense: weights.dense.clone(),
        }
    }
}
