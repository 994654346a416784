//! Which picture does a WebP file hold?
//!
//! The crate `image-webp` decodes it, and bounds neither its memory nor what it reads: 3.8 MB of a lossless picture of 4 × 4
//! pixels made it build 65,536 groups of tables, 1.3 GB. So the container is read here, and the decoder is handed one
//! stream at a time, wrapped anew. The tables that a lossless stream defines are added up before ([`lossless`]), in a picture
//! as in the transparency of a lossy one.
//!
//! Why so: the library of the format's makers builds only the groups that are used, but a picture of a megapixel can use all
//! 65,536 (some 700 MB), so it would need the same check, and it is C that reads hostile bytes. A decoder process under a
//! limit on memory costs a process a picture, and ends it in the middle of honest ones. Leaving lossless WebP out would
//! refuse what programs write by default for drawings.

mod container;
mod lossless;
mod lossy;

use std::io::Cursor;

use ::image::metadata::Orientation;
use image_webp::{DecodingError, WebPDecoder};

use super::{Decoded, Error};
use crate::image::picture::{Layout, Picture};
use container::{Coding, Container, Frame};

const NAME: &str = "WebP";

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// Columns, in pixels.
    pub width: u32,
    /// Rows, in pixels.
    pub height: u32,
    /// Samples a pixel, at most.
    pub channels: u64,
    /// Bytes that decoding takes, with copies of the file's.
    pub needed: u64,
}

/// Reads the header of a WebP file.
pub(super) fn size(bytes: &[u8]) -> Option<Size> {
    let (width, height) = container::canvas(bytes)?;
    // Blocks of 16 × 16 are decoded as a whole.
    let pixels = u64::from(width.next_multiple_of(16)) * u64::from(height.next_multiple_of(16));
    let length = bytes.len() as u64;
    // A lossless stream: 4 bytes a pixel, up to three planes of 4 bytes for blocks of at least 4 × 4, one of 2, and tables.
    let lossless = 5 * pixels + lossless::TABLES_MAX + length;
    let lossy = |bytes_a_pixel: u64| bytes_a_pixel * pixels + lossy::COPIES * length;
    let (channels, needed) = match container::kind(bytes)? {
        // A lossy one: 3, and one and a half for its planes.
        container::Kind::Lossy => (3, lossy(5)),
        container::Kind::Lossless => (4, lossless),
        // Transparency of its own adds 1 to a lossy picture and 1 to what is held.
        container::Kind::Extended => (4, lossless.max(lossy(7))),
        // A frame's 4, and those of the canvas that it is placed on.
        container::Kind::Animated => (4, lossless.max(lossy(8))),
    };
    Some(Size { width, height, channels, needed })
}

/// Decodes the picture, or the first frame, of a WebP file.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Error> {
    let mut container = Container::read(bytes)?;
    let frame = container.take_frame()?;
    let picture = match frame.coding {
        Coding::Lossless(stream) => lossless_picture(stream, &frame)?,
        Coding::Lossy { stream, alpha: None } => lossy_picture(stream, &frame, Vec::new())?,
        Coding::Lossy { stream, alpha: Some(alpha) } => lossy_picture(stream, &frame, opacities(alpha, &frame)?)?,
    };
    let picture = if (frame.width, frame.height) == (container.width, container.height) {
        picture
    } else {
        on_canvas(&picture, &frame, (container.width as usize, container.height as usize))?
    };
    let orientation = container.exif.and_then(|exif| {
        // Some programs write the name that a JPEG has there.
        Orientation::from_exif_chunk(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))
    });
    Ok(Decoded { picture, orientation: orientation.unwrap_or(Orientation::NoTransforms) })
}

/// Wraps one stream as a file of its own.
fn wrapped(name: [u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut file = Vec::with_capacity(length + 21);
    file.extend(b"RIFF");
    file.extend(((length.next_multiple_of(2) + 12) as u32).to_le_bytes());
    file.extend(b"WEBP");
    file.extend(name);
    file.extend((length as u32).to_le_bytes());
    parts.iter().for_each(|part| file.extend(*part));
    file.resize(20 + length.next_multiple_of(2), 0);
    file
}

/// Decodes the only stream in `file`, of `channels` samples a pixel, to the beginning of a buffer of `room` bytes.
fn decoded(file: &[u8], (frame, channels): (&Frame<'_>, usize), room: usize) -> Result<Vec<u8>, Error> {
    let mut decoder = WebPDecoder::new(Cursor::new(file)).map_err(refusal)?;
    let length = (frame.width * frame.height) as usize * channels;
    if decoder.dimensions() != (frame.width, frame.height) || decoder.output_buffer_size() != Some(length) {
        return Err(Error::damaged(NAME, "its frame and its picture differ in size"));
    }
    let mut samples = vec![0; room.max(length)];
    decoder.read_image(&mut samples[..length]).map_err(refusal)?;
    Ok(samples)
}

/// The header of a lossless stream of the frame's size, with transparency.
fn lossless_header(frame: &Frame<'_>) -> [u8; 5] {
    let bits = (frame.width - 1) | (frame.height - 1) << 14 | 1 << 28;
    let [a, b, c, d] = bits.to_le_bytes();
    [lossless::SIGNATURE, a, b, c, d]
}

/// Decodes a lossless stream as one with transparency, so that no second buffer is needed, and drops what is opaque.
fn lossless_picture(stream: &[u8], frame: &Frame<'_>) -> Result<Picture, Error> {
    let body = stream.get(5..).ok_or(Error::Truncated { format: NAME })?;
    lossless::check(body, (frame.width, frame.height))?;
    let has_alpha = stream[4] & 0x10 != 0;
    let file = wrapped(*b"VP8L", &[&lossless_header(frame), body]);
    let mut samples = decoded(&file, (frame, 4), 0)?;
    drop(file);
    if has_alpha {
        return picture(frame, Layout::Rgba, samples);
    }
    let pixels = samples.len() / 4;
    for pixel in 0..pixels {
        samples.copy_within(4 * pixel..4 * pixel + 3, 3 * pixel);
    }
    samples.truncate(3 * pixels);
    samples.shrink_to_fit();
    picture(frame, Layout::Rgb, samples)
}

/// Decodes a lossy stream, and adds `opacities` where there are any.
fn lossy_picture(stream: &[u8], frame: &Frame<'_>, opacities: Vec<u8>) -> Result<Picture, Error> {
    let channels = if opacities.is_empty() { 3 } else { 4 };
    let pixels = (frame.width * frame.height) as usize;
    lossy::check(stream)?;
    let file = wrapped(*b"VP8 ", &[stream]);
    let mut samples = decoded(&file, (frame, 3), channels * pixels).map_err(|error| match error {
        // What remains: a partition ends before its last block.
        Error::Damaged { source, .. } if is_short(&*source) => Error::Truncated { format: NAME },
        error => error,
    })?;
    if opacities.is_empty() {
        return picture(frame, Layout::Rgb, samples);
    }
    // From the end, so that no pixel is overwritten before it is moved.
    for pixel in (0..pixels).rev() {
        samples.copy_within(3 * pixel..3 * pixel + 3, 4 * pixel);
        samples[4 * pixel + 3] = opacities[pixel];
    }
    picture(frame, Layout::Rgba, samples)
}

/// Whether a lossy stream's decoder says that there were no more bits.
fn is_short(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(DecodingError::BitStreamError))
}

/// Decodes the chunk of a lossy picture's transparency.
fn opacities(chunk: &[u8], frame: &Frame<'_>) -> Result<Vec<u8>, Error> {
    let (&flags, body) = chunk.split_first().ok_or(Error::Truncated { format: NAME })?;
    let (width, pixels) = (frame.width as usize, (frame.width * frame.height) as usize);
    let mut plane = match flags & 3 {
        0 => body.get(..pixels).ok_or(Error::Truncated { format: NAME })?.to_vec(),
        1 => {
            lossless::check(body, (frame.width, frame.height))?;
            let file = wrapped(*b"VP8L", &[&lossless_header(frame), body]);
            let mut samples = decoded(&file, (frame, 4), 0)?;
            // Opacity is coded as green.
            (0..pixels).for_each(|pixel| samples[pixel] = samples[4 * pixel + 1]);
            samples.truncate(pixels);
            samples.shrink_to_fit();
            samples
        }
        other => {
            let feature = format!("transparency of the compression {other}");
            return Err(Error::Unsupported { format: NAME, feature });
        }
    };
    let filter = flags >> 2 & 3;
    for at in 1..if filter == 0 { 0 } else { pixels } {
        let (x, y) = (at % width, at / width);
        let left = |plane: &[u8]| plane[at - 1];
        let above = |plane: &[u8]| plane[at - width];
        let predicted = match (filter, x, y) {
            (_, 0, _) => above(&plane),
            (1, ..) | (_, _, 0) => left(&plane),
            (2, ..) => above(&plane),
            _ => {
                let sum = i16::from(left(&plane)) + i16::from(above(&plane)) - i16::from(plane[at - width - 1]);
                sum.clamp(0, 255) as u8
            }
        };
        plane[at] = plane[at].wrapping_add(predicted);
    }
    Ok(plane)
}

/// Places an animation's frame on its canvas, which is transparent elsewhere.
fn on_canvas(frame: &Picture, place: &Frame<'_>, (width, height): (usize, usize)) -> Result<Picture, Error> {
    let mut canvas = vec![0; width * height * 4];
    let channels = frame.layout().channels();
    for y in 0..frame.height() {
        let start = ((y + place.top as usize) * width + place.left as usize) * 4;
        let line = canvas[start..].chunks_exact_mut(4);
        for (pixel, source) in line.zip(frame.row(y).chunks_exact(channels)) {
            pixel[..3].copy_from_slice(&source[..3]);
            pixel[3] = source.get(3).copied().unwrap_or(u8::MAX);
        }
    }
    Picture::new(width, height, Layout::Rgba, canvas).ok_or_else(|| Error::damaged(NAME, "its canvas has no pixels"))
}

fn picture(frame: &Frame<'_>, layout: Layout, samples: Vec<u8>) -> Result<Picture, Error> {
    let picture = Picture::new(frame.width as usize, frame.height as usize, layout, samples);
    picture.ok_or_else(|| Error::damaged(NAME, "its picture has no pixels"))
}

fn refusal(error: DecodingError) -> Error {
    match error {
        DecodingError::IoError(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::Truncated { format: NAME }
        }
        DecodingError::NotEnoughInitData => Error::Truncated { format: NAME },
        DecodingError::UnsupportedFeature(feature) => Error::Unsupported { format: NAME, feature },
        other => Error::damaged(NAME, other),
    }
}
