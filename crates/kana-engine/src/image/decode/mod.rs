//! Which picture does a file hold?
//!
//! The file's first bytes decide its format; its name and content type are ignored. A picture of more than [`PIXELS_MAX`]
//! pixels is refused by its header, before anything is decoded. A file that lacks pixels is refused instead of being filled
//! with grey; one that lacks only what follows the last pixel is whole. Of an animation only the first frame is decoded. The
//! orientation in a camera's metadata is applied; colour profiles are ignored.
//!
//! Memory: [`memory_needed()`] is a bound that holds for every file, hostile ones too, and a file for which it would exceed
//! [`ALLOC_MAX`] is refused. Time: a decoder visits each pixel and each byte a bounded number of times; where a format lets
//! a few bytes ask for more, what is asked for is counted first and refused as [`Error::Work`].

mod format;
mod gif;
mod jpeg;
mod memory;
mod plain;
mod png;
mod upright;
mod webp;

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::image::ImageFormat;
use ::image::metadata::Orientation;

use super::picture::Picture;
use format::{ACCEPTED, Kind};

pub use memory::{MEMORY_MIN, memory_needed};

/// Pixels in a picture, at most: more than most telephones take, and 100 MB of colour with transparency.
pub const PIXELS_MAX: u64 = 25_000_000;

/// Pixels along one side of a picture, at most: as many as JPEG and GIF can say. Decoders hold some rows at once.
pub const SIDE_MAX: u32 = 65_535;

/// Bytes that decoding and fitting one picture may allocate, at most: 9 a pixel, which suffices for all usual kinds at
/// [`PIXELS_MAX`].
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
    /// More than [`PIXELS_MAX`] pixels, or a side of more than [`SIDE_MAX`]. Caller: 422; the sender must shrink the
    /// picture.
    #[error(
        "picture of {width}×{height} pixels is larger than {} megapixels or {SIDE_MAX} pixels along a side",
        PIXELS_MAX / 1_000_000
    )]
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
    /// Decoding would allocate more than [`ALLOC_MAX`] bytes. Caller: 422; the sender must shrink the picture, or store it
    /// as another kind.
    #[error(
        "{format} file of this kind needs {needed} bytes to decode, and {ALLOC_MAX} is the limit; as a JPEG that is not \
         progressive, or a PNG, a picture of {} megapixels fits", PIXELS_MAX / 1_000_000
    )]
    Memory {
        /// Name of the file's format.
        format: &'static str,
        /// Bytes that it needs.
        needed: u64,
    },
    /// Decompression bomb: decoding would take far more memory or time than the picture's size explains. Caller: 422.
    #[error("{format} file asks for more work than a picture of its size needs: {found}")]
    Work {
        /// Name of the file's format.
        format: &'static str,
        /// What it asks for.
        found: String,
    },
    /// Truncated file. Caller: 422; the sender must send all of it.
    #[error("{format} file is cut off: it lacks pixels")]
    Truncated {
        /// Name of the file's format.
        format: &'static str,
    },
    /// Rare feature of an accepted format. Caller: 422; the sender must store the picture without it.
    #[error("{format} file is of a kind that is not supported: {feature}; {} is", format::usual(.format))]
    Unsupported {
        /// Name of the file's format.
        format: &'static str,
        /// The feature.
        feature: String,
    },
    /// Damaged file. Caller: 422.
    #[error("{format} file is damaged")]
    Damaged {
        /// Name of the file's format.
        format: &'static str,
        /// The decoder's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    fn damaged(format: &'static str, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Damaged { format, source: why.into() }
    }
}

/// What a format's decoder returns.
struct Decoded {
    picture: Picture,
    /// How the picture must be turned to be upright.
    orientation: Orientation,
}

/// Decodes the file `bytes` into an upright picture of 8 bits a sample. Takes processor time (some 10 ms a megapixel),
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
    let name = format::name(format);
    let header = memory::header(bytes, format).ok_or_else(|| match format {
        // Its header stands behind metadata.
        ImageFormat::Jpeg => jpeg::size(bytes).err().unwrap_or_else(|| incomplete(bytes, name)),
        _ => incomplete(bytes, name),
    })?;
    let (width, height) = (header.width, header.height);
    match u64::from(width) * u64::from(height) {
        0 => return Err(Error::Zero { width, height }),
        1..=PIXELS_MAX if width.max(height) <= SIDE_MAX => {}
        _ => return Err(Error::Large { width, height }),
    }
    if header.needed > ALLOC_MAX {
        return Err(Error::Memory { format: name, needed: header.needed });
    }
    // A decoder that panics fails its file and nothing else.
    let decoded = catch_unwind(AssertUnwindSafe(|| match format {
        ImageFormat::Png => png::decode(bytes),
        ImageFormat::Jpeg => jpeg::decode(bytes),
        ImageFormat::Gif => gif::decode(bytes, (width, height)),
        ImageFormat::WebP => webp::decode(bytes),
        ImageFormat::Bmp => {
            plain::decode(bytes, format, plain::bmp_size(bytes).ok_or_else(|| incomplete(bytes, name))?)
        }
        _ => plain::decode(bytes, format, plain::pnm_size(bytes).ok_or_else(|| incomplete(bytes, name))?),
    }));
    let decoded = decoded.unwrap_or_else(|_| Err(Error::damaged(name, "its decoder failed")))?;
    Ok(upright::turn(decoded.picture, decoded.orientation))
}

/// Bytes within which every format has its header, unless metadata stand before it.
const HEADER_BYTES: usize = 64;

fn incomplete(bytes: &[u8], format: &'static str) -> Error {
    if bytes.len() < HEADER_BYTES {
        return Error::Truncated { format };
    }
    Error::damaged(format, "its header cannot be read")
}

/// Converts the first `length` bytes of `samples` from 16 bits a sample to 8, in place, rounded: 257 × v becomes v, so that
/// an 8-bit image stored with 16 bits is restored exactly. Returns their new length.
fn narrow(samples: &mut [u8], length: usize, read: impl Fn([u8; 2]) -> u16) -> usize {
    for index in 0..length / 2 {
        let wide = u32::from(read([samples[2 * index], samples[2 * index + 1]]));
        samples[index] = ((wide * 255 + 32_767) / 65_535) as u8;
    }
    length / 2
}
