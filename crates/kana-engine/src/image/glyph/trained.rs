//! Does this picture already look like a training image?
//!
//! If it does, none of its pixels may change. A picture of the model's own size qualifies when it is grey, its
//! background is dark and its ink light, or when its negative is all that.

use super::polarity;
use crate::image::Shape;
use crate::image::picture::{Layout, Picture};

/// Greatest shade of a training image's background, of 255; in all KMNIST and MNIST images it is 0.
const BACKGROUND_MAX: u8 = 32;

/// Least shade of a training image's strongest ink, of 255: the faintest KMNIST image reaches 197.
const INK_MIN: u8 = 96;

/// The samples, light on dark, of a picture that already looks like a training image, or like its negative; `None` of any
/// other picture.
pub(super) fn samples(picture: &Picture, shape: Shape) -> Option<Vec<u8>> {
    if (picture.width(), picture.height()) != (shape.width, shape.height) {
        return None;
    }
    let grey = grey(picture)?;
    let (low, high) = (*grey.iter().min()?, *grey.iter().max()?);
    if low == high {
        return Some(vec![0; grey.len()]);
    }
    let scale = 1.0 / f32::from(high - low);
    let light_on_dark = polarity::low_is_background(shape.width, shape.height, |x, y| {
        f32::from(grey[y * shape.width + x] - low) * scale
    });
    if light_on_dark {
        return (low <= BACKGROUND_MAX && high >= INK_MIN).then_some(grey);
    }
    // Dark on pure white: its negative is a training image. Any other background needs more than inverting.
    (high == u8::MAX).then(|| grey.iter().map(|&sample| u8::MAX - sample).collect())
}

/// The samples of a picture without colour and transparency; `None` of any other picture.
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
