//! Which picture does a GIF file hold?
//!
//! Its first frame, where it lies on the screen; the crate `gif` decodes that and nothing after it. The file is whole when
//! that frame has all its pixels: many programs write no trailer, and some break off an animation's end.

use std::io::Cursor;

use ::gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};
use ::image::metadata::Orientation;

use super::{Decoded, Error};
use crate::image::picture::{Layout, Picture};

const NAME: &str = "GIF";

/// Width and height of the screen, from the header.
pub(super) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let &[w0, w1, h0, h1] = bytes.get(6..)?.first_chunk::<4>()?;
    Some((u16::from_le_bytes([w0, w1]).into(), u16::from_le_bytes([h0, h1]).into()))
}

/// Decodes the first frame of a GIF file.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Error> {
    let mut options = DecodeOptions::new();
    // The frame is read into a buffer of ours, whose size is checked below.
    options.set_memory_limit(MemoryLimit::Unlimited);
    options.set_color_output(ColorOutput::Indexed);
    options.allow_unknown_blocks(true);
    let mut decoder = options.read_info(Cursor::new(bytes)).map_err(refusal)?;
    let (width, height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    let frame = decoder.next_frame_info().map_err(refusal)?.ok_or(Error::Truncated { format: NAME })?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (columns, rows) = (usize::from(frame.width), usize::from(frame.height));
    let transparent = frame.transparent;
    if left + columns > width || top + rows > height {
        let feature = format!("a frame of {columns}×{rows} pixels that reaches beyond its screen of {width}×{height}");
        return Err(Error::Unsupported { format: NAME, feature });
    }
    if columns * rows == 0 {
        return Err(Error::damaged(NAME, "its first frame has no pixels"));
    }
    let mut places = vec![0; columns * rows];
    decoder.read_into_buffer(&mut places).map_err(refusal)?;
    let palette = decoder.palette().map_err(refusal)?;
    let is_covered = (columns, rows) == (width, height);
    let layout = if is_covered && transparent.is_none() { Layout::Rgb } else { Layout::Rgba };
    let channels = layout.channels();
    // Where the frame does not reach, the screen is transparent.
    let mut samples = vec![0; width * height * channels];
    for (row, line) in places.chunks_exact(columns).zip(top..) {
        let start = (line * width + left) * channels;
        for (pixel, &place) in samples[start..].chunks_exact_mut(channels).zip(row) {
            // A colour that the palette lacks is black.
            let colour = palette.get(3 * usize::from(place)..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; 3]);
            pixel[..3].copy_from_slice(&colour);
            if let Some(opacity) = pixel.get_mut(3) {
                *opacity = if transparent == Some(place) { 0 } else { u8::MAX };
            }
        }
    }
    let picture =
        Picture::new(width, height, layout, samples).ok_or_else(|| Error::damaged(NAME, "it has no pixels"))?;
    Ok(Decoded { picture, orientation: Orientation::NoTransforms })
}

fn refusal(error: DecodingError) -> Error {
    match error {
        DecodingError::UnexpectedEof => Error::Truncated { format: NAME },
        DecodingError::Io(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::Truncated { format: NAME }
        }
        other => Error::damaged(NAME, other),
    }
}
