//! Which images do the tests classify, and in which files?

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use image::{DynamicImage, GrayImage, ImageFormat};
use kana_engine::image::{Fit, Image, Picture, Shape, decode, fit};
use kana_engine::model::Artifact;

/// Columns and rows of a training image.
pub const SIDE: u32 = 28;

/// Returns up to `count` images like those of the training: of KMNIST's test set in the folder that `KANA_DATA` names,
/// otherwise those of the built-in model's self-test.
pub fn training_images(count: usize) -> Vec<GrayImage> {
    if let Some(folder) = std::env::var_os("KANA_DATA") {
        let set = test_set(&project().join(folder).join("kmnist"));
        // Sets may be sorted by class; steps of a prime visit all of it.
        return (0..count.min(set.len())).map(|index| grey(set[index * 7919 % set.len()].clone())).collect();
    }
    let model = Artifact::built_in().expect("the built-in model loads");
    model.card().self_test.iter().map(|specimen| grey(hex::decode(&specimen.pixels).expect("hexadecimal"))).collect()
}

/// Reads the pixels of each image in a folder's test set: an IDX file, whose header has 16 bytes.
fn test_set(folder: &Path) -> Vec<Vec<u8>> {
    let file =
        File::open(folder.join("t10k-images-idx3-ubyte.gz")).expect("KANA_DATA names a folder with kmnist in it");
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes).expect("a gzip file");
    bytes[16..].chunks_exact((SIDE * SIDE) as usize).map(<[u8]>::to_vec).collect()
}

/// The root folder of the repository, from which relative paths in the environment count.
pub fn project() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A grey image of the training size.
pub fn grey(pixels: Vec<u8>) -> GrayImage {
    GrayImage::from_raw(SIDE, SIDE, pixels).expect("28 × 28 pixels")
}

/// Encodes a picture with the library's default settings.
pub fn file(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).expect("an image of a kind that the format takes");
    bytes.into_inner()
}

/// Decodes a file.
pub fn picture(file: &[u8]) -> Picture {
    decode(file).expect("a picture")
}

/// Decodes a file and fits it to the built-in model's input.
pub fn shown(file: &[u8]) -> Image {
    let shape = Shape { channels: 1, height: SIDE as usize, width: SIDE as usize };
    fit(&picture(file), shape, Fit::Glyph { margin: 0.0 })
}

/// A PNG file given by the contents of its chunks, for kinds that the library cannot write.
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

/// Inserts a camera's metadata with an orientation, 1 to 8, after a JPEG file's start marker.
pub fn oriented(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    // One little-endian TIFF directory with one entry: tag 0x0112, type short, count 1.
    let mut metadata = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    metadata.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    let mut file = jpeg[..2].to_vec();
    file.extend([0xff, 0xe1]);
    file.extend((metadata.len() as u16 + 2).to_be_bytes());
    file.extend(metadata);
    file.extend(&jpeg[2..]);
    file
}
