//! Is a picture of a glyph classified like a training image of the same glyph, however it was drawn and stored?

use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use kana_engine::image::decode::Error;
use kana_engine::image::{Fit, Image, Shape, decode, fit};
use kana_engine::model::Artifact;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::drawings::{Png, file, grey, oriented, picture, shown, training_images};

/// Images drawn in each way.
const IMAGES: usize = 100;

/// Least share of images that must be classified as the original is. Two of a hundred are close decisions, and drawing
/// them at another size changes the label.
const AGREEMENT_MIN: f64 = 0.97;

/// The accepted formats.
const FORMATS: [ImageFormat; 6] =
    [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::Bmp, ImageFormat::WebP, ImageFormat::Pnm];

/// Formats that preserve every pixel.
const EXACT: [ImageFormat; 4] = [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::WebP, ImageFormat::Pnm];

#[test]
fn a_grey_image_of_the_models_size_passes_through_bit_for_bit() {
    for original in training_images(IMAGES) {
        let colour = DynamicImage::from(original.clone()).to_rgb8();
        let wide = DynamicImage::from(original.clone()).to_luma16();

        for format in EXACT {
            assert_eq!(shown(&file(colour.clone(), format)).pixels(), original.as_raw(), "{format:?}");
        }
        assert_eq!(shown(&file(original.clone(), ImageFormat::Pnm)).pixels(), original.as_raw());
        assert_eq!(shown(&file(wide, ImageFormat::Png)).pixels(), original.as_raw(), "16 bits");
    }
}

#[test]
fn no_training_image_is_mistaken_for_its_negative() {
    for original in training_images(10_000) {
        let negative = negative(&original);

        assert_eq!(shown(&file(original.clone(), ImageFormat::Pnm)).pixels(), original.as_raw());
        assert_eq!(shown(&file(negative, ImageFormat::Pnm)).pixels(), original.as_raw());
    }
}

#[test]
fn an_enlarged_training_image_comes_back_nearly_the_same() {
    let originals = training_images(IMAGES);

    for (filter, side, apart_max) in [
        // Blocks of equal pixels come back exactly, but for the few images with thin strokes or a small glyph.
        (FilterType::Nearest, 56, 3.0),
        (FilterType::Nearest, 280, 3.0),
        (FilterType::Nearest, 100, 6.0),
        // Smooth enlargements have lost some sharpness for good.
        (FilterType::CatmullRom, 56, 9.0),
        (FilterType::CatmullRom, 280, 9.0),
    ] {
        let distance = |original: &GrayImage| {
            apart(&shown(&file(imageops::resize(original, side, side, filter), ImageFormat::Png)), original)
        };
        let mean = originals.iter().map(distance).sum::<f64>() / originals.len() as f64;

        assert!(mean < apart_max, "{mean} of 255 at {side} pixels, {filter:?}");
    }
}

#[test]
fn every_way_of_drawing_is_classified_as_the_original_is() {
    let originals = training_images(IMAGES);
    let mut classifier = Artifact::built_in().and_then(|model| model.classifier()).expect("the built-in model loads");
    let mut read = |images: &[Image]| -> Vec<usize> {
        let predictions = classifier.classify(images).expect("images of the model's shape");
        predictions.into_iter().map(|prediction| prediction.class).collect()
    };
    let expected =
        read(&originals.iter().map(|image| shown(&file(image.clone(), ImageFormat::Pnm))).collect::<Vec<_>>());

    for (name, draw) in WAYS {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let images: Vec<Image> = originals.iter().map(|image| shown(&draw(image, &mut random))).collect();

        let found = read(&images);

        let agreed = found.iter().zip(&expected).filter(|(found, expected)| found == expected).count();
        let share = agreed as f64 / expected.len() as f64;
        assert!(share >= AGREEMENT_MIN, "{name}: {agreed} of {} agree", expected.len());
    }
}

type Draw = fn(&GrayImage, &mut ChaCha8Rng) -> Vec<u8>;

/// Ways of drawing the same glyph.
const WAYS: [(&str, Draw); 20] = [
    ("JPEG of its own size", |image, _| file(image.clone(), ImageFormat::Jpeg)),
    ("GIF of its own size", |image, _| file(DynamicImage::from(image.clone()).to_rgb8(), ImageFormat::Gif)),
    ("coloured, of its own size", |image, random| file(coloured(image, random), ImageFormat::Png)),
    ("pale, of its own size", |image, _| file(shades(image, 120, 170), ImageFormat::Png)),
    ("pale negative, of its own size", |image, _| file(shades(image, 180, 100), ImageFormat::Png)),
    ("large", |image, _| file(enlarged(image, 280), ImageFormat::Png)),
    ("very large", |image, _| file(enlarged(image, 600), ImageFormat::Pnm)),
    ("twice as large", |image, _| file(enlarged(image, 56), ImageFormat::WebP)),
    ("large negative", |image, _| file(negative(&enlarged(image, 280)), ImageFormat::Bmp)),
    ("large JPEG", |image, _| file(enlarged(image, 280), ImageFormat::Jpeg)),
    ("large and coloured", |image, random| file(coloured(&enlarged(image, 280), random), ImageFormat::Jpeg)),
    ("large, 16 bits", |image, _| file(DynamicImage::from(enlarged(image, 280)).to_luma16(), ImageFormat::Png)),
    ("transparent", |image, random| file(transparent(&enlarged(image, 280), random), ImageFormat::Png)),
    ("transparent, of its own size", |image, random| file(transparent(image, random), ImageFormat::WebP)),
    ("anywhere", |image, random| file(placed(image, random), ImageFormat::Png)),
    ("anywhere, negative", |image, random| file(negative(&placed(image, random)), ImageFormat::Jpeg)),
    ("anywhere, coloured", |image, random| file(coloured(&placed(image, random), random), ImageFormat::Gif)),
    ("turned by a camera", |image, _| {
        let turned = imageops::rotate270(&negative(&enlarged(image, 300)));
        oriented(&file(turned, ImageFormat::Jpeg), 6)
    }),
    ("on uneven paper", |image, random| file(paper(&placed(image, random), random), ImageFormat::Jpeg)),
    ("beside dust and a frame", |image, random| file(dusty(&placed(image, random), random), ImageFormat::Png)),
];

fn enlarged(image: &GrayImage, side: u32) -> GrayImage {
    imageops::resize(image, side, side, FilterType::CatmullRom)
}

fn negative(image: &GrayImage) -> GrayImage {
    let mut image = image.clone();
    imageops::invert(&mut image);
    image
}

fn shades(image: &GrayImage, background: i32, ink: i32) -> GrayImage {
    let mut image = image.clone();
    image
        .pixels_mut()
        .for_each(|pixel| pixel.0[0] = (background + i32::from(pixel.0[0]) * (ink - background) / 255) as u8);
    image
}

/// In two clearly different random colours.
fn coloured(image: &GrayImage, random: &mut ChaCha8Rng) -> RgbImage {
    let (background, ink) = loop {
        let (background, ink): ([u8; 3], [u8; 3]) = (random.random(), random.random());
        if background.iter().zip(ink).map(|(&a, b)| u32::from(a.abs_diff(b))).sum::<u32>() > 200 {
            break (background, ink);
        }
    };
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let share = i32::from(image.get_pixel(x, y).0[0]);
        let mix = |channel: usize| {
            (i32::from(background[channel]) * (255 - share) + i32::from(ink[channel]) * share + 127) / 255
        };
        Rgb([mix(0) as u8, mix(1) as u8, mix(2) as u8])
    })
}

fn transparent(image: &GrayImage, random: &mut ChaCha8Rng) -> RgbaImage {
    let [red, green, blue]: [u8; 3] = random.random();
    RgbaImage::from_fn(image.width(), image.height(), |x, y| Rgba([red, green, blue, image.get_pixel(x, y).0[0]]))
}

/// Somewhere on a black canvas of 400 × 300, away from its edge.
fn placed(image: &GrayImage, random: &mut ChaCha8Rng) -> GrayImage {
    let mut canvas = GrayImage::new(400, 300);
    let (left, top) = (random.random_range(10..250), random.random_range(10..150));
    imageops::replace(&mut canvas, &enlarged(image, 140), left, top);
    canvas
}

/// Written with dark ink on paper that is lit from one side.
fn paper(image: &GrayImage, random: &mut ChaCha8Rng) -> RgbImage {
    let (width, height) = image.dimensions();
    RgbImage::from_fn(width, height, |x, y| {
        let share = f32::from(image.get_pixel(x, y).0[0]) / 255.0;
        let light = 1.0 - 0.35 * x as f32 / width as f32 - 0.1 * y as f32 / height as f32;
        let noise = random.random_range(-8.0..8.0_f32);
        let paint = (225.0 * (1.0 - share) + 45.0 * share) * light;
        Rgb([1.0, 0.97, 0.9].map(|tint: f32| (paint * tint + noise).clamp(0.0, 255.0) as u8))
    })
}

/// Dark on light, with specks all over and a line around.
fn dusty(image: &GrayImage, random: &mut ChaCha8Rng) -> GrayImage {
    let mut image = negative(image);
    let (width, height) = image.dimensions();
    for _ in 0..12 {
        let (x, y) = (random.random_range(0..width - 1), random.random_range(0..height - 1));
        image.put_pixel(x, y, image::Luma([60]));
        image.put_pixel(x + 1, y + 1, image::Luma([60]));
    }
    for at in 0..width {
        image.put_pixel(at, 1, image::Luma([0]));
        image.put_pixel(at, height - 2, image::Luma([0]));
    }
    for at in 0..height {
        image.put_pixel(1, at, image::Luma([0]));
        image.put_pixel(width - 2, at, image::Luma([0]));
    }
    image
}

/// The mean difference of two images' pixels.
fn apart(found: &Image, expected: &GrayImage) -> f64 {
    let sum: u32 = found
        .pixels()
        .iter()
        .zip(expected.as_raw())
        .map(|(&found, &expected)| u32::from(found.abs_diff(expected)))
        .sum();
    f64::from(sum) / expected.as_raw().len() as f64
}

#[test]
fn a_line_of_one_pixel_on_a_large_canvas_is_as_bold_as_a_brush_stroke() {
    let mut canvas = GrayImage::from_pixel(1000, 1000, image::Luma([255]));
    (200..800).for_each(|x| canvas.put_pixel(x, 500, image::Luma([0])));
    (200..800).for_each(|y| canvas.put_pixel(500, y, image::Luma([0])));

    let shown = shown(&file(canvas, ImageFormat::Png));

    let strokes = shown.pixels().iter().filter(|&&pixel| pixel > 128).count();
    assert!((70..=140).contains(&strokes), "a cross of two strokes of 28 × 2 pixels covers {strokes}");
}

#[test]
fn a_picture_without_a_glyph_becomes_an_image_without_ink() {
    let blank = [0, 1, 127, 255].map(|shade| GrayImage::from_pixel(300, 200, image::Luma([shade])));
    let small = [0, 127, 255].map(|shade| grey(vec![shade; 784]));
    let files = blank.into_iter().chain(small).map(|image| file(image, ImageFormat::Png));
    let clear = file(RgbaImage::new(50, 50), ImageFormat::Png);
    let one_pixel = file(GrayImage::new(1, 1), ImageFormat::Png);

    for file in files.chain([clear, one_pixel]) {
        assert!(shown(&file).pixels().iter().all(|&pixel| pixel == 0));
    }
}

#[test]
fn every_kind_of_png_is_decoded() {
    let grey_2x2 = [0, 85, 170, 255];
    let bits = Png { header: Png::header(2, 2, [2, 0, 0]), palette: None, rows: vec![0, 0b0001_0000, 0, 0b1011_0000] };
    let palette = Png {
        header: Png::header(2, 2, [8, 3, 0]),
        palette: Some(grey_2x2.iter().flat_map(|&shade| [shade; 3]).collect()),
        rows: vec![0, 0, 1, 0, 2, 3],
    };
    // Two of the seven passes are not empty at this size but for the first: upper left, upper right, lower row.
    let interlaced = Png { header: Png::header(2, 2, [8, 0, 1]), palette: None, rows: vec![0, 0, 0, 85, 0, 170, 255] };

    for png in [bits, palette, interlaced] {
        let picture = picture(&png.file());

        let found: Vec<u8> = picture.colours().map(|[red, _, _]| red).collect();
        assert_eq!(found, grey_2x2, "{:?}", png.header);
    }
}

#[test]
fn every_kind_of_pnm_is_decoded() {
    for text in [
        &b"P1\n# a comment\n2 2\n1 0\n0 1\n"[..],
        b"P2 2 2 15\n0 15\n15 0\n",
        b"P3 2 2 255 0 0 0 255 255 255 255 255 255 0 0 0\n",
        b"P4 2 2\n\x80\x40",
        b"P5 2 2 255\n\0\xff\xff\0",
        b"P5 2 2 65535\n\0\0\xff\xff\xff\xff\0\0",
        b"P6 2 2 255\n\0\0\0\xff\xff\xff\xff\xff\xff\0\0\0",
        b"P7\nWIDTH 2\nHEIGHT 2\nDEPTH 1\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nENDHDR\n\0\xff\xff\0",
    ] {
        let picture = picture(text);

        let found: Vec<u8> = picture.colours().map(|[red, _, _]| red).collect();
        assert_eq!(found, [0, 255, 255, 0], "{:?}", String::from_utf8_lossy(&text[..2]));
    }
}

#[test]
fn the_orientation_in_a_cameras_metadata_is_applied() {
    // Upright: black but for the upper left quarter.
    let upright = GrayImage::from_fn(64, 32, |x, y| image::Luma([if x < 32 && y < 16 { 255 } else { 0 }]));
    let stored = [
        upright.clone(),
        imageops::flip_horizontal(&upright),
        imageops::rotate180(&upright),
        imageops::flip_vertical(&upright),
        imageops::flip_horizontal(&imageops::rotate90(&upright)),
        imageops::rotate270(&upright),
        imageops::flip_horizontal(&imageops::rotate270(&upright)),
        imageops::rotate90(&upright),
    ];

    for (orientation, stored) in (1..).zip(stored) {
        let picture = picture(&oriented(&file(stored, ImageFormat::Jpeg), orientation));

        assert_eq!((picture.width(), picture.height()), (64, 32), "orientation {orientation}");
        assert!(picture.colour_at(10, 5)[0] > 200, "orientation {orientation}");
        assert!(picture.colour_at(50, 25)[0] < 50, "orientation {orientation}");
    }
}

#[test]
fn a_file_of_another_format_is_refused_with_the_formats_name() {
    for (bytes, expected) in [
        (&b""[..], "file is empty"),
        (b"%PDF-1.7\n%\xe2", "a PDF document"),
        (b"<?xml version=\"1.0\"?>\n<svg xmlns=\"x\"/>", "an SVG drawing"),
        (b"\xef\xbb\xbf <!DOCTYPE html><html></html>", "an HTML page"),
        (b"<a/>", "an XML document"),
        (b"{\"image\": 1}", "JSON text"),
        (b"hello, world\n", "plain text"),
        ("お早う".as_bytes(), "plain text"),
        (b" \n ", "blank text"),
        (b"BMW is no bitmap", "plain text"),
        (b"data:image/png;base64,iVBO", "a data: address"),
        (b"II*\0\x08\0\0\0", "a TIFF image"),
        (b"\0\0\0\x18ftypheic\0\0", "a HEIC image"),
        (b"\0\0\0\x18ftypavif\0\0", "an AVIF image"),
        (b"\0\0\0\x18ftypisom\0\0", "a video"),
        (b"PK\x03\x04\x14\0", "a ZIP archive"),
        (b"\x1f\x8b\x08\0", "a gzip archive"),
        (b"\x7fELF\x02", "a program"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "a sound or a video"),
        (b"\0\0\x08\x03\0\0\x27\x10", "an IDX data set"),
        (b"\x01\x02\x03\x04\xff\xfe", "no image at all"),
        (&[0; 100], "no image at all"),
    ] {
        let error = decode(bytes).expect_err("no picture").to_string();

        assert!(error.contains(expected), "{error} does not say {expected}");
        assert!(bytes.is_empty() || error.contains("accepted are PNG"), "{error} does not say what is accepted");
    }
}

#[test]
fn a_picture_over_the_limit_is_refused_by_its_header() {
    let png = |width, height| Png { header: Png::header(width, height, [8, 6, 0]), palette: None, rows: vec![0; 9] };
    let mut gif = file(RgbImage::new(8, 8), ImageFormat::Gif);
    gif[6..10].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    let mut bmp = file(RgbImage::new(8, 8), ImageFormat::Bmp);
    bmp[18..26].copy_from_slice(&[0, 0, 1, 0, 0, 0, 1, 0]);
    let mut jpeg = file(GrayImage::new(8, 8), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame header");
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);

    let cut = png(7072, 7072).file()[..40].to_vec();
    let files = [png(7072, 7072).file(), png(u32::MAX >> 1, u32::MAX >> 1).file(), cut, gif, bmp, jpeg];

    for file in files.iter().map(Vec::as_slice).chain([&b"P5 5001 5000 255\n\0"[..]]) {
        let error = decode(file).expect_err("too large");

        assert!(matches!(error, Error::Large { .. }), "{error:?}");
    }
}

#[test]
fn a_picture_without_pixels_is_refused() {
    let png = Png { header: Png::header(0, 5, [8, 0, 0]), palette: None, rows: vec![] };

    for file in [png.file(), b"P5 0 5 255\n".to_vec(), b"P2 3 0 255\n".to_vec()] {
        assert!(decode(&file).is_err());
    }
}

#[test]
fn a_file_cut_off_anywhere_is_refused_unless_every_pixel_is_there() {
    let original = enlarged(&training_images(1)[0], 90);

    for format in FORMATS {
        let whole = file(DynamicImage::from(original.clone()).to_rgb8(), format);
        for end in (1..whole.len()).step_by(1 + whole.len() / 200) {
            if let Ok(found) = decode(&whole[..end]) {
                assert_eq!(found, picture(&whole), "{format:?} cut off at {end} of {}", whole.len());
            }
        }
    }
}

#[test]
fn a_file_that_lacks_only_its_end_is_whole() {
    let original = DynamicImage::from(enlarged(&training_images(1)[0], 90)).to_rgb8();

    // The trailer of a GIF has one byte, the end marker of a JPEG two, the last chunk of a PNG twelve.
    for (format, end) in [(ImageFormat::Gif, 1), (ImageFormat::Jpeg, 1), (ImageFormat::Jpeg, 2), (ImageFormat::Png, 12)]
    {
        let whole = file(original.clone(), format);

        let found = decode(&whole[..whole.len() - end]).unwrap_or_else(|error| panic!("{format:?}: {error:?}"));

        assert_eq!(found, picture(&whole), "{format:?}");
    }
}

#[test]
fn half_a_jpeg_with_an_end_marker_is_refused() {
    let whole = file(enlarged(&training_images(1)[0], 90), ImageFormat::Jpeg);

    for tenth in 3..10 {
        let glued = [&whole[..whole.len() * tenth / 10], &[0xff, 0xd9]].concat();

        assert!(decode(&glued).is_err(), "{tenth} tenths of it");
    }
}

#[test]
fn half_a_file_is_reported_as_truncated() {
    let original = enlarged(&training_images(1)[0], 90);

    for format in FORMATS {
        let whole = file(DynamicImage::from(original.clone()).to_rgb8(), format);

        let error = decode(&whole[..whole.len() / 2]).expect_err("half a file");

        assert!(matches!(error, Error::Truncated { .. }), "{format:?}: {error:?}");
    }
}

#[test]
fn a_screen_grows_to_hold_the_first_frame_of_a_gif() {
    let whole = file(RgbImage::from_pixel(9, 7, Rgb([200, 10, 10])), ImageFormat::Gif);
    let mut small = whole.clone();
    small[6..10].copy_from_slice(&[4, 0, 3, 0]);

    let found = picture(&small);

    assert_eq!(found, picture(&whole));
}

#[test]
fn a_gifs_metadata_are_left_out_and_its_transparency_is_not() {
    let mut clear = RgbaImage::from_pixel(9, 7, Rgba([200, 10, 10, 255]));
    clear.put_pixel(3, 3, Rgba([0, 0, 0, 0]));
    let whole = file(clear, ImageFormat::Gif);
    let start = 13 + if whole[10] & 0x80 > 0 { 6 << (whole[10] & 7) } else { 0 };
    let comment = b"\x21\xfe\x05hello\0";
    let stray = [0];

    for extra in [&comment[..], &stray] {
        let file = [&whole[..start], extra, &whole[start..]].concat();

        assert_eq!(picture(&file), picture(&whole));
    }
    assert!(picture(&whole).samples().chunks_exact(4).any(|pixel| pixel[3] == 0));
}

#[test]
fn a_bmp_that_lacks_only_what_fills_up_its_last_row_is_whole() {
    // Three bytes a pixel: rows of nine bytes and three more.
    let whole = file(RgbImage::from_fn(3, 3, |x, y| Rgb([x as u8, y as u8, 7])), ImageFormat::Bmp);

    for lacking in 1..=3 {
        let found = decode(&whole[..whole.len() - lacking]).unwrap_or_else(|error| panic!("{lacking}: {error:?}"));

        assert_eq!(found, picture(&whole), "{lacking}");
    }
    assert!(matches!(decode(&whole[..whole.len() - 4]), Err(Error::Truncated { .. })));
}

#[test]
fn a_plain_pnm_that_ends_early_is_reported_as_truncated() {
    for text in ["P1 3 2 1 0 1 0", "P2 3 2 255 1 2 3 4 5", "P3 2 1 255 1 2 3 4 5 ", "P2 2 2 999 1 2 3"] {
        let error = decode(text.as_bytes()).expect_err("a text that ends early");

        assert!(matches!(error, Error::Truncated { .. }), "{text}: {error:?}");
    }
}

#[test]
fn a_jpeg_of_a_rare_kind_is_not_supported_and_one_cut_in_its_header_is_truncated() {
    let whole = file(RgbImage::from_pixel(20, 20, Rgb([1, 90, 200])), ImageFormat::Jpeg);
    let frame = whole.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame header");
    let changed = |at: usize, byte: u8| {
        let mut file = whole.clone();
        file[frame + at] = byte;
        file
    };

    // The frame's marker, its bits a sample, the components' factors.
    for (file, feature) in [
        (changed(1, 0xc9), "arithmetic coding"),
        (changed(1, 0xc3), "lossless coding"),
        (changed(4, 12), "12 bits a sample"),
        (changed(11, 0x31), "three times as coarse"),
        (changed(14, 0x22), "finer than the brightness"),
    ] {
        let error = decode(&file).expect_err("a rare kind").to_string();

        assert!(error.contains("not supported") && error.contains(feature), "{error}");
    }
    for end in 20..frame {
        assert!(matches!(decode(&whole[..end]), Err(Error::Truncated { .. })), "{end}");
    }
}

#[test]
fn damaged_files_do_not_make_the_decoder_panic() {
    /// Damaged files of each format.
    const TRIES: usize = 2_000;
    let original = DynamicImage::from(enlarged(&training_images(1)[0], 40)).to_rgb8();

    for format in FORMATS {
        let whole = file(original.clone(), format);
        let mut random = ChaCha8Rng::seed_from_u64(11);
        for _ in 0..TRIES {
            let mut damaged = whole.clone();
            for _ in 0..random.random_range(1..6) {
                // Half of the damage is done to the header, where the decisions are made.
                let reach = if random.random() { damaged.len() } else { damaged.len().min(64) };
                let at = random.random_range(0..reach);
                damaged[at] = random.random();
            }
            if random.random_range(0..8) == 0 {
                damaged.truncate(random.random_range(0..damaged.len()));
            }
            if let Ok(picture) = decode(&damaged) {
                fit(&picture, Shape { channels: 1, height: 28, width: 28 }, Fit::Glyph { margin: 0.1 });
            }
        }
    }
}

#[test]
fn noise_does_not_make_the_fit_panic() {
    let mut random = ChaCha8Rng::seed_from_u64(13);
    for _ in 0..300 {
        let (width, height) = (random.random_range(1..70), random.random_range(1..70));
        let mut noise = RgbaImage::new(width, height);
        random.fill_bytes(&mut noise);
        let picture = picture(&file(noise, ImageFormat::Png));

        for margin in [0.0, 0.2, 0.5, f32::NAN] {
            let image = fit(&picture, Shape { channels: 3, height: 20, width: 30 }, Fit::Glyph { margin });

            assert_eq!(image.pixels().len(), 3 * 20 * 30);
        }
        fit(&picture, Shape { channels: 3, height: 20, width: 30 }, Fit::Cover);
    }
}

#[test]
fn a_scene_covers_its_frame_and_loses_its_overhang_evenly() {
    // Red, green and blue thirds: of a frame three times as wide as high, the middle square is green.
    let thirds = [Rgb([255, 0, 0]), Rgb([0, 255, 0]), Rgb([0, 0, 255])];
    let scene = RgbImage::from_fn(900, 300, |x, _| thirds[x as usize / 300]);
    let shape = Shape { channels: 3, height: 224, width: 224 };

    let image = fit(&picture(&file(scene, ImageFormat::Png)), shape, Fit::Cover);

    assert!(image.pixels().chunks_exact(3).all(|pixel| pixel == [0, 255, 0]));
}

#[test]
fn a_grey_scene_fills_three_channels_and_a_coloured_one_becomes_grey() {
    let grey = file(GrayImage::from_pixel(10, 10, image::Luma([90])), ImageFormat::Png);
    let white = file(RgbaImage::from_pixel(10, 10, Rgba([9, 9, 9, 0])), ImageFormat::Png);
    let green = file(RgbImage::from_pixel(10, 10, Rgb([0, 255, 0])), ImageFormat::Png);

    let cover = |file: &[u8], channels| fit(&picture(file), Shape { channels, height: 16, width: 16 }, Fit::Cover);

    assert!(cover(&grey, 3).pixels().iter().all(|&sample| sample == 90));
    assert!(cover(&white, 3).pixels().iter().all(|&sample| sample == 255));
    assert!(cover(&green, 1).pixels().iter().all(|&sample| (145..=154).contains(&sample)));
}
