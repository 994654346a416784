//! How must images be prepared for a network that is trained on this data set?
//!
//! The answer becomes part of the card, so that a service prepares uploaded images like the training images.

use crate::data::Dataset;
use kana_engine::image::Shape;
use kana_engine::model::card::{Fit, Input};

/// Smallest brightness of ink: fainter samples are noise of scanning and resampling.
const INK_MIN: u8 = 64;
/// Largest number of images that the margin is measured on: more would not move the median.
const MEASURED_MAX: usize = 2000;
/// Smallest standard deviation, so that a constant channel is not divided by zero.
const DEVIATION_MIN: f64 = 1e-3;

/// Measures mean and standard deviation of each channel, in [0, 1], and how the images are framed: grey ones as glyphs
/// with the median margin, others as photographs that cover the frame.
pub fn measure(dataset: &Dataset) -> Input {
    let shape = dataset.shape();
    let (mean, deviation) = (0..shape.channels).map(|channel| mean_and_deviation(dataset, channel)).unzip();
    let fit = if dataset.are_scenes() { Fit::Cover } else { Fit::Glyph { margin: margin(dataset) } };
    Input { shape, mean, deviation, fit }
}

fn mean_and_deviation(dataset: &Dataset, channel: usize) -> (f32, f32) {
    let channels = dataset.shape().channels;
    let (mut count, mut sum, mut squares) = (0_u64, 0_u64, 0_u64);
    for index in 0..dataset.len() {
        for &sample in dataset.pixels(index).iter().skip(channel).step_by(channels) {
            // Integer sums are exact, so that the order of the images does not matter.
            count += 1;
            sum += u64::from(sample);
            squares += u64::from(sample) * u64::from(sample);
        }
    }
    let mean = sum as f64 / count.max(1) as f64;
    let variance = (squares as f64 / count.max(1) as f64 - mean * mean).max(0.0);
    ((mean / 255.0) as f32, (variance.sqrt() / 255.0).max(DEVIATION_MIN) as f32)
}

/// Returns the median margin as a share of the side, rounded to a thousandth.
fn margin(dataset: &Dataset) -> f32 {
    let shape = dataset.shape();
    let mut margins: Vec<f32> = (0..dataset.len().min(MEASURED_MAX))
        .filter_map(|index| margin_of_image(dataset.pixels(index), shape))
        .collect();
    margins.sort_by(f32::total_cmp);
    let median = margins.get(margins.len() / 2).copied().unwrap_or_default();
    (median * 1000.0).round() / 1000.0
}

/// Returns half of the free space along the axis with less of it, as a share of the side; `None` without ink.
fn margin_of_image(pixels: &[u8], shape: Shape) -> Option<f32> {
    let is_ink = |row: usize, column: usize| pixels[row * shape.width + column] >= INK_MIN;
    let rows: Vec<usize> =
        (0..shape.height).filter(|&row| (0..shape.width).any(|column| is_ink(row, column))).collect();
    let columns: Vec<usize> =
        (0..shape.width).filter(|&column| (0..shape.height).any(|row| is_ink(row, column))).collect();
    let free =
        |used: &[usize], side: usize| Some((side - (used.last()? - used.first()? + 1)) as f32 / 2.0 / side as f32);
    Some(free(&rows, shape.height)?.min(free(&columns, shape.width)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_that_of_the_axis_with_less_free_space() {
        let shape = Shape { channels: 1, height: 20, width: 20 };
        let mut pixels = vec![0; shape.bytes()];
        for row in 2..18 {
            pixels[row * 20 + 9] = 255;
        }

        let input = measure(&Dataset::new(shape, pixels, vec![0]).unwrap());

        assert_eq!(input.fit, Fit::Glyph { margin: 0.1 });
        assert_eq!(input.mean, [16.0 / 400.0]);
    }
}
