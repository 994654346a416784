//! Which file takes longest to decode, in each format?
//!
//! Run with `cargo run --release -p kana-engine --example slowest`. Makes for each format the files that are known to ask
//! for the most work within the limits, decodes each, and prints a table in Markdown.
#![expect(clippy::disallowed_macros, reason = "an example that prints to a terminal")]

use std::error::Error;
use std::io::Write;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::{DynamicImage, ImageFormat, RgbaImage};
use kana_engine::image::decode;
use kana_engine::image::decode::memory_needed;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Columns and rows of the largest square picture.
const SIDE: u32 = 5_000;

/// Bytes of a file, at most: what a gateway takes as one image by default.
const FILE_MAX: usize = 32 << 20;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    println!("| file | bytes | processor time, ms | promised, MiB | result |\n|---|---:|---:|---:|---|");
    show("PNG, 16 bits, interlaced, all zeros", &png(1, false)?);
    show("PNG, 8 bits, interlaced, noise", &png(0, true)?);
    show("JPEG, baseline, full colours", &baseline()?);
    show("JPEG, progressive, 51 scans of means", &progressive(51, 0));
    show("JPEG, progressive, 50 scans of details", &progressive(50, 63));
    show("GIF, all zeros", &gif(false)?);
    show("GIF, noise", &gif(true)?);
    show("WebP, lossless, noise", &webp(2_800)?);
    show("WebP, lossless, all zeros", &webp(0)?);
    show("WebP, lossy, noise", &lossy());
    show("BMP, runs of one pixel", &bmp());
    for (head, digits) in [("P1 5000 5000 ", "1"), ("P2 4096 4000 255 ", "9 "), ("P3 2048 2700 65535 ", "9 ")] {
        let file = [head.as_bytes(), &digits.as_bytes().repeat((FILE_MAX - 100) / digits.len())].concat();
        show(&format!("PNM, {}", &head[..2]), &file);
    }
    Ok(())
}

fn show(name: &str, file: &[u8]) {
    let start = processor_time();
    let result = decode(file);
    let millis = (processor_time() - start).as_millis();
    let said = match &result {
        Ok(picture) => format!("{}×{}", picture.width(), picture.height()),
        Err(error) => format!("{error}: {:?}", error.source()),
    };
    println!("| {name} | {} | {millis} | {} | {said} |", file.len(), memory_needed(file) >> 20);
}

/// Time that the thread has spent on a processor, from Linux; elsewhere any time.
fn processor_time() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let spent = spent.as_deref().and_then(|text| text.split(' ').next()?.parse().ok());
    spent.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// Bytes without a pattern.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut bytes);
    bytes
}

/// Colour with transparency where there is a depth of 16 bits, grey otherwise.
fn png(wide: u8, is_noise: bool) -> Result<Vec<u8>> {
    let (depth, colour, pixel) = if wide == 1 { (16, 6, 8) } else { (8, 0, 1) };
    let mut encoder = ZlibEncoder::new(Vec::new(), if is_noise { Compression::none() } else { Compression::fast() });
    // The passes of an interlaced picture: first column and row, and their steps.
    let passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];
    for (x, y, across, down) in passes {
        let row = (SIDE - x as u32).div_ceil(across) as usize * pixel;
        let content = if is_noise { noise(row) } else { vec![0; row] };
        for _ in 0..(SIDE - y as u32).div_ceil(down) {
            // The filter that takes longest.
            encoder.write_all(&[4])?;
            encoder.write_all(&content)?;
        }
    }
    let mut header = [&SIDE.to_be_bytes()[..], &SIDE.to_be_bytes(), &[depth, colour, 0, 0, 1]].concat();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, body) in [(b"IHDR", std::mem::take(&mut header)), (b"IDAT", encoder.finish()?), (b"IEND", Vec::new())] {
        let mut crc = flate2::Crc::new();
        crc.update(name);
        crc.update(&body);
        file.extend([&(body.len() as u32).to_be_bytes()[..], name, &body, &crc.sum().to_be_bytes()].concat());
    }
    Ok(file)
}

fn encoded(picture: DynamicImage, format: ImageFormat) -> Result<Vec<u8>> {
    let mut file = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut file, format)?;
    Ok(file.into_inner())
}

fn picture(side: u32, samples: Vec<u8>) -> Result<DynamicImage> {
    Ok(RgbaImage::from_raw(side, side, samples).ok_or("too few samples")?.into())
}

fn baseline() -> Result<Vec<u8>> {
    let samples = noise(4 * (SIDE * SIDE) as usize).iter().map(|sample| sample / 8).collect();
    encoded(DynamicImage::from(picture(SIDE, samples)?.to_rgb8()), ImageFormat::Jpeg)
}

/// Grey; each scan visits every block, for its mean (`last` is 0) or for the details up to `last`.
fn progressive(scans: usize, last: u8) -> Vec<u8> {
    let segment =
        |marker: u8, body: &[u8]| [&[0xff, marker], &(body.len() as u16 + 2).to_be_bytes()[..], body].concat();
    let [high, low] = (SIDE as u16).to_be_bytes();
    let mut file = vec![0xff, 0xd8];
    file.extend(segment(0xc2, &[8, high, low, high, low, 1, 1, 0x11, 0]));
    file.extend(segment(0xdb, &[&[0][..], &[1; 64]].concat()));
    // Codes of one bit: no difference from the mean before, and the end of a block.
    for class in [0, 0x10] {
        file.extend(segment(0xc4, &[&[class, 1][..], &[0; 15], &[0]].concat()));
    }
    let blocks = SIDE.div_ceil(8).pow(2) as usize;
    for scan in 0..scans {
        let first = if scan == 0 || last == 0 { (0, 0) } else { (1, last) };
        file.extend(segment(0xda, &[1, 1, 0, first.0, first.1, 0]));
        file.extend(vec![0; blocks.div_ceil(8)]);
    }
    file.extend([0xff, 0xd9]);
    file
}

fn gif(is_noise: bool) -> Result<Vec<u8>> {
    let side = if is_noise { 4_900 } else { SIDE } as u16;
    let pixels = usize::from(side) * usize::from(side);
    let mut encoder = gif::Encoder::new(Vec::new(), side, side, &noise(768))?;
    let places = if is_noise { noise(pixels) } else { vec![0; pixels] };
    encoder.write_frame(&gif::Frame::from_indexed_pixels(side, side, places, None))?;
    Ok(encoder.into_inner()?)
}

fn webp(side: u32) -> Result<Vec<u8>> {
    let samples = if side > 0 { noise(4 * (side * side) as usize) } else { vec![0; 4 * (SIDE * SIDE) as usize] };
    encoded(picture(if side > 0 { side } else { SIDE }, samples)?, ImageFormat::WebP)
}

/// Any bytes are a lossy picture's coefficients, until they end. A longer stream or a larger side would promise too much.
fn lossy() -> Vec<u8> {
    let (side, first) = (4_700_u16, 500_000);
    let mut stream = ((first as u32) << 5 | 0x10).to_le_bytes()[..3].to_vec();
    let [low, high] = side.to_le_bytes();
    stream.extend([0x9d, 0x01, 0x2a, low, high, low, high]);
    stream.extend(noise(26 << 20));
    // No segments, no filter, one partition.
    stream[10..16].fill(0);
    let mut file = b"RIFF".to_vec();
    file.extend((stream.len() as u32 + 12).to_le_bytes());
    file.extend(b"WEBPVP8 ");
    file.extend((stream.len() as u32).to_le_bytes());
    file.extend(stream);
    file
}

fn bmp() -> Vec<u8> {
    // As many runs as a file holds, of one pixel each.
    let (width, height) = (2_000_u32, FILE_MAX as u32 / 2 / 2_001);
    let mut pixels = Vec::new();
    for _ in 0..height {
        pixels.extend([1, 7].repeat(width as usize));
        pixels.extend([0, 0]);
    }
    let mut file = b"BM\0\0\0\0\0\0\0\0".to_vec();
    for word in [54 + 1_024, 40, width, height, 1 | 8 << 16, 1, pixels.len() as u32, 0, 0, 256, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(noise(1_024));
    file.extend(pixels);
    file
}
