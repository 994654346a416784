//! Which way up does a camera say that its picture is?

use ::image::metadata::Orientation;
use ::image::{DynamicImage, GrayImage, ImageBuffer, RgbImage, RgbaImage};

use crate::image::picture::{Layout, Picture};

/// Turns `picture` as `orientation` says. Takes as much memory again.
pub(super) fn turn(picture: Picture, orientation: Orientation) -> Picture {
    const WHY: &str = "BUG: a picture has as many samples as its size and layout say";
    if orientation == Orientation::NoTransforms {
        return picture;
    }
    let (width, height, layout) = (picture.width() as u32, picture.height() as u32, picture.layout());
    let samples = picture.into_samples();
    let turned = match layout {
        Layout::Grey => GrayImage::from_raw(width, height, samples).map(DynamicImage::ImageLuma8),
        Layout::GreyAlpha => ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageLumaA8),
        Layout::Rgb => RgbImage::from_raw(width, height, samples).map(DynamicImage::ImageRgb8),
        Layout::Rgba => RgbaImage::from_raw(width, height, samples).map(DynamicImage::ImageRgba8),
    };
    let mut turned = turned.expect(WHY);
    turned.apply_orientation(orientation);
    let (width, height) = (turned.width() as usize, turned.height() as usize);
    Picture::new(width, height, layout, turned.into_bytes()).expect(WHY)
}
