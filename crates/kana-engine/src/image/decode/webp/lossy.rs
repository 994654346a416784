//! Are all parts of a lossy WebP stream there?
//!
//! A stream is a header, a first partition with each block's kind, and one to eight partitions with the blocks' contents.
//! The decoder allocates what a partition claims, up to 16 MB, before it reads it: so the claims are compared with the
//! stream's length first.
//!
//! Format: RFC 6386, sections 7 and 9.

use super::super::Error;
use super::NAME;

/// Copies of a stream that the decoder holds at once, at most: one wrapped as a file, one in a list that may have twice the
/// room, one in words.
pub(super) const COPIES: u64 = 4;

/// Bytes before the first partition: its length and three flags, a signature, the size in pixels.
const HEADER: usize = 10;

/// Refuses a stream one of whose partitions is cut off.
pub(super) fn check(stream: &[u8]) -> Result<(), Error> {
    let truncated = || Error::Truncated { format: NAME };
    let first = number(stream.first_chunk::<3>().ok_or_else(truncated)?) >> 5;
    let (first, rest) =
        stream.get(HEADER..).and_then(|body| body.split_at_checked(first as usize)).ok_or_else(truncated)?;
    // All but the last have their lengths before them.
    let lengths = 3 * (partitions(first) - 1);
    let (lengths, parts) = rest.split_at_checked(lengths).ok_or_else(truncated)?;
    let claimed: usize = lengths.as_chunks::<3>().0.iter().map(|length| number(length) as usize).sum();
    // Even the last one has a byte.
    if claimed < parts.len() { Ok(()) } else { Err(truncated()) }
}

fn number(&[a, b, c]: &[u8; 3]) -> u32 {
    u32::from_le_bytes([a, b, c, 0])
}

/// Partitions after the `first`, whose header is read up to their number.
fn partitions(first: &[u8]) -> usize {
    let mut bits = Bits::new(first);
    // Colour space, clamping.
    bits.take(2);
    // Segments: which blocks are in which, and their quantisers and filters.
    if bits.flag() {
        let (has_map, has_values) = (bits.flag(), bits.flag());
        if has_values {
            bits.take(1);
            (0..4).for_each(|_| bits.optional(8));
            (0..4).for_each(|_| bits.optional(7));
        }
        if has_map {
            (0..3).for_each(|_| bits.optional(8));
        }
    }
    // The filter, and what it differs by.
    bits.take(10);
    if bits.flag() && bits.flag() {
        (0..8).for_each(|_| bits.optional(7));
    }
    1 << bits.take(2)
}

/// A reader of bits that are as likely 0 as 1, which is all that the header has; zeros beyond the end.
struct Bits<'a> {
    data: std::slice::Iter<'a, u8>,
    value: u32,
    range: u32,
    shifted: u32,
}

impl<'a> Bits<'a> {
    fn new(data: &'a [u8]) -> Self {
        let mut bits = Self { data: data.iter(), value: 0, range: 255, shifted: 0 };
        bits.value = bits.byte() << 8 | bits.byte();
        bits
    }

    fn byte(&mut self) -> u32 {
        self.data.next().copied().unwrap_or(0).into()
    }

    /// RFC 6386, 7.3.
    fn flag(&mut self) -> bool {
        let split = 1 + ((self.range - 1) >> 1);
        let is_set = self.value >= split << 8;
        if is_set {
            self.range -= split;
            self.value -= split << 8;
        } else {
            self.range = split;
        }
        while self.range < 128 {
            self.range <<= 1;
            self.value <<= 1;
            self.shifted += 1;
            if self.shifted == 8 {
                self.shifted = 0;
                self.value |= self.byte();
            }
        }
        is_set
    }

    fn take(&mut self, count: u32) -> u32 {
        (0..count).fold(0, |value, _| value << 1 | u32::from(self.flag()))
    }

    /// Leaves out a number of `count` bits, its sign among them, that may be there.
    fn optional(&mut self, count: u32) {
        if self.flag() {
            self.take(count);
        }
    }
}
