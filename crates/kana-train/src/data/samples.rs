//! Which images can kana show before anyone sends one?
//!
//! Drawings of the ten kana of KMNIST, numbered from 0: the class is the number modulo ten, and the same number always
//! gives the same image.

use std::io;

use ::image::codecs::png::PngEncoder;
use ::image::{ExtendedColorType, ImageEncoder, ImageError};

use super::strokes;
use kana_engine::image::Image;
use kana_engine::model::Card;

/// Side of a sample in pixels: what the built-in model takes.
const SIDE: usize = 28;

/// Returns the class of sample `number`.
pub fn class(number: usize) -> usize {
    number % strokes::COUNT
}

/// Draws sample `number`, a grey image of 28×28 pixels.
pub fn draw(number: usize) -> Image {
    strokes::draw(class(number), number as u64, SIDE)
}

/// Returns whether the model of `card` classifies images like the samples: by shape and number of classes.
pub fn are_readable_by(card: &Card) -> bool {
    card.labels.len() == strokes::COUNT && card.input.shape == draw(0).shape()
}

/// Encodes `image` as a PNG file with 8 bits a channel.
///
/// # Errors
/// [`ImageError`] when the image has no channel or more than 4, which PNG does not support.
pub fn encode_png(image: &Image) -> Result<Vec<u8>, ImageError> {
    let shape = image.shape();
    let colour = match shape.channels {
        1 => ExtendedColorType::L8,
        2 => ExtendedColorType::La8,
        3 => ExtendedColorType::Rgb8,
        4 => ExtendedColorType::Rgba8,
        channels => {
            let reason = format!("could not encode {channels} channels as PNG, which has 1 to 4");
            return Err(ImageError::IoError(io::Error::other(reason)));
        }
    };
    let side = |pixels| u32::try_from(pixels).unwrap_or(u32::MAX);
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(image.pixels(), side(shape.width), side(shape.height), colour)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use kana_engine::image::Shape;
    use kana_engine::image::decode::decode;

    use super::*;

    #[test]
    fn samples_show_every_class_in_turn() {
        let classes: Vec<usize> = (0..12).map(class).collect();

        assert_eq!(classes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    }

    #[test]
    fn a_png_file_keeps_every_pixel() {
        let image = draw(3);

        let picture = decode(&encode_png(&image).unwrap()).unwrap();

        assert_eq!(picture.samples(), image.pixels());
    }

    #[test]
    fn an_image_of_five_channels_is_refused() {
        let image = Image::new(Shape { channels: 5, height: 1, width: 1 }, vec![0; 5]).unwrap();

        let error = encode_png(&image).unwrap_err();

        assert!(error.to_string().contains("5 channels"), "{error}");
    }
}
