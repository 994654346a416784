//! Is a picture without a glyph called blank, and never one with a glyph?

use std::f32::consts::TAU;

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::drawings::{file, shown, training_images};

/// Pictures of each kind, a hundred in sizes from 1 to 600 pixels.
const PICTURES: u32 = 100;

/// Least share of pictures of each kind that must be called blank. Shading that is too dark for eight bits has an edge where
/// it is cut off.
const FOUND_MIN: f64 = 0.95;

/// A way of painting one pixel of a picture without a glyph: its red, green, blue and opacity, of 255.
type Paint = fn(&Page, x: f32, y: f32, random: &mut ChaCha8Rng) -> [f32; 4];

/// What all pixels of a picture share.
struct Page {
    shade: f32,
    strength: f32,
    direction: f32,
    rate: f32,
}

impl Page {
    fn drawn(random: &mut ChaCha8Rng) -> Self {
        Self {
            shade: random.random_range(0.0..255.0),
            strength: random.random_range(1.0..60.0),
            direction: random.random_range(0.0..TAU),
            rate: random.random_range(0.001..0.05),
        }
    }

    /// Light that comes from one side; `x` and `y` from -0.5 to 0.5.
    fn light(&self, x: f32, y: f32) -> f32 {
        self.strength * (x * self.direction.cos() + y * self.direction.sin())
    }
}

const fn opaque(shade: f32) -> [f32; 4] {
    [shade, shade, shade, 255.0]
}

/// A normally distributed number (Box and Muller, 1958).
fn normal(random: &mut ChaCha8Rng) -> f32 {
    let (radius, angle): (f32, f32) = (random.random_range(f32::EPSILON..1.0), random.random_range(0.0..TAU));
    (-2.0 * radius.ln()).sqrt() * angle.cos()
}

/// Each kind with the format of its files.
const KINDS: [(&str, ImageFormat, Paint); 10] = [
    ("black", ImageFormat::Png, |_, _, _, _| opaque(0.0)),
    ("one shade", ImageFormat::Jpeg, |page, _, _, _| opaque(page.shade)),
    ("transparent", ImageFormat::Png, |page, _, _, _| [page.shade, 0.0, 0.0, page.strength]),
    ("noise of all shades", ImageFormat::Png, |_, _, _, random| opaque(random.random_range(0.0..256.0))),
    ("noise of all colours", ImageFormat::Png, |_, _, _, random| {
        let mut sample = || random.random_range(0.0..256.0);
        [sample(), sample(), sample(), 255.0]
    }),
    ("noise of a camera", ImageFormat::Jpeg, |page, _, _, random| opaque(page.shade + page.strength * normal(random))),
    ("dead pixels", ImageFormat::Png, |page, _, _, random| match random.random_range(0.0..1.0_f32) {
        chance if chance < page.rate => opaque(0.0),
        chance if chance < 2.0 * page.rate => opaque(255.0),
        _ => opaque(page.shade),
    }),
    ("light from one side", ImageFormat::Png, |page, x, y, _| opaque(page.shade + page.light(x, y))),
    ("dark corners", ImageFormat::Png, |page, x, y, _| opaque(page.shade - 2.0 * page.strength * (x * x + y * y))),
    ("a photograph of paper", ImageFormat::Jpeg, |page, x, y, random| {
        let light = 0.5 * page.light(x, y) - page.strength * (x * x + y * y);
        opaque(200.0 + 0.2 * page.shade + light + 3.0 * normal(random))
    }),
];

fn painted(paint: Paint, format: ImageFormat, side: u32, random: &mut ChaCha8Rng) -> Vec<u8> {
    let page = Page::drawn(random);
    let place = |at: u32| (at as f32 + 0.5) / side as f32 - 0.5;
    let picture = RgbaImage::from_fn(side, side, |x, y| {
        Rgba(paint(&page, place(x), place(y), random).map(|sample| sample.clamp(0.0, 255.0) as u8))
    });
    match format {
        ImageFormat::Jpeg => file(DynamicImage::from(picture).to_rgb8(), format),
        _ => file(picture, format),
    }
}

#[test]
fn a_picture_without_a_glyph_is_blank() {
    let sides = [1, 3, 8, 28, 32, 64, 100, 200, 300, 600];
    let mut random = ChaCha8Rng::seed_from_u64(10);
    let mut is_blank = |format, paint, number: u32| {
        shown(&painted(paint, format, sides[number as usize % sides.len()], &mut random)).is_blank()
    };

    let found = KINDS
        .map(|(kind, format, paint)| (kind, (0..PICTURES).filter(|number| is_blank(format, paint, *number)).count()));

    assert!(found.iter().all(|(_, count)| *count as f64 >= FOUND_MIN * f64::from(PICTURES)), "{found:?}");
}

#[test]
fn no_training_image_is_blank() {
    for original in training_images(10_000) {
        assert!(!shown(&file(original, ImageFormat::Png)).is_blank());
    }
}

#[test]
fn a_speck_of_dust_is_blank() {
    for side in [28, 200, 600] {
        let mut page = RgbaImage::from_pixel(side, side, Rgba([250, 248, 240, 255]));
        page.put_pixel(side / 3, side / 2, Rgba([20, 20, 20, 255]));

        assert!(shown(&file(page, ImageFormat::Png)).is_blank(), "{side}");
    }
}
