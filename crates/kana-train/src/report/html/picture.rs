//! How does an image of a data set get into the page?
//!
//! As a PNG inside an address. Images that are larger than they are shown are made smaller first, so that a report of
//! photographs stays a file that can be sent.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageResult, RgbImage, RgbaImage, imageops};
use maud::{Markup, html};

use crate::data::Dataset;

/// Rows or columns of a picture, at most: it is shown about this large.
const SIDE_MAX: u32 = 64;

/// Returns image `index` as an element of the page; `text` describes it to those who cannot see it.
pub fn picture(dataset: &Dataset, index: usize, text: &str) -> Markup {
    match address(dataset, index) {
        Some(address) => html! { img src=(address) alt=(text); },
        None => html! { span.missing { (text) } },
    }
}

/// Returns an address that contains the image; `None` where there is no such image, or where it has no pixel.
fn address(dataset: &Dataset, index: usize) -> Option<String> {
    let shape = dataset.shape();
    if index >= dataset.len() || shape.bytes() == 0 {
        return None;
    }
    let picture = small(dynamic(dataset, index)?);
    let png = png(&picture).ok()?;
    Some(format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png)))
}

/// Returns the pixels as grey or colour; of other numbers of channels, the first is shown as grey.
fn dynamic(dataset: &Dataset, index: usize) -> Option<DynamicImage> {
    let shape = dataset.shape();
    let (width, height) = (u32::try_from(shape.width).ok()?, u32::try_from(shape.height).ok()?);
    let pixels = dataset.pixels(index).to_vec();
    match shape.channels {
        1 => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
        2 => GrayAlphaImage::from_raw(width, height, pixels).map(DynamicImage::from),
        3 => RgbImage::from_raw(width, height, pixels).map(DynamicImage::from),
        4 => RgbaImage::from_raw(width, height, pixels).map(DynamicImage::from),
        channels => {
            let first = pixels.into_iter().step_by(channels).collect();
            GrayImage::from_raw(width, height, first).map(DynamicImage::from)
        }
    }
}

fn small(picture: DynamicImage) -> DynamicImage {
    if picture.width().max(picture.height()) <= SIDE_MAX {
        picture
    } else {
        picture.resize(SIDE_MAX, SIDE_MAX, imageops::FilterType::Triangle)
    }
}

fn png(picture: &DynamicImage) -> ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive);
    picture.write_with_encoder(encoder)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use kana_engine::image::Shape;

    use super::*;

    fn dataset(channels: usize, side: usize) -> Dataset {
        let shape = Shape { channels, height: side, width: side };
        Dataset::new(shape, vec![200; shape.bytes()], vec![0]).expect("one image")
    }

    #[test]
    fn images_of_any_number_of_channels_are_shown() {
        for channels in 1..=5 {
            let address = address(&dataset(channels, 3), 0).expect("an image");

            assert!(address.starts_with("data:image/png;base64,iVBOR"), "{channels}: {address}");
        }
    }

    #[test]
    fn a_large_image_is_made_smaller() {
        let picture = small(dynamic(&dataset(3, 300), 0).expect("an image"));

        assert_eq!((picture.width(), picture.height()), (SIDE_MAX, SIDE_MAX));
    }

    #[test]
    fn an_image_that_does_not_exist_is_described() {
        assert_eq!(picture(&dataset(1, 3), 1, "a < b").into_string(), r#"<span class="missing">a &lt; b</span>"#);
    }
}
