//! How does a picture become what the model was trained on?
//!
//! A model's card names its [`Fit`]. A picture that already is what the model was trained on passes through untouched;
//! whatever else comes is brought as near to it as can be done without knowing what it shows.

use serde::{Deserialize, Serialize};

use super::picture::{Layout, Picture};
use super::{Image, Shape, cover, glyph, polarity};

/// How a picture is brought into a model's shape.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "as")]
pub enum Fit {
    /// As one glyph, light on dark: found on its ground, cropped, and set with the margin of the training images.
    Glyph {
        /// Free space on the tighter sides, as a share of the image's side.
        margin: f32,
    },
    /// As a scene: scaled to cover the shape, the overhang cut off evenly.
    Cover,
}

/// `picture` as an image of `shape`. Takes processor time (some 4 ms a megapixel, 10 on a ground that is lit unevenly) and
/// a byte or two a pixel of memory, never waits, never fails: a picture of one single colour becomes an image without
/// ink, all dark, as a blank page is.
///
/// As a glyph, a grey picture of exactly this shape that is light on dark comes back bit for bit, and one that is dark
/// on light comes back inverted, bit for bit. Three channels are three times the same then.
pub fn fit(picture: &Picture, shape: Shape, fit: Fit) -> Image {
    let pixels = match fit {
        Fit::Cover => cover::cover(picture, shape),
        Fit::Glyph { margin } => {
            let grey = as_trained(picture, shape).unwrap_or_else(|| glyph::glyph(picture, shape, margin));
            grey.iter().flat_map(|&sample| std::iter::repeat_n(sample, shape.channels)).collect()
        }
    };
    Image::new(shape, pixels).expect("BUG: both ways of fitting make height × width × channels samples")
}

/// The ground of a training image is no lighter than this, of 255; that of all KMNIST and MNIST images is 0.
const DARK: u8 = 32;

/// The ink of a training image is no darker than this, of 255: the faintest KMNIST image reaches 197.
const LIGHT: u8 = 96;

/// The samples of a picture that already looks as training images do, light on dark; `None` of any other.
fn as_trained(picture: &Picture, shape: Shape) -> Option<Vec<u8>> {
    if (picture.width(), picture.height()) != (shape.width, shape.height) {
        return None;
    }
    let grey = grey(picture)?;
    let (low, high) = (*grey.iter().min()?, *grey.iter().max()?);
    if low == high {
        return Some(vec![0; grey.len()]);
    }
    let scale = 1.0 / f32::from(high - low);
    let light_on_dark =
        polarity::low_is_ground(shape.width, shape.height, |x, y| f32::from(grey[y * shape.width + x] - low) * scale);
    if light_on_dark {
        return (low <= DARK && high >= LIGHT).then_some(grey);
    }
    // Dark on light, and the ground is truly white: turned over it is a training image. On a ground of another
    // shade there is more to do than turning it over.
    (high == u8::MAX).then(|| grey.iter().map(|&sample| u8::MAX - sample).collect())
}

/// The samples of a picture without colour or transparency.
fn grey(picture: &Picture) -> Option<Vec<u8>> {
    let samples = picture.samples();
    match picture.layout() {
        Layout::Grey => Some(samples.to_vec()),
        Layout::GreyAlpha => samples.chunks_exact(2).map(|pixel| (pixel[1] == u8::MAX).then_some(pixel[0])).collect(),
        Layout::Rgb => samples
            .chunks_exact(3)
            .map(|pixel| (pixel[0] == pixel[1] && pixel[1] == pixel[2]).then_some(pixel[0]))
            .collect(),
        Layout::Rgba => {
            samples.chunks_exact(4).map(|p| (p[3] == u8::MAX && p[0] == p[1] && p[1] == p[2]).then_some(p[0])).collect()
        }
    }
}
