//! What does decoding return?
//!
//! A [`Picture`]: eight bits a sample, upright, with or without colour and transparency, of any size.
//! [`fit()`](super::fit()) turns it into a model's input.

/// The meaning of a pixel's samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One sample a pixel: grey.
    Grey,
    /// Two samples a pixel: grey, opacity.
    GreyAlpha,
    /// Three samples a pixel: red, green, blue.
    Rgb,
    /// Four samples a pixel: red, green, blue, opacity.
    Rgba,
}

impl Layout {
    /// Samples a pixel.
    pub const fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::GreyAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }

    /// Whether the last sample of a pixel is its opacity.
    pub const fn has_alpha(self) -> bool {
        matches!(self, Self::GreyAlpha | Self::Rgba)
    }
}

/// A decoded picture: rows from the top, the samples of a pixel side by side, opacity not multiplied in.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    layout: Layout,
    samples: Vec<u8>,
}

impl Picture {
    /// Creates a picture of `width` × `height` pixels; `None` where either is zero or `samples` does not have
    /// `width * height * layout.channels()` bytes.
    pub fn new(width: usize, height: usize, layout: Layout, samples: Vec<u8>) -> Option<Self> {
        let length = width.checked_mul(height)?.checked_mul(layout.channels())?;
        (length > 0 && length == samples.len()).then_some(Self { width, height, layout, samples })
    }

    /// Columns, in pixels; at least one.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows, in pixels; at least one.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The meaning of a pixel's samples.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// All samples, row by row from the top.
    pub fn samples(&self) -> &[u8] {
        &self.samples
    }

    /// All samples, taken out of the picture.
    pub fn into_samples(self) -> Vec<u8> {
        self.samples
    }

    /// The colour of each pixel, row by row, without its opacity.
    pub fn colours(&self) -> impl Iterator<Item = [u8; 3]> + '_ {
        self.samples.chunks_exact(self.layout.channels()).map(colour)
    }

    /// The colour of the pixel in column `x` of row `y`, without its opacity.
    ///
    /// # Panics
    /// If the place is outside the picture.
    pub fn colour_at(&self, x: usize, y: usize) -> [u8; 3] {
        let channels = self.layout.channels();
        let start = (y * self.width + x) * channels;
        colour(&self.samples[start..start + channels])
    }

    /// The samples of row `y`, counted from the top.
    ///
    /// # Panics
    /// If the place is outside the picture.
    pub fn row(&self, y: usize) -> &[u8] {
        let length = self.width * self.layout.channels();
        &self.samples[y * length..(y + 1) * length]
    }
}

/// The red, green and blue of a pixel in any layout.
pub(super) fn colour(pixel: &[u8]) -> [u8; 3] {
    match *pixel {
        [red, green, blue] | [red, green, blue, _] => [red, green, blue],
        [grey, ..] => [grey; 3],
        [] => [0; 3],
    }
}

// Pixels stay out of logs.
impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}×{} {:?})", self.width, self.height, self.layout)
    }
}
