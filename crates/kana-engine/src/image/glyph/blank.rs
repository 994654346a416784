//! Does a picture show a glyph at all?
//!
//! A classifier names a class for whatever it is given, noise included. A glyph is larger than a speck of dust, its pixels
//! resemble their neighbours, and its strokes have edges. What lacks one of these is a blank page, its grain or its shading.

use super::ink::Ink;
use super::rectangle::Rectangle;
use crate::image::Shape;

/// Least length of a glyph's longer side, in pixels of the picture: below, dust and a letter look alike.
const SIDE_MIN: usize = 6;

/// Least correlation between neighbouring pixels. White noise has 0 ± 0.03 at 28 × 28 pixels, JPEG's is at most 0.1. The
/// least of 10,000 KMNIST test images is 0.47, of as many MNIST images 0.50.
const CORRELATION_MIN: f64 = 0.25;

/// Least difference of two neighbouring samples of the final image, of 255, at the glyph's sharpest edge. Of 10,000 KMNIST
/// test images the softest has 183; light from one side, stretched to full contrast, has about 20.
const EDGE_MIN: u8 = 64;

/// Places along each side at which neighbours are compared, at most: 65,536 pairs tell noise from strokes.
const PLACES_MAX: usize = 256;

/// Whether the ink within `bounds` is too small for a glyph, or is noise.
pub(super) fn is_dust_or_noise(ink: &Ink, bounds: &Rectangle) -> bool {
    bounds.longer_side() < SIDE_MIN || correlation(&ink.amounts, ink.width, bounds) < CORRELATION_MIN
}

/// Whether the final image is noise, or has no edge.
pub(super) fn is_noise_or_shading(samples: &[u8], shape: Shape) -> bool {
    let all = Rectangle::covering(shape.width, shape.height);
    sharpest_edge(samples, shape) < EDGE_MIN || correlation(samples, shape.width, &all) < CORRELATION_MIN
}

/// The correlation of samples with their neighbours on the right and below (Moran's I with those as weights); 1 where all
/// are equal.
fn correlation(samples: &[u8], width: usize, bounds: &Rectangle) -> f64 {
    let step = |length: usize| length.div_ceil(PLACES_MAX).max(1);
    // Sums over pairs: of both values, of their squares, and of their products. Of one row they fit 32 bits.
    let (mut count, mut sum, mut squares, mut products) = (0, 0_u64, 0_u64, 0_u64);
    for y in (bounds.top..bounds.bottom - 1).step_by(step(bounds.height())) {
        let row = |y: usize| &samples[y * width + bounds.left..y * width + bounds.right];
        let (upper, lower) = (row(y), row(y + 1));
        let (mut of_row, mut squares_of_row, mut products_of_row) = (0_u32, 0_u32, 0_u32);
        for ((here, right), below) in upper.iter().zip(&upper[1..]).zip(lower).step_by(step(bounds.width())) {
            let [here, right, below] = [*here, *right, *below].map(u32::from);
            count += 2;
            of_row += 2 * here + right + below;
            squares_of_row += 2 * here * here + right * right + below * below;
            products_of_row += here * (right + below);
        }
        sum += u64::from(of_row);
        squares += u64::from(squares_of_row);
        products += u64::from(products_of_row);
    }
    let [count, sum, squares, products] = [count, sum, squares, products].map(|sum: u64| sum as f64);
    let mean = sum / (2.0 * count);
    let variance = squares / (2.0 * count) - mean * mean;
    if count > 0.0 && variance > 1.0 { (products / count - mean * mean) / variance } else { 1.0 }
}

/// The greatest difference between a sample and its neighbour on the right or below.
fn sharpest_edge(samples: &[u8], shape: Shape) -> u8 {
    let across = samples.chunks_exact(shape.width).flat_map(|row| row.windows(2).map(|pair| pair[0].abs_diff(pair[1])));
    let down = samples.iter().zip(&samples[shape.width..]).map(|(upper, lower)| upper.abs_diff(*lower));
    across.chain(down).max().unwrap_or(0)
}
