//! Which pictures, and which files that are no pictures, do the tests send?

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageFormat, Luma};

/// Draws a light stroke on a dark background, 28 × 28, a different one for each `seed`.
pub fn stroke(seed: u8) -> DynamicImage {
    let light = |x: u32, y: u32| (8..20).contains(&y) && (x + u32::from(seed)) % 7 < 3 && (4..24).contains(&x);
    DynamicImage::ImageLuma8(GrayImage::from_fn(28, 28, |x, y| Luma([if light(x, y) { 200 + seed % 50 } else { 0 }])))
}

/// Draws the picture of `seed` as a file.
pub fn file(seed: u8, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = stroke(seed);
    // JPEG and WebP want colour from this encoder.
    let picture = if format == ImageFormat::Pnm { picture } else { DynamicImage::ImageRgb8(picture.to_rgb8()) };
    picture.write_to(&mut bytes, format).expect("a picture can be encoded");
    bytes.into_inner()
}

pub fn png(seed: u8) -> Vec<u8> {
    file(seed, ImageFormat::Png)
}

/// Draws a page without a glyph, as a photograph of it has it: shaded, with some noise.
pub fn blank_page() -> Vec<u8> {
    let shade = |x: u32, y: u32| Luma([(200 - x / 4 + (x * 7 + y * 13 + x * y) % 5) as u8]);
    let mut bytes = Cursor::new(Vec::new());
    let page = DynamicImage::ImageLuma8(GrayImage::from_fn(120, 120, shade));
    page.write_to(&mut bytes, ImageFormat::Png).expect("a picture can be encoded");
    bytes.into_inner()
}

/// Returns fifteen kinds of file that are no picture, each with its name.
pub fn broken() -> Vec<(&'static str, Vec<u8>)> {
    let (png, jpeg, gif) = (png(1), file(1, ImageFormat::Jpeg), file(1, ImageFormat::Gif));
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let mut flipped = png.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0xff;
    let mut huge = png.clone();
    // Width and height of the PNG header; its checksum is made to fit by nobody.
    huge[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    vec![
        ("empty.png", Vec::new()),
        ("text.png", b"this is no picture".to_vec()),
        ("zeros.png", vec![0; 4_096]),
        ("half.png", half(&png)),
        ("half.jpg", half(&jpeg)),
        ("half.gif", gif[..20].to_vec()),
        ("signature-only.png", png[..8].to_vec()),
        ("one-byte.jpg", jpeg[..1].to_vec()),
        ("flipped.png", flipped),
        ("huge.png", huge),
        ("page.html", b"<!doctype html><title>x</title>".to_vec()),
        ("vector.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec()),
        ("document.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec()),
        ("archive.zip", b"PK\x03\x04\x14\x00\x00\x00".to_vec()),
        ("promises.pgm", b"P5\n28 28\n255\nshort".to_vec()),
    ]
}
