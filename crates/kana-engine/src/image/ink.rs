//! How much ink is on each pixel?
//!
//! As much as its colour is far from the ground's, whatever the two colours are: none up to what noise alone does, all
//! of it where it is as far as the darkest strokes. A picture without noise and with full contrast keeps its
//! shades exactly.

use super::find::Rectangle;
use super::ground::{self, Ground};
use super::picture::{Layout, Picture, colour};

/// How many times the typical distance of the ground's pixels from its colour noise may reach. Beyond 2.5 times the
/// median lies one pixel in a thousand of a ground with normally distributed noise in three channels.
const NOISE_REACH: f32 = 2.5;

/// What is nearer to the ground than this share of the farthest pixel is taken for ground when noise is measured.
const GROUND_SHARE: f32 = 0.25;

/// What is farther than this share of the farthest pixel is taken for ink when its strength is measured.
const INK_SHARE: f32 = 0.3;

/// The share of ink pixels that are of full strength: those of a stroke's core; the others are its soft rim.
const CORE_SHARE: f32 = 0.02;

/// By how many steps of 255 ink must stand out beyond noise: more than what rounding and lossy formats make of a blank
/// page, less than the faintest pencil.
const CONTRAST_MIN: f32 = 6.0;

/// The amount of ink on every pixel, from 0 to 255, row by row.
pub(super) struct Ink {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` of them.
    pub amounts: Vec<u8>,
}

impl Ink {
    /// The ink in a picture without transparency, on `ground`; `None` where there is none.
    pub fn of(picture: &Picture, ground: &Ground) -> Option<Self> {
        let mut amounts = distances(picture, ground);
        let scale = Scale::of(&amounts)?;
        let amount: [u8; 256] = std::array::from_fn(|distance| scale.amount(distance as f32));
        amounts.iter_mut().for_each(|value| *value = amount[usize::from(*value)]);
        Some(Self { width: picture.width(), height: picture.height(), amounts })
    }

    /// Takes all ink from a part of the picture.
    pub fn wipe(&mut self, part: &Rectangle) {
        for row in self.amounts.chunks_exact_mut(self.width).take(part.bottom).skip(part.top) {
            row[part.left..part.right].fill(0);
        }
    }
}

/// From distances to amounts of ink: none up to `floor`, all from `full`.
struct Scale {
    floor: f32,
    full: f32,
}

impl Scale {
    fn of(distances: &[u8]) -> Option<Self> {
        let mut counts = [0_usize; 256];
        distances.iter().for_each(|&distance| counts[usize::from(distance)] += 1);
        let farthest = counts.iter().rposition(|&count| count > 0).unwrap_or(0);
        let near = (farthest as f32 * GROUND_SHARE) as usize;
        let floor = NOISE_REACH * quantile(&counts[..=near], 0.5) as f32;
        let ink_start = (floor as usize).max((farthest as f32 * INK_SHARE) as usize).min(farthest);
        let full = (ink_start + quantile(&counts[ink_start..=farthest], 1.0 - CORE_SHARE)) as f32;
        (full - floor >= CONTRAST_MIN).then_some(Self { floor, full })
    }

    fn amount(&self, distance: f32) -> u8 {
        let share = (distance - self.floor) / (self.full - self.floor);
        (255.0 * share.clamp(0.0, 1.0)).round() as u8
    }
}

/// The value that a `share` of those counted do not exceed.
fn quantile(counts: &[usize], share: f32) -> usize {
    let all: usize = counts.iter().sum();
    let wanted = (all as f64 * f64::from(share)).ceil() as usize;
    let mut seen = 0;
    let at = counts.iter().position(|&count| {
        seen += count;
        seen >= wanted && seen > 0
    });
    at.unwrap_or(0)
}

/// How far each pixel's colour is from the ground's at its place.
fn distances(picture: &Picture, ground: &Ground) -> Vec<u8> {
    let plain = ground.colour.map(|sample| sample.round() as u8);
    match (&ground.surface, picture.layout()) {
        (Some(_), _) => uneven(picture, ground),
        (None, Layout::Grey) => picture.samples().iter().map(|&sample| sample.abs_diff(plain[0])).collect(),
        (None, Layout::Rgb) => picture.samples().chunks_exact(3).map(|pixel| apart(pixel, plain)).collect(),
        (None, _) => picture.colours().map(|colour| apart(&colour, plain)).collect(),
    }
}

fn apart(pixel: &[u8], ground: [u8; 3]) -> u8 {
    let squares: i32 =
        pixel.iter().zip(ground).map(|(&sample, ground)| (i32::from(sample) - i32::from(ground)).pow(2)).sum();
    (squares as f32 / 3.0).sqrt().round() as u8
}

/// On a ground that is lit unevenly, ink stands out less where there is less light: distances are given as if all of
/// the ground were of its commonest colour.
fn uneven(picture: &Picture, ground: &Ground) -> Vec<u8> {
    /// Light may fall off to this share of what it is in the middle; what is darker still is not made up for.
    const LIGHT_MIN: f32 = 0.4;
    /// Places in a row at which the surface is asked, at most.
    const RUNS: usize = 256;
    let Some(surface) = &ground.surface else { return Vec::new() };
    let contrast = ground::distance(ground.colour, ground.ink);
    let channels = picture.layout().channels();
    let mut distances = Vec::with_capacity(picture.width() * picture.height());
    // A surface of second degree hardly changes within a 256th of the width, and need not be asked more often.
    let run = picture.width().div_ceil(RUNS);
    for y in 0..picture.height() {
        let place_y = (y as f32 + 0.5) / picture.height() as f32;
        for (index, pixels) in picture.row(y).chunks(channels * run).enumerate() {
            let middle = index as f32 * run as f32 + run as f32 / 2.0;
            let below = surface.at(middle / picture.width() as f32, place_y);
            let light = (ground::distance(below, ground.ink) / contrast.max(1.0)).max(LIGHT_MIN);
            distances.extend(pixels.chunks_exact(channels).map(|pixel| {
                let distance = ground::distance(colour(pixel).map(f32::from), below) / light;
                distance.round().min(255.0) as u8
            }));
        }
    }
    distances
}
