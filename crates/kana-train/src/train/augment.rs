//! How else could the same character look?
//!
//! Handwriting rotates, shifts, scales and shears a character and distorts it elastically (P. Simard et al.: Best
//! Practices for Convolutional Neural Networks, 2003); scanning and resampling blur or sharpen it. One pass over the
//! output does all of it: each pixel looks up its origin in the input. Lengths are shares of a side, so that the bounds
//! hold for images of every size.

use rand::{Rng, RngExt};

use kana_engine::image::Shape;

/// Largest rotation in degrees, in both directions. From 15° on つ resembles parts of other kana.
const ROTATION_MAX_DEGREES: f32 = 10.0;
/// Largest shift along each axis, as a share of the side: two pixels of 28.
const SHIFT_MAX: f32 = 0.075;
/// Largest relative change of scale, for rows and columns separately.
const SCALE_MAX: f32 = 0.12;
/// Largest shear, in pixels per pixel.
const SHEAR_MAX: f32 = 0.15;
/// Largest displacement of a node of the elastic grid along each axis, as a share of the side: 1.4 pixels of 28.
const ELASTIC_MAX: f32 = 0.05;
/// Nodes on a side of the elastic grid: a finer grid tears strokes, a coarser one only shears.
const ELASTIC_NODES: usize = 5;
/// Weight of each neighbour at the strongest blur. Resampling to half the size and back has a quarter.
const BLUR_MAX: f32 = 0.22;
/// Negative weight of each neighbour at the strongest sharpening: most scaling filters overshoot less.
const SHARPEN_MAX: f32 = 0.10;
/// Share of images that are neither blurred nor sharpened.
const UNFILTERED_SHARE: f64 = 0.5;
/// Largest relative change of brightness.
const GAIN_MAX: f32 = 0.2;

/// A random distortion of an image.
pub struct Distortion {
    /// Affine map from a pixel to its origin, both as (y, x) relative to the centre.
    matrix: [[f32; 2]; 2],
    /// Offset of the origin as (y, x), in shares of the side.
    shift: [f32; 2],
    /// Displacement of each node of the elastic grid as (y, x), in shares of the side.
    nodes: [[[f32; 2]; ELASTIC_NODES]; ELASTIC_NODES],
    /// Weight of each neighbour in a row or column: positive blurs, negative sharpens.
    neighbour: f32,
    /// Factor of the brightness.
    gain: f32,
}

impl Distortion {
    /// Draws a distortion from `random`.
    pub fn draw(random: &mut impl Rng) -> Self {
        let mut within = |bound: f32| random.random_range(-bound..=bound);
        let (sine, cosine) = within(ROTATION_MAX_DEGREES).to_radians().sin_cos();
        let shear = within(SHEAR_MAX);
        let scale = [1.0 + within(SCALE_MAX), 1.0 + within(SCALE_MAX)];
        let shift = [within(SHIFT_MAX), within(SHIFT_MAX)];
        let gain = 1.0 + within(GAIN_MAX);
        let nodes = std::array::from_fn(|_| std::array::from_fn(|_| [within(ELASTIC_MAX), within(ELASTIC_MAX)]));
        let is_filtered = !random.random_bool(UNFILTERED_SHARE);
        let neighbour = if is_filtered { random.random_range(-SHARPEN_MAX..=BLUR_MAX) } else { 0.0 };
        // Rotation × shear × scale.
        let matrix = [
            [cosine * scale[0], (shear * cosine - sine) * scale[1]],
            [sine * scale[0], (shear * sine + cosine) * scale[1]],
        ];
        Self { matrix, shift, nodes, neighbour, gain }
    }

    /// Distorts `pixels`, `[H, W, C]` of `shape`, and returns samples in [0, 1] in the same order. Outside the image is black.
    pub fn apply(&self, pixels: &[u8], shape: Shape) -> Vec<f32> {
        let mut out = Vec::with_capacity(shape.bytes());
        for row in 0..shape.height {
            for column in 0..shape.width {
                let at = self.origin(shape, [row, column]);
                for channel in 0..shape.channels {
                    out.push((self.gain * bilinear(pixels, shape, at, channel)).min(1.0));
                }
            }
        }
        if self.neighbour != 0.0 { filter(&out, shape, self.neighbour) } else { out }
    }

    /// Returns the origin of a pixel as (y, x), in pixels.
    fn origin(&self, shape: Shape, pixel: [usize; 2]) -> [f32; 2] {
        let sides = [shape.height as f32, shape.width as f32];
        // The centre of the first pixel is half a pixel from the edge.
        let share = [(pixel[0] as f32 + 0.5) / sides[0], (pixel[1] as f32 + 0.5) / sides[1]];
        let [dy, dx] = self.elastic_displacement(share);
        let (y, x) = (share[0] - 0.5, share[1] - 0.5);
        let origin = [
            self.matrix[0][0] * y + self.matrix[0][1] * x + self.shift[0] + dy + 0.5,
            self.matrix[1][0] * y + self.matrix[1][1] * x + self.shift[1] + dx + 0.5,
        ];
        [origin[0] * sides[0] - 0.5, origin[1] * sides[1] - 0.5]
    }

    /// Interpolates the elastic displacement at a point from the four nodes around it.
    fn elastic_displacement(&self, share: [f32; 2]) -> [f32; 2] {
        let cell = share.map(|part| (part * (ELASTIC_NODES - 1) as f32).clamp(0.0, (ELASTIC_NODES - 1) as f32 - 1e-4));
        let (row, column) = (cell[0] as usize, cell[1] as usize);
        let (down, right) = (cell[0] - row as f32, cell[1] - column as f32);
        let mut displacement = [0.0; 2];
        for (axis, displacement) in displacement.iter_mut().enumerate() {
            let above = lerp(self.nodes[row][column][axis], self.nodes[row][column + 1][axis], right);
            let below = lerp(self.nodes[row + 1][column][axis], self.nodes[row + 1][column + 1][axis], right);
            *displacement = lerp(above, below, down);
        }
        displacement
    }
}

/// Converts samples to [0, 1], without any distortion.
pub fn to_unit_range(pixels: &[u8]) -> Vec<f32> {
    pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect()
}

fn lerp(one: f32, other: f32, share: f32) -> f32 {
    one + (other - one) * share
}

/// Interpolates the sample of a channel at a point (y, x), in [0, 1].
fn bilinear(pixels: &[u8], shape: Shape, at: [f32; 2], channel: usize) -> f32 {
    let (top, left) = (floor(at[0]), floor(at[1]));
    let (down, right) = (at[0] - top, at[1] - left);
    let (row, column) = (top as isize, left as isize);
    let pixel = |row: isize, column: isize| {
        let is_inside = (0..shape.height as isize).contains(&row) && (0..shape.width as isize).contains(&column);
        let index = (row * shape.width as isize + column) as usize * shape.channels + channel;
        if is_inside { f32::from(pixels[index]) } else { 0.0 }
    };
    let above = lerp(pixel(row, column), pixel(row, column + 1), right);
    let below = lerp(pixel(row + 1, column), pixel(row + 1, column + 1), right);
    lerp(above, below, down) / 255.0
}

/// Largest whole number not above `value`. The library's is a function call without instructions that not every processor
/// has.
fn floor(value: f32) -> f32 {
    let whole = value as i32 as f32;
    if whole > value { whole - 1.0 } else { whole }
}

/// Mixes each sample with its neighbours, first along the rows and then along the columns.
fn filter(samples: &[f32], shape: Shape, neighbour: f32) -> Vec<f32> {
    let mix = |own: f32, before: f32, after: f32| (own + neighbour * (before + after - 2.0 * own)).clamp(0.0, 1.0);
    let (channels, row_stride) = (shape.channels, shape.width * shape.channels);
    let mut along_rows = Vec::with_capacity(samples.len());
    for row in samples.chunks_exact(row_stride) {
        let last = row_stride - channels;
        along_rows.extend((0..row_stride).map(|at| {
            let before = if at < channels { at } else { at - channels };
            let after = if at < last { at + channels } else { at };
            mix(row[at], row[before], row[after])
        }));
    }
    let rows: Vec<&[f32]> = along_rows.chunks_exact(row_stride).collect();
    let mut filtered = Vec::with_capacity(samples.len());
    for (place, row) in rows.iter().enumerate() {
        let (before, after) = (rows[place.saturating_sub(1)], rows[(place + 1).min(rows.len() - 1)]);
        let each = row.iter().zip(before.iter().zip(after));
        filtered.extend(each.map(|(own, (before, after))| mix(*own, *before, *after)));
    }
    filtered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::random::{Purpose, stream};

    const SHAPE: Shape = Shape { channels: 1, height: 28, width: 28 };

    fn identity() -> Distortion {
        let nodes = [[[0.0; 2]; ELASTIC_NODES]; ELASTIC_NODES];
        Distortion { matrix: [[1.0, 0.0], [0.0, 1.0]], shift: [0.0; 2], nodes, neighbour: 0.0, gain: 1.0 }
    }

    fn dot() -> Vec<u8> {
        let mut pixels = vec![0; SHAPE.bytes()];
        pixels[14 * 28 + 14] = 255;
        pixels
    }

    /// Returns the brightness-weighted mean row and column.
    fn centre(samples: &[f32]) -> (f32, f32) {
        let sum: f32 = samples.iter().sum();
        let mean = |place: fn(usize) -> usize| {
            samples.iter().enumerate().map(|(index, sample)| place(index) as f32 * sample).sum::<f32>() / sum
        };
        (mean(|index| index / 28), mean(|index| index % 28))
    }

    #[test]
    fn the_identity_leaves_the_image_as_it_is() {
        let pixels: Vec<u8> = (0..SHAPE.bytes()).map(|index| (index * 7 % 256) as u8).collect();

        let out = identity().apply(&pixels, SHAPE);

        let largest = out.iter().zip(to_unit_range(&pixels)).map(|(is, was)| (is - was).abs()).fold(0.0, f32::max);
        assert!(largest < 1e-3, "largest difference {largest}");
    }

    #[test]
    fn a_shift_of_the_origin_moves_the_image_the_other_way() {
        let shifted = Distortion { shift: [2.0 / 28.0, -3.0 / 28.0], ..identity() };

        let (row, column) = centre(&shifted.apply(&dot(), SHAPE));

        assert!((row - 12.0).abs() < 0.01 && (column - 17.0).abs() < 0.01, "the centre is at {row}, {column}");
    }

    #[test]
    fn blurring_keeps_the_total_brightness() {
        let blurred = Distortion { neighbour: BLUR_MAX, ..identity() }.apply(&dot(), SHAPE);

        assert!((blurred.iter().sum::<f32>() - 1.0).abs() < 1e-3);
        assert!(blurred[14 * 28 + 14] < 0.5);
    }

    #[test]
    fn every_drawn_distortion_keeps_samples_in_range_and_moves_them_by_less_than_five_pixels() {
        for key in 0..200 {
            let distortion = Distortion::draw(&mut stream(1, Purpose::Augment, [key, 0]));

            let out = distortion.apply(&dot(), SHAPE);

            assert!(out.iter().all(|sample| (0.0..=1.0).contains(sample)));
            let (row, column) = centre(&out);
            assert!((row - 14.0).abs() < 5.0 && (column - 14.0).abs() < 5.0, "the centre is at {row}, {column}");
        }
    }
}
