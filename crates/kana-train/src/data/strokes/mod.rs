//! What is there to look at without any data set?
//!
//! Ten cursive kana, drawn: paths of our own ([`glyphs`]) along which a brush goes ([`brush`]). The seed makes each
//! drawing a little different, as a hand would, and nothing else does: the same seed gives the same bytes.

mod brush;
mod glyphs;

use rand::{Rng, RngExt};

use self::brush::{Page, Spot};
use super::random::{Purpose, stream};
use kana_engine::image::{Image, Shape};

/// How many kana there are: KMNIST's ten, in the order of its labels.
pub const COUNT: usize = glyphs::GLYPHS.len();

/// Breadth of a line, as a share of the page's side: 3 pixels of KMNIST's 28.
const BREADTH: f32 = 3.0 / 28.0;
/// How much broader or finer than usual a whole drawing's lines are, at most.
const BREADTH_JITTER: f32 = 0.15;
/// How far a drawing is turned, at most, in radians: 4 degrees.
const TURN_MAX: f32 = 0.07;
/// How far a drawing leans, at most: sideways by so much of its height.
const LEAN_MAX: f32 = 0.08;
/// How much wider or narrower a drawing is, at most.
const STRETCH_MAX: f32 = 0.08;
/// How far a point of a path strays along each axis, at most, as a share of the page's side.
const STRAY_MAX: f32 = 0.015;
/// How much smaller than its page a drawing is, at most.
const SHRINK_MAX: f32 = 0.06;

/// Draws the kana of `class` on a square page of `side` pixels: grey, light on dark, filling the page.
///
/// # Panics
/// Where `class` is not below [`COUNT`].
pub fn draw(class: usize, seed: u64, side: usize) -> Image {
    let mut random = stream(seed, Purpose::Strokes, [class as u64, 0]);
    let radius = BREADTH / 2.0 * (1.0 + sway(&mut random, BREADTH_JITTER));
    let paths: Vec<Vec<Spot>> = written(class, radius, &mut random).iter().map(|path| brush::smooth(path)).collect();
    let mut page = Page::new(side);
    for line in placed(paths, radius, &mut random) {
        let pixels = |spot: &Spot| {
            let [x, y, radius] = [spot.x, spot.y, spot.radius].map(|length| length * side as f32);
            Spot { x, y, radius }
        };
        page.draw(&line.iter().map(pixels).collect::<Vec<_>>());
    }
    let shape = Shape { channels: 1, height: side, width: side };
    Image::new(shape, page.into_pixels()).expect("BUG: a page has side × side pixels")
}

/// The strokes of `class` as a hand writes them this time, on a page of side 1 around (0, 0).
fn written(class: usize, radius: f32, random: &mut impl Rng) -> Vec<Vec<Spot>> {
    let (turn, lean, stretch) = (sway(random, TURN_MAX), sway(random, LEAN_MAX), 1.0 + sway(random, STRETCH_MAX));
    let (sine, cosine) = turn.sin_cos();
    let mut spot = |&(x, y, pressure): &glyphs::Point| {
        let mut strayed = |at: i16| f32::from(at) / glyphs::SIDE - 0.5 + sway(random, STRAY_MAX);
        let (x, y) = (strayed(x), strayed(y));
        let x = stretch * x + lean * y;
        let radius = radius * f32::from(pressure) / glyphs::PRESSED;
        Spot { x: cosine * x - sine * y, y: sine * x + cosine * y, radius }
    };
    glyphs::GLYPHS[class].iter().map(|path| path.iter().map(&mut spot).collect()).collect()
}

/// The same lines, of the same breadth, scaled and moved so that their ink fills a page of side 1 from (0, 0).
fn placed(mut lines: Vec<Vec<Spot>>, radius: f32, random: &mut impl Rng) -> Vec<Vec<Spot>> {
    let (left, right) = bounds(&lines, |spot| spot.x);
    let (top, bottom) = bounds(&lines, |spot| spot.y);
    let room = (1.0 - 2.0 * radius) * (1.0 - random.random_range(0.0..=SHRINK_MAX));
    let scale = room / (right - left).max(bottom - top);
    for spot in lines.iter_mut().flatten() {
        spot.x = 0.5 + scale * (spot.x - (left + right) / 2.0);
        spot.y = 0.5 + scale * (spot.y - (top + bottom) / 2.0);
    }
    lines
}

/// The least and the greatest coordinate of all spots.
fn bounds(lines: &[Vec<Spot>], coordinate: fn(&Spot) -> f32) -> (f32, f32) {
    let all = lines.iter().flatten().map(coordinate);
    all.fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), at| (least.min(at), most.max(at)))
}

/// A number between minus and plus `most`.
fn sway(random: &mut impl Rng, most: f32) -> f32 {
    random.random_range(-most..=most)
}
