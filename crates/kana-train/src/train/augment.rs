//! What else might this image have looked like?
//!
//! A hand writes the same character turned, shifted, stretched, slanted and trembling; scanning and resampling blur or
//! sharpen it. One pass over the pixels does all of it: each looks up where it came from. Every bound is named here, and
//! lengths are shares of a side, so that they hold for images of any size.

use rand::{Rng, RngExt};

use kana_engine::image::Shape;

/// Turned by at most this, either way. At 15° つ begins to look like other kana's parts.
const ROTATION_MAX_DEGREES: f32 = 10.0;
/// Moved by at most this share of the side, each way: two pixels of 28.
const SHIFT_MAX: f32 = 0.075;
/// Grown or shrunk by at most this share, rows and columns each.
const SCALE_MAX: f32 = 0.12;
/// Slanted by at most this many pixels a pixel.
const SHEAR_MAX: f32 = 0.15;
/// Trembling: a node of the elastic grid is moved by at most this share of the side, 1.4 pixels of 28.
const ELASTIC_MAX: f32 = 0.05;
/// Nodes a side of the elastic grid: finer ones tear strokes, coarser ones only shear.
const ELASTIC_NODES: usize = 5;
/// Weight of each neighbour when blurred most. A quarter is what resampling to half the size and back does.
const BLUR_MAX: f32 = 0.22;
/// The same for sharpening: most scalers overshoot less.
const SHARPEN_MAX: f32 = 0.10;
/// Images that are neither blurred nor sharpened: most arrive as they were.
const UNFILTERED_SHARE: f64 = 0.5;
/// Brightness is multiplied by one plus or minus at most this.
const GAIN_MAX: f32 = 0.2;

/// One distortion.
pub struct Distortion {
    /// Where a pixel came from, relative to the centre: rows and columns of an affine map.
    matrix: [[f32; 2]; 2],
    shift: [f32; 2],
    /// Displacement of each node of the grid, in shares of the side.
    nodes: [[[f32; 2]; ELASTIC_NODES]; ELASTIC_NODES],
    /// Weight of each neighbour in a row or column; negative sharpens.
    neighbour: f32,
    gain: f32,
}

impl Distortion {
    /// One drawn from `random`.
    pub fn drawn(random: &mut impl Rng) -> Self {
        let mut within = |bound: f32| random.random_range(-bound..=bound);
        let (sine, cosine) = within(ROTATION_MAX_DEGREES).to_radians().sin_cos();
        let slant = within(SHEAR_MAX);
        let scale = [1.0 + within(SCALE_MAX), 1.0 + within(SCALE_MAX)];
        let shift = [within(SHIFT_MAX), within(SHIFT_MAX)];
        let gain = 1.0 + within(GAIN_MAX);
        let nodes = std::array::from_fn(|_| std::array::from_fn(|_| [within(ELASTIC_MAX), within(ELASTIC_MAX)]));
        let is_filtered = !random.random_bool(UNFILTERED_SHARE);
        let neighbour = if is_filtered { random.random_range(-SHARPEN_MAX..=BLUR_MAX) } else { 0.0 };
        // Rotation × shear × scale.
        let matrix = [
            [cosine * scale[0], (slant * cosine - sine) * scale[1]],
            [sine * scale[0], (slant * sine + cosine) * scale[1]],
        ];
        Self { matrix, shift, nodes, neighbour, gain }
    }

    /// `pixels` of `shape`, distorted: samples in [0, 1], in the order of `pixels`. What lies outside is black.
    pub fn apply(&self, pixels: &[u8], shape: Shape) -> Vec<f32> {
        let mut out = Vec::with_capacity(shape.bytes());
        for row in 0..shape.height {
            for column in 0..shape.width {
                let at = self.origin(shape, [row, column]);
                for channel in 0..shape.channels {
                    out.push((self.gain * sample(pixels, shape, (at, channel))).min(1.0));
                }
            }
        }
        if self.neighbour != 0.0 { filtered(&out, shape, self.neighbour) } else { out }
    }

    /// Where the pixel came from, in pixels.
    fn origin(&self, shape: Shape, pixel: [usize; 2]) -> [f32; 2] {
        let sides = [shape.height as f32, shape.width as f32];
        // Pixels are squares: the centre of the first is half a pixel in.
        let share = [(pixel[0] as f32 + 0.5) / sides[0], (pixel[1] as f32 + 0.5) / sides[1]];
        let [dy, dx] = self.tremble(share);
        let (y, x) = (share[0] - 0.5, share[1] - 0.5);
        let origin = [
            self.matrix[0][0] * y + self.matrix[0][1] * x + self.shift[0] + dy + 0.5,
            self.matrix[1][0] * y + self.matrix[1][1] * x + self.shift[1] + dx + 0.5,
        ];
        [origin[0] * sides[0] - 0.5, origin[1] * sides[1] - 0.5]
    }

    /// The elastic displacement at a point, between the four nodes around it.
    fn tremble(&self, share: [f32; 2]) -> [f32; 2] {
        let cell = share.map(|part| (part * (ELASTIC_NODES - 1) as f32).clamp(0.0, (ELASTIC_NODES - 1) as f32 - 1e-4));
        let (row, column) = (cell[0] as usize, cell[1] as usize);
        let (down, right) = (cell[0] - row as f32, cell[1] - column as f32);
        let mut moved = [0.0; 2];
        for (axis, moved) in moved.iter_mut().enumerate() {
            let above = mix(self.nodes[row][column][axis], self.nodes[row][column + 1][axis], right);
            let below = mix(self.nodes[row + 1][column][axis], self.nodes[row + 1][column + 1][axis], right);
            *moved = mix(above, below, down);
        }
        moved
    }
}

/// The image undistorted, in the form of [`Distortion::apply`].
pub fn plain(pixels: &[u8]) -> Vec<f32> {
    pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect()
}

fn mix(one: f32, other: f32, share: f32) -> f32 {
    one + (other - one) * share
}

/// The sample of a channel at a point between pixels, in [0, 1].
fn sample(pixels: &[u8], shape: Shape, (at, channel): ([f32; 2], usize)) -> f32 {
    let (top, left) = (at[0].floor(), at[1].floor());
    let (down, right) = (at[0] - top, at[1] - left);
    let (row, column) = (top as isize, left as isize);
    let pixel = |row: isize, column: isize| {
        let is_inside = (0..shape.height as isize).contains(&row) && (0..shape.width as isize).contains(&column);
        let index = (row * shape.width as isize + column) as usize * shape.channels + channel;
        if is_inside { f32::from(pixels[index]) } else { 0.0 }
    };
    let above = mix(pixel(row, column), pixel(row, column + 1), right);
    let below = mix(pixel(row + 1, column), pixel(row + 1, column + 1), right);
    mix(above, below, down) / 255.0
}

/// Each sample mixed with its neighbours, first along the rows and then along the columns.
fn filtered(samples: &[f32], shape: Shape, neighbour: f32) -> Vec<f32> {
    let row_stride = shape.width * shape.channels;
    let along = |samples: &[f32], stride: usize, extent: usize| -> Vec<f32> {
        let mixed = |(index, &own): (usize, &f32)| {
            let place = index / stride % extent;
            let before = if place > 0 { samples[index - stride] } else { own };
            let after = if place + 1 < extent { samples[index + stride] } else { own };
            (own + neighbour * (before + after - 2.0 * own)).clamp(0.0, 1.0)
        };
        samples.iter().enumerate().map(mixed).collect()
    };
    along(&along(samples, shape.channels, shape.width), row_stride, shape.height)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::random::{Purpose, stream};

    const SHAPE: Shape = Shape { channels: 1, height: 28, width: 28 };

    fn still() -> Distortion {
        let nodes = [[[0.0; 2]; ELASTIC_NODES]; ELASTIC_NODES];
        Distortion { matrix: [[1.0, 0.0], [0.0, 1.0]], shift: [0.0; 2], nodes, neighbour: 0.0, gain: 1.0 }
    }

    fn dot() -> Vec<u8> {
        let mut pixels = vec![0; SHAPE.bytes()];
        pixels[14 * 28 + 14] = 255;
        pixels
    }

    /// Where the light is, on average.
    fn centre(samples: &[f32]) -> (f32, f32) {
        let sum: f32 = samples.iter().sum();
        let mean = |place: fn(usize) -> usize| {
            samples.iter().enumerate().map(|(index, sample)| place(index) as f32 * sample).sum::<f32>() / sum
        };
        (mean(|index| index / 28), mean(|index| index % 28))
    }

    #[test]
    fn a_distortion_that_does_nothing_leaves_the_image() {
        let pixels: Vec<u8> = (0..SHAPE.bytes()).map(|index| (index * 7 % 256) as u8).collect();

        let out = still().apply(&pixels, SHAPE);

        let largest = out.iter().zip(plain(&pixels)).map(|(is, was)| (is - was).abs()).fold(0.0, f32::max);
        assert!(largest < 1e-3, "largest difference {largest}");
    }

    #[test]
    fn a_shift_moves_the_light_against_the_look_up() {
        let shifted = Distortion { shift: [2.0 / 28.0, -3.0 / 28.0], ..still() };

        let (row, column) = centre(&shifted.apply(&dot(), SHAPE));

        assert!((row - 12.0).abs() < 0.01 && (column - 17.0).abs() < 0.01, "light at {row}, {column}");
    }

    #[test]
    fn blurring_keeps_the_light() {
        let blurred = Distortion { neighbour: BLUR_MAX, ..still() }.apply(&dot(), SHAPE);

        assert!((blurred.iter().sum::<f32>() - 1.0).abs() < 1e-3);
        assert!(blurred[14 * 28 + 14] < 0.5);
    }

    #[test]
    fn whatever_is_drawn_stays_in_range_and_near() {
        for key in 0..200 {
            let distortion = Distortion::drawn(&mut stream(1, Purpose::Augment, [key, 0]));

            let out = distortion.apply(&dot(), SHAPE);

            assert!(out.iter().all(|sample| (0.0..=1.0).contains(sample)));
            let (row, column) = centre(&out);
            assert!((row - 14.0).abs() < 5.0 && (column - 14.0).abs() < 5.0, "light at {row}, {column}");
        }
    }
}
