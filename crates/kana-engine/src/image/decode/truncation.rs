//! Is a file complete?
//!
//! Some decoders fill missing pixels with grey and report success. For the formats of these decoders the container's
//! structure is walked to its end here, without decoding. The dimensions in a header are read here too, so that a picture
//! that is both too large and cut off is reported as too large.

use ::image::ImageFormat;

/// Whether the file `bytes` reaches the end that `format` requires. `true` for formats whose decoder detects truncation
/// itself.
pub(super) fn is_complete(bytes: &[u8], format: ImageFormat) -> bool {
    match format {
        ImageFormat::Jpeg => jpeg_is_complete(bytes).unwrap_or(false),
        ImageFormat::Png => png_is_complete(bytes).unwrap_or(false),
        ImageFormat::Gif => gif_is_complete(bytes).unwrap_or(false),
        ImageFormat::WebP => webp_is_complete(bytes).unwrap_or(false),
        _ => true,
    }
}

/// Width and height in pixels from the header of the file `bytes`, for the formats whose decoder reads more than the
/// header before it reports them; `None` where the header has none.
pub(super) fn dimensions(bytes: &[u8], format: ImageFormat) -> Option<(u32, u32)> {
    match format {
        ImageFormat::Png if bytes.get(12..16)? == b"IHDR" => {
            Some((big_endian(bytes.get(16..20)?), big_endian(bytes.get(20..24)?)))
        }
        // A negative height means that rows are stored from the top.
        ImageFormat::Bmp if little_endian(bytes.get(14..18)?) > OLD_BMP_HEADER => {
            Some((little_endian(bytes.get(18..22)?), little_endian(bytes.get(22..26)?).cast_signed().unsigned_abs()))
        }
        _ => None,
    }
}

/// Bytes of the oldest BMP header, whose dimensions have 16 bits and cannot be far beyond the limit.
const OLD_BMP_HEADER: u32 = 12;

fn little_endian(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte))
}

fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, &byte| sum << 8 | u32::from(byte))
}

/// Walks a PNG's chunks: length, name, that many bytes, checksum.
fn png_is_complete(bytes: &[u8]) -> Option<bool> {
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

/// Compares a WebP's length with the one in its header.
fn webp_is_complete(bytes: &[u8]) -> Option<bool> {
    let length = usize::try_from(little_endian(bytes.get(4..8)?)).ok()?;
    Some(bytes.len() - 8 >= length)
}

/// Walks a GIF's blocks up to its trailer. The flags before a colour table hold its length; everything else consists of
/// pieces of at most 255 bytes, each preceded by its length, the last one of length zero.
fn gif_is_complete(bytes: &[u8]) -> Option<bool> {
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
            // After the colours of an image comes one byte, the code size of its compression.
            b',' => at += IMAGE + table(*bytes.get(at + IMAGE - 1)?) + 1,
            // Decoders skip unknown bytes between blocks, and so does this.
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
/// A segment is `ff`, a marker, and (most of them) a length that counts itself. A scan's header is followed by coded data
/// without a length, up to the next marker that is neither a stuffed zero (`ff 00`) nor a restart (`ff d0` to `ff d7`).
/// A thumbnail inside a segment has an end marker of its own, so the last bytes of a file prove nothing.
fn jpeg_is_complete(bytes: &[u8]) -> Option<bool> {
    const END: u8 = 0xd9;
    const SCAN: u8 = 0xda;
    let mut at = 2;
    loop {
        // Decoders skip bytes between segments that are no marker, and so does this.
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

/// Length in bytes of the coded data, up to the marker that ends them.
fn coded_length(data: &[u8]) -> Option<usize> {
    data.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7 | 0xff))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_marker_inside_a_segment_is_not_the_end() {
        let with_thumbnail = [0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9];

        assert!(!is_complete(&with_thumbnail, ImageFormat::Jpeg));
        assert!(is_complete(&[&with_thumbnail[..], &[0xff, 0xd9]].concat(), ImageFormat::Jpeg));
    }

    #[test]
    fn stuffed_zeros_and_restarts_do_not_end_coded_data() {
        let scan = [0xff, 0xd8, 0xff, 0xda, 0, 2, 1, 0xff, 0x00, 2, 0xff, 0xd3, 3];

        assert!(!is_complete(&scan, ImageFormat::Jpeg));
        assert!(is_complete(&[&scan[..], &[0xff, 0xd9]].concat(), ImageFormat::Jpeg));
    }

    #[test]
    fn a_bitmap_stored_from_the_top_has_as_many_rows() {
        let mut header = [0; 26];
        header[14] = 40;
        header[18] = 3;
        header[22..26].copy_from_slice(&(-7_i32).to_le_bytes());

        assert_eq!(dimensions(&header, ImageFormat::Bmp), Some((3, 7)));
    }
}
