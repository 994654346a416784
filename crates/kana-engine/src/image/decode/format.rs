//! Which format does a file have?
//!
//! Its first bytes decide, because names and content types are often wrong. Formats that are not decoded here are
//! recognised as well, so that the error message says what the file is instead of what it is not.
//!
//! The table is our own because the crate `infer` 0.22 lacks a third of it (QOI, OpenEXR, PFM, JSON, NumPy and IDX among
//! others) and takes any text that starts with `BM` for a picture.

use ::image::ImageFormat;

/// The accepted formats, as error messages list them.
pub const ACCEPTED: &str = "PNG, JPEG, GIF, BMP, WebP and PNM (PBM, PGM, PPM, PAM)";

/// Bytes of a text file that are examined: an XML prologue and a comment fit.
const TEXT_BYTES: usize = 1024;

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An accepted format, which `decode` can read.
    Accepted(ImageFormat),
    /// Any other format; in words, with its article.
    Foreign(&'static str),
}

/// Recognises the format of the file `bytes` by its beginning.
pub fn kind(bytes: &[u8]) -> Kind {
    if let Some(format) = accepted(bytes) {
        return Kind::Accepted(format);
    }
    Kind::Foreign(foreign(bytes).or_else(|| text(bytes)).unwrap_or("no image at all"))
}

/// The name of an accepted format, as people write it.
pub fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Gif => "GIF",
        ImageFormat::Bmp => "BMP",
        ImageFormat::WebP => "WebP",
        ImageFormat::Pnm => "PNM",
        _ => "image",
    }
}

/// A kind of the format called `name` that every program can write and that is decoded here.
pub fn usual(name: &str) -> &'static str {
    match name {
        "PNG" => "a PNG of 8 bits a sample",
        "JPEG" => "a baseline or progressive JPEG of 8 bits a sample, grey, in colour or CMYK",
        "GIF" => "a GIF of at most 256 colours a frame",
        "BMP" => "a BMP of 24 bits a pixel without compression",
        "WebP" => "a WebP of one picture, lossy or lossless",
        _ => "a PNM of 8 bits a sample (P5 or P6)",
    }
}

fn accepted(bytes: &[u8]) -> Option<ImageFormat> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(ImageFormat::Png),
        [0xff, 0xd8, 0xff, ..] => Some(ImageFormat::Jpeg),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(ImageFormat::Gif),
        [b'B', b'M', ..] if bytes.len() >= BMP_HEADER && bytes[6..10] == [0; 4] => Some(ImageFormat::Bmp),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(ImageFormat::WebP),
        [b'P', b'1'..=b'7', next, ..] if next.is_ascii_whitespace() || *next == b'#' => Some(ImageFormat::Pnm),
        _ => None,
    }
}

/// Bytes of the header that every BMP file begins with. Bytes 6 to 9 of it are reserved and zero; in a text they are not.
const BMP_HEADER: usize = 14;

fn foreign(bytes: &[u8]) -> Option<&'static str> {
    if bytes.get(4..8) == Some(b"ftyp") {
        return Some(match bytes.get(8..12) {
            Some(b"heic" | b"heix" | b"hevc" | b"heim" | b"heis" | b"mif1" | b"msf1") => "a HEIC image",
            Some(b"avif" | b"avis") => "an AVIF image",
            _ => "a video",
        });
    }
    let signatures: &[(&[u8], &'static str)] = &[
        (b"%PDF", "a PDF document"),
        (b"%!PS", "a PostScript document"),
        (b"II*\0", "a TIFF image"),
        (b"MM\0*", "a TIFF image"),
        (b"II+\0", "a TIFF image"),
        (b"MM\0+", "a TIFF image"),
        (b"\xff\x0a", "a JPEG XL image"),
        (b"\0\0\0\x0cJXL ", "a JPEG XL image"),
        (b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
        (b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
        (b"\0\0\x01\0", "an icon (ICO)"),
        (b"8BPS", "a Photoshop document"),
        (b"gimp xcf", "a GIMP document"),
        (b"qoif", "a QOI image"),
        (b"DDS ", "a DDS texture"),
        (b"\x76\x2f\x31\x01", "an OpenEXR image"),
        (b"#?RADIANCE", "a Radiance HDR image"),
        (b"PF\n", "a PFM image"),
        (b"Pf\n", "a PFM image"),
        (b"PK\x03\x04", "a ZIP archive or an office document"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"BZh", "a bzip2 archive"),
        (b"\xfd7zXZ\0", "an xz archive"),
        (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
        (b"Rar!", "a RAR archive"),
        (b"\x7fELF", "a program"),
        (b"MZ", "a program"),
        (b"RIFF", "a sound or a video"),
        (b"OggS", "a sound or a video"),
        (b"ID3", "a sound"),
        (b"\x1a\x45\xdf\xa3", "a video"),
        (b"\x93NUMPY", "a NumPy array"),
        (b"\0\0\x08\x03", "an IDX data set"),
    ];
    signatures.iter().find(|(signature, _)| bytes.starts_with(signature)).map(|(_, what)| *what)
}

fn text(bytes: &[u8]) -> Option<&'static str> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let beginning = &bytes[..bytes.len().min(TEXT_BYTES)];
    // A character of several bytes may be cut in two at the end; only what precedes it is examined.
    let valid = match std::str::from_utf8(beginning) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&beginning[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    if valid.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    let lower = valid.trim_start().to_ascii_lowercase();
    Some(match lower.chars().next() {
        None => "blank text",
        Some('<') if lower.contains("<svg") => "an SVG drawing",
        Some('<') if lower.contains("<html") || lower.contains("<!doctype html") => "an HTML page",
        Some('<') => "an XML document",
        Some('{' | '[') => "JSON text",
        Some(_) if lower.starts_with("data:image/") => "a data: address instead of the image's bytes",
        Some(_) => "plain text",
    })
}
