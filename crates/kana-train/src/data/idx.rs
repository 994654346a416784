//! Is this file the IDX array that its name says?
//!
//! The format: two zero bytes, the type of the elements (8: unsigned bytes), the number of dimensions, each dimension
//! as a big-endian 32-bit count, the elements; plain or inside gzip. Headers lie: no more memory is taken than the file
//! has bytes for, and every byte must be accounted for. Errors name the file and the uncompressed byte.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;
use sha2::{Digest, Sha256};

use super::{Dataset, Error};
use kana_engine::image::Shape;
use kana_engine::model::card::Source;

/// Magic number of images: unsigned bytes in three dimensions (count, rows, columns).
const MAGIC_IMAGES: u32 = 0x0803;
/// Magic number of images in colour: unsigned bytes in four dimensions (count, rows, columns, channels).
const MAGIC_IMAGES_COLOUR: u32 = 0x0804;
/// Magic number of labels: unsigned bytes in one dimension.
const MAGIC_LABELS: u32 = 0x0801;
/// Bytes of elements in one file. Fifty times MNIST; more belongs into another format.
const BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Rows or columns of an image. What a small network looks at is far below.
const SIDE_MAX: u32 = 1024;
/// What every gzip file begins with.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The file of `set` ("train", "t10k") and `kind` ("images", "labels") in `folder`: plain, or else with `.gz`.
pub fn find(folder: &Path, set: &str, kind: &str) -> Option<PathBuf> {
    let plain = folder.join(file_name(set, kind));
    let packed = plain.with_extension("gz");
    [plain, packed].into_iter().find(|path| path.is_file())
}

/// What MNIST calls the file of `set` and `kind`.
pub fn file_name(set: &str, kind: &str) -> String {
    let dimensions = if kind == "images" { 3 } else { 1 };
    format!("{set}-{kind}-idx{dimensions}-ubyte")
}

/// The images and labels of `set` in `folder`; labels from `class_count` on are refused.
///
/// # Errors
/// Where a file is missing, unreadable or broken, or the two do not belong together.
pub fn load_pair(folder: &Path, set: &str, class_count: usize) -> Result<Dataset, Error> {
    let path = |kind| {
        let missing = || Error::Missing { folder: folder.to_owned(), missing: file_name(set, kind) };
        find(folder, set, kind).ok_or_else(missing)
    };
    let (images_path, labels_path) = (path("images")?, path("labels")?);
    let images = read(&images_path, Kind::Images)?;
    let labels = read(&labels_path, Kind::Labels)?;
    let malformed = |offset: u64, reason: String| Error::Malformed { path: labels_path.clone(), offset, reason };
    if labels.extents[0] != images.extents[0] {
        let (found, expected) = (labels.extents[0], images.extents[0]);
        return Err(malformed(4, format!("{found} labels for the {expected} images of {}", images_path.display())));
    }
    if let Some(at) = labels.elements.iter().position(|&label| usize::from(label) >= class_count) {
        let (label, offset) = (labels.elements[at], labels.header_bytes + at as u64);
        return Err(malformed(
            offset,
            format!("label {label} of image {at}, and the classes are 0 to {}", class_count - 1),
        ));
    }
    let shape = Shape {
        height: images.extents[1],
        width: images.extents[2],
        channels: images.extents.get(3).copied().unwrap_or(1),
    };
    let sources = vec![images.source(set, "images"), labels.source(set, "labels")];
    let dataset = Dataset::new(shape, images.elements, labels.elements)
        .expect("BUG: read() accepts exactly as many elements as the extents ask for, and the counts were compared");
    Ok(dataset.with_sources(sources))
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Images,
    Labels,
}

impl Kind {
    /// What the magic number `found` should have been, in words.
    fn refuses(self, found: u32) -> Option<String> {
        let expected = match (self, found) {
            (Self::Images, MAGIC_IMAGES | MAGIC_IMAGES_COLOUR) | (Self::Labels, MAGIC_LABELS) => return None,
            (Self::Images, _) => format!("an image file, {MAGIC_IMAGES}"),
            (Self::Labels, _) => format!("a label file, {MAGIC_LABELS}"),
        };
        let is = match found {
            MAGIC_IMAGES | MAGIC_IMAGES_COLOUR => ", that of an image file",
            MAGIC_LABELS => ", that of a label file",
            _ => "",
        };
        Some(format!("magic number {found}{is}; expected that of {expected}"))
    }
}

struct Array {
    extents: Vec<usize>,
    elements: Vec<u8>,
    header_bytes: u64,
    sha256: String,
}

impl Array {
    /// Where its bytes came from, whether they were packed or not.
    fn source(&self, set: &str, kind: &str) -> Source {
        Source { file: file_name(set, kind), sha256: self.sha256.clone() }
    }
}

/// A file's uncompressed bytes, counted and digested as they pass.
struct Stream<'a> {
    path: &'a Path,
    bytes: Bytes,
    offset: u64,
    digest: Sha256,
}

enum Bytes {
    Plain(BufReader<File>),
    Gzip(Box<GzDecoder<BufReader<File>>>),
}

impl<'a> Stream<'a> {
    fn open(path: &'a Path) -> Result<Self, Error> {
        let unreadable = |source| Error::Unreadable { path: path.to_owned(), offset: 0, source };
        let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
        let is_packed = file.fill_buf().map_err(unreadable)?.starts_with(&GZIP_MAGIC);
        let bytes = if is_packed { Bytes::Gzip(Box::new(GzDecoder::new(file))) } else { Bytes::Plain(file) };
        Ok(Self { path, bytes, offset: 0, digest: Sha256::new() })
    }

    /// At most `limit` bytes; fewer where the file ends before. Memory grows with what is really there.
    fn read(&mut self, limit: u64) -> Result<Vec<u8>, Error> {
        let mut found = Vec::new();
        let outcome = match &mut self.bytes {
            Bytes::Plain(file) => file.take(limit).read_to_end(&mut found),
            Bytes::Gzip(gzip) => gzip.take(limit).read_to_end(&mut found),
        };
        self.offset += found.len() as u64;
        self.digest.update(&found);
        match outcome {
            Ok(_) => Ok(found),
            Err(broken) if self.is_packed() && broken.kind() != io::ErrorKind::Interrupted => {
                Err(self.malformed(self.offset, format!("the gzip stream breaks off: {broken}")))
            }
            Err(source) => Err(Error::Unreadable { path: self.path.to_owned(), offset: self.offset, source }),
        }
    }

    /// Checks that nothing comes any more, and gives the digest.
    fn end(mut self) -> Result<String, Error> {
        let expected = self.offset;
        if !self.read(1)?.is_empty() {
            return Err(self.malformed(expected, "more bytes than the header announces".into()));
        }
        if let Bytes::Gzip(gzip) = &mut self.bytes {
            let behind = gzip.get_mut().fill_buf().map_err(|source| Error::Unreadable {
                path: self.path.to_owned(),
                offset: expected,
                source,
            })?;
            if !behind.is_empty() {
                return Err(self.malformed(expected, "more bytes behind the end of the gzip stream".into()));
            }
        }
        Ok(hex::encode(self.digest.finalize()))
    }

    fn is_packed(&self) -> bool {
        matches!(self.bytes, Bytes::Gzip(_))
    }

    fn malformed(&self, offset: u64, reason: String) -> Error {
        Error::Malformed { path: self.path.to_owned(), offset, reason }
    }
}

fn read(path: &Path, kind: Kind) -> Result<Array, Error> {
    let mut stream = Stream::open(path)?;
    let magic = read_u32(&mut stream)?;
    if let Some(reason) = kind.refuses(magic) {
        return Err(stream.malformed(0, reason));
    }
    let mut extents = Vec::new();
    let mut bytes: u64 = 1;
    // The last byte of the magic number counts the dimensions: at most four, or `refuses` had spoken.
    for dimension in 0..magic & 0xff {
        let (at, extent) = (stream.offset, read_u32(&mut stream)?);
        if extent == 0 || dimension > 0 && extent > SIDE_MAX {
            let limit = if dimension > 0 { SIDE_MAX } else { u32::MAX };
            return Err(
                stream.malformed(at, format!("extent {extent} of dimension {dimension}, expected 1 to {limit}"))
            );
        }
        bytes = bytes.saturating_mul(extent.into());
        if bytes > BYTES_MAX {
            return Err(stream.malformed(at, format!("the header asks for over {BYTES_MAX} bytes")));
        }
        extents.push(extent as usize);
    }
    let header_bytes = stream.offset;
    let elements = stream.read(bytes)?;
    if (elements.len() as u64) < bytes {
        let reason = format!("the file ends, {} of {bytes} bytes after its header", elements.len());
        return Err(stream.malformed(stream.offset, reason));
    }
    let sha256 = stream.end()?;
    Ok(Array { extents, elements, header_bytes, sha256 })
}

fn read_u32(stream: &mut Stream<'_>) -> Result<u32, Error> {
    let bytes = stream.read(4)?;
    <[u8; 4]>::try_from(bytes.as_slice()).map(u32::from_be_bytes).map_err(|_| {
        stream.malformed(
            stream.offset,
            format!("the file ends inside its header, {} of 4 bytes into a count", bytes.len()),
        )
    })
}
