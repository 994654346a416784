//! How much ink is on each pixel?
//!
//! The distance of its colour from the background's, whatever the two colours are: no ink up to the distance that noise
//! alone reaches, full ink from the distance of the darkest strokes. A picture without noise and with full contrast keeps
//! its shades exactly.

use super::background::Background;
use super::colour::{Colour, distance};
use super::illumination::Illumination;
use super::rectangle::Rectangle;
use crate::image::picture::{Layout, Picture, colour};

/// Greatest distance that counts as noise, as a multiple of the median distance of the background's pixels. With normally
/// distributed noise in three channels, one background pixel in a thousand lies beyond 2.5 times the median.
const NOISE_REACH: f32 = 2.5;

/// Pixels nearer to the background than this share of the farthest pixel's distance count as background when noise is
/// measured.
const BACKGROUND_SHARE: f32 = 0.25;

/// Pixels beyond this share of the farthest pixel's distance count as ink when its strength is measured.
const INK_SHARE: f32 = 0.3;

/// Share of ink pixels that have full strength: the core of a stroke; the others are its soft rim.
const CORE_SHARE: f32 = 0.02;

/// Least difference between ink and noise, of 255: more than rounding and lossy formats make of a blank page, less than
/// the faintest pencil.
const CONTRAST_MIN: f32 = 6.0;

/// Least strength of ink where the background is not even, of 255. The grain of photographed paper, once a lossy format has
/// smoothed it, and what a fitted shadow leaves over reach 16.
const STRENGTH_MIN: f32 = 18.0;

/// Least strength of ink as a multiple of the noise's reach. Noise itself, smoothed, has 2 to 3; a glyph in noise so strong
/// that its strokes are hardly seen has 3.2.
const SIGNAL_MIN: f32 = 3.0;

/// The amount of ink on every pixel of a picture.
pub(super) struct Ink {
    /// Columns, in pixels.
    pub width: usize,
    /// Rows, in pixels.
    pub height: usize,
    /// `width * height` amounts from 0 to 255, row by row.
    pub amounts: Vec<u8>,
}

impl Ink {
    /// Measures the ink in a picture without transparency; `None` where there is none.
    pub fn of(picture: &Picture, background: &Background) -> Option<Self> {
        let mut amounts = distances(picture, background);
        let scale = Scale::of(&amounts)?;
        let amount: [u8; 256] = std::array::from_fn(|distance| scale.amount(distance as f32));
        amounts.iter_mut().for_each(|value| *value = amount[usize::from(*value)]);
        Some(Self { width: picture.width(), height: picture.height(), amounts })
    }

    /// Removes all ink from a part of the picture.
    pub fn erase(&mut self, part: &Rectangle) {
        for row in self.amounts.chunks_exact_mut(self.width).take(part.bottom).skip(part.top) {
            row[part.left..part.right].fill(0);
        }
    }
}

/// Maps distances to amounts of ink: 0 up to `floor`, 255 from `full`.
struct Scale {
    floor: f32,
    full: f32,
}

impl Scale {
    fn of(distances: &[u8]) -> Option<Self> {
        let counts = histogram(distances);
        let farthest = counts.iter().rposition(|&count| count > 0).unwrap_or(0);
        let near = (farthest as f32 * BACKGROUND_SHARE) as usize;
        let floor = NOISE_REACH * quantile(&counts[..=near], 0.5) as f32;
        let ink_start = (floor as usize).max((farthest as f32 * INK_SHARE) as usize).min(farthest);
        let full = (ink_start + quantile(&counts[ink_start..=farthest], 1.0 - CORE_SHARE)) as f32;
        let stands_out = full >= SIGNAL_MIN * floor && (floor == 0.0 || full >= STRENGTH_MIN);
        (full - floor >= CONTRAST_MIN && stands_out).then_some(Self { floor, full })
    }

    fn amount(&self, distance: f32) -> u8 {
        let share = (distance - self.floor) / (self.full - self.floor);
        (255.0 * share.clamp(0.0, 1.0)).round() as u8
    }
}

/// How often each value occurs.
fn histogram(values: &[u8]) -> [usize; 256] {
    // Equal neighbours, as a blank page has, would wait for each other in one table.
    const TABLES: usize = 4;
    let mut tables = [[0_u32; 256]; TABLES];
    let (groups, rest) = values.as_chunks::<TABLES>();
    for group in groups {
        tables.iter_mut().zip(group).for_each(|(table, value)| table[usize::from(*value)] += 1);
    }
    rest.iter().for_each(|value| tables[0][usize::from(*value)] += 1);
    std::array::from_fn(|value| tables.iter().map(|table| table[value] as usize).sum())
}

/// The least value that is not exceeded by a `share` of the counted values.
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

/// The distance of each pixel's colour from the background's at its place, from 0 to 255, row by row.
fn distances(picture: &Picture, background: &Background) -> Vec<u8> {
    let plain = background.colour.map(|sample| sample.round() as u8);
    match (&background.illumination, picture.layout()) {
        (Some(illumination), _) => distances_in_uneven_light(picture, background, illumination),
        (None, Layout::Grey) => picture.samples().iter().map(|&sample| sample.abs_diff(plain[0])).collect(),
        (None, Layout::Rgb) => picture.samples().chunks_exact(3).map(|pixel| root_mean_square(pixel, plain)).collect(),
        (None, _) => picture.colours().map(|colour| root_mean_square(&colour, plain)).collect(),
    }
}

/// The distance of one colour from the background's: the root of the mean squared difference of the three channels.
fn root_mean_square(pixel: &[u8], background: [u8; 3]) -> u8 {
    let squares: i32 =
        pixel.iter().zip(background).map(|(&sample, below)| (i32::from(sample) - i32::from(below)).pow(2)).sum();
    rounded((squares as f32 / 3.0).sqrt())
}

/// The background at a place.
struct Place {
    below: Colour,
    /// Factor of a sum of squared differences before the root is taken.
    scale: f32,
}

impl Place {
    fn distance(&self, colour: [u8; 3]) -> u8 {
        let [red, green, blue] = std::array::from_fn(|channel| f32::from(colour[channel]) - self.below[channel]);
        rounded(((red * red + green * green + blue * blue) * self.scale).sqrt())
    }
}

/// Rounds a number that is not negative; 255 where it is greater. The library's way is a function call without instructions
/// that not every processor has.
fn rounded(value: f32) -> u8 {
    (value + 0.5) as u8
}

/// The same distances for an unevenly lit background, where ink has less contrast in less light: they are scaled as if the
/// whole background had its commonest colour.
fn distances_in_uneven_light(picture: &Picture, background: &Background, illumination: &Illumination) -> Vec<u8> {
    /// Least light that is compensated, as a share of the light on the commonest colour.
    const LIGHT_MIN: f32 = 0.4;
    /// Places along each side at which the illumination is evaluated, at most: a polynomial of second degree hardly changes
    /// within a 256th of a side.
    const PLACES: usize = 256;
    let contrast = distance(background.colour, background.ink).max(1.0);
    let (width, height, channels) = (picture.width(), picture.height(), picture.layout().channels());
    let [run, rows] = [width, height].map(|side| side.div_ceil(PLACES));
    let mut distances = Vec::with_capacity(width * height);
    for top in (0..height).step_by(rows) {
        let line = illumination.line((top as f32 + rows as f32 / 2.0) / height as f32);
        let place = |left: usize| {
            let below = line.at((left as f32 + run as f32 / 2.0) / width as f32);
            let light = (distance(below, background.ink) / contrast).max(LIGHT_MIN);
            // The root of the mean square, divided by the light.
            Place { below, scale: 1.0 / (3.0 * light * light) }
        };
        let places: Vec<Place> = (0..width).step_by(run).map(place).collect();
        for y in top..(top + rows).min(height) {
            for (pixels, place) in picture.row(y).chunks(channels * run).zip(&places) {
                distances.extend(pixels.chunks_exact(channels).map(|pixel| place.distance(colour(pixel))));
            }
        }
    }
    distances
}
