//! Which images does kana have to show before anybody sends one?
//!
//! The built-in strokes by number: class by class in turn, each drawn anew every time, the same number always the same
//! picture.

use ::image::codecs::png::PngEncoder;
use ::image::{ExtendedColorType, ImageEncoder, ImageError};

use super::strokes;
use crate::image::Image;
use crate::model::Card;

/// Side of the drawn samples, in pixels: what the shipped model takes.
const SIDE: usize = 28;

/// The class that sample `number` shows.
pub fn class(number: usize) -> usize {
    number % strokes::COUNT
}

/// Sample `number`.
pub fn drawn(number: usize) -> Image {
    strokes::draw(class(number), number as u64, SIDE)
}

/// Whether the model of `card` reads what the strokes show.
pub fn suit(card: &Card) -> bool {
    card.labels.len() == strokes::COUNT && card.input.shape == drawn(0).shape()
}

/// `image` as a PNG file, 8 bits a channel.
///
/// # Errors
/// Where it has neither 1 nor 3 channels.
pub fn png(image: &Image) -> Result<Vec<u8>, ImageError> {
    let shape = image.shape();
    let colour = if shape.channels == 3 { ExtendedColorType::Rgb8 } else { ExtendedColorType::L8 };
    let extent = |side| u32::try_from(side).unwrap_or(u32::MAX);
    let mut bytes = Vec::new();
    if shape.channels != 1 && shape.channels != 3 {
        let reason = format!("a PNG has 1 or 3 channels and this image has {}", shape.channels);
        return Err(ImageError::Parameter(::image::error::ParameterError::from_kind(
            ::image::error::ParameterErrorKind::Generic(reason),
        )));
    }
    PngEncoder::new(&mut bytes).write_image(image.pixels(), extent(shape.width), extent(shape.height), colour)?;
    Ok(bytes)
}
