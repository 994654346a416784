//! How much memory will decoding a file take?
//!
//! Read from its header, before anything is decoded, so that whoever decodes several files at once can admit them by their
//! sum. The bound is on what is allocated at once by the decoder and by fitting the picture to a model, beyond the file's
//! own bytes; `tests/it/memory.rs` holds it against a counting allocator, with whole and damaged files of every format.

use ::image::ImageFormat;

use super::format::{self, Kind};
use super::{ALLOC_MAX, PIXELS_MAX, SIDE_MAX, gif, jpeg, plain, png, webp};

/// Least that [`memory_needed`] returns, in bytes: for what does not grow with the picture. That is some rows of at most
/// 65,535 pixels, the decoders' tables, the grids on which a glyph is located, an image of the model's size.
pub const MEMORY_MIN: u64 = 8 << 20;

/// What a file's header says.
pub(super) struct Header {
    /// Columns, in pixels.
    pub width: u32,
    /// Rows, in pixels.
    pub height: u32,
    /// Bytes that decoding and fitting allocate at once.
    pub needed: u64,
}

/// Upper bound on the bytes that [`decode()`](super::decode()) and [`fit()`](crate::image::fit()) allocate for the file
/// `bytes`, beyond the file itself; at most [`ALLOC_MAX`]. Read from the file's header, in constant time. Holds for every
/// file; one that will be refused takes little.
pub fn memory_needed(bytes: &[u8]) -> u64 {
    let Kind::Accepted(format) = format::kind(bytes) else { return MEMORY_MIN };
    let is_accepted = |header: &Header| {
        let pixels = u64::from(header.width) * u64::from(header.height);
        (1..=PIXELS_MAX).contains(&pixels) && header.width.max(header.height) <= SIDE_MAX && header.needed <= ALLOC_MAX
    };
    header(bytes, format).filter(is_accepted).map_or(MEMORY_MIN, |header| header.needed)
}

/// Reads the header of the file `bytes`; `None` where it has none that can be read.
pub(super) fn header(bytes: &[u8], format: ImageFormat) -> Option<Header> {
    let copy = bytes.len() as u64;
    // Bytes to decode, besides the samples; and samples a pixel.
    let (width, height, decoding, channels) = match format {
        ImageFormat::Png => {
            let png::Size { width, height, channels } = png::size(bytes)?;
            // Metadata of a camera are kept as they are, and read into a list that may have twice the room.
            (width, height, pixels(width, height) * channels + 3 * copy, channels)
        }
        ImageFormat::Gif => {
            let (width, height) = gif::size(bytes)?;
            (width, height, pixels(width, height) * (4 + 1), 4)
        }
        ImageFormat::Jpeg => {
            let size = jpeg::size(bytes).ok()?;
            let channels = if size.components == 1 { 1 } else { 3 };
            // Coefficients have 16 bits. Of each block of 64 the walk before that notes 64 bits, too.
            let held = if size.is_held { size.samples * 2 } else { 0 };
            (size.width, size.height, pixels(size.width, size.height) * channels + held + copy, channels)
        }
        ImageFormat::WebP => {
            let size = webp::size(bytes)?;
            (size.width, size.height, size.needed, size.channels)
        }
        ImageFormat::Bmp => {
            let size = plain::bmp_size(bytes)?;
            (size.width, size.height, pixels(size.width, size.height) * size.channels, size.channels)
        }
        _ => {
            let size = plain::pnm_size(bytes)?;
            let samples = pixels(size.width, size.height).saturating_mul(size.channels * size.depth);
            (size.width, size.height, samples, size.channels)
        }
    };
    let needed = decoding.max(pixels(width, height).saturating_mul(fitting(channels))).saturating_add(MEMORY_MIN);
    Some(Header { width, height, needed })
}

fn pixels(width: u32, height: u32) -> u64 {
    // Sides beyond the limit are refused whatever they need.
    u64::from(width.min(SIDE_MAX)) * u64::from(height.min(SIDE_MAX))
}

/// Bytes a pixel that a picture of so many samples a pixel takes while it is turned or fitted: the picture, then another
/// one turned; or its glyph's background in up to three samples, and one of ink; or three planes of a scene.
fn fitting(channels: u64) -> u64 {
    let flattened = if channels.is_multiple_of(2) { 3 } else { 0 };
    channels + channels.max(flattened + 1).max(3)
}
