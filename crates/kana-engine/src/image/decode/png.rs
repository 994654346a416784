//! Which picture does a PNG file hold?
//!
//! The crate `png` decodes it, row by row, so that samples of 16 bits are never held. Texts and colour profiles, which may
//! be compressed a thousandfold, are skipped unread. The file is whole when all rows are there: what follows them, its end
//! included, is not looked at.

use std::io::Cursor;

use ::image::metadata::Orientation;
use png::{BitDepth, ColorType, DecodingError, InterlaceInfo, Limits, Transformations};

use super::{ALLOC_MAX, Decoded, Error, narrow};
use crate::image::picture::{Layout, Picture};

const NAME: &str = "PNG";

/// Chunks that are walked to find the transparent colour, at most. Programs write fewer than twenty.
const CHUNKS_MAX: usize = 64;

/// What a header says.
pub(super) struct Size {
    /// Columns, in pixels.
    pub width: u32,
    /// Rows, in pixels.
    pub height: u32,
    /// Samples a pixel, at most.
    pub channels: u64,
}

/// Reads the header and the chunks after it.
pub(super) fn size(bytes: &[u8]) -> Option<Size> {
    let number = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    if bytes.get(12..16)? != b"IHDR" {
        return None;
    }
    let (width, height, kind) = (number(16)?, number(20)?, *bytes.get(25)?);
    let mut at = 33_usize;
    let mut is_clear = true;
    for _ in 0..CHUNKS_MAX {
        let (Some(length), Some(name)) = (number(at), bytes.get(at + 4..at + 8)) else { break };
        if matches!(name, b"tRNS" | b"IDAT") {
            is_clear = name == b"tRNS";
            break;
        }
        let Some(next) = at.checked_add(length as usize + 12) else { break };
        at = next;
    }
    let colours = if matches!(kind, 0 | 4) { 1 } else { 3 };
    Some(Size { width, height, channels: colours + u64::from(is_clear || kind >= 4) })
}

/// Decodes a PNG file.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Error> {
    let limits = Limits { bytes: usize::try_from(ALLOC_MAX).unwrap_or(usize::MAX) };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::EXPAND);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let mut reader = decoder.read_info().map_err(refusal)?;
    let (colour, depth) = reader.output_color_type();
    let layout = match colour {
        ColorType::Grayscale => Layout::Grey,
        ColorType::GrayscaleAlpha => Layout::GreyAlpha,
        ColorType::Rgb => Layout::Rgb,
        ColorType::Rgba => Layout::Rgba,
        ColorType::Indexed => return Err(Error::damaged(NAME, "it has no palette")),
    };
    let channels = layout.channels();
    if size(bytes).is_none_or(|size| (channels as u64) > size.channels) {
        return Err(Error::damaged(NAME, "its transparent colour stands after too many chunks"));
    }
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let mut samples = vec![0; width * height * channels];
    let wide = if depth == BitDepth::Sixteen { 2 } else { 1 };
    // An empty pass has no rows, so the rows are counted by what they fill.
    let (mut missing, mut line) = (width * height, 0);
    let mut row = Vec::new();
    while missing > 0 {
        let found = reader.next_interlaced_row().map_err(refusal)?.ok_or(Error::Truncated { format: NAME })?;
        row.clear();
        row.extend_from_slice(found.data());
        let length = if wide == 2 { narrow(&mut row, found.data().len(), u16::from_be_bytes) } else { row.len() };
        match found.interlace() {
            InterlaceInfo::Null(_) => samples[line * width * channels..][..length].copy_from_slice(&row[..length]),
            InterlaceInfo::Adam7(pass) => {
                png::expand_interlaced_row(&mut samples, width * channels, &row[..length], pass, 8 * channels as u8);
            }
        }
        line += 1;
        missing = missing.saturating_sub(length / channels);
    }
    let exif = reader.info().exif_metadata.as_deref();
    let orientation = exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms);
    let picture = Picture::new(width, height, layout, samples);
    Ok(Decoded { picture: picture.ok_or_else(|| Error::damaged(NAME, "it has no pixels"))?, orientation })
}

fn refusal(error: DecodingError) -> Error {
    match error {
        DecodingError::IoError(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::Truncated { format: NAME }
        }
        DecodingError::LimitsExceeded => Error::Work { format: NAME, found: "chunks of that length".to_owned() },
        other => Error::damaged(NAME, other),
    }
}
