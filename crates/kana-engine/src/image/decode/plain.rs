//! Which picture does a BMP or PNM file hold?
//!
//! The crate `image` decodes them: both are mostly raw samples, which the decoder reads into a buffer of ours.

use std::io::{BufRead, Cursor, ErrorKind, Read, Seek, SeekFrom};

use ::image::error::ImageError;
use ::image::metadata::Orientation;
use ::image::{ColorType, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::{ALLOC_MAX, Decoded, Error, narrow};
use crate::image::picture::{Layout, Picture};

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// Columns, in pixels.
    pub width: u32,
    /// Rows, in pixels.
    pub height: u32,
    /// Samples a pixel.
    pub channels: u64,
    /// Bytes a sample.
    pub depth: u64,
}

/// Bytes of a PNM header, at most; a longer one, which only comments make, is refused.
const PNM_HEADER_MAX: usize = 4_096;

/// Bytes of the oldest BMP header, whose dimensions have 16 bits.
const OLD_BMP_HEADER: u32 = 12;

/// Reads the header of a BMP file.
pub(super) fn bmp_size(bytes: &[u8]) -> Option<Size> {
    let long = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let short = |at: usize| bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes);
    if long(14)? == OLD_BMP_HEADER {
        let (width, height) = (short(18)?.into(), short(20)?.cast_signed().unsigned_abs().into());
        return Some(Size { width, height, channels: 3, depth: 1 });
    }
    // A negative height means that rows are stored from the top.
    let (width, height) = (long(18)?.cast_signed().unsigned_abs(), long(22)?.cast_signed().unsigned_abs());
    let channels = if matches!(short(28)?, 16 | 32) { 4 } else { 3 };
    Some(Size { width, height, channels, depth: 1 })
}

/// Bytes that an uncompressed BMP file lacks of those that only fill up its last row, which the decoder wants to see.
fn bmp_padding(bytes: &[u8], size: Size) -> usize {
    let long = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let (Some(start), Some(header)) = (long(10), long(14)) else { return 0 };
    let is_old = header == OLD_BMP_HEADER;
    let (at, is_compressed) = if is_old { (24, false) } else { (28, matches!(long(30), Some(1 | 2))) };
    let Some(depth) = bytes.get(at..at + 2) else { return 0 };
    let bits = u64::from(size.width) * u64::from(u16::from_le_bytes([depth[0], depth[1]]));
    let (row, filled) = (bits.div_ceil(8), bits.div_ceil(32) * 4);
    let lacking = (u64::from(start) + filled * u64::from(size.height)).saturating_sub(bytes.len() as u64);
    if is_compressed || lacking > filled - row { 0 } else { lacking as usize }
}

/// A file with some zeros after it.
struct Padded<'a> {
    bytes: Cursor<&'a [u8]>,
    zeros: usize,
}

impl BufRead for Padded<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        const ZEROS: [u8; 3] = [0; 3];
        let length = self.bytes.get_ref().len() as u64;
        let beyond = self.bytes.position().saturating_sub(length);
        if self.bytes.position() < length {
            return self.bytes.fill_buf();
        }
        Ok(ZEROS.get(..self.zeros).and_then(|zeros| zeros.get(usize::try_from(beyond).ok()?..)).unwrap_or(&[]))
    }

    fn consume(&mut self, amount: usize) {
        self.bytes.set_position(self.bytes.position() + amount as u64);
    }
}

impl Read for Padded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl Seek for Padded<'_> {
    fn seek(&mut self, place: SeekFrom) -> std::io::Result<u64> {
        self.bytes.seek(place)
    }
}

/// Reads the header of a PNM file.
pub(super) fn pnm_size(bytes: &[u8]) -> Option<Size> {
    let kind = *bytes.get(1)?;
    let header = &bytes[2..bytes.len().min(PNM_HEADER_MAX)];
    let mut is_comment = false;
    let text: String = header
        .iter()
        .map(|&byte| {
            is_comment = (is_comment || byte == b'#') && !matches!(byte, b'\n' | b'\r');
            if is_comment { ' ' } else { char::from(byte) }
        })
        .collect();
    let mut words = text.split_ascii_whitespace();
    if kind == b'7' {
        let mut size = Size { width: 0, height: 0, channels: 0, depth: 1 };
        while let Some(word) = words.next().filter(|&word| word != "ENDHDR") {
            match word {
                "WIDTH" => size.width = words.next()?.parse().ok()?,
                "HEIGHT" => size.height = words.next()?.parse().ok()?,
                "DEPTH" => size.channels = words.next()?.parse().ok()?,
                "MAXVAL" => size.depth = depth(words.next()?)?,
                _ => {}
            }
        }
        return (size.channels <= 4).then_some(size);
    }
    let (width, height) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let channels = if matches!(kind, b'3' | b'6') { 3 } else { 1 };
    let depth = if matches!(kind, b'1' | b'4') { 1 } else { depth(words.next()?)? };
    Some(Size { width, height, channels, depth })
}

fn depth(maximum: &str) -> Option<u64> {
    maximum.parse::<u16>().ok().map(|maximum| 1 + u64::from(maximum > 255))
}

/// Decodes a BMP or PNM file whose header says `size`.
pub(super) fn decode(bytes: &[u8], format: ImageFormat, size: Size) -> Result<Decoded, Error> {
    let name = super::format::name(format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(ALLOC_MAX);
    let zeros = if format == ImageFormat::Bmp { bmp_padding(bytes, size) } else { 0 };
    let mut file = Padded { bytes: Cursor::new(bytes), zeros };
    let mut reader = ImageReader::with_format(&mut file, format);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|error| refusal(name, error))?;
    let (width, height) = decoder.dimensions();
    let colour = decoder.color_type();
    let total = u64::from(width) * u64::from(height) * size.channels * size.depth;
    if (width, height) != (size.width, size.height) || decoder.total_bytes() > total {
        return Err(Error::damaged(name, "its header has two meanings"));
    }
    let (layout, is_wide) = match colour {
        ColorType::L8 => (Layout::Grey, false),
        ColorType::L16 => (Layout::Grey, true),
        ColorType::La8 => (Layout::GreyAlpha, false),
        ColorType::La16 => (Layout::GreyAlpha, true),
        ColorType::Rgb8 => (Layout::Rgb, false),
        ColorType::Rgb16 => (Layout::Rgb, true),
        ColorType::Rgba8 => (Layout::Rgba, false),
        ColorType::Rgba16 => (Layout::Rgba, true),
        other => return Err(Error::Unsupported { format: name, feature: format!("samples of the kind {other:?}") }),
    };
    let mut samples = vec![0; usize::try_from(decoder.total_bytes()).unwrap_or(usize::MAX)];
    decoder.read_image(&mut samples).map_err(|error| match error {
        // A number in a text that ends is no number, for the decoder, and a file that ends is damaged.
        ImageError::Decoding(_) if file.bytes.position() >= bytes.len() as u64 => Error::Truncated { format: name },
        error => refusal(name, error),
    })?;
    if is_wide {
        let length = samples.len();
        let kept = narrow(&mut samples, length, u16::from_ne_bytes);
        samples.truncate(kept);
        samples.shrink_to_fit();
    }
    let picture = Picture::new(width as usize, height as usize, layout, samples);
    let picture = picture.ok_or_else(|| Error::damaged(name, "it has no pixels"))?;
    Ok(Decoded { picture, orientation: Orientation::NoTransforms })
}

fn refusal(format: &'static str, error: ImageError) -> Error {
    match error {
        ImageError::Limits(_) => Error::Work { format, found: "a header of that length".to_owned() },
        ImageError::IoError(cause) if cause.kind() == ErrorKind::UnexpectedEof => Error::Truncated { format },
        ImageError::Unsupported(cause) => Error::Unsupported { format, feature: cause.to_string() },
        other => Error::damaged(format, other),
    }
}
