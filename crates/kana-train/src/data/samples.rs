//! Which images does kana have to show before anybody sends one?
//!
//! The built-in strokes by number: class by class in turn, each drawn anew every time, the same number always the same
//! picture.

use std::io;

use ::image::codecs::png::PngEncoder;
use ::image::{ExtendedColorType, ImageEncoder, ImageError};

use super::strokes;
use kana_engine::image::Image;
use kana_engine::model::Card;

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
/// Where it has more than 4 channels, which no PNG has.
pub fn png(image: &Image) -> Result<Vec<u8>, ImageError> {
    let shape = image.shape();
    let colour = match shape.channels {
        1 => ExtendedColorType::L8,
        2 => ExtendedColorType::La8,
        3 => ExtendedColorType::Rgb8,
        4 => ExtendedColorType::Rgba8,
        channels => return Err(ImageError::IoError(io::Error::other(format!("{channels} channels in a PNG")))),
    };
    let extent = |side| u32::try_from(side).unwrap_or(u32::MAX);
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(image.pixels(), extent(shape.width), extent(shape.height), colour)?;
    Ok(bytes)
}
