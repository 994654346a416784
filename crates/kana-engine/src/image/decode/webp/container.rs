//! Where in a WebP file is its picture?
//!
//! A file is a list of chunks: a name, a length, that many bytes, and one more where that is odd. What a chunk claims beyond
//! the file's end is cut off.

use super::super::Error;
use super::NAME;

/// Chunks that are walked, at most: an animation's first frame stands before all others, after some metadata.
const CHUNKS_MAX: usize = 1_024;

/// Bytes before the first chunk.
const START: usize = 12;

/// A file's picture, before it is decoded.
pub(super) struct Container<'a> {
    /// Columns of the canvas, in pixels.
    pub width: u32,
    /// Rows of the canvas, in pixels.
    pub height: u32,
    /// A camera's metadata.
    pub exif: Option<&'a [u8]>,
    frame: Option<Result<Frame<'a>, Error>>,
}

/// A picture on the canvas.
pub(super) struct Frame<'a> {
    /// The first column on the canvas.
    pub left: u32,
    /// The first row on the canvas.
    pub top: u32,
    /// Columns, in pixels.
    pub width: u32,
    /// Rows, in pixels.
    pub height: u32,
    /// How its pixels are coded.
    pub coding: Coding<'a>,
}

/// A coded picture.
pub(super) enum Coding<'a> {
    /// Without loss.
    Lossless(&'a [u8]),
    /// With loss; the transparency is coded apart.
    Lossy {
        /// The colours.
        stream: &'a [u8],
        /// The opacities.
        alpha: Option<&'a [u8]>,
    },
}

/// One chunk.
struct Chunk<'a> {
    name: &'a [u8],
    body: &'a [u8],
    is_whole: bool,
}

fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (head, body) = rest.split_first_chunk::<8>()?;
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let name = &rest[..4];
        let taken = &body[..length.min(body.len())];
        rest = body.get(length.saturating_add(length % 2)..).unwrap_or(&[]);
        Some(Chunk { name, body: taken, is_whole: taken.len() == length })
    })
    .take(CHUNKS_MAX)
}

/// Width and height of the canvas, from the first chunk.
pub(super) fn canvas(bytes: &[u8]) -> Option<(u32, u32)> {
    let first = chunks(bytes.get(START..)?).next()?;
    match first.name {
        b"VP8X" => {
            let &[w0, w1, w2, h0, h1, h2] = first.body.get(4..)?.first_chunk::<6>()?;
            Some((u32::from_le_bytes([w0, w1, w2, 0]) + 1, u32::from_le_bytes([h0, h1, h2, 0]) + 1))
        }
        b"VP8L" => lossless_size(first.body),
        b"VP8 " => lossy_size(first.body),
        _ => None,
    }
}

/// What the first chunk says of the file.
pub(super) enum Kind {
    /// A lossy picture and nothing else.
    Lossy,
    /// A lossless picture and nothing else.
    Lossless,
    /// A picture with metadata, or with transparency of its own.
    Extended,
    /// An animation.
    Animated,
}

/// Reads what the first chunk says of the file.
pub(super) fn kind(bytes: &[u8]) -> Option<Kind> {
    let first = chunks(bytes.get(START..)?).next()?;
    Some(match first.name {
        b"VP8 " => Kind::Lossy,
        b"VP8L" => Kind::Lossless,
        // A frame of another size than its canvas is decoded only where the file says so.
        _ if first.body.first()? & 2 == 0 => Kind::Extended,
        _ => Kind::Animated,
    })
}

fn lossless_size(stream: &[u8]) -> Option<(u32, u32)> {
    let bits = u32::from_le_bytes(*stream.get(1..)?.first_chunk()?);
    (stream[0] == super::lossless::SIGNATURE).then_some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
}

fn lossy_size(stream: &[u8]) -> Option<(u32, u32)> {
    let &[w0, w1, h0, h1] = stream.get(6..)?.first_chunk()?;
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    (stream.get(3..6)? == [0x9d, 0x01, 0x2a]).then_some((side(w0, w1), side(h0, h1)))
}

impl<'a> Container<'a> {
    /// Finds the picture, or the first frame, in the file `bytes`.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let (width, height) = canvas(bytes).ok_or(Error::Truncated { format: NAME })?;
        let mut container = Self { width, height, exif: None, frame: None };
        let list = bytes.get(START..).unwrap_or(&[]);
        let mut alpha = None;
        for chunk in chunks(list) {
            match chunk.name {
                b"EXIF" if chunk.is_whole && container.exif.is_none() => container.exif = Some(chunk.body),
                _ if container.frame.is_some() => {}
                b"ALPH" if alpha.is_none() => alpha = Some(chunk),
                b"VP8L" | b"VP8 " => {
                    let place = Place { left: 0, top: 0, width, height };
                    container.frame = Some(place.frame(&chunk, alpha.take()));
                }
                b"ANMF" if matches!(kind(bytes), Some(Kind::Animated)) => {
                    container.frame = Some(container.animated(chunk.body))
                }
                _ => {}
            }
        }
        Ok(container)
    }

    /// Takes out the picture.
    pub fn take_frame(&mut self) -> Result<Frame<'a>, Error> {
        self.frame.take().unwrap_or(Err(Error::Truncated { format: NAME }))
    }

    fn animated(&self, body: &'a [u8]) -> Result<Frame<'a>, Error> {
        let (head, list) = body.split_first_chunk::<16>().ok_or(Error::Truncated { format: NAME })?;
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], 0]);
        let place = Place { left: 2 * number(0), top: 2 * number(3), width: number(6) + 1, height: number(9) + 1 };
        if place.left + place.width > self.width || place.top + place.height > self.height {
            return Err(Error::damaged(NAME, "its first frame reaches beyond its canvas"));
        }
        let mut alpha = None;
        for chunk in chunks(list) {
            match chunk.name {
                b"ALPH" if alpha.is_none() => alpha = Some(chunk),
                b"VP8L" | b"VP8 " => return place.frame(&chunk, alpha),
                _ => {}
            }
        }
        Err(Error::Truncated { format: NAME })
    }
}

/// A frame's place on the canvas.
struct Place {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

impl Place {
    fn frame<'a>(&self, chunk: &Chunk<'a>, alpha: Option<Chunk<'a>>) -> Result<Frame<'a>, Error> {
        if !chunk.is_whole {
            return Err(Error::Truncated { format: NAME });
        }
        let coding = if chunk.name == b"VP8L" {
            Coding::Lossless(chunk.body)
        } else {
            Coding::Lossy { stream: chunk.body, alpha: alpha.map(|alpha| alpha.body) }
        };
        let size = match coding {
            Coding::Lossless(stream) => lossless_size(stream),
            Coding::Lossy { stream, .. } => lossy_size(stream),
        };
        if size != Some((self.width, self.height)) {
            return Err(Error::damaged(NAME, "its canvas and its picture differ in size"));
        }
        Ok(Frame { left: self.left, top: self.top, width: self.width, height: self.height, coding })
    }
}
