//! Which picture does a JPEG file hold?
//!
//! The crate `zune-jpeg` decodes it, but two things come first. It fills missing blocks with grey and reports success, so
//! the coded data are walked here ([`scan`]): what lacks a block is refused, however it ends; what lacks only its end marker
//! is whole. And it keeps all metadata, sorting those of one kind again at every segment: it is handed a copy without them.
//!
//! Time: a file of a few bytes a scan may ask for the whole picture to be visited thousands of times. The visits are
//! counted before anything is decoded, and bounded by [`VISITS_MAX`]; so are definitions of tables ([`TABLES_MAX`]).

mod bits;
mod scan;

use ::image::metadata::Orientation;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Decoded, Error};
use crate::image::picture::{Layout, Picture};
use bits::{Bits, Fault, Table};
use scan::{Component, Frame, Part, Scan};

/// Blocks that the scans of a file may visit, at most: at 25 megapixels with full colours that is 17 a block, and the usual
/// progressive files need 5. Some 100 ns each in the worst file: 2 s.
const VISITS_MAX: u64 = 20_000_000;

/// Scans in a file, at most: the most that a progressive file of four components can use is 4 × (1 + 63) × 13, and no
/// program writes more than a dozen.
const SCANS_MAX: usize = 100;

/// Definitions of Huffman and quantisation tables in a file, at most: eight a scan.
const TABLES_MAX: usize = 8 * SCANS_MAX;

/// Segments that are walked to find a frame's header, at most. A file may have metadata of some megabytes before it, 64 KB
/// a segment.
const SEGMENTS_MAX: usize = 1_024;

const NAME: &str = "JPEG";

/// The sizes in a frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// Columns, in pixels.
    pub width: u32,
    /// Rows, in pixels.
    pub height: u32,
    /// Components: 1 is grey, 3 are colours, 4 are printing inks.
    pub components: u32,
    /// Samples of all components, with those that fill up the last blocks.
    pub samples: u64,
    /// Whether the whole picture's coefficients are held at once.
    pub is_held: bool,
}

/// Reads the header of the frame in `bytes`, in constant time.
pub(super) fn size(bytes: &[u8]) -> Result<Size, Error> {
    let mut size: Option<Size> = None;
    for (number, segment) in (Segments { bytes, at: 2 }).enumerate() {
        if number == SEGMENTS_MAX {
            return Err(Error::Work { format: NAME, found: format!("{SEGMENTS_MAX} segments before its pixels") });
        }
        let Some(body) = segment.body else { break };
        match (segment.marker, &mut size) {
            (0xc0..=0xc2, None) => {
                let frame = frame(segment.marker, body)?;
                let (across, down) = frame.units();
                let blocks: u32 = frame.components.iter().map(|part| part.across * part.down).sum();
                size = Some(Size {
                    width: frame.width,
                    height: frame.height,
                    components: frame.components.len() as u32,
                    samples: u64::from(across) * u64::from(down) * u64::from(blocks) * 64,
                    is_held: frame.is_progressive,
                });
            }
            (0xda, Some(size)) => {
                size.is_held |= body.first().is_some_and(|&parts| u32::from(parts) != size.components);
                return Ok(*size);
            }
            (marker, _) => supported(marker)?,
        }
    }
    size.ok_or(Error::Truncated { format: NAME })
}

/// Refuses the frames that are not decoded here.
fn supported(marker: u8) -> Result<(), Error> {
    match marker {
        0xc3 | 0xc7 | 0xcb | 0xcf => Err(unsupported("lossless coding")),
        0xc5 | 0xc6 | 0xcd | 0xce => Err(unsupported("hierarchical coding")),
        0xc9 | 0xca => Err(unsupported("arithmetic coding")),
        _ => Ok(()),
    }
}

/// Decodes a JPEG file.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Error> {
    let Walk { clean, orientation, .. } = Walk::through(bytes)?;
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_max_scans(SCANS_MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&clean), options);
    decoder.decode_headers().map_err(refusal)?;
    let layout = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => Layout::Grey,
        _ => Layout::Rgb,
    };
    let space = if layout == Layout::Grey { ColorSpace::Luma } else { ColorSpace::RGB };
    decoder.set_options(options.jpeg_set_out_colorspace(space));
    let (width, height) = decoder.dimensions().ok_or_else(|| Error::damaged(NAME, "the frame has no size"))?;
    let mut samples = vec![0; width * height * layout.channels()];
    decoder.decode_into(&mut samples).map_err(refusal)?;
    let picture = Picture::new(width, height, layout, samples);
    Ok(Decoded { picture: picture.ok_or_else(|| Error::damaged(NAME, "the frame has no pixels"))?, orientation })
}

fn refusal(error: zune_jpeg::errors::DecodeErrors) -> Error {
    use zune_jpeg::errors::DecodeErrors::{ExhaustedData, Unsupported};
    match error {
        ExhaustedData => Error::Truncated { format: NAME },
        Unsupported(feature) => Error::Unsupported { format: NAME, feature: format!("{feature:?}") },
        other => Error::damaged(NAME, format!("{other:?}")),
    }
}

fn unsupported(feature: &str) -> Error {
    Error::Unsupported { format: NAME, feature: feature.to_owned() }
}

/// A segment: a marker, and what belongs to it.
struct Segment<'a> {
    marker: u8,
    /// The bytes after the length; empty where a marker stands alone, `None` where they are cut off.
    body: Option<&'a [u8]>,
    /// The place after the segment.
    end: usize,
}

/// The segments of a file from place `at` on. Bytes between segments that are no marker are skipped, as decoders do.
struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        let rest = self.bytes.get(self.at..)?;
        self.at += rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff))?;
        let marker = self.bytes[self.at + 1];
        self.at += 2;
        if matches!(marker, 0x01 | 0xd0..=0xd9) {
            return Some(Segment { marker, body: Some(&[]), end: self.at });
        }
        let length = self.bytes.get(self.at..self.at + 2).map(|two| usize::from(two[0]) << 8 | usize::from(two[1]));
        let end = self.at + length.unwrap_or(0).max(2);
        let body = self.bytes.get(self.at + 2..end);
        self.at = end;
        Some(Segment { marker, body, end })
    }
}

/// What is known of a file after its segments.
struct Walk {
    /// The file without its metadata, with an end marker.
    clean: Vec<u8>,
    orientation: Orientation,
    frame: Option<Frame>,
    dc: [Option<Table>; 4],
    ac: [Option<Table>; 4],
    restart: u32,
    tables: usize,
    scans: usize,
    visits: u64,
}

impl Walk {
    fn through(bytes: &[u8]) -> Result<Self, Error> {
        let mut walk = Self {
            clean: Vec::with_capacity(bytes.len() + 2),
            orientation: Orientation::NoTransforms,
            frame: None,
            dc: [const { None }; 4],
            ac: [const { None }; 4],
            restart: 0,
            tables: 0,
            scans: 0,
            visits: 0,
        };
        walk.clean.extend([0xff, 0xd8]);
        let mut segments = Segments { bytes, at: 2 };
        let mut is_ended = false;
        while let Some(segment) = segments.next() {
            if segment.marker == 0xd9 {
                is_ended = true;
                break;
            }
            let body = segment.body.ok_or(Error::Truncated { format: NAME })?;
            walk.take(segment.marker, body)?;
            if segment.marker == 0xda {
                segments.at = walk.scan(bytes, body, segment.end)?;
            }
        }
        walk.finish(is_ended)?;
        walk.clean.extend([0xff, 0xd9]);
        Ok(walk)
    }

    /// Takes in a segment, and keeps it unless it is metadata.
    fn take(&mut self, marker: u8, body: &[u8]) -> Result<(), Error> {
        match marker {
            0xc4 => self.huffman(body)?,
            0xdb => self.tables += 1,
            0xc0..=0xc2 => {
                if self.frame.is_some() {
                    return Err(Error::damaged(NAME, "it has a second frame"));
                }
                let mut frame = frame(marker, body)?;
                if frame.is_progressive {
                    let rows = frame.units().1;
                    for part in &mut frame.components {
                        part.nonzero = vec![0; part.stride * (rows * part.down) as usize];
                    }
                }
                self.frame = Some(frame);
            }
            0xdd => {
                let [high, low] = *body else { return Err(Error::damaged(NAME, "its restart interval is malformed")) };
                self.restart = u32::from(high) << 8 | u32::from(low);
            }
            0xda | 0xee => {}
            0xe1 if body.starts_with(b"Exif\0\0") => {
                if let Some(orientation) = Orientation::from_exif_chunk(&body[6..]) {
                    self.orientation = orientation;
                }
                return Ok(());
            }
            // All other metadata, and markers without meaning.
            _ => return supported(marker),
        }
        if self.tables > TABLES_MAX {
            return Err(Error::Work { format: NAME, found: format!("{} tables", self.tables) });
        }
        // A frame's picture is upright for the decoder, which would count a marker without a length as its own.
        let length = u16::try_from(body.len() + 2).map_err(|_| Error::damaged(NAME, "a segment is too long"))?;
        self.clean.extend([0xff, marker]);
        self.clean.extend(length.to_be_bytes());
        self.clean.extend(body);
        Ok(())
    }

    fn huffman(&mut self, mut body: &[u8]) -> Result<(), Error> {
        let malformed = || Error::damaged(NAME, "a Huffman table is malformed");
        while let Some((&place, rest)) = body.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or_else(malformed)?;
            let count = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(count).ok_or_else(malformed)?;
            let table = Table::new(counts, symbols).ok_or_else(malformed)?;
            let tables = if place >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            *tables.get_mut(usize::from(place & 15)).ok_or_else(malformed)? = Some(table);
            self.tables += 1;
            if self.tables > TABLES_MAX {
                break;
            }
            body = rest;
        }
        Ok(())
    }

    /// Walks a scan's coded data from `start` on, keeps them, and returns their end.
    fn scan(&mut self, bytes: &[u8], body: &[u8], start: usize) -> Result<usize, Error> {
        let frame = self.frame.as_mut().ok_or_else(|| Error::damaged(NAME, "it has a scan before its frame"))?;
        let scan = header(body, frame, (&self.dc, &self.ac), self.restart)
            .ok_or_else(|| Error::damaged(NAME, "a scan's header is malformed"))?;
        if scan.is_apart(frame) {
            return Err(unsupported("coarser colours in scans of their own"));
        }
        self.scans += 1;
        self.visits += scan.visits(frame);
        if self.scans > SCANS_MAX || self.visits > VISITS_MAX {
            return Err(Error::Work { format: NAME, found: format!("{} scans of the picture", self.scans) });
        }
        let mut bits = Bits::new(bytes, start);
        scan.read(frame, &mut bits).map_err(|fault| match fault {
            Fault::Short => Error::Truncated { format: NAME },
            Fault::Code => Error::damaged(NAME, "its coded data hold a code that is in no table"),
        })?;
        // Restart markers after the last block are skipped with whatever follows it.
        while let Some(0xd0..=0xd7) = bits.marker() {
            bits.pass_marker();
        }
        // Without a marker at its end the scan reaches the file's, which may have half a marker.
        let end = if bits.marker().is_some() { bits.position() } else { bytes.len() };
        self.clean.extend(&bytes[start..end]);
        Ok(end)
    }

    fn finish(&self, is_ended: bool) -> Result<(), Error> {
        let whole = self.frame.as_ref().is_some_and(|frame| {
            // Without an end marker a scan of details may be missing as a whole.
            let is_complete = |part: &Component| is_ended || !frame.is_progressive || part.complete == u64::MAX;
            frame.components.iter().all(|part| part.is_seen && is_complete(part))
        });
        if whole { Ok(()) } else { Err(Error::Truncated { format: NAME }) }
    }
}

fn frame(marker: u8, body: &[u8]) -> Result<Frame, Error> {
    let malformed = || Error::damaged(NAME, "its frame's header is malformed");
    let &[precision, h0, h1, w0, w1, count, ref parts @ ..] = body else { return Err(malformed()) };
    if precision != 8 {
        return Err(unsupported(&format!("{precision} bits a sample")));
    }
    let (width, height) = (u32::from(w0) << 8 | u32::from(w1), u32::from(h0) << 8 | u32::from(h1));
    if height == 0 {
        return Err(unsupported("a height that stands after the picture"));
    }
    if !matches!(count, 1 | 3 | 4) {
        return Err(unsupported(&format!("{count} components")));
    }
    let parts = parts.get(..3 * usize::from(count)).ok_or_else(malformed)?;
    let factors = |part: &[u8]| (u32::from(part[1] >> 4), u32::from(part[1] & 15));
    let is_fine = |part: &[u8]| (1..=4).contains(&factors(part).0) && (1..=4).contains(&factors(part).1);
    if width == 0 || !parts.chunks_exact(3).all(is_fine) {
        return Err(malformed());
    }
    if count > 1 && parts.chunks_exact(3).map(factors).any(|(across, down)| across == 3 || down == 3) {
        return Err(unsupported("colours that are three times as coarse"));
    }
    let most = parts.chunks_exact(3).map(factors).fold((1, 1), |most, own| (most.0.max(own.0), most.1.max(own.1)));
    // The decoder takes the first component for the finest, and its colours come out wrong.
    if count > 1 && factors(parts) != most {
        return Err(unsupported("colours that are finer than the brightness"));
    }
    // One component has units of one block, whatever it says.
    let (is_single, most) = (count == 1, if count == 1 { (1, 1) } else { most });
    let across = width.div_ceil(8 * most.0);
    let components = parts.chunks_exact(3).map(|part| {
        let own = if is_single { (1, 1) } else { factors(part) };
        Component {
            id: part[0],
            across: own.0,
            down: own.1,
            stride: (across * own.0) as usize,
            nonzero: Vec::new(),
            complete: 0,
            is_seen: false,
        }
    });
    let is_progressive = marker == 0xc2;
    Ok(Frame { width, height, is_progressive, components: components.collect(), most })
}

type Tables<'a> = (&'a [Option<Table>; 4], &'a [Option<Table>; 4]);

fn header(body: &[u8], frame: &Frame, tables: Tables<'_>, restart: u32) -> Option<Scan> {
    let (&count, rest) = body.split_first()?;
    let (parts, rest) = rest.split_at_checked(2 * usize::from(count))?;
    let &[first, last, bits] = rest.first_chunk::<3>()?;
    let parts = parts.chunks_exact(2).map(|part| {
        Some(Part {
            component: frame.components.iter().position(|component| component.id == part[0])?,
            dc: tables.0.get(usize::from(part[1] >> 4))?.clone(),
            ac: tables.1.get(usize::from(part[1] & 15))?.clone(),
        })
    });
    let parts = parts.collect::<Option<Vec<Part>>>()?;
    let (first, last) = if frame.is_progressive { (u32::from(first), u32::from(last)) } else { (0, 63) };
    // Details are sent one component at a time (ITU-T T.81, G.1.1.1.1).
    let is_fine = first <= last && last < 64 && (first > 0) == (last > 0 && frame.is_progressive);
    let (high, low) = if frame.is_progressive { (bits >> 4, bits & 15) } else { (0, 0) };
    let is_alone = parts.len() == 1 || first == 0;
    (is_fine && is_alone && (1..=4).contains(&parts.len())).then_some(Scan {
        parts,
        band: (first, last),
        high,
        low,
        restart,
    })
}
