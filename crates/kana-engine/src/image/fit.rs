//! How does a picture become an image of the kind that the model was trained on?
//!
//! A model's card names its [`Fit`]. A picture that already looks like a training image passes through unchanged; any other
//! picture is brought as near to that as is possible without knowing what it shows.

use serde::{Deserialize, Serialize};

use super::picture::Picture;
use super::{Image, Shape, cover, glyph};

/// How a picture is converted to a model's shape.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "as")]
pub enum Fit {
    /// As one glyph, light on dark: located on its background, cropped, and placed with the margin of the training images.
    Glyph {
        /// Free space on the tighter sides, as a share of the image's side.
        margin: f32,
    },
    /// As a scene: scaled to cover the shape, the overhang cut off evenly on both sides.
    Cover,
}

/// Fits `picture` to an image of `shape`. Takes processor time (some 4 ms a megapixel, 10 on an unevenly lit background) and
/// one or two bytes of memory a pixel; never waits, never fails: with [`Fit::Glyph`], a picture without a glyph (blank
/// paper, a single colour, noise) becomes an image without ink, all dark.
///
/// With [`Fit::Glyph`], a grey picture of exactly this size that is light on dark is returned bit for bit, and one that is
/// dark on light is returned inverted, bit for bit, where they show a glyph; all channels are equal.
pub fn fit(picture: &Picture, shape: Shape, fit: Fit) -> Image {
    let pixels = match fit {
        Fit::Cover => cover::render(picture, shape),
        Fit::Glyph { margin } => {
            let grey = glyph::render(picture, shape, margin);
            grey.iter().flat_map(|&sample| std::iter::repeat_n(sample, shape.channels)).collect()
        }
    };
    Image::new(shape, pixels).expect("BUG: both ways of fitting make height × width × channels samples")
}
