//! Which background shows through a transparent picture?
//!
//! Where the opaque part is the glyph itself, in whatever colour: black or white, whichever contrasts with it. Where it is
//! a card with the glyph on it: the card's colour, so that the card continues to the picture's edge. A card is nearly solid
//! and has more than one colour.

use std::borrow::Cow;

use super::rectangle::Rectangle;
use crate::image::picture::{Layout, Picture};

/// Least share of its bounding box that a card covers: one with round corners covers nine tenths, and no KMNIST glyph more
/// than 0.65.
const CARD_COVERAGE: f64 = 0.8;

/// Least standard deviation of a card's colours, of 255. Black ink on a twentieth of a white card has 255 × √(0.05 × 0.95)
/// = 56; a solid block in one colour has 0.
const CARD_SPREAD: f64 = 25.0;

/// Composites `picture` on an opaque background; borrowed where it is opaque already.
pub(super) fn flatten(picture: &Picture) -> Cow<'_, Picture> {
    if !picture.layout().has_alpha() || pixels(picture).all(|(_, opacity)| opacity == u8::MAX) {
        return Cow::Borrowed(picture);
    }
    let paint = Paint::of(picture);
    let background = if paint.is_card(picture) {
        paint.medians()
    } else if paint.mean().iter().sum::<f64>() > 3.0 * 127.5 {
        [0; 3]
    } else {
        [u8::MAX; 3]
    };
    Cow::Owned(composite(picture, background))
}

fn pixels(picture: &Picture) -> impl Iterator<Item = ([u8; 3], u8)> + '_ {
    let channels = picture.layout().channels();
    picture.colours().zip(picture.samples().chunks_exact(channels).map(move |pixel| pixel[channels - 1]))
}

fn composite(picture: &Picture, background: [u8; 3]) -> Picture {
    let [red, green, blue] = background;
    let grey = picture.layout() == Layout::GreyAlpha && red == green && green == blue;
    let (layout, kept) = if grey { (Layout::Grey, 1) } else { (Layout::Rgb, 3) };
    let mut samples = Vec::with_capacity(picture.width() * picture.height() * kept);
    for (colour, opacity) in pixels(picture) {
        let opacity = u32::from(opacity);
        samples.extend(colour.iter().zip(background).take(kept).map(|(&above, below)| {
            ((u32::from(above) * opacity + u32::from(below) * (255 - opacity) + 127) / 255) as u8
        }));
    }
    Picture::new(picture.width(), picture.height(), layout, samples)
        .expect("BUG: each pixel adds as many samples as the layout has")
}

/// Statistics of the opaque part of a picture, every pixel weighted by its opacity.
struct Paint {
    weight: f64,
    sums: [f64; 3],
    squares: [f64; 3],
    /// A histogram for each channel.
    shades: Box<[[u64; 256]; 3]>,
    /// Bounds of the pixels that are more opaque than transparent.
    bounds: Option<Rectangle>,
}

impl Paint {
    fn of(picture: &Picture) -> Self {
        let mut paint =
            Self { weight: 0.0, sums: [0.0; 3], squares: [0.0; 3], shades: Box::new([[0; 256]; 3]), bounds: None };
        for (index, (colour, opacity)) in pixels(picture).enumerate() {
            if opacity == 0 {
                continue;
            }
            let weight = f64::from(opacity) / 255.0;
            paint.weight += weight;
            for (channel, &sample) in colour.iter().enumerate() {
                let value = f64::from(sample);
                paint.sums[channel] += weight * value;
                paint.squares[channel] += weight * value * value;
                paint.shades[channel][usize::from(sample)] += u64::from(opacity);
            }
            if opacity >= 128 {
                let (x, y) = (index % picture.width(), index / picture.width());
                let pixel = Rectangle { left: x, top: y, right: x + 1, bottom: y + 1 };
                paint.bounds = Some(paint.bounds.map_or(pixel, |bounds| bounds.union(pixel)));
            }
        }
        paint
    }

    fn mean(&self) -> [f64; 3] {
        self.sums.map(|sum| sum / self.weight.max(f64::MIN_POSITIVE))
    }

    /// The median shade of each channel: on a card, the card's colour, because the card covers more than the ink on it.
    fn medians(&self) -> [u8; 3] {
        std::array::from_fn(|channel| {
            let shades = &self.shades[channel];
            let half = shades.iter().sum::<u64>() / 2;
            let mut seen = 0;
            let middle = shades.iter().position(|&count| {
                seen += count;
                seen > half
            });
            middle.map_or(u8::MAX, |shade| u8::try_from(shade).unwrap_or(u8::MAX))
        })
    }

    fn is_card(&self, picture: &Picture) -> bool {
        let Some(bounds) = self.bounds else { return false };
        let box_area = (bounds.width() * bounds.height()) as f64;
        let mean = self.mean();
        let variance: f64 =
            (0..3).map(|channel| self.squares[channel] / self.weight - mean[channel] * mean[channel]).sum::<f64>()
                / 3.0;
        // A picture that is translucent all over is no card: its box is the whole picture, its weight is less.
        let coverage = self.weight / box_area.min((picture.width() * picture.height()) as f64);
        coverage > CARD_COVERAGE && variance > CARD_SPREAD * CARD_SPREAD
    }
}
