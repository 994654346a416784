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
        ImageFormat::Gif => gif_ends(bytes).unwrap_or(false),
        ImageFormat::WebP => webp_ends(bytes).unwrap_or(false),
        _ => true,
    }
}

/// Columns and rows that a file's first bytes name, for the formats whose decoder reads more than these before it
/// tells; `None` where they name none.
pub(super) fn extents(bytes: &[u8], format: ImageFormat) -> Option<(u32, u32)> {
    match format {
        ImageFormat::Png if bytes.get(12..16)? == b"IHDR" => {
            Some((big_endian(bytes.get(16..20)?), big_endian(bytes.get(20..24)?)))
        }
        // Rows that are stored from the top are counted downwards from zero.
        ImageFormat::Bmp if little_endian(bytes.get(14..18)?) > OLD_BMP_HEADER => {
            Some((little_endian(bytes.get(18..22)?), little_endian(bytes.get(22..26)?).cast_signed().unsigned_abs()))
        }
        _ => None,
    }
}

/// Bytes of the oldest BMP header, whose extents have 16 bits and cannot be far beyond the limit.
const OLD_BMP_HEADER: u32 = 12;

fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte))
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

/// A WebP's beginning says how many bytes follow it.
fn webp_ends(bytes: &[u8]) -> Option<bool> {
    let length = usize::try_from(little_endian(bytes.get(4..8)?)).ok()?;
    Some(bytes.len() - 8 >= length)
}

/// Walks a GIF's blocks up to its trailer. Tables of colours say how long they are in the flags before them; all else
/// is in pieces of at most 255 bytes, each behind its length, the last one of length zero.
fn gif_ends(bytes: &[u8]) -> Option<bool> {
    const SCREEN: usize = 13;
    const IMAGE: usize = 9;
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = SCREEN + table(*bytes.get(10)?);
    loop {
        let block = *bytes.get(at)?;
        at += 1;
        match block {
            b';' => return Some(true),
            b'!' => at += 1,
            // Behind the colours of an image stands one byte that tells how it is packed.
            b',' => at += IMAGE + table(*bytes.get(at + IMAGE - 1)?) + 1,
            // Between blocks decoders skip what is none, and so do they here.
            _ => continue,
        }
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_marker_inside_a_segment_is_not_the_end() {
        let with_thumbnail = [0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9];

        assert!(!ends(&with_thumbnail, ImageFormat::Jpeg));
        assert!(ends(&[&with_thumbnail[..], &[0xff, 0xd9]].concat(), ImageFormat::Jpeg));
    }

    #[test]
    fn stuffed_zeros_and_restarts_do_not_end_coded_data() {
        let scan = [0xff, 0xd8, 0xff, 0xda, 0, 2, 1, 0xff, 0x00, 2, 0xff, 0xd3, 3];

        assert!(!ends(&scan, ImageFormat::Jpeg));
        assert!(ends(&[&scan[..], &[0xff, 0xd9]].concat(), ImageFormat::Jpeg));
    }

    #[test]
    fn a_bitmap_stored_from_the_top_has_as_many_rows() {
        let mut header = [0; 26];
        header[14] = 40;
        header[18] = 3;
        header[22..26].copy_from_slice(&(-7_i32).to_le_bytes());

        assert_eq!(extents(&header, ImageFormat::Bmp), Some((3, 7)));
    }
}
