//! How are the bits of a JPEG's coded data read?
//!
//! Up to the next marker and never beyond: asking for more is `Short`, where decoders go on with zeros.

/// The coded data ended before all that was expected from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The data end too early.
    Short,
    /// The data hold a code that is in no table.
    Code,
}

/// A reader of coded data, most significant bit first.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    buffer: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    /// Creates a reader that begins at byte `at` of `data`.
    pub fn new(data: &'a [u8], at: usize) -> Self {
        Self { data, at, buffer: 0, count: 0 }
    }

    /// Reads as many bytes as the buffer has room for; `ff 00` stands for `ff`, any other `ff` begins a marker.
    fn fill(&mut self) {
        while self.count <= 48 {
            let (byte, step) = match (self.data.get(self.at), self.data.get(self.at + 1)) {
                (Some(0xff), Some(0)) => (0xff, 2),
                (Some(0xff) | None, _) => return,
                (Some(&byte), _) => (byte, 1),
            };
            self.buffer = self.buffer << 8 | u64::from(byte);
            self.count += 8;
            self.at += step;
        }
    }

    /// The next `count` bits, at most 16.
    pub fn take(&mut self, count: u32) -> Result<u32, Fault> {
        if self.count < count {
            self.fill();
        }
        self.count = self.count.checked_sub(count).ok_or(Fault::Short)?;
        Ok((self.buffer >> self.count) as u32 & ((1 << count) - 1))
    }

    /// Leaves out `count` bits, any number of them.
    pub fn skip(&mut self, mut count: u32) -> Result<(), Fault> {
        while count > 16 {
            self.take(16)?;
            count -= 16;
        }
        self.take(count).map(drop)
    }

    /// The next 16 bits, which stay; zeros where there are fewer.
    fn peek(&mut self) -> u32 {
        if self.count < 16 {
            self.fill();
        }
        if self.count >= 16 {
            (self.buffer >> (self.count - 16)) as u32 & 0xffff
        } else {
            (self.buffer << (16 - self.count)) as u32 & 0xffff
        }
    }

    /// Leaves the rest of a byte and goes to the next marker; returns it, or `None` at the end of the data.
    pub fn marker(&mut self) -> Option<u8> {
        (self.buffer, self.count) = (0, 0);
        while let Some(pair) = self.data.get(self.at..self.at + 2) {
            if pair[0] == 0xff && !matches!(pair[1], 0 | 0xff) {
                return Some(pair[1]);
            }
            self.at += 1;
        }
        None
    }

    /// Passes over the marker that [`Bits::marker`] found.
    pub fn pass_marker(&mut self) {
        self.at += 2;
    }

    /// The byte that is read next.
    pub fn position(&self) -> usize {
        self.at
    }
}

/// Bits of a code that are looked up at once.
const LOOKUP: u32 = 9;

/// A Huffman table as a JPEG defines it.
#[derive(Clone)]
pub(super) struct Table {
    /// For each beginning of [`LOOKUP`] bits, the code's length (0 where it is longer) and its symbol.
    lookup: Box<[(u8, u8)]>,
    /// For each length, the first code that is too great for it, moved to 16 bits.
    ends: [u32; 17],
    /// For each length, the place of its first symbol less its first code.
    offsets: [i32; 17],
    symbols: Box<[u8]>,
}

impl Table {
    /// Builds a table from the number of codes of each length from 1 to 16, and their symbols; `None` where more codes are
    /// claimed than there are.
    pub fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut lookup = vec![(0, 0); 1 << LOOKUP].into_boxed_slice();
        let (mut ends, mut offsets) = ([0; 17], [0; 17]);
        let (mut code, mut place) = (0_u32, 0_usize);
        for (length, &count) in (1..=16).zip(counts) {
            offsets[length as usize] = place as i32 - code as i32;
            for _ in 0..count {
                let &symbol = symbols.get(place)?;
                if code >> length != 0 {
                    return None;
                }
                if length <= LOOKUP {
                    let first = (code << (LOOKUP - length)) as usize;
                    lookup[first..first + (1 << (LOOKUP - length))].fill((length as u8, symbol));
                }
                (code, place) = (code + 1, place + 1);
            }
            ends[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Some(Self { lookup, ends, offsets, symbols: symbols.into() })
    }

    /// Reads one symbol.
    pub fn symbol(&self, bits: &mut Bits<'_>) -> Result<u8, Fault> {
        let next = bits.peek();
        let (length, symbol) = self.lookup[(next >> (16 - LOOKUP)) as usize];
        if length > 0 {
            return bits.take(u32::from(length)).map(|_| symbol);
        }
        for length in LOOKUP + 1..=16 {
            if next < self.ends[length as usize] {
                bits.take(length)?;
                let place = (next >> (16 - length)) as i32 + self.offsets[length as usize];
                return usize::try_from(place).ok().and_then(|at| self.symbols.get(at)).copied().ok_or(Fault::Code);
            }
        }
        // What looks like no code may be one that was cut off.
        bits.take(16)?;
        Err(Fault::Code)
    }
}
