//! Is this file a picture, and which?
//!
//! Its first bytes say what it is; its name and content type are not asked. What is larger than [`PIXELS_MAX`] is
//! refused by its header, before anything is decoded, and a file that ends too early is refused instead of shown with
//! a grey rest. Of an animation the first frame counts; the orientation that a camera noted is applied.
//!
//! Memory: a picture within the limits takes at most 8 bytes a pixel while it is decoded (four samples of 16 bits),
//! 200 MB at 25 megapixels, and half of it after; the decoder may take as much as [`ALLOC_MAX`] in all. A camera's
//! 12-megapixel JPEG takes 36 MB, 110 MB where it is progressive.

use std::io::Cursor;

use ::image::error::{ImageError, UnsupportedErrorKind};
use ::image::metadata::Orientation;
use ::image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::picture::{Layout, Picture};
use super::sniff::{self, ACCEPTED, Kind};
use super::whole;

/// Pixels in a picture, at most: more than what most telephones take, and 100 MB of colour with transparency.
pub const PIXELS_MAX: u64 = 25_000_000;

/// Bytes that decoding one picture may allocate, at most: 8 a pixel, and half as much again for the decoder's own rows
/// and coefficients.
pub const ALLOC_MAX: u64 = PIXELS_MAX * 12;

/// Why a file is no picture.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Caller: 422; the sender sent nothing.
    #[error("file is empty")]
    Empty,
    /// Caller: 422; the sender must convert it.
    #[error("file looks like {found}; accepted are {ACCEPTED}")]
    Foreign {
        /// What it looks like, with its article.
        found: &'static str,
    },
    /// Caller: 422; the sender must shrink it.
    #[error("picture of {width}×{height} pixels is larger than {} megapixels", PIXELS_MAX / 1_000_000)]
    Large {
        /// Its columns.
        width: u32,
        /// Its rows.
        height: u32,
    },
    /// Caller: 422; there is nothing to look at.
    #[error("picture of {width}×{height} pixels has none")]
    Zero {
        /// Its columns.
        width: u32,
        /// Its rows.
        height: u32,
    },
    /// Caller: 422; a decompression bomb, or a file that asks for far more memory than its picture.
    #[error("{format} file needs more than {} MB to decode", ALLOC_MAX / 1_000_000)]
    Bomb {
        /// Its format.
        format: &'static str,
    },
    /// Caller: 422; the sender must send all of it.
    #[error("{format} file is cut off")]
    Truncated {
        /// Its format.
        format: &'static str,
    },
    /// Caller: 422; the file uses a rare feature of its format.
    #[error("{format} file is of a kind that is not supported")]
    Unsupported {
        /// Its format.
        format: &'static str,
        /// Which feature.
        source: ImageError,
    },
    /// Caller: 422; the file is damaged.
    #[error("{format} file is damaged")]
    Damaged {
        /// Its format.
        format: &'static str,
        /// Where the decoder stumbled.
        source: ImageError,
    },
}

/// The picture that `bytes` are the file of. Takes processor time (some 5 ms a megapixel), never waits.
///
/// # Errors
/// Every [`Error`]; none of them is worth a second try with the same bytes.
pub fn decode(bytes: &[u8]) -> Result<Picture, Error> {
    if bytes.is_empty() {
        return Err(Error::Empty);
    }
    let format = match sniff::kind(bytes) {
        Kind::Accepted(format) => format,
        Kind::Foreign(found) => return Err(Error::Foreign { found }),
    };
    // Before the decoder sees anything: a bomb may be all header, and then "too large" says more than "cut off".
    if let Some((width, height)) = whole::extents(bytes, format) {
        check(width, height)?;
    }
    let name = sniff::name(format);
    if !whole::ends(bytes, format) {
        return Err(Error::Truncated { format: name });
    }
    let mut decoder = open(bytes, format).map_err(|error| refusal(name, error))?;
    let (width, height) = decoder.dimensions();
    check(width, height)?;
    // A picture without a readable note of its orientation stands as it is.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let colour = decoder.color_type();
    let samples = read(decoder).map_err(|error| refusal(name, error))?;
    upright(Raw { width, height, colour, samples }, orientation).ok_or_else(|| unknown_colour(format, colour))
}

fn check(width: u32, height: u32) -> Result<(), Error> {
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
    // `check` has bounded the pixels, and a pixel has at most 8 bytes.
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
    Error::Unsupported { format: sniff::name(format), source: ImageError::Unsupported(source) }
}

/// Samples as the decoder left them.
struct Raw {
    width: u32,
    height: u32,
    colour: ColorType,
    samples: Vec<u8>,
}

/// Eight bits a sample, turned as `orientation` says; `None` where the samples are of a kind that no accepted format
/// has.
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
        halve(&mut samples);
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

/// 16 bits a sample to 8, in place, rounded: 257 × v becomes v, so that an 8-bit image kept in 16 bits comes back
/// exactly.
fn halve(samples: &mut Vec<u8>) {
    let count = samples.len() / 2;
    for index in 0..count {
        let wide = u16::from_ne_bytes([samples[2 * index], samples[2 * index + 1]]);
        let narrow = (u32::from(wide) * 255 + 32_767) / 65_535;
        samples[index] = narrow as u8;
    }
    samples.truncate(count);
    samples.shrink_to_fit();
}
