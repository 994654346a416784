//! What does a picture with transparency show?
//!
//! Either the shape of what is painted is the glyph, in whatever colour: then it is laid on black or white, whichever
//! its colour stands out from. Or something is painted on a card that does not reach the picture's edge: then the card
//! is continued. A card is nearly solid and has more than one colour.

use std::borrow::Cow;

use super::picture::{Layout, Picture};

/// How much of its bounding box a card covers, at least: one with round corners covers nine tenths, and no KMNIST glyph
/// more than 0.65.
const CARD_COVERAGE: f64 = 0.8;

/// How much the colours on a card differ, at least, as their standard deviation in steps of 255. Black ink that covers
/// a twentieth of a white card makes 255 × √(0.05 × 0.95) = 56; a solid block in one colour makes none.
const CARD_SPREAD: f64 = 25.0;

/// The picture without transparency.
pub(super) fn flatten(picture: &Picture) -> Cow<'_, Picture> {
    if !picture.layout().has_alpha() || pixels(picture).all(|(_, opacity)| opacity == u8::MAX) {
        return Cow::Borrowed(picture);
    }
    let paint = Paint::of(picture);
    let ground = if paint.is_card(picture) {
        paint.medians()
    } else if paint.mean().iter().sum::<f64>() > 3.0 * 127.5 {
        [0; 3]
    } else {
        [u8::MAX; 3]
    };
    Cow::Owned(lay_on(picture, ground))
}

fn pixels(picture: &Picture) -> impl Iterator<Item = ([u8; 3], u8)> + '_ {
    let channels = picture.layout().channels();
    picture.colours().zip(picture.samples().chunks_exact(channels).map(move |pixel| pixel[channels - 1]))
}

fn lay_on(picture: &Picture, ground: [u8; 3]) -> Picture {
    let grey = picture.layout() == Layout::GreyAlpha && ground[0] == ground[1] && ground[1] == ground[2];
    let (layout, kept) = if grey { (Layout::Grey, 1) } else { (Layout::Rgb, 3) };
    let mut samples = Vec::with_capacity(picture.width() * picture.height() * kept);
    for (colour, opacity) in pixels(picture) {
        let opacity = u32::from(opacity);
        samples.extend(colour.iter().zip(ground).take(kept).map(|(&above, below)| {
            ((u32::from(above) * opacity + u32::from(below) * (255 - opacity) + 127) / 255) as u8
        }));
    }
    Picture::new(picture.width(), picture.height(), layout, samples)
        .expect("BUG: every pixel of the picture left as many samples as the layout has")
}

/// What the opaque part of a picture is like. Every pixel counts by its opacity.
struct Paint {
    weight: f64,
    sums: [f64; 3],
    squares: [f64; 3],
    shades: Box<[[u64; 256]; 3]>,
    /// Left, top, right, bottom of what is more opaque than not; the latter two included.
    bounds: Option<[usize; 4]>,
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
                let [left, top, right, bottom] = paint.bounds.unwrap_or([x, y, x, y]);
                paint.bounds = Some([left.min(x), top.min(y), right.max(x), bottom.max(y)]);
            }
        }
        paint
    }

    fn mean(&self) -> [f64; 3] {
        self.sums.map(|sum| sum / self.weight.max(f64::MIN_POSITIVE))
    }

    /// The middle shade of each channel: on a card, the card's colour, as it is more than what is written on it.
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
        let Some([left, top, right, bottom]) = self.bounds else { return false };
        let box_area = ((right - left + 1) * (bottom - top + 1)) as f64;
        let mean = self.mean();
        let variance: f64 =
            (0..3).map(|channel| self.squares[channel] / self.weight - mean[channel] * mean[channel]).sum::<f64>()
                / 3.0;
        // A picture that is see-through all over is no card: its box is the whole of it, and its weight is not.
        let coverage = self.weight / box_area.min((picture.width() * picture.height()) as f64);
        coverage > CARD_COVERAGE && variance > CARD_SPREAD * CARD_SPREAD
    }
}
