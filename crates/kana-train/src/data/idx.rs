//! Does this file contain the IDX array that its name promises?
//!
//! IDX is the format of MNIST (<http://yann.lecun.com/exdb/mnist/>): two zero bytes, the type of the elements (8: unsigned
//! bytes), the number of dimensions, the size of each dimension as a big-endian 32-bit number, and the elements; plain or
//! compressed with gzip, in one member or several (RFC 1952). A header is not trusted: memory grows only with the bytes that
//! are really there, and a missing or surplus byte is an error, which names the file and the uncompressed byte.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::{Dataset, Error, Label};
use kana_engine::image::Shape;
use kana_engine::model::card::Source;

/// Magic number of grey images: unsigned bytes, `[N, H, W]`.
const MAGIC_IMAGES: u32 = 0x0803;
/// Magic number of images with channels: unsigned bytes, `[N, H, W, C]`.
const MAGIC_IMAGES_COLOUR: u32 = 0x0804;
/// Magic number of labels: unsigned bytes, `[N]`.
const MAGIC_LABELS: u32 = 0x0801;
/// Largest number of element bytes in a file: fifty times MNIST. More belongs in another format.
const BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Largest number of rows or columns of an image, far above what the network is made for.
const SIDE_MAX: u32 = 1024;
/// First bytes of every gzip file.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Finds the file of `set` ("train", "t10k") and `kind` ("images", "labels") in `folder`: plain, or else with `.gz`; and
/// with a dot before `idx`, as some programs unpack it, where neither is there.
pub fn find(folder: &Path, set: &str, kind: &str) -> Option<PathBuf> {
    let name = file_name(set, kind);
    let dotted = name.replace("-idx", ".idx");
    let names = [&name, &dotted].into_iter().flat_map(|name| [name.clone(), format!("{name}.gz")]);
    names.map(|name| folder.join(name)).find(|path| path.is_file())
}

/// Returns the file name of `set` and `kind`, such as `t10k-images-idx3-ubyte`.
pub fn file_name(set: &str, kind: &str) -> String {
    let dimensions = if kind == "images" { 3 } else { 1 };
    format!("{set}-{kind}-idx{dimensions}-ubyte")
}

/// Loads the images and labels of `set` from `folder`.
///
/// # Errors
/// [`Error`] when a file is missing, unreadable or malformed, when the files differ in their number of images, and when
/// a label is not below `class_count`.
pub fn load_pair(folder: &Path, set: &str, class_count: usize) -> Result<Dataset, Error> {
    let path = |kind| {
        let missing = || Error::Missing { folder: folder.to_owned(), missing: file_name(set, kind) };
        find(folder, set, kind).ok_or_else(missing)
    };
    let (images_path, labels_path) = (path("images")?, path("labels")?);
    let images = read(&images_path, Kind::Images)?;
    let labels = read(&labels_path, Kind::Labels)?;
    let malformed = |offset: u64, reason: String| Error::Malformed { path: labels_path.clone(), offset, reason };
    if labels.dimensions[0] != images.dimensions[0] {
        let (found, expected) = (labels.dimensions[0], images.dimensions[0]);
        return Err(malformed(4, format!("{found} labels for the {expected} images of {}", images_path.display())));
    }
    if let Some(at) = labels.elements.iter().position(|&label| usize::from(label) >= class_count) {
        let (label, offset) = (labels.elements[at], labels.header_bytes + at as u64);
        return Err(malformed(offset, format!("label {label} of image {at}, expected 0 to {}", class_count - 1)));
    }
    let shape = Shape {
        height: images.dimensions[1],
        width: images.dimensions[2],
        channels: images.dimensions.get(3).copied().unwrap_or(1),
    };
    let sources = vec![images.source(set, "images"), labels.source(set, "labels")];
    let labels = labels.elements.into_iter().map(Label::from).collect();
    let dataset = Dataset::new(shape, images.elements, labels)
        .expect("BUG: read() accepts exactly as many elements as the dimensions ask for, and the counts were compared");
    Ok(dataset.with_sources(sources))
}

/// Contents that a file is expected to have.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Images,
    Labels,
}

impl Kind {
    /// Describes what is wrong with the magic number `found`; `None` when it is right.
    fn mismatch(self, found: u32) -> Option<String> {
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

/// Contents of an IDX file.
struct Array {
    dimensions: Vec<usize>,
    elements: Vec<u8>,
    header_bytes: u64,
    sha256: String,
}

impl Array {
    /// Returns the name and the SHA-256 of the uncompressed file.
    fn source(&self, set: &str, kind: &str) -> Source {
        Source { file: file_name(set, kind), sha256: self.sha256.clone() }
    }
}

/// Reader of a file's uncompressed bytes, which counts and hashes them.
struct Stream<'a> {
    path: &'a Path,
    bytes: Bytes,
    offset: u64,
    digest: Sha256,
}

enum Bytes {
    Plain(BufReader<File>),
    Gzip(Box<MultiGzDecoder<BufReader<File>>>),
}

impl<'a> Stream<'a> {
    fn open(path: &'a Path) -> Result<Self, Error> {
        let unreadable = |source| Error::Unreadable { path: path.to_owned(), offset: 0, source };
        let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
        let is_gzip = file.fill_buf().map_err(unreadable)?.starts_with(&GZIP_MAGIC);
        let bytes = if is_gzip { Bytes::Gzip(Box::new(MultiGzDecoder::new(file))) } else { Bytes::Plain(file) };
        Ok(Self { path, bytes, offset: 0, digest: Sha256::new() })
    }

    /// Reads `limit` bytes, or fewer when the file ends before. Memory grows only with the bytes that are there.
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
            Err(error) if self.is_gzip() && error.kind() != io::ErrorKind::Interrupted => {
                Err(self
                    .malformed(self.offset, "the gzip stream is cut off or corrupt, or other bytes follow it".into()))
            }
            Err(source) => Err(Error::Unreadable { path: self.path.to_owned(), offset: self.offset, source }),
        }
    }

    /// Checks that no byte is left, and returns the SHA-256 of all bytes.
    fn finish(mut self) -> Result<String, Error> {
        let expected = self.offset;
        if !self.read(1)?.is_empty() {
            return Err(self.malformed(expected, "more bytes than the header announces".into()));
        }
        Ok(hex::encode(self.digest.finalize()))
    }

    fn is_gzip(&self) -> bool {
        matches!(self.bytes, Bytes::Gzip(_))
    }

    fn malformed(&self, offset: u64, reason: String) -> Error {
        Error::Malformed { path: self.path.to_owned(), offset, reason }
    }
}

fn read(path: &Path, kind: Kind) -> Result<Array, Error> {
    let mut stream = Stream::open(path)?;
    let magic = read_u32(&mut stream)?;
    if let Some(reason) = kind.mismatch(magic) {
        return Err(stream.malformed(0, reason));
    }
    let mut dimensions = Vec::new();
    let mut bytes: u64 = 1;
    // The last byte of the magic number counts the dimensions: at most four, or `mismatch` returned a reason.
    for dimension in 0..magic & 0xff {
        let (at, size) = (stream.offset, read_u32(&mut stream)?);
        if size == 0 || dimension > 0 && size > SIDE_MAX {
            let limit = if dimension > 0 { SIDE_MAX } else { u32::MAX };
            return Err(stream.malformed(at, format!("size {size} of dimension {dimension}, expected 1 to {limit}")));
        }
        bytes = bytes.saturating_mul(size.into());
        if bytes > BYTES_MAX {
            return Err(stream.malformed(at, format!("the header asks for over {BYTES_MAX} bytes")));
        }
        dimensions.push(size as usize);
    }
    let header_bytes = stream.offset;
    let elements = stream.read(bytes)?;
    if (elements.len() as u64) < bytes {
        let reason = format!("the file ends after {} of {bytes} bytes of elements", elements.len());
        return Err(stream.malformed(stream.offset, reason));
    }
    let sha256 = stream.finish()?;
    Ok(Array { dimensions, elements, header_bytes, sha256 })
}

fn read_u32(stream: &mut Stream<'_>) -> Result<u32, Error> {
    let bytes = stream.read(4)?;
    <[u8; 4]>::try_from(bytes.as_slice()).map(u32::from_be_bytes).map_err(|_| {
        stream.malformed(
            stream.offset,
            format!("the file ends inside its header, after {} of 4 bytes of a number", bytes.len()),
        )
    })
}
