//! How does a drawing, a scan or a photograph of one glyph become a training image?
//!
//! A picture that already is one passes through unchanged ([`trained`]). For any other picture: composite transparency
//! ([`alpha`]), estimate the background's colour ([`background`]), measure ink as distance from it ([`ink`]), locate the
//! glyph ([`mod@locate`]), place it in the frame with the margin of the training images, widen strokes that are too thin to
//! survive shrinking ([`stroke_width`]), and shrink. A glyph that already stands in its frame as in the training images
//! keeps its frame.

mod alpha;
mod background;
mod blank;
mod colour;
mod illumination;
mod ink;
mod locate;
mod polarity;
mod rectangle;
mod stroke_width;
mod trained;

use super::Shape;
use super::picture::Picture;
use super::resample::{Filter, Size, Source, Window, resample};
use background::Background;
use ink::Ink;
use locate::{Location, locate};
use rectangle::Rectangle;
use stroke_width::Plate;

/// Pixels of the plate, on which strokes are measured and widened, for each pixel of the final image along one side.
const PLATE_SCALE: usize = 4;

/// Least share of the space within the margins that a glyph fills for its frame to be kept: 95 of 100 KMNIST images fill
/// 27 of 28 pixels or all. The others are enlarged a little, which does no harm.
const FILL_MIN: f32 = 0.93;

/// Greatest distance between the middles of glyph and frame, as a share of the frame's side, for the frame to be kept.
const OFFSET_MAX: f32 = 0.05;

/// Greatest difference between the proportions of picture and frame for the frame to be kept.
const SKEW_MAX: f32 = 0.03;

/// Least ink of the strongest pixel, of 255, for an image to be strengthened: in a fainter one only noise would be.
const FAINT: f32 = 16.0;

/// Renders the glyph in `picture` as `shape.height` × `shape.width` samples, light on dark; all dark where there is none.
///
/// A grey picture of exactly this size that is light on dark is returned bit for bit, and one that is dark on light is
/// returned inverted, bit for bit. `margin` is the free space on the tighter sides, as a share of the image's side.
pub(super) fn render(picture: &Picture, shape: Shape, margin: f32) -> Vec<u8> {
    let glyph = trained::samples(picture, shape).or_else(|| drawn_anew(picture, shape, margin));
    glyph
        .filter(|samples| !blank::is_noise_or_shading(samples, shape))
        .unwrap_or_else(|| vec![0; shape.width * shape.height])
}

/// Draws the glyph as the training images are; `None` where there is nothing but dust and noise.
fn drawn_anew(picture: &Picture, shape: Shape, margin: f32) -> Option<Vec<u8>> {
    let picture = alpha::flatten(picture);
    let mut ink = Ink::of(&picture, &Background::of(&picture))?;
    let location = locate(&mut ink)?;
    if blank::is_dust_or_noise(&ink, &location.glyph) {
        return None;
    }
    let frame = Frame { shape, margin: margin.clamp(0.0, 0.45) };
    let window = if frame.is_kept(&ink, &location.glyph) {
        Window { left: 0.0, top: 0.0, width: ink.width as f32, height: ink.height as f32 }
    } else {
        erase_noise(&mut ink, &location);
        frame.around(&location.glyph)
    };
    Some(shrink(&ink, window, shape))
}

/// The final image's size, and where in it a glyph belongs.
struct Frame {
    shape: Shape,
    /// Free space on the tighter sides, as a share of the image's side.
    margin: f32,
}

impl Frame {
    /// Whether the glyph already stands in its picture as in the training images.
    fn is_kept(&self, ink: &Ink, glyph: &Rectangle) -> bool {
        let (width, height) = (ink.width as f32, ink.height as f32);
        let skew = (width * self.shape.height as f32) / (height * self.shape.width as f32);
        let fill = (glyph.width() as f32 / width).max(glyph.height() as f32 / height);
        let off = |low: usize, high: usize, side: f32| ((low + high) as f32 / 2.0 / side - 0.5).abs();
        let offset = off(glyph.left, glyph.right, width).max(off(glyph.top, glyph.bottom, height));
        // A picture of the model's own size was made for the model.
        let made_for_it = (ink.width, ink.height) == (self.shape.width, self.shape.height);
        let fills = fill >= FILL_MIN * (1.0 - 2.0 * self.margin) && offset <= OFFSET_MAX;
        made_for_it || (skew - 1.0).abs() <= SKEW_MAX && fills
    }

    /// The part of the picture that puts the glyph into the frame's middle, as large as the margin allows.
    fn around(&self, glyph: &Rectangle) -> Window {
        let room = 1.0 - 2.0 * self.margin;
        let (width, height) = (self.shape.width as f32, self.shape.height as f32);
        let scale = (glyph.width() as f32 / (width * room)).max(glyph.height() as f32 / (height * room));
        let (width, height) = (width * scale, height * scale);
        Window {
            left: (glyph.left + glyph.right) as f32 / 2.0 - width / 2.0,
            top: (glyph.top + glyph.bottom) as f32 / 2.0 - height / 2.0,
            width,
            height,
        }
    }
}

/// Erases the ink that does not belong to the glyph.
fn erase_noise(ink: &mut Ink, location: &Location) {
    let (area, width, height) = (location.area, ink.width, ink.height);
    ink.erase(&Rectangle { left: 0, top: 0, right: width, bottom: area.top });
    ink.erase(&Rectangle { left: 0, top: area.top, right: area.left, bottom: area.bottom });
    ink.erase(&Rectangle { left: area.right, top: area.top, right: width, bottom: area.bottom });
    ink.erase(&Rectangle { left: 0, top: area.bottom, right: width, bottom: height });
    location.noise.iter().for_each(|cell| ink.erase(cell));
}

/// Resamples `window` of `ink` to `shape.height` × `shape.width` samples and scales the strongest one to 255.
fn shrink(ink: &Ink, window: Window, shape: Shape) -> Vec<u8> {
    let size = Size { width: shape.width * PLATE_SCALE, height: shape.height * PLATE_SCALE };
    let source = Source { width: ink.width, height: ink.height, samples: &ink.amounts };
    // Decided by the final size, not by the plate's: parts of one source pixel must add up to it again.
    let filter = if window.height < shape.height as f32 { Filter::Linear } else { Filter::Area };
    let ink = resample(&source, window, size, filter);
    let plate = Plate { width: size.width, height: size.height, ink }.with_wide_strokes();
    let mut sums = vec![0.0; shape.width * shape.height];
    for (y, row) in plate.ink.chunks_exact(plate.width).enumerate() {
        let line = &mut sums[y / PLATE_SCALE * shape.width..][..shape.width];
        for (sum, part) in line.iter_mut().zip(row.chunks_exact(PLATE_SCALE)) {
            *sum += part.iter().sum::<f32>();
        }
    }
    let area = (PLATE_SCALE * PLATE_SCALE) as f32;
    let strongest = sums.iter().copied().fold(0.0, f32::max) / area;
    // The strongest pixel of a training image is at 255: 99 of 100 in KMNIST.
    let gain = if strongest > FAINT { 255.0 / strongest } else { 1.0 };
    sums.iter().map(|sum| (sum / area * gain).round().clamp(0.0, 255.0) as u8).collect()
}
