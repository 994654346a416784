//! What does a classifier look at?
//!
//! An [`Image`] is pixels in the shape that a model's card asks for: nothing else travels through the queue. How a
//! file of somebody's becomes one is answered in [`decode`] and [`fit`].

pub mod decode;
pub mod fit;
pub mod picture;

mod alpha;
mod brush;
mod cover;
mod find;
mod glyph;
mod ground;
mod ink;
mod polarity;
mod scale;
mod sniff;
mod surface;
mod whole;

use serde::{Deserialize, Serialize};

/// The extents of an image: how many channels, rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// 1 is grey, 3 is red, green, blue.
    pub channels: usize,
    /// Rows, in pixels.
    pub height: usize,
    /// Columns, in pixels.
    pub width: usize,
}

impl Shape {
    /// How many bytes an image of this shape has.
    pub const fn bytes(self) -> usize {
        self.channels * self.height * self.width
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}×{}×{}", self.channels, self.height, self.width)
    }
}

/// Pixels, one byte a sample, row by row, the channels of a pixel side by side (height × width × channels).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Image {
    shape: Shape,
    pixels: Box<[u8]>,
}

impl Image {
    /// An image of `shape`, or `None` where `pixels` is not `shape.bytes()` long.
    pub fn new(shape: Shape, pixels: impl Into<Box<[u8]>>) -> Option<Self> {
        let pixels = pixels.into();
        (pixels.len() == shape.bytes()).then_some(Self { shape, pixels })
    }

    /// Its extents.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Its samples, `shape().bytes()` of them.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}

// Pixels stay out of logs.
impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({})", self.shape)
    }
}
