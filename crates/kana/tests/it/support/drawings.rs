//! Which images do tests show, and in which files?

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageFormat};
use kana_engine::image::Image;
use kana_engine::image::decode::decode;
use kana_engine::image::fit::{Fit, fit};
use kana_engine::image::picture::Picture;
use kana_engine::model::Artifact;
use kana_train::data::Folder;

/// Columns and rows of a training image.
pub const SIDE: u32 = 28;

/// Up to `count` training images: of the data set that `KANA_DATA` names, otherwise those that the built-in model
/// proves itself with.
pub fn training_images(count: usize) -> Vec<GrayImage> {
    if let Some(folder) = std::env::var_os("KANA_DATA") {
        let folder = crate::support::project().join(folder).join("kmnist");
        let folder = Folder::load(&folder).expect("KANA_DATA names a folder with kmnist in it");
        let set = folder.test;
        // Sets may be sorted by class; steps of a prime visit all of it.
        return (0..count.min(set.len())).map(|index| grey(set.pixels(index * 7919 % set.len()).to_vec())).collect();
    }
    let model = Artifact::built_in().expect("the built-in model loads");
    model.card().self_test.iter().map(|specimen| grey(hex::decode(&specimen.pixels).expect("hexadecimal"))).collect()
}

/// A grey image of the training size.
pub fn grey(pixels: Vec<u8>) -> GrayImage {
    GrayImage::from_raw(SIDE, SIDE, pixels).expect("28 × 28 pixels")
}

/// The file that a picture makes in a format, with the library's usual settings.
pub fn file(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).expect("an image of a kind that the format takes");
    bytes.into_inner()
}

/// The picture that a file holds.
pub fn picture(file: &[u8]) -> Picture {
    decode(file).expect("a picture")
}

/// What the built-in model is shown of a file.
pub fn shown(file: &[u8]) -> Image {
    let shape = kana_engine::image::Shape { channels: 1, height: SIDE as usize, width: SIDE as usize };
    fit(&picture(file), shape, Fit::Glyph { margin: 0.0 })
}

/// A PNG file of its chunks' contents, for what the library cannot write.
pub struct Png {
    /// The header's contents: width, height, depth, colour type, and three zeros of which the last may be 1, interlaced.
    pub header: [u8; 13],
    /// The palette, or none.
    pub palette: Option<Vec<u8>>,
    /// Filtered rows.
    pub rows: Vec<u8>,
}

impl Png {
    /// A header of `width` × `height`.
    pub fn header(width: u32, height: u32, [depth, colour, interlaced]: [u8; 3]) -> [u8; 13] {
        let mut header = [0; 13];
        header[..4].copy_from_slice(&width.to_be_bytes());
        header[4..8].copy_from_slice(&height.to_be_bytes());
        header[8..10].copy_from_slice(&[depth, colour]);
        header[12] = interlaced;
        header
    }

    /// The file.
    pub fn file(&self) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, &self.rows).expect("memory takes everything");
        let rows = encoder.finish().expect("memory takes everything");
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        chunk(&mut file, b"IHDR", &self.header);
        if let Some(palette) = &self.palette {
            chunk(&mut file, b"PLTE", palette);
        }
        chunk(&mut file, b"IDAT", &rows);
        chunk(&mut file, b"IEND", &[]);
        file
    }
}

fn chunk(file: &mut Vec<u8>, name: &[u8; 4], content: &[u8]) {
    let mut crc = flate2::Crc::new();
    crc.update(name);
    crc.update(content);
    file.extend((content.len() as u32).to_be_bytes());
    file.extend(name);
    file.extend(content);
    file.extend(crc.sum().to_be_bytes());
}

/// A JPEG file with a camera's note of its orientation, 1 to 8, put behind its start marker.
pub fn oriented(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    // One little-endian TIFF directory with one entry: tag 0x0112, type short, count 1.
    let mut note = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    note.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    let mut file = jpeg[..2].to_vec();
    file.extend([0xff, 0xe1]);
    file.extend((note.len() as u16 + 2).to_be_bytes());
    file.extend(note);
    file.extend(&jpeg[2..]);
    file
}
