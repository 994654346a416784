//! How many tables does a lossless WebP stream define?
//!
//! A stream may have up to 65,536 groups of five Huffman tables; which group a block uses is coded as an image of its own,
//! the entropy image. The decoder builds all groups up to the greatest number in that image. So the stream is read here up
//! to the end of its tables: transforms and the entropy image are decoded with small tables of lengths, and of the groups
//! only the sizes of the decoder's tables are added up. The pictures' own pixels are not decoded.
//!
//! Format: WebP Lossless Bitstream Specification. Sizes of tables: `image-webp` 0.2.4, `huffman.rs`.

use super::super::Error;
use super::NAME;

/// The first byte of a stream in a file.
pub(super) const SIGNATURE: u8 = 0x2f;

/// Bytes of the decoder's tables for one stream, at most: 2,400 groups as large as usual ones, 20 KB. The encoder of the
/// format's makers gives an entropy image 2,600 pixels at most, and merges most of their groups.
pub(super) const TABLES_MAX: u64 = 48 << 20;

/// Codes of lengths, in the order in which they are sent.
const ORDER: [usize; 19] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Symbols of the five tables of a group, without a colour cache: green and lengths, red, blue, opacity, distances.
const ALPHABETS: [usize; 5] = [256 + 24, 256, 256, 256, 40];

/// Columns and rows of an image.
type Size = (u32, u32);

/// Refuses a stream whose tables would take more than [`TABLES_MAX`]. `stream` begins after the header.
pub(super) fn check(stream: &[u8], size: Size) -> Result<(), Error> {
    let walked = Walk { data: stream, at: 0 }.tables(size);
    match walked {
        Ok(bytes) if bytes <= TABLES_MAX => Ok(()),
        Ok(_) => Err(Error::Work { format: NAME, found: format!("tables of more than {TABLES_MAX} bytes") }),
        Err(Fault::Short) => Err(Error::Truncated { format: NAME }),
        Err(Fault::Malformed) => Err(Error::damaged(NAME, "its lossless stream is malformed")),
    }
}

/// Why a stream cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Short,
    Malformed,
}

/// A place in a stream, in bits from its least significant one.
struct Walk<'a> {
    data: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    /// Bytes of all tables of the stream's picture.
    fn tables(mut self, size: Size) -> Result<u64, Fault> {
        let (mut width, height) = size;
        let mut seen = [false; 4];
        while self.bits(1)? == 1 {
            let kind = self.bits(2)?;
            if std::mem::replace(&mut seen[kind as usize], true) {
                return Err(Fault::Malformed);
            }
            match kind {
                0 | 1 => {
                    let side = self.bits(3)? + 2;
                    self.image(blocks((width, height), side))?;
                }
                2 => {}
                _ => {
                    let colours = self.bits(8)? + 1;
                    self.image((colours, 1))?;
                    let packed = match colours {
                        0..=2 => 3,
                        3..=4 => 2,
                        5..=16 => 1,
                        _ => 0,
                    };
                    width = blocks((width, 1), packed).0;
                }
            }
        }
        let cache = self.cache()?;
        let mut groups = 1;
        if self.bits(1)? == 1 {
            let side = self.bits(3)? + 2;
            // A block's group stands in the red and green of its pixel.
            groups +=
                self.image(blocks((width, height), side))?.iter().map(|pixel| pixel >> 8 & 0xffff).max().unwrap_or(0);
        }
        let mut bytes = u64::from(groups) * GROUP_BYTES;
        for _ in 0..groups {
            bytes += self.group(cache)?.iter().map(Code::decoder_bytes).sum::<u64>();
            if bytes > TABLES_MAX {
                break;
            }
        }
        Ok(bytes)
    }

    fn bits(&mut self, count: u32) -> Result<u32, Fault> {
        let value = self.peek(count);
        self.at += count as usize;
        if self.at > 8 * self.data.len() { Err(Fault::Short) } else { Ok(value) }
    }

    /// The next `count` bits, at most 24; zeros beyond the end.
    fn peek(&self, count: u32) -> u32 {
        let start = self.at / 8;
        let word = match self.data.get(start..).and_then(<[u8]>::first_chunk::<4>) {
            Some(bytes) => u32::from_le_bytes(*bytes),
            None => (0..4).map(|byte| u32::from(self.data.get(start + byte).copied().unwrap_or(0)) << (8 * byte)).sum(),
        };
        word >> (self.at % 8) & ((1 << count) - 1)
    }

    /// The bits of the colour cache's size; 0 where there is none.
    fn cache(&mut self) -> Result<u32, Fault> {
        if self.bits(1)? == 0 {
            return Ok(0);
        }
        let bits = self.bits(4)?;
        if (1..=11).contains(&bits) { Ok(bits) } else { Err(Fault::Malformed) }
    }

    fn group(&mut self, cache: u32) -> Result<[Code; 5], Fault> {
        let mut alphabets = ALPHABETS;
        alphabets[0] += if cache > 0 { 1 << cache } else { 0 };
        let mut codes = [const { Code::Single(0) }; 5];
        for (code, alphabet) in codes.iter_mut().zip(alphabets) {
            *code = self.code(alphabet)?;
        }
        Ok(codes)
    }

    fn code(&mut self, alphabet: usize) -> Result<Code, Fault> {
        if self.bits(1)? == 1 {
            let is_pair = self.bits(1)? == 1;
            let is_long = self.bits(1)?;
            let first = self.bits(1 + 7 * is_long)? as u16;
            return Ok(if is_pair { Code::Pair([first, self.bits(8)? as u16]) } else { Code::Single(first) });
        }
        let mut lengths = [0; 19];
        for &place in &ORDER[..4 + self.bits(4)? as usize] {
            lengths[place] = self.bits(3)? as u8;
        }
        let code = Code::of(&lengths)?;
        let mut left = alphabet;
        if self.bits(1)? == 1 {
            let count = 2 + 2 * self.bits(3)?;
            left = 2 + self.bits(count)? as usize;
        }
        let (mut lengths, mut previous) = (Vec::with_capacity(alphabet), 8);
        while lengths.len() < alphabet && left > 0 {
            left -= 1;
            let (length, times) = match self.symbol(&code)? {
                16 => (previous, 3 + self.bits(2)?),
                17 => (0, 3 + self.bits(3)?),
                18 => (0, 11 + self.bits(7)?),
                length => (length as u8, 1),
            };
            previous = if length > 0 { length } else { previous };
            lengths.extend(std::iter::repeat_n(length, times as usize));
        }
        if lengths.len() > alphabet { Err(Fault::Malformed) } else { Code::of(&lengths) }
    }

    fn symbol(&mut self, code: &Code) -> Result<u16, Fault> {
        match code {
            Code::Single(symbol) => Ok(*symbol),
            Code::Pair(symbols) => Ok(symbols[self.bits(1)? as usize]),
            Code::Canonical { counts, symbols } => {
                // One bit a length: sub-images are small, and so are these tables.
                let (mut value, mut first, mut place) = (0, 0, 0);
                for &count in &counts[1..] {
                    value = value << 1 | self.bits(1)?;
                    let count = u32::from(count);
                    if value < first + count {
                        return Ok(symbols[(place + value - first) as usize]);
                    }
                    (place, first) = (place + count, (first + count) << 1);
                }
                Err(Fault::Malformed)
            }
        }
    }

    /// A length or a distance, from its symbol.
    fn amount(&mut self, symbol: u32) -> Result<u32, Fault> {
        if symbol < 4 {
            return Ok(symbol + 1);
        }
        let extra = (symbol - 2) >> 1;
        Ok(((2 + (symbol & 1)) << extra) + self.bits(extra)? + 1)
    }

    /// Decodes a sub-image: opacity, red, green and blue of each pixel, from the most significant byte.
    fn image(&mut self, (width, height): Size) -> Result<Vec<u32>, Fault> {
        let cache = self.cache()?;
        let mut colours = vec![0_u32; if cache > 0 { 1 << cache } else { 0 }];
        let group = self.group(cache)?;
        let length = width as usize * height as usize;
        let mut pixels: Vec<u32> = Vec::with_capacity(length);
        let mut cached = 0;
        while pixels.len() < length {
            match u32::from(self.symbol(&group[0])?) {
                green @ 0..256 => {
                    let [red, blue, opacity] = [1, 2, 3].map(|table| self.symbol(&group[table]));
                    pixels.push(u32::from(opacity?) << 24 | u32::from(red?) << 16 | green << 8 | u32::from(blue?));
                }
                symbol @ 256..280 => {
                    let times = self.amount(symbol - 256)? as usize;
                    let symbol = self.symbol(&group[4])?;
                    let distance = distance(self.amount(symbol.into())?, width) as usize;
                    let start = pixels.len().checked_sub(distance).ok_or(Fault::Malformed)?;
                    if times > length - pixels.len() {
                        return Err(Fault::Malformed);
                    }
                    (start..start + times).for_each(|from| pixels.push(pixels[from]));
                }
                symbol => {
                    while cached < pixels.len() {
                        let place = pixels[cached].wrapping_mul(0x1e35_a7bd) >> (32 - cache);
                        colours[place as usize] = pixels[cached];
                        cached += 1;
                    }
                    pixels.push(*colours.get(symbol as usize - 280).ok_or(Fault::Malformed)?);
                }
            }
        }
        Ok(pixels)
    }
}

/// The size of an image with a pixel for each block of 2^`side` × 2^`side` pixels.
fn blocks(size: Size, side: u32) -> Size {
    (size.0.div_ceil(1 << side), size.1.div_ceil(1 << side))
}

/// Places near a pixel that have a short code: columns to the left and rows up, in the order of the specification.
#[rustfmt::skip]
const NEAR: [(i8, i8); 120] = [
    (0, 1), (1, 0), (1, 1), (-1, 1), (0, 2), (2, 0), (1, 2), (-1, 2), (2, 1), (-2, 1), (2, 2), (-2, 2),
    (0, 3), (3, 0), (1, 3), (-1, 3), (3, 1), (-3, 1), (2, 3), (-2, 3), (3, 2), (-3, 2), (0, 4), (4, 0),
    (1, 4), (-1, 4), (4, 1), (-4, 1), (3, 3), (-3, 3), (2, 4), (-2, 4), (4, 2), (-4, 2), (0, 5), (3, 4),
    (-3, 4), (4, 3), (-4, 3), (5, 0), (1, 5), (-1, 5), (5, 1), (-5, 1), (2, 5), (-2, 5), (5, 2), (-5, 2),
    (4, 4), (-4, 4), (3, 5), (-3, 5), (5, 3), (-5, 3), (0, 6), (6, 0), (1, 6), (-1, 6), (6, 1), (-6, 1),
    (2, 6), (-2, 6), (6, 2), (-6, 2), (4, 5), (-4, 5), (5, 4), (-5, 4), (3, 6), (-3, 6), (6, 3), (-6, 3),
    (0, 7), (7, 0), (1, 7), (-1, 7), (5, 5), (-5, 5), (7, 1), (-7, 1), (4, 6), (-4, 6), (6, 4), (-6, 4),
    (2, 7), (-2, 7), (7, 2), (-7, 2), (3, 7), (-3, 7), (7, 3), (-7, 3), (5, 6), (-5, 6), (6, 5), (-6, 5),
    (8, 0), (4, 7), (-4, 7), (7, 4), (-7, 4), (8, 1), (8, 2), (6, 6), (-6, 6), (8, 3), (5, 7), (-5, 7),
    (7, 5), (-7, 5), (8, 4), (6, 7), (-6, 7), (7, 6), (-7, 6), (8, 5), (7, 7), (-7, 7), (8, 6), (8, 7),
];

/// Pixels to go back, from a distance's code.
fn distance(code: u32, width: u32) -> u32 {
    match NEAR.get(code as usize - 1) {
        Some(&(left, up)) => u32::try_from(i32::from(left) + i32::from(up) * width as i32).unwrap_or(0).max(1),
        None => code - 120,
    }
}

/// Bytes of a group in the decoder, besides its tables: five trees of 56 bytes, in a list that may have twice the room.
const GROUP_BYTES: u64 = 3 * 5 * 56;

/// Symbols and the lengths of their codes.
enum Code {
    Single(u16),
    Pair([u16; 2]),
    Canonical {
        /// Symbols of each length.
        counts: [u16; 16],
        /// Symbols, sorted by length.
        symbols: Vec<u16>,
    },
}

impl Code {
    fn of(lengths: &[u8]) -> Result<Self, Fault> {
        let mut counts = [0_u16; 16];
        lengths.iter().filter(|&&length| length > 0).for_each(|&length| counts[usize::from(length)] += 1);
        let used: u32 = counts.iter().map(|&count| u32::from(count)).sum();
        if used <= 1 {
            let symbol = lengths.iter().position(|&length| length > 0).ok_or(Fault::Malformed)?;
            return Ok(Self::Single(symbol as u16));
        }
        // Every code of 15 bits begins with the code of one symbol, and of one only.
        let space: u32 = (1..16).map(|length| u32::from(counts[length]) << (15 - length)).sum();
        if space != 1 << 15 {
            return Err(Fault::Malformed);
        }
        let mut symbols = Vec::with_capacity(used as usize);
        for wanted in 1..16 {
            let of_length = |&(_, &length): &(usize, &u8)| length == wanted;
            symbols.extend(lengths.iter().enumerate().filter(of_length).map(|(symbol, _)| symbol as u16));
        }
        Ok(Self::Canonical { counts, symbols })
    }

    /// Bytes of the decoder's table: 4 for each beginning of at most 10 bits, and 2 × 16 for each longer code.
    fn decoder_bytes(&self) -> u64 {
        match self {
            Self::Single(_) => 0,
            Self::Pair(_) => 3 * 16 + 2 * 4,
            Self::Canonical { counts, .. } => {
                let longest = counts.iter().rposition(|&count| count > 0).unwrap_or(0);
                let long: u64 = counts[11..].iter().map(|&count| u64::from(count)).sum();
                (4 << longest.min(10)) + 2 * 16 * long
            }
        }
    }
}
