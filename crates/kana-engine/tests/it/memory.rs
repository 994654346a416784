//! Does a file take no more memory than its header promised?

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use kana_engine::image::decode::{ALLOC_MAX, Error, memory_needed};
use kana_engine::image::{Fit, Shape, decode, fit};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::counting::peak;
use crate::drawings::file;

/// Decodes and fits `bytes`, and fails where that takes more than was promised. Returns the bytes taken.
fn taken(bytes: &[u8], name: &str) -> (Result<(), Error>, u64) {
    let promised = memory_needed(bytes);
    assert!(promised <= ALLOC_MAX, "{name}: {promised}");
    let (result, taken) = peak(|| {
        decode(bytes).map(|picture| {
            fit(&picture, Shape { channels: 1, height: 28, width: 28 }, Fit::Glyph { margin: 0.1 });
            fit(&picture, Shape { channels: 3, height: 32, width: 32 }, Fit::Cover);
        })
    });
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

/// Bytes around a small picture: as many as a client may send for one file.
const AROUND: usize = 12 << 20;

/// Blocks of up to 255 bytes, as a GIF divides everything.
fn blocks(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(255).flat_map(|block| [&[block.len() as u8], block].concat()).chain([0]).collect()
}

/// A lossy picture of 16 × 16 pixels, whose first partition's header is `header`, and then all zeros.
fn lossy(header: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut first = header.to_vec();
    first.resize(100, 0);
    let tag = (first.len() as u32) << 5 | 0x10;
    [&tag.to_le_bytes()[..3], &[0x9d, 1, 0x2a, 16, 0, 16, 0], &first, rest].concat()
}

fn png_chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(name);
    crc.update(body);
    [&(body.len() as u32).to_be_bytes()[..], name, body, &crc.sum().to_be_bytes()].concat()
}

/// A small picture.
fn small() -> RgbaImage {
    RgbaImage::from_pixel(16, 16, Rgba([1, 2, 3, 200]))
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

/// PNGs with much that belongs to no pixel.
fn large_pngs() -> Vec<Vec<u8>> {
    let (png, zeros) = (file(small(), ImageFormat::Png), vec![0; AROUND]);
    let bomb = deflated(&zeros);
    let chunks = [
        (b"eXIf", zeros.clone()),
        (b"tEXt", [&b"a\0"[..], &zeros].concat()),
        (b"zTXt", [&b"a\0\0"[..], &bomb].concat()),
        (b"iCCP", [&b"a\0\0"[..], &zeros].concat()),
        (b"iCCP", [&b"a\0\0"[..], &bomb].concat()),
        (b"PLTE", zeros.clone()),
        (b"tRNS", zeros.clone()),
        (b"sPLT", zeros.clone()),
        (b"abCd", zeros.clone()),
        (b"IDAT", zeros.clone()),
    ];
    let mut files: Vec<Vec<u8>> =
        chunks.iter().map(|(name, body)| [&png[..33], &png_chunk(name, body), &png[33..]].concat()).collect();
    let rows = deflated(&[vec![0; 65 * 16], zeros].concat());
    files.push([&png[..33], &png_chunk(b"IDAT", &rows), &png_chunk(b"IEND", &[])].concat());
    files
}

/// GIFs with a long extension: a comment, metadata, a profile, a text, and one of no known kind.
fn large_gifs() -> Vec<Vec<u8>> {
    let gif = file(DynamicImage::from(small()).to_rgb8(), ImageFormat::Gif);
    // After the header, the screen and its palette.
    let start = 13 + if gif[10] & 0x80 > 0 { 6 << (gif[10] & 7) } else { 0 };
    let heads = [&b"\x21\xfe"[..], b"\x21\xff\x0bXMP DataXMP", b"\x21\xff\x0bICCRGBG1012", b"\x21\x01", b"\x21\x99"];
    heads.map(|head| [&gif[..start], head, &blocks(&vec![1; AROUND]), &gif[start..]].concat()).to_vec()
}

/// JPEGs with many segments of metadata, or much after the last block.
fn large_jpegs() -> Vec<Vec<u8>> {
    let jpeg = file(DynamicImage::from(small()).to_rgb8(), ImageFormat::Jpeg);
    let segment = |marker: u8| [&[0xff, marker, 0xff, 0xff][..], &[b'a'; 65_533]].concat();
    let many = |marker: u8| [&jpeg[..2], &segment(marker).repeat(AROUND >> 16), &jpeg[2..]].concat();
    let long = [&jpeg[..jpeg.len() - 2], &vec![0x11; AROUND]].concat();
    [0xe0, 0xe1, 0xe2, 0xed, 0xee, 0xfe].into_iter().map(many).chain([long]).collect()
}

/// WebPs with long streams, with metadata, or with partitions that claim more than is there.
fn large_webps() -> Vec<Vec<u8>> {
    let (lossless, zeros) = (file(small(), ImageFormat::WebP)[20..].to_vec(), vec![0; AROUND]);
    let canvas = |flags| vec![flags, 0, 0, 0, 15, 0, 0, 15, 0, 0];
    let plane = [&[0], &zeros[..]].concat();
    let packed = [&[1], &lossless[5..], &zeros].concat();
    let long = lossy(&[], &zeros);
    let mut files = vec![
        webp(&[(b"VP8 ", long.clone())]),
        webp(&[(b"VP8L", [lossless.clone(), zeros.clone()].concat())]),
        webp(&[(b"VP8X", canvas(8)), (b"VP8L", lossless), (b"EXIF", zeros.clone())]),
        webp(&[(b"VP8X", canvas(0x10)), (b"ALPH", plane), (b"VP8 ", long.clone())]),
        webp(&[(b"VP8X", canvas(0x10)), (b"ALPH", packed), (b"VP8 ", long)]),
    ];
    // The header's second byte says among other things how many partitions there are; their lengths follow.
    for header in 0..=255 {
        files.push(webp(&[(b"VP8 ", lossy(&[0, header], &[&[0xff; 21][..], &zeros[..4_096]].concat()))]));
    }
    files
}

/// BMPs whose pixels stand far behind, or that claim many colours.
fn large_bmps() -> Vec<Vec<u8>> {
    let bmp = file(DynamicImage::from(small()).to_rgb8(), ImageFormat::Bmp);
    let with = |at: usize, number: usize, bits: u8| {
        let mut file = bmp.clone();
        file[at..at + 4].copy_from_slice(&(number as u32).to_le_bytes());
        file[28] = bits;
        file.splice(54..54, vec![0; AROUND]);
        file
    };
    vec![with(10, AROUND + 54, 24), with(46, AROUND / 4, 1), with(46, AROUND / 4, 4), with(46, AROUND / 4, 8)]
}

/// PNMs with a long comment, many blanks, or a number of many digits.
fn large_pnms() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for kind in *b"1234567" {
        let start = [b'P', kind];
        files.push([&start, &b"\n#"[..], &vec![b'a'; AROUND], b"\n16 16 255\n"].concat());
        files.push([&start, &vec![b' '; AROUND][..], b"16 16 255\n"].concat());
        files.push([&start, &b" 16 16 255\n"[..], &vec![b'1'; AROUND]].concat());
    }
    files
}

#[test]
fn a_small_picture_in_a_large_file_takes_no_more_memory_than_its_header_promised() {
    for (format, files) in [
        ("PNG", large_pngs as fn() -> Vec<Vec<u8>>),
        ("GIF", large_gifs),
        ("JPEG", large_jpegs),
        ("WebP", large_webps),
        ("BMP", large_bmps),
        ("PNM", large_pnms),
    ] {
        for (number, file) in files().iter().enumerate() {
            drop(taken(file, &format!("{format} {number}")));
        }
    }
}
