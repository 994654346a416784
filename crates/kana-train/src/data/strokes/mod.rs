//! Which images are there without any data set?
//!
//! Drawings of ten cursive kana: a brush (`brush`) moves along hand-made paths (`glyphs`). The seed varies each
//! drawing a little, like handwriting. The same class, seed and side always give the same bytes.

mod brush;
mod glyphs;

use rand::{Rng, RngExt};

use self::brush::{Canvas, Spot};
use super::random::{Purpose, stream};
use kana_engine::image::{Image, Shape};

/// Number of kana: the ten classes of KMNIST, in the order of its labels.
pub const COUNT: usize = glyphs::GLYPHS.len();

/// Normal width of a line, as a share of the side: 3 pixels of KMNIST's 28.
const WIDTH: f32 = 3.0 / 28.0;
/// Largest relative change of the line width of a drawing.
const WIDTH_JITTER: f32 = 0.15;
/// Largest rotation of a drawing in radians: 4 degrees.
const ROTATION_MAX: f32 = 0.07;
/// Largest shear of a drawing: horizontal offset as a share of the height.
const SHEAR_MAX: f32 = 0.08;
/// Largest relative change of the horizontal scale of a drawing.
const STRETCH_MAX: f32 = 0.08;
/// Largest offset of a point of a path along each axis, as a share of the side.
const OFFSET_MAX: f32 = 0.015;
/// Largest share by which a drawing is smaller than its image.
const SHRINK_MAX: f32 = 0.06;

/// Draws the kana of `class` as a grey image of `side` × `side` pixels, light on dark. The ink nearly fills the image.
///
/// # Panics
/// When `class` is not below [`COUNT`].
pub fn draw(class: usize, seed: u64, side: usize) -> Image {
    let mut random = stream(seed, Purpose::Strokes, [class as u64, 0]);
    let radius = WIDTH / 2.0 * (1.0 + jitter(&mut random, WIDTH_JITTER));
    let paths: Vec<Vec<Spot>> = vary(class, radius, &mut random).iter().map(|path| brush::smooth(path)).collect();
    let mut canvas = Canvas::new(side);
    for line in fit(paths, radius, &mut random) {
        let pixels = |spot: &Spot| {
            let [x, y, radius] = [spot.x, spot.y, spot.radius].map(|length| length * side as f32);
            Spot { x, y, radius }
        };
        canvas.draw(&line.iter().map(pixels).collect::<Vec<_>>());
    }
    let shape = Shape { channels: 1, height: side, width: side };
    Image::new(shape, canvas.into_pixels()).expect("BUG: a canvas has side × side pixels")
}

/// Returns the paths of `class` with random variation, on a square of side 1 around (0, 0).
fn vary(class: usize, radius: f32, random: &mut impl Rng) -> Vec<Vec<Spot>> {
    let (sine, cosine) = jitter(random, ROTATION_MAX).sin_cos();
    let shear = jitter(random, SHEAR_MAX);
    let stretch = 1.0 + jitter(random, STRETCH_MAX);
    let mut spot = |&glyphs::Point { x, y, pressure }: &glyphs::Point| {
        let mut coordinate = |at: i16| f32::from(at) / glyphs::SIDE - 0.5 + jitter(random, OFFSET_MAX);
        let (x, y) = (coordinate(x), coordinate(y));
        let x = stretch * x + shear * y;
        let radius = radius * f32::from(pressure) / glyphs::PRESSURE_NORMAL;
        Spot { x: cosine * x - sine * y, y: sine * x + cosine * y, radius }
    };
    glyphs::GLYPHS[class].iter().map(|path| path.iter().map(&mut spot).collect()).collect()
}

/// Scales and moves the lines so that their ink nearly fills the square from (0, 0) to (1, 1); their width stays.
fn fit(mut lines: Vec<Vec<Spot>>, radius: f32, random: &mut impl Rng) -> Vec<Vec<Spot>> {
    let (left, right) = bounds(&lines, |spot| spot.x);
    let (top, bottom) = bounds(&lines, |spot| spot.y);
    let extent = (1.0 - 2.0 * radius) * (1.0 - random.random_range(0.0..=SHRINK_MAX));
    let scale = extent / (right - left).max(bottom - top);
    for spot in lines.iter_mut().flatten() {
        spot.x = 0.5 + scale * (spot.x - (left + right) / 2.0);
        spot.y = 0.5 + scale * (spot.y - (top + bottom) / 2.0);
    }
    lines
}

/// Returns the smallest and the largest coordinate of all spots.
fn bounds(lines: &[Vec<Spot>], coordinate: fn(&Spot) -> f32) -> (f32, f32) {
    let all = lines.iter().flatten().map(coordinate);
    all.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)))
}

/// Draws a number between `-bound` and `bound`.
fn jitter(random: &mut impl Rng, bound: f32) -> f32 {
    random.random_range(-bound..=bound)
}
