//! Are these strokes as thick as those that the model knows?
//!
//! A line of one pixel on a canvas of a thousand is all but gone at 28: each final pixel holds a little grey. So thin
//! strokes are made thicker before the glyph is shrunk. Thick ones stay as they are: among training images are bold ones.

/// Strokes thinner than this share of the frame's side are thickened. Of 100 KMNIST images one or two are thinner, and
/// half are thicker than 0.067. Higher limits read thin pens no better and change genuine images: at 0.06 the enlarged
/// ones are read otherwise four times as often.
const THIN: f32 = 0.042;

/// How thick thin strokes become, as a share of the frame's side. Skeletons of KMNIST images drawn with pens of a 300th
/// to a 30th of the canvas: 90 to 93 of 100 were read as the original without this, 95 to 96 with 0.06, 96 to 97 with
/// 0.075, 95 to 96 with 0.09 and 0.105.
const BRUSH: f32 = 0.075;

/// A glyph large enough to work on: ink from 0 to 255, row by row.
pub(super) struct Plate {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` of them.
    pub ink: Vec<f32>,
}

impl Plate {
    /// The plate with strokes that the model can see.
    pub fn thickened(self) -> Self {
        let side = self.width.min(self.height) as f32;
        let thickness = self.thickness();
        if thickness <= 0.0 || thickness >= THIN * side {
            return self;
        }
        let radius = (BRUSH * side - thickness) / 2.0;
        self.strengthened().spread(radius)
    }

    /// The mean thickness of the strokes, in pixels: the ink's area, by half the length of its outline. A stroke of
    /// length l and thickness t has the area l·t and some 2·l of outline. The outline is the total variation of the ink,
    /// so that neither soft rims nor faint ink distort the ratio.
    pub fn thickness(&self) -> f32 {
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

    /// Thin strokes that shrinking has made faint, at full strength again.
    fn strengthened(mut self) -> Self {
        let strongest = self.ink.iter().copied().fold(0.0, f32::max);
        // Where a line falls between two rows of pixels it is half as strong as elsewhere.
        let gain = 255.0 / (strongest * 0.5).max(1.0);
        self.ink.iter_mut().for_each(|ink| *ink = (*ink * gain).min(255.0));
        self
    }

    /// Every pixel as dark as the darkest within `radius` pixels of it.
    fn spread(self, radius: f32) -> Self {
        let reach = radius.ceil() as usize;
        let mut ink = vec![0.0_f32; self.ink.len()];
        let brush = brush(radius);
        for (index, &amount) in self.ink.iter().enumerate().filter(|&(_, &amount)| amount > 0.0) {
            let (x, y) = (index % self.width + reach, index / self.width + reach);
            for &(across, down, weight) in &brush {
                // Both are moved by `reach`, so that what lies left of or above the plate needs no sign.
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

/// A disk with a soft rim: steps right and down, each with `radius` rounded up added, and how much of the pixel it
/// covers.
fn brush(radius: f32) -> Vec<(usize, usize, f32)> {
    let reach = radius.ceil() as usize;
    let mut disk = Vec::new();
    for down in 0..=2 * reach {
        for across in 0..=2 * reach {
            let far = (across as f32 - reach as f32).hypot(down as f32 - reach as f32);
            let weight = (radius + 0.5 - far).clamp(0.0, 1.0);
            if weight > 0.0 {
                disk.push((across, down, weight));
            }
        }
    }
    disk
}
