//! Does a file take no more memory than its header promised?

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use kana_engine::image::decode::{ALLOC_MAX, Error, memory_needed};
use kana_engine::image::{Fit, Shape, decode, fit};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::drawings::file;

thread_local! {
    static HELD: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
}

/// Counts what each thread holds: decoding and fitting stay on theirs.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: i64) {
    let held = HELD.get() + bytes;
    HELD.set(held);
    PEAK.set(PEAK.get().max(held));
}

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as i64 - layout.size() as i64);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Decodes and fits `bytes`, and fails where that takes more than was promised. Returns the bytes taken.
fn taken(bytes: &[u8], name: &str) -> (Result<(), Error>, u64) {
    let promised = memory_needed(bytes);
    assert!(promised <= ALLOC_MAX, "{name}: {promised}");
    let before = HELD.get();
    PEAK.set(before);
    let result = decode(bytes).map(|picture| {
        fit(&picture, Shape { channels: 1, height: 28, width: 28 }, Fit::Glyph { margin: 0.1 });
        fit(&picture, Shape { channels: 3, height: 32, width: 32 }, Fit::Cover);
    });
    let taken = u64::try_from(PEAK.get() - before).unwrap_or(0);
    assert!(taken <= promised, "{name} took {taken} bytes, and {promised} were promised");
    (result, taken)
}

/// Every format, of a picture with colours that differ everywhere.
fn files(width: u32, height: u32) -> Vec<(ImageFormat, Vec<u8>)> {
    let picture = RgbaImage::from_fn(width, height, |x, y| Rgba([x as u8, y as u8, (x * y) as u8, (x + y) as u8]));
    let rgb = DynamicImage::from(picture.clone()).to_rgb8();
    let wide = DynamicImage::from(picture.clone()).to_rgba16();
    let mut files = vec![
        (ImageFormat::Png, file(wide, ImageFormat::Png)),
        (ImageFormat::Png, file(picture.clone(), ImageFormat::Png)),
        (ImageFormat::WebP, file(picture, ImageFormat::WebP)),
    ];
    for format in [ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::Bmp, ImageFormat::WebP, ImageFormat::Pnm] {
        files.push((format, file(rgb.clone(), format)));
    }
    files
}

#[test]
fn a_picture_takes_no_more_memory_than_its_header_promised() {
    for (width, height) in [(1, 1), (37, 53), (1_500, 1_000), (16_000, 20), (20, 16_000)] {
        for (format, file) in files(width, height) {
            let (result, _) = taken(&file, &format!("{format:?} of {width}×{height}"));

            let error = result.err().map(|error| error.to_string());
            assert_eq!(error, None, "{format:?} of {width}×{height}");
        }
    }
}

#[test]
fn a_damaged_file_takes_no_more_memory_than_its_header_promised() {
    /// Damaged files of each kind.
    const TRIES: usize = 2_000;
    for (format, whole) in files(40, 30) {
        let mut random = ChaCha8Rng::seed_from_u64(17);
        for _ in 0..TRIES {
            let mut damaged = whole.clone();
            for _ in 0..random.random_range(1..6) {
                let reach = if random.random() { damaged.len() } else { damaged.len().min(64) };
                damaged[random.random_range(0..reach)] = random.random();
            }
            if random.random_range(0..8) == 0 {
                damaged.truncate(random.random_range(0..damaged.len()));
            }

            drop(taken(&damaged, &format!("damaged {format:?}")));
        }
    }
}

/// Bits, the least significant first.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        self.0.extend((0..count).map(|bit| value >> bit & 1 == 1));
    }

    fn put_code(&mut self, code: u32, length: u32) {
        self.0.extend((0..length).rev().map(|bit| code >> bit & 1 == 1));
    }

    fn put_single(&mut self, symbol: u32) {
        self.put(1, 1);
        self.put(0, 1);
        self.put(1, 1);
        self.put(symbol, 8);
    }

    /// A table with codes of 1 to 10 bits, in some 11 bytes.
    fn put_tree(&mut self) {
        const ORDER: [u32; 14] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10];
        let length = |symbol: u32| match symbol {
            1..=6 => 3,
            7..=10 => 4,
            _ => 0,
        };
        self.put(0, 1);
        self.put(10, 4);
        ORDER.iter().for_each(|&symbol| self.put(length(symbol), 3));
        self.put(1, 1);
        self.put(1, 3);
        self.put(9, 4);
        for symbol in (1..=10).chain([10]) {
            // Canonical codes: six of three bits, from 0; four of four bits, from 12.
            if symbol <= 6 { self.put_code(symbol - 1, 3) } else { self.put_code(symbol + 5, 4) }
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit))).collect()
    }
}

/// A lossless stream of 4 × 4 pixels, after its header, that defines `groups` groups of tables.
fn many_groups(groups: u32) -> Vec<u8> {
    let mut bits = Bits::default();
    // No transform, no colour cache, an entropy image of one pixel that names the last group.
    [(0, 1), (0, 1), (1, 1), (0, 3), (0, 1)].iter().for_each(|&(value, count)| bits.put(value, count));
    [(groups - 1) & 255, (groups - 1) >> 8, 0, 0, 0].iter().for_each(|&symbol| bits.put_single(symbol));
    (0..5 * groups).for_each(|_| bits.put_tree());
    bits.put(0, 24);
    bits.bytes()
}

fn webp(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut list = b"WEBP".to_vec();
    for (name, body) in chunks {
        list.extend(*name);
        list.extend((body.len() as u32).to_le_bytes());
        list.extend(body);
        list.resize(list.len().next_multiple_of(2), 0);
    }
    [&b"RIFF"[..], &(list.len() as u32).to_le_bytes(), &list].concat()
}

#[test]
fn a_webp_of_a_few_pixels_and_many_tables_is_refused_within_its_bound() {
    let stream = many_groups(65_536);
    let header = vec![0x2f, 3, 0xc0, 0, 0];
    let picture = [header, stream.clone()].concat();
    let lossless = webp(&[(b"VP8L", picture.clone())]);
    // Transparency of a lossy picture, and an animation's frame.
    let canvas = |flags| vec![flags, 0, 0, 0, 3, 0, 0, 3, 0, 0];
    let lossy = vec![0x10, 0, 0, 0x9d, 1, 0x2a, 4, 0, 4, 0, 0, 0];
    let alpha = webp(&[(b"VP8X", canvas(0x10)), (b"ALPH", [vec![1], stream].concat()), (b"VP8 ", lossy)]);
    let inner = [&b"VP8L"[..], &(picture.len() as u32).to_le_bytes(), &picture].concat();
    let frame = [vec![0, 0, 0, 0, 0, 0, 3, 0, 0, 3, 0, 0, 0, 0, 0, 0], inner].concat();
    let animation = webp(&[(b"VP8X", canvas(2)), (b"ANIM", vec![0; 6]), (b"ANMF", frame)]);

    for (name, file) in [("picture", lossless), ("transparency", alpha), ("animation", animation)] {
        let (result, taken) = taken(&file, name);

        let error = result.expect_err("a bomb").to_string();
        assert!(taken < 64 << 20, "{name} took {taken} bytes");
        assert!(matches!(decode(&file), Err(Error::Work { .. } | Error::Damaged { .. })), "{name}: {error}");
    }
}

#[test]
fn a_webp_of_a_few_groups_of_tables_is_not_refused_for_them() {
    let picture = [vec![0x2f, 3, 0xc0, 0, 0], many_groups(200)].concat();

    let (result, _) = taken(&webp(&[(b"VP8L", picture)]), "200 groups");

    assert!(!matches!(result, Err(Error::Work { .. })), "{result:?}");
}

#[test]
fn a_jpeg_of_thousands_of_scans_is_refused_before_it_is_decoded() {
    // Progressive, 4000 × 4000, grey; then one scan of mean values after the other, of a code with one bit a block.
    let segment =
        |marker: u8, body: &[u8]| [&[0xff, marker], &(body.len() as u16 + 2).to_be_bytes()[..], body].concat();
    let table = [&[0x10, 1][..], &[0; 15], &[0xe0]].concat();
    let mut bytes = vec![0xff, 0xd8];
    bytes.extend(segment(0xc2, &[8, 0x0f, 0xa0, 0x0f, 0xa0, 1, 1, 0x11, 0]));
    bytes.extend(segment(0xdb, &[&[0][..], &[1; 64]].concat()));
    bytes.extend(segment(0xc4, &table));
    for _ in 0..5_000 {
        bytes.extend(segment(0xda, &[1, 1, 0, 1, 63, 0]));
        // Sixteen runs of 16,384 blocks and more: a zero and 14 bits each.
        bytes.extend([0; 32]);
    }
    bytes.extend([0xff, 0xd9]);

    let (result, _) = taken(&bytes, "thousands of scans");

    assert!(matches!(result, Err(Error::Work { .. })), "{result:?}");
}
