//! Are the strokes as wide as those in the training images?
//!
//! A line of one pixel on a canvas of a thousand nearly vanishes at 28 pixels: each final pixel holds a little grey. So thin
//! strokes are widened before the glyph is shrunk. Thick strokes stay as they are: the training images have bold ones too.

/// Least width of a stroke that is left as it is, as a share of the frame's side. Of 100 KMNIST images one or two have
/// thinner strokes, and half have strokes wider than 0.067. Higher limits do not improve the reading of thin pens but change
/// genuine images: at 0.06 four times as many enlarged ones are classified differently.
const WIDTH_MIN: f32 = 0.042;

/// Width that thin strokes are given, as a share of the frame's side. Skeletons of KMNIST images drawn with pens of a 300th
/// to a 30th of the canvas: 90 to 93 of 100 were classified as the original without this, 95 to 96 with 0.06, 96 to 97
/// with 0.075, 95 to 96 with 0.09 and 0.105.
const WIDTH: f32 = 0.075;

/// A glyph at several times its final size.
pub(super) struct Plate {
    /// Columns, in pixels.
    pub width: usize,
    /// Rows, in pixels.
    pub height: usize,
    /// `width * height` amounts from 0 to 255, row by row.
    pub ink: Vec<f32>,
}

impl Plate {
    /// Widens thin strokes to [`WIDTH`].
    pub fn with_wide_strokes(self) -> Self {
        let side = self.width.min(self.height) as f32;
        let width = self.stroke_width();
        if width <= 0.0 || width >= WIDTH_MIN * side {
            return self;
        }
        let radius = (WIDTH * side - width) / 2.0;
        self.strengthened().dilated(radius)
    }

    /// The mean width of the strokes, in pixels: the ink's area divided by half the length of its outline. A stroke of
    /// length l and width w has the area l·w and about 2·l of outline. The outline is measured as the total variation of the
    /// ink, so that neither soft rims nor faint ink distort the ratio.
    fn stroke_width(&self) -> f32 {
        let ink = |x: usize, y: usize| self.ink[y * self.width + x];
        let (mut area, mut outline) = (0.0, 0.0);
        for y in 0..self.height {
            for x in 0..self.width {
                let here = ink(x, y);
                let across = if x + 1 < self.width { ink(x + 1, y) } else { 0.0 } - here;
                let down = if y + 1 < self.height { ink(x, y + 1) } else { 0.0 } - here;
                area += here;
                outline += across.hypot(down);
            }
        }
        if outline > 0.0 { 2.0 * area / outline } else { 0.0 }
    }

    /// Restores the full strength of thin strokes that shrinking has made faint.
    fn strengthened(mut self) -> Self {
        let strongest = self.ink.iter().copied().fold(0.0, f32::max);
        // A line between two rows of pixels is half as strong as elsewhere.
        let gain = 255.0 / (strongest * 0.5).max(1.0);
        self.ink.iter_mut().for_each(|ink| *ink = (*ink * gain).min(255.0));
        self
    }

    /// Gives every pixel the greatest amount of ink within `radius` pixels of it (a dilation).
    fn dilated(self, radius: f32) -> Self {
        let reach = radius.ceil() as usize;
        let mut ink = vec![0.0_f32; self.ink.len()];
        let disk = disk(radius);
        for (index, &amount) in self.ink.iter().enumerate().filter(|&(_, &amount)| amount > 0.0) {
            let (x, y) = (index % self.width + reach, index / self.width + reach);
            for &Offset { across, down, weight } in &disk {
                // `x`, `y` and the offsets include `reach`, so that places left of or above the plate need no sign.
                let (Some(x), Some(y)) = ((x + across).checked_sub(2 * reach), (y + down).checked_sub(2 * reach))
                else {
                    continue;
                };
                if x < self.width && y < self.height {
                    let at = &mut ink[y * self.width + x];
                    *at = at.max(amount * weight);
                }
            }
        }
        Self { ink, ..self }
    }
}

/// A pixel of a disk.
struct Offset {
    /// Steps to the right, plus the disk's radius rounded up.
    across: usize,
    /// Steps down, plus the disk's radius rounded up.
    down: usize,
    /// Share of the pixel that the disk covers.
    weight: f32,
}

/// The pixels of a disk with a soft rim.
fn disk(radius: f32) -> Vec<Offset> {
    let reach = radius.ceil() as usize;
    let mut disk = Vec::new();
    for down in 0..=2 * reach {
        for across in 0..=2 * reach {
            let far = (across as f32 - reach as f32).hypot(down as f32 - reach as f32);
            let weight = (radius + 0.5 - far).clamp(0.0, 1.0);
            if weight > 0.0 {
                disk.push(Offset { across, down, weight });
            }
        }
    }
    disk
}
