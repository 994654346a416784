//! Which picture does a GIF file hold?
//!
//! Its first frame, on the screen; the crate `gif` decodes that and nothing after it. A screen that the frame reaches beyond
//! grows to hold it, as in browsers. The file is whole when that frame has all its pixels: many programs write no trailer,
//! and some break off an animation's end.
//!
//! The decoder keeps colour profiles and other metadata, however long: it is handed none of them.

use std::io::{Cursor, Read};
use std::ops::Range;

use ::gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};
use ::image::metadata::Orientation;

use super::{Decoded, Error};
use crate::image::picture::{Layout, Picture};

const NAME: &str = "GIF";

/// Bytes of the header and of the screen's description.
const HEADER: usize = 13;

/// Blocks before the first frame, at most: 16 MB of metadata, 255 bytes a block.
const BLOCKS_MAX: usize = 65_536;

/// Width and height of the screen, grown to hold the first frame.
pub(super) fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    let side = |bytes: &[u8], at: usize| Some(u32::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?)));
    let screen = (side(bytes, 6)?, side(bytes, 8)?);
    let frame = Beginning::of(bytes).ok().and_then(|beginning| {
        let at = |place| side(bytes, beginning.frame + place);
        Some((at(1)? + at(5)?, at(3)? + at(7)?))
    });
    let frame = frame.unwrap_or((0, 0));
    Some((screen.0.max(frame.0), screen.1.max(frame.1)))
}

/// What stands before the first frame's pixels.
struct Beginning {
    /// Bytes of the header, the screen's description and its palette.
    head: usize,
    /// The last block that says how a frame is shown; empty where there is none.
    control: Range<usize>,
    /// The place of the first frame, or of the trailer where there is none.
    frame: usize,
}

impl Beginning {
    fn of(bytes: &[u8]) -> Result<Self, Error> {
        let byte = |at: usize| bytes.get(at).copied().ok_or(Error::Truncated { format: NAME });
        let flags = byte(10)?;
        let head = HEADER + if flags & 0x80 == 0 { 0 } else { 6 << (flags & 7) };
        let (mut control, mut at, mut left) = (0..0, head, BLOCKS_MAX);
        loop {
            let start = at;
            let is_control = match byte(at)? {
                0x2c | 0x3b => return Ok(Self { head, control, frame: at }),
                0x21 => {
                    at += 2;
                    byte(at - 1)? == 0xf9
                }
                // Of no known kind: the decoder takes the byte for a block's length.
                _ => false,
            };
            loop {
                let length = byte(at)?;
                at += 1 + usize::from(length);
                left = left
                    .checked_sub(1)
                    .ok_or_else(|| Error::Work { format: NAME, found: format!("{BLOCKS_MAX} blocks of metadata") })?;
                if length == 0 {
                    break;
                }
            }
            if is_control {
                control = start..at;
            }
        }
    }
}

/// Decodes the first frame of a GIF file, whose size is `width` × `height`.
pub(super) fn decode(bytes: &[u8], (width, height): (u32, u32)) -> Result<Decoded, Error> {
    let Beginning { head, control, frame } = Beginning::of(bytes)?;
    let mut options = DecodeOptions::new();
    // The frame is read into a buffer of ours, whose size is checked below.
    options.set_memory_limit(MemoryLimit::Unlimited);
    options.set_color_output(ColorOutput::Indexed);
    options.allow_unknown_blocks(true);
    let file = Cursor::new(&bytes[..head]).chain(&bytes[control]).chain(&bytes[frame..]);
    let mut decoder = options.read_info(file).map_err(refusal)?;
    let (width, height) = (width as usize, height as usize);
    let frame = decoder.next_frame_info().map_err(refusal)?.ok_or(Error::Truncated { format: NAME })?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (columns, rows) = (usize::from(frame.width), usize::from(frame.height));
    let transparent = frame.transparent;
    if left + columns > width || top + rows > height {
        return Err(Error::damaged(NAME, "its first frame has two sizes"));
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
