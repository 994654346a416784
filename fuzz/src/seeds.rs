//! With which files does fuzzing begin?
//!
//! With small ones of every kind that a format has, made here: mutation finds its way from a kind that it was given, and
//! seldom to one that it was not.

use std::io::{Cursor, Result, Write};
use std::path::Path;

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};

use crate::Format;

/// Columns and rows of most pictures here: not a multiple of any block.
const WIDTH: u16 = 19;
const HEIGHT: u16 = 11;

/// Writes files of `format` into `folder`, which is made.
pub fn write(format: Format, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let files = match format {
        Format::Png => png(),
        Format::Jpeg => jpeg(),
        Format::Gif => gif(),
        Format::WebP => webp(),
        Format::Bmp => bmp(),
        Format::Pnm => pnm(),
    };
    for (number, file) in files.iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number:02}")), file)?;
    }
    Ok(())
}

/// Bytes without a pattern, the same at every start.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

fn drawing() -> DynamicImage {
    let colour = |x: u32, y: u32| Rgba([(12 * x) as u8, (20 * y) as u8, (x * y) as u8, if x > 9 { 255 } else { 90 }]);
    RgbaImage::from_fn(WIDTH.into(), HEIGHT.into(), colour).into()
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).expect("a kind of picture that the format takes");
    file.into_inner()
}

fn png() -> Vec<Vec<u8>> {
    use png::{BitDepth, ColorType};
    let kinds = [
        (ColorType::Grayscale, BitDepth::One, 1),
        (ColorType::Grayscale, BitDepth::Four, 4),
        (ColorType::Grayscale, BitDepth::Sixteen, 16),
        (ColorType::GrayscaleAlpha, BitDepth::Eight, 16),
        (ColorType::Indexed, BitDepth::Two, 2),
        (ColorType::Indexed, BitDepth::Eight, 8),
        (ColorType::Rgb, BitDepth::Eight, 24),
        (ColorType::Rgb, BitDepth::Sixteen, 48),
        (ColorType::Rgba, BitDepth::Eight, 32),
        (ColorType::Rgba, BitDepth::Sixteen, 64),
    ];
    let mut files = Vec::new();
    for (colour, depth, bits) in kinds {
        for has_clear in [false, true] {
            // A row more than the header will say, so that the data suffice for all passes when it is interlaced.
            let rows = usize::from(2 * HEIGHT);
            let mut file = Vec::new();
            let mut encoder = png::Encoder::new(&mut file, WIDTH.into(), rows as u32);
            encoder.set_color(colour);
            encoder.set_depth(depth);
            if colour == ColorType::Indexed {
                encoder.set_palette(noise(3 << (depth as usize)));
            }
            match colour {
                ColorType::Grayscale if has_clear => encoder.set_trns(vec![0, 1]),
                ColorType::Rgb if has_clear => encoder.set_trns(vec![0, 1, 0, 2, 0, 3]),
                ColorType::Indexed if has_clear => encoder.set_trns(vec![0, 128]),
                _ => {}
            }
            let mut writer = encoder.write_header().expect("a header that may be");
            let row = (usize::from(WIDTH) * bits).div_ceil(8);
            writer.write_image_data(&noise(row * rows)).expect("memory takes everything");
            drop(writer);
            // Checksums are not compared while fuzzing.
            let mut interlaced = file.clone();
            interlaced[23] = HEIGHT as u8;
            interlaced[28] = 1;
            files.extend([file, interlaced]);
        }
    }
    files
}

fn jpeg() -> Vec<Vec<u8>> {
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
    let kinds = [
        (ColorType::Luma, 1, SamplingFactor::F_1_1),
        (ColorType::Rgb, 3, SamplingFactor::F_1_1),
        (ColorType::Rgb, 3, SamplingFactor::F_2_2),
        (ColorType::Rgb, 3, SamplingFactor::F_2_1),
        (ColorType::Rgb, 3, SamplingFactor::F_1_2),
        (ColorType::Rgb, 3, SamplingFactor::F_4_1),
        (ColorType::Cmyk, 4, SamplingFactor::F_1_1),
        (ColorType::CmykAsYcck, 4, SamplingFactor::F_2_2),
    ];
    let mut files = Vec::new();
    for (colour, samples, factor) in kinds {
        for (is_progressive, restart) in [(false, 0), (false, 2), (true, 0), (true, 3)] {
            let mut file = Vec::new();
            let mut encoder = Encoder::new(&mut file, 70);
            encoder.set_sampling_factor(factor);
            encoder.set_progressive(is_progressive);
            encoder.set_restart_interval(restart);
            encoder.set_optimized_huffman_tables(restart > 0);
            let picture = noise(usize::from(WIDTH) * usize::from(HEIGHT) * samples);
            encoder.encode(&picture, WIDTH, HEIGHT, colour).expect("memory takes everything");
            files.push(file);
        }
    }
    files
}

fn gif() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for (is_interlaced, transparent, inset, has_own) in
        [(false, None, 0, false), (true, Some(3), 0, false), (false, Some(0), 2, true), (true, None, 3, true)]
    {
        let palette = noise(3 * 16);
        let shared = if has_own { &[][..] } else { &palette };
        let mut encoder = gif::Encoder::new(Vec::new(), WIDTH, HEIGHT, shared).expect("memory takes everything");
        for _ in 0..2 {
            let (width, height) = (WIDTH - inset, HEIGHT - inset);
            let places =
                noise(usize::from(width) * usize::from(height)).iter().map(|byte| byte % 16).collect::<Vec<_>>();
            let mut frame = gif::Frame::from_indexed_pixels(width, height, places, transparent);
            (frame.left, frame.top, frame.interlaced) = (inset, inset, is_interlaced);
            frame.palette = has_own.then(|| palette.clone());
            encoder.write_frame(&frame).expect("memory takes everything");
        }
        files.push(encoder.into_inner().expect("memory takes everything"));
    }
    files
}

/// A WebP file of some chunks.
fn riff(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let list = chunk_list(chunks);
    [&b"RIFF"[..], &(list.len() as u32 + 4).to_le_bytes(), b"WEBP", &list].concat()
}

fn chunk_list(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut list = Vec::new();
    for (name, body) in chunks {
        list.extend(*name);
        list.extend((body.len() as u32).to_le_bytes());
        list.extend(*body);
        list.resize(list.len().next_multiple_of(2), 0);
    }
    list
}

/// A lossy picture. Its coded data are any bytes: the arithmetic decoder makes something of all of them.
fn lossy(first: usize, rest: usize) -> Vec<u8> {
    let tag = (first as u32) << 5 | 0x10;
    let mut stream = tag.to_le_bytes()[..3].to_vec();
    stream.extend([0x9d, 0x01, 0x2a, WIDTH as u8, 0, HEIGHT as u8, 0]);
    stream.extend(noise(first + rest));
    // Colour space, clamping and segments: zeros, as most files have.
    stream[10] = 0;
    stream
}

fn webp() -> Vec<Vec<u8>> {
    let opaque = DynamicImage::from(drawing().to_rgb8());
    let lossless = encoded(&drawing(), ImageFormat::WebP);
    let canvas = |flags: u8| [flags, 0, 0, 0, WIDTH as u8 - 1, 0, 0, HEIGHT as u8 - 1, 0, 0];
    let stream = lossy(60, 300);
    let plane = [&[0b0100][..], &noise(usize::from(WIDTH) * usize::from(HEIGHT))].concat();
    let picture = lossless[20..].to_vec();
    let packed = [&[1][..], &picture[5..]].concat();
    let place = [0, 0, 0, 0, 0, 0, WIDTH as u8 - 1, 0, 0, HEIGHT as u8 - 1, 0, 0, 40, 0, 0, 0];
    let still = [&place[..], &chunk_list(&[(b"VP8L", &picture)])].concat();
    let moving = [&place[..], &chunk_list(&[(b"ALPH", &plane), (b"VP8 ", &stream)])].concat();
    vec![
        lossless.clone(),
        encoded(&opaque, ImageFormat::WebP),
        encoded(&DynamicImage::from(drawing().to_luma8()), ImageFormat::WebP),
        riff(&[(b"VP8 ", &stream)]),
        riff(&[(b"VP8 ", &lossy(200, 700))]),
        riff(&[(b"VP8X", &canvas(0x10)), (b"ALPH", &plane), (b"VP8 ", &stream)]),
        riff(&[(b"VP8X", &canvas(0x10)), (b"ALPH", &packed), (b"VP8 ", &stream)]),
        riff(&[(b"VP8X", &canvas(0x18)), (b"VP8L", &picture), (b"EXIF", b"II*\0\x08\0\0\0\0\0")]),
        riff(&[(b"VP8X", &canvas(2)), (b"ANIM", &[0; 6]), (b"ANMF", &still), (b"ANMF", &moving)]),
        riff(&[(b"VP8X", &canvas(0x12)), (b"ANIM", &[0; 6]), (b"ANMF", &moving), (b"ANMF", &still)]),
    ]
}

/// A BMP with the newer header, of `bits` a pixel and a compression.
fn bitmap(bits: u16, compression: u32, colours: usize, pixels: &[u8]) -> Vec<u8> {
    let mut extra = Vec::new();
    if compression == 3 {
        [0xf800_u32, 0x07e0, 0x001f].iter().for_each(|mask| extra.extend(mask.to_le_bytes()));
    }
    extra.extend(noise(4 * colours));
    let start = 54 + extra.len() as u32;
    let mut file = b"BM".to_vec();
    file.extend((start + pixels.len() as u32).to_le_bytes());
    file.extend([0; 4]);
    file.extend(start.to_le_bytes());
    file.extend(40_u32.to_le_bytes());
    file.extend(u32::from(WIDTH).to_le_bytes());
    file.extend(u32::from(HEIGHT).to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(compression.to_le_bytes());
    file.extend((pixels.len() as u32).to_le_bytes());
    file.extend([0; 8]);
    file.extend((colours as u32).to_le_bytes());
    file.extend([0; 4]);
    file.extend(extra);
    file.extend(pixels);
    file
}

fn bmp() -> Vec<Vec<u8>> {
    let raw = |bits: usize| noise((usize::from(WIDTH) * bits).div_ceil(32) * 4 * usize::from(HEIGHT));
    // Runs, literal pixels, a jump, ends of lines, the end.
    let packed = [9, 1, 10, 2, 0, 0, 0, 4, 1, 2, 3, 4, 0, 2, 3, 1, 4, 7, 0, 0, 19, 5, 0, 0, 19, 6, 0, 1];
    let mut old = bitmap(24, 0, 0, &raw(24));
    // The oldest header: 12 bytes, with sides of 16 bits.
    let pixels = old.split_off(54);
    old.truncate(14);
    old[10] = 26;
    old.extend([12, 0, 0, 0, WIDTH as u8, 0, HEIGHT as u8, 0, 1, 0, 24, 0]);
    old.extend(pixels);
    vec![
        bitmap(1, 0, 2, &raw(1)),
        bitmap(4, 0, 16, &raw(4)),
        bitmap(8, 0, 256, &raw(8)),
        bitmap(16, 0, 0, &raw(16)),
        bitmap(24, 0, 0, &raw(24)),
        bitmap(32, 0, 0, &raw(32)),
        bitmap(16, 3, 0, &raw(16)),
        bitmap(32, 3, 0, &raw(32)),
        bitmap(8, 1, 16, &packed),
        bitmap(4, 2, 16, &packed),
        old,
        encoded(&drawing(), ImageFormat::Bmp),
    ]
}

fn pnm() -> Vec<Vec<u8>> {
    let numbers = |count: usize| noise(count).iter().map(|byte| format!("{byte} ")).collect::<String>();
    let text = |head: &str, body: String| format!("{head}\n{body}\n").into_bytes();
    let raw = |head: &str, length: usize| {
        let mut file = head.as_bytes().to_vec();
        file.write_all(&noise(length)).expect("memory takes everything");
        file
    };
    vec![
        text("P1\n# a comment\n5 3", "1 0 1 0 1\n00110\n1 1 1 1 1".to_owned()),
        text("P2\n5 3\n255", numbers(15)),
        text("P3\n5 3\n255", numbers(45)),
        raw("P4\n19 5\n", 15),
        raw("P5\n5 3\n255\n", 15),
        raw("P5\n5 3\n65535\n", 30),
        raw("P5\n5 3\n15\n", 15),
        raw("P6\n5 3\n255\n", 45),
        raw("P6\n5 3\n1000\n", 90),
        raw("P7\nWIDTH 5\nHEIGHT 3\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n", 60),
        raw("P7\nWIDTH 5\nHEIGHT 3\nDEPTH 2\nMAXVAL 65535\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\n", 60),
        raw("P7\nWIDTH 5\nHEIGHT 3\nDEPTH 1\nMAXVAL 1\nTUPLTYPE BLACKANDWHITE\nENDHDR\n", 15),
    ]
}
