//! Is a file all there?
//!
//! Some decoders fill what is missing with grey and call it a picture. Here the containers are walked to their end,
//! without decoding, for the formats whose decoder would not notice.

use ::image::ImageFormat;

/// Whether `bytes` reach the end that `format` asks for. `true` for formats whose decoder notices by itself.
pub(super) fn ends(bytes: &[u8], format: ImageFormat) -> bool {
    match format {
        ImageFormat::Jpeg => jpeg_ends(bytes).unwrap_or(false),
        ImageFormat::Png => png_ends(bytes).unwrap_or(false),
        _ => true,
    }
}

/// Columns and rows that a PNG's header names; `None` where it is no PNG or has no header.
pub(super) fn png_extents(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    (header.get(4..8)? == b"IHDR").then_some(())?;
    Some((big_endian(header.get(8..12)?), big_endian(header.get(12..16)?)))
}

fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, &byte| sum << 8 | u32::from(byte))
}

/// Walks a PNG's chunks: length, name, that many bytes, checksum.
fn png_ends(bytes: &[u8]) -> Option<bool> {
    let mut rest = bytes.get(8..)?;
    loop {
        let length = usize::try_from(big_endian(rest.get(..4)?)).ok()?;
        let name = rest.get(4..8)?;
        let next = length.checked_add(12)?;
        if name == b"IEND" {
            return Some(true);
        }
        rest = rest.get(next..)?;
    }
}

/// Walks a JPEG's segments up to its end marker.
///
/// A segment is `ff`, a marker, and (most of them) a length that counts itself. Behind a scan's header its coded data
/// run on without a length, up to the next marker that is neither a stuffed zero (`ff 00`) nor a restart (`ff d0` to
/// `ff d7`). A thumbnail inside a segment has an end marker of its own, which is why the last bytes alone say nothing.
fn jpeg_ends(bytes: &[u8]) -> Option<bool> {
    const END: u8 = 0xd9;
    const SCAN: u8 = 0xda;
    let mut at = 2;
    loop {
        // Between segments decoders skip what is no marker, and so do they here.
        at += bytes.get(at..)?.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff))?;
        let marker = bytes[at + 1];
        at += 2;
        match marker {
            END => return Some(true),
            0x01 | 0xd0..=0xd8 => {}
            _ => {
                let length = usize::try_from(big_endian(bytes.get(at..at + 2)?)).ok()?;
                at = at.checked_add(length.max(2))?;
                if marker == SCAN {
                    at += coded_length(bytes.get(at..)?)?;
                }
            }
        }
    }
}

/// How many bytes of coded data stand before the next marker that ends them.
fn coded_length(data: &[u8]) -> Option<usize> {
    data.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7 | 0xff))
}
