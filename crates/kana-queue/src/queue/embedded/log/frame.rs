//! How is a record laid out in a file?
//!
//! As a frame: the length of its payload and the CRC-32 of that payload, each four bytes in little-endian order, then the
//! payload, which is the record as postcard writes it. A submission is one record, so that a frame that was half written
//! when a process or a machine ended takes all of its jobs or none.

use std::io;
use std::ops::Range;

use crate::queue::ledger::Record;

/// Bytes before a payload.
pub const HEAD_BYTES: usize = 8;

/// Adds a record's frame to `to`.
pub fn write(record: &Record, to: &mut Vec<u8>) {
    let start = to.len();
    to.extend([0; HEAD_BYTES]);
    postcard::to_io(record, &mut *to).expect("BUG: writing to memory cannot fail, and every record can be encoded");
    let payload = &to[start + HEAD_BYTES..];
    let length = u32::try_from(payload.len()).expect("BUG: a submission is bounded far below 4 GiB");
    let head = [length.to_le_bytes(), crc32fast::hash(payload).to_le_bytes()].concat();
    to[start..start + HEAD_BYTES].copy_from_slice(&head);
}

/// Reads the payload's length and checksum from a head.
pub fn read_head(head: [u8; HEAD_BYTES]) -> (usize, u32) {
    let [a, b, c, d, e, f, g, h] = head;
    (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]))
}

/// Decodes a payload whose checksum holds.
pub fn decode(payload: &[u8], checksum: u32) -> io::Result<Record> {
    let damaged = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why);
    if crc32fast::hash(payload) != checksum {
        return Err(damaged("a record's checksum does not hold"));
    }
    postcard::from_bytes(payload).map_err(|_| damaged("a record is none of this kana's"))
}

/// The frames of a file, up to the first that is not whole.
pub struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Frames<'a> {
    /// Begins at `start`.
    pub fn new(bytes: &'a [u8], start: usize) -> Self {
        Self { bytes, at: start }
    }

    /// The end of the last whole frame.
    pub fn end(&self) -> usize {
        self.at
    }
}

/// A record, and where its frame lies.
impl Iterator for Frames<'_> {
    type Item = (Range<usize>, Record);

    fn next(&mut self) -> Option<Self::Item> {
        let head = self.bytes.get(self.at..)?.first_chunk()?;
        let (length, checksum) = read_head(*head);
        let start = self.at + HEAD_BYTES;
        let payload = self.bytes.get(start..start.checked_add(length)?)?;
        let record = decode(payload, checksum).ok()?;
        let frame = self.at..start + length;
        self.at = frame.end;
        Some((frame, record))
    }
}
