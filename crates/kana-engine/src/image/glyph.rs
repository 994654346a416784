//! How does a drawing, a scan or a photograph of one glyph become a training image?
//!
//! Transparency is laid on a ground ([`alpha`]), the ground's colour found ([`ground`]), ink measured as distance from
//! it ([`ink`](super::ink)), the glyph searched ([`find`]), set into the frame with the margin of the training images,
//! thickened where its strokes are too thin to be seen ([`brush`](super::brush)), and shrunk. Where it already stands in
//! its frame as training images do, the frame is kept.

use super::brush::Plate;
use super::find::{Found, Rectangle};
use super::ink::Ink;
use super::picture::Picture;
use super::scale::{self, Filter, Source, Window};
use super::{Shape, alpha, find, ground};

/// Pixels of the plate, on which strokes are measured and thickened, along one of the final image.
const PLATE_SCALE: usize = 4;

/// How much of the room within the margins a glyph fills, at least, for its frame to be kept: 95 of 100 KMNIST images
/// fill 27 of 28 pixels or all. The others are enlarged a little, which does no harm.
const FILL_MIN: f32 = 0.93;

/// How far a glyph's middle may be from the frame's, as a share of its side, for the frame to be kept.
const OFFSET_MAX: f32 = 0.05;

/// How much the proportions of a picture may differ from the frame's for it to be kept.
const SKEW_MAX: f32 = 0.03;

/// An image whose strongest pixel has no more ink than this, of 255, is left as faint as it is: there is nothing in it
/// to be read, and strengthening would only make noise of it.
const FAINT: f32 = 16.0;

/// The samples, one a pixel, light on dark, of the glyph in `picture`; all dark where there is none.
pub(super) fn glyph(picture: &Picture, shape: Shape, margin: f32) -> Vec<u8> {
    let picture = alpha::flatten(picture);
    let blank = || vec![0; shape.width * shape.height];
    let Some(mut ink) = Ink::of(&picture, &ground::of(&picture)) else { return blank() };
    let Some(found) = find::glyph(&mut ink) else { return blank() };
    let frame = Frame { shape, margin: margin.clamp(0.0, 0.45) };
    let window = if frame.is_kept(&ink, &found.glyph) {
        Window { left: 0.0, top: 0.0, width: ink.width as f32, height: ink.height as f32 }
    } else {
        wipe(&mut ink, &found);
        frame.around(&found.glyph)
    };
    develop(&ink, window, shape)
}

/// Where a glyph is to stand.
struct Frame {
    shape: Shape,
    margin: f32,
}

impl Frame {
    /// Whether the glyph already stands in its picture as training images do.
    fn is_kept(&self, ink: &Ink, glyph: &Rectangle) -> bool {
        let (width, height) = (ink.width as f32, ink.height as f32);
        let skew = (width * self.shape.height as f32) / (height * self.shape.width as f32);
        let fill = (glyph.width() as f32 / width).max(glyph.height() as f32 / height);
        let off = |low: usize, high: usize, side: f32| ((low + high) as f32 / 2.0 / side - 0.5).abs();
        let offset = off(glyph.left, glyph.right, width).max(off(glyph.top, glyph.bottom, height));
        // A picture of the model's own size was made for it.
        let made_for_it = (ink.width, ink.height) == (self.shape.width, self.shape.height);
        let fills = fill >= FILL_MIN * (1.0 - 2.0 * self.margin) && offset <= OFFSET_MAX;
        made_for_it || (skew - 1.0).abs() <= SKEW_MAX && fills
    }

    /// The part of the picture that puts the glyph into the frame's middle, as large as the margin lets it be.
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

/// Takes away what does not belong to the glyph.
fn wipe(ink: &mut Ink, found: &Found) {
    let (area, width, height) = (found.area, ink.width, ink.height);
    ink.wipe(&Rectangle { left: 0, top: 0, right: width, bottom: area.top });
    ink.wipe(&Rectangle { left: 0, top: area.top, right: area.left, bottom: area.bottom });
    ink.wipe(&Rectangle { left: area.right, top: area.top, right: width, bottom: area.bottom });
    ink.wipe(&Rectangle { left: 0, top: area.bottom, right: width, bottom: height });
    found.litter.iter().for_each(|piece| ink.wipe(piece));
}

/// `window` of `ink` in the final size.
fn develop(ink: &Ink, window: Window, shape: Shape) -> Vec<u8> {
    let (width, height) = (shape.width * PLATE_SCALE, shape.height * PLATE_SCALE);
    let source = Source { width: ink.width, height: ink.height, samples: &ink.amounts };
    // Asked of the final size, not of the plate's: halves of the same pixel must stay halves when they meet again.
    let filter = if window.height < shape.height as f32 { Filter::Linear } else { Filter::Area };
    let plate = Plate { width, height, ink: scale::resample(&source, window, (width, height), filter) }.thickened();
    let mut sums = vec![0.0; shape.width * shape.height];
    for (y, row) in plate.ink.chunks_exact(width).enumerate() {
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
