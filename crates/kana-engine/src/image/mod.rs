//! What does a classifier take, and how does a file become that?
//!
//! An [`Image`] is pixels in the shape that a model's card asks for. [`decode()`] turns a file into a [`Picture`] of any
//! size, [`fit()`] turns a picture into an image.

pub mod decode;
pub mod fit;
pub mod picture;

mod cover;
mod glyph;
mod resample;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::{ByteBuf, Bytes};

pub use decode::decode;
pub use fit::{Fit, fit};
pub use picture::Picture;

/// Greatest difference between the samples of one channel of a blank image, of 255: what JPEG makes of a single colour.
const BLANK_RANGE: u8 = 8;

/// The shape of an image: channels, rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Samples a pixel: 1 is grey, 3 is red, green, blue.
    pub channels: usize,
    /// Rows, in pixels.
    pub height: usize,
    /// Columns, in pixels.
    pub width: usize,
}

impl Shape {
    /// Bytes of an image of this shape, one a sample.
    pub const fn bytes(self) -> usize {
        self.channels * self.height * self.width
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}×{}×{}", self.channels, self.height, self.width)
    }
}

/// Input of a classifier: one byte a sample, row by row, the channels of a pixel side by side (height × width ×
/// channels).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Image {
    shape: Shape,
    pixels: Box<[u8]>,
}

impl Image {
    /// Creates an image of `shape`; `None` where `pixels` is not `shape.bytes()` long.
    pub fn new(shape: Shape, pixels: impl Into<Box<[u8]>>) -> Option<Self> {
        let pixels = pixels.into();
        (pixels.len() == shape.bytes()).then_some(Self { shape, pixels })
    }

    /// Channels, rows and columns.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether the image shows nothing: it has a single colour, up to what lossy formats change. [`fit()`] makes such an
    /// image of a picture in which it finds no glyph. A classifier names a class for it all the same, without meaning.
    pub fn is_blank(&self) -> bool {
        let one_shade = |channel: usize| {
            let samples = || self.pixels.iter().skip(channel).step_by(self.shape.channels);
            let (low, high) = (samples().min(), samples().max());
            low.zip(high).is_none_or(|(low, high)| high - low <= BLANK_RANGE)
        };
        (0..self.shape.channels).all(one_shade)
    }

    /// All samples, `shape().bytes()` of them.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}

impl Serialize for Image {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.shape, Bytes::new(&self.pixels)).serialize(serializer)
    }
}

/// Refuses pixels that are not as many as the shape has.
impl<'de> Deserialize<'de> for Image {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (shape, pixels): (Shape, ByteBuf) = Deserialize::deserialize(deserializer)?;
        let count = pixels.len();
        let wrong = || D::Error::custom(format!("{count} samples for an image of {shape}"));
        Self::new(shape, pixels.into_vec()).ok_or_else(wrong)
    }
}

// Pixels stay out of logs.
impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({})", self.shape)
    }
}
