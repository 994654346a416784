//! Which picture does a file hold?
//!
//! The file's first bytes decide its format; its name and content type are ignored. A picture of more than [`PIXELS_MAX`]
//! pixels is refused by its header, before anything is decoded, and a truncated file is refused instead of being filled
//! with grey. Of an animation only the first frame is decoded. The orientation in a camera's metadata is applied; colour
//! profiles are ignored.
//!
//! Memory: a picture within the limits takes at most 8 bytes a pixel while it is decoded (four samples of 16 bits),
//! 200 MB at 25 megapixels, and half of it afterwards; the decoder may allocate [`ALLOC_MAX`] bytes in all. A camera's
//! 12-megapixel JPEG takes 36 MB, 110 MB where it is progressive.

mod format;
mod truncation;

use std::io::Cursor;

use ::image::error::{ImageError, UnsupportedErrorKind};
use ::image::metadata::Orientation;
use ::image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::picture::{Layout, Picture};
use format::{ACCEPTED, Kind};

/// Pixels in a picture, at most: more than most telephones take, and 100 MB of colour with transparency.
pub const PIXELS_MAX: u64 = 25_000_000;

/// Bytes that decoding and fitting one picture may allocate, at most: 9 a pixel, which the decoders of all usual kinds
/// stay within.
pub const ALLOC_MAX: u64 = 224 << 20;

/// Reasons why a file cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Empty file. Caller: 422.
    #[error("file is empty")]
    Empty,
    /// Unsupported file format. Caller: 422; the sender must convert it.
    #[error("file looks like {found}; accepted are {ACCEPTED}")]
    Foreign {
        /// Name of the format, with its article.
        found: &'static str,
    },
    /// More than [`PIXELS_MAX`] pixels. Caller: 422; the sender must shrink the picture.
    #[error("picture of {width}×{height} pixels is larger than {} megapixels", PIXELS_MAX / 1_000_000)]
    Large {
        /// Columns, in pixels.
        width: u32,
        /// Rows, in pixels.
        height: u32,
    },
    /// Width or height of zero. Caller: 422.
    #[error("picture of {width}×{height} pixels has none")]
    Zero {
        /// Columns, in pixels.
        width: u32,
        /// Rows, in pixels.
        height: u32,
    },
    /// Decompression bomb: decoding would allocate more than [`ALLOC_MAX`] bytes. Caller: 422.
    #[error("{format} file needs more than {} MB to decode", ALLOC_MAX / 1_000_000)]
    Bomb {
        /// Name of the file's format.
        format: &'static str,
    },
    /// Truncated file. Caller: 422; the sender must send all of it.
    #[error("{format} file is cut off")]
    Truncated {
        /// Name of the file's format.
        format: &'static str,
    },
    /// Rare feature of an accepted format. Caller: 422.
    #[error("{format} file is of a kind that is not supported")]
    Unsupported {
        /// Name of the file's format.
        format: &'static str,
        /// The decoder's error, naming the feature.
        source: ImageError,
    },
    /// Damaged file. Caller: 422.
    #[error("{format} file is damaged")]
    Damaged {
        /// Name of the file's format.
        format: &'static str,
        /// The decoder's error.
        source: ImageError,
    },
}

/// Upper bound on the bytes that [`decode()`] and [`fit()`](super::fit()) allocate for the file `bytes`, beyond the file
/// itself; at most [`ALLOC_MAX`]. Read from the file's header, in constant time. Every file has one, those that are
/// refused too.
pub fn memory_needed(bytes: &[u8]) -> u64 {
    let Kind::Accepted(format) = format::kind(bytes) else { return 0 };
    let dimensions = truncation::dimensions(bytes, format);
    let needed = dimensions.map(|(width, height)| u64::from(width) * u64::from(height) * 12);
    needed.map_or(ALLOC_MAX, |needed| (needed + bytes.len() as u64 + (8 << 20)).min(ALLOC_MAX))
}

/// Decodes the file `bytes` into an upright picture of 8 bits a sample. Takes processor time (some 5 ms a megapixel),
/// never waits.
///
/// # Errors
/// Any [`Error`]; a retry with the same bytes fails again.
pub fn decode(bytes: &[u8]) -> Result<Picture, Error> {
    if bytes.is_empty() {
        return Err(Error::Empty);
    }
    let format = match format::kind(bytes) {
        Kind::Accepted(format) => format,
        Kind::Foreign(found) => return Err(Error::Foreign { found }),
    };
    // Checked before the decoder runs: a bomb may be only a header, and then "too large" is more helpful than "cut off".
    if let Some((width, height)) = truncation::dimensions(bytes, format) {
        check_dimensions(width, height)?;
    }
    let name = format::name(format);
    if !truncation::is_complete(bytes, format) {
        return Err(Error::Truncated { format: name });
    }
    let mut decoder = open(bytes, format).map_err(|error| refusal(name, error))?;
    let (width, height) = decoder.dimensions();
    check_dimensions(width, height)?;
    // Without readable metadata the picture is taken as upright.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let colour = decoder.color_type();
    let samples = read(decoder).map_err(|error| refusal(name, error))?;
    upright(Raw { width, height, colour, samples }, orientation).ok_or_else(|| unknown_colour(format, colour))
}

fn check_dimensions(width: u32, height: u32) -> Result<(), Error> {
    match u64::from(width) * u64::from(height) {
        0 => Err(Error::Zero { width, height }),
        1..=PIXELS_MAX => Ok(()),
        _ => Err(Error::Large { width, height }),
    }
}

fn open(bytes: &[u8], format: ImageFormat) -> Result<impl ImageDecoder + '_, ImageError> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(ALLOC_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    reader.into_decoder()
}

fn read(decoder: impl ImageDecoder) -> Result<Vec<u8>, ImageError> {
    // `check_dimensions` has bounded the pixels, and a pixel has at most 8 bytes.
    let length = usize::try_from(decoder.total_bytes()).expect("BUG: 25 megapixels of 8 bytes fit any address space");
    let mut samples = vec![0; length];
    decoder.read_image(&mut samples)?;
    Ok(samples)
}

fn refusal(format: &'static str, error: ImageError) -> Error {
    match error {
        ImageError::Limits(_) => Error::Bomb { format },
        ImageError::IoError(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => Error::Truncated { format },
        ImageError::Unsupported(_) => Error::Unsupported { format, source: error },
        _ => Error::Damaged { format, source: error },
    }
}

fn unknown_colour(format: ImageFormat, colour: ColorType) -> Error {
    let kind = UnsupportedErrorKind::Color(colour.into());
    let source = ::image::error::UnsupportedError::from_format_and_kind(format.into(), kind);
    Error::Unsupported { format: format::name(format), source: ImageError::Unsupported(source) }
}

/// A decoder's output: 8 or 16 bits a sample, in native byte order, not yet turned upright.
struct Raw {
    width: u32,
    height: u32,
    colour: ColorType,
    samples: Vec<u8>,
}

/// Converts `raw` to 8 bits a sample and turns it as `orientation` says; `None` for colour types that no accepted format
/// produces.
fn upright(raw: Raw, orientation: Orientation) -> Option<Picture> {
    let Raw { width, height, colour, mut samples } = raw;
    let layout = match colour {
        ColorType::L8 | ColorType::L16 => Layout::Grey,
        ColorType::La8 | ColorType::La16 => Layout::GreyAlpha,
        ColorType::Rgb8 | ColorType::Rgb16 => Layout::Rgb,
        ColorType::Rgba8 | ColorType::Rgba16 => Layout::Rgba,
        _ => return None,
    };
    if matches!(colour, ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16) {
        narrow(&mut samples);
    }
    if orientation == Orientation::NoTransforms {
        return Picture::new(width as usize, height as usize, layout, samples);
    }
    let mut turned = match layout {
        Layout::Grey => DynamicImage::ImageLuma8(::image::GrayImage::from_raw(width, height, samples)?),
        Layout::GreyAlpha => DynamicImage::ImageLumaA8(::image::ImageBuffer::from_raw(width, height, samples)?),
        Layout::Rgb => DynamicImage::ImageRgb8(::image::RgbImage::from_raw(width, height, samples)?),
        Layout::Rgba => DynamicImage::ImageRgba8(::image::RgbaImage::from_raw(width, height, samples)?),
    };
    turned.apply_orientation(orientation);
    let (width, height) = (turned.width() as usize, turned.height() as usize);
    Picture::new(width, height, layout, turned.into_bytes())
}

/// Converts samples of 16 bits to 8, in place, rounded: 257 × v becomes v, so that an 8-bit image stored with 16 bits is
/// restored exactly.
fn narrow(samples: &mut Vec<u8>) {
    let count = samples.len() / 2;
    for index in 0..count {
        let wide = u16::from_ne_bytes([samples[2 * index], samples[2 * index + 1]]);
        let narrow = (u32::from(wide) * 255 + 32_767) / 65_535;
        samples[index] = narrow as u8;
    }
    samples.truncate(count);
    samples.shrink_to_fit();
}
