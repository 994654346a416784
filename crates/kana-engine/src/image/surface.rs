//! How does the colour of an unevenly lit page change from place to place?
//!
//! As a polynomial of second degree in each channel, through the cells that are ground. Which these are is
//! not known at first: the fit begins with those near the commonest colour and takes in, round by round, what lies near
//! the surface found so far. Ink lies far from it and never gets in.

use super::ground::{Colour, distance};

/// Terms of a polynomial of second degree in two variables: 1, x, y, x², xy, y².
const TERMS: usize = 6;

/// Rounds of fitting. A shadow across the whole page is taken in after four or five.
const ROUNDS: usize = 8;

/// The least share of the cells that must be ground for a surface to be believed: a bold glyph in a tight frame leaves
/// four tenths.
const GROUND_MIN: f32 = 0.35;

/// A colour seen at a place, both coordinates from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// From the left.
    pub x: f32,
    /// From the top.
    pub y: f32,
    /// What was seen.
    pub colour: Colour,
}

/// A colour for every place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Surface([[f32; TERMS]; 3]);

impl Surface {
    /// The surface through those of `points` that begin near `colour` and stay within `tolerance` of it; `None` where
    /// they are too few to tell.
    pub fn through(points: &[Point], colour: Colour, tolerance: f32) -> Option<Self> {
        let mut surface = Self(colour.map(|sample| [sample, 0.0, 0.0, 0.0, 0.0, 0.0]));
        let mut share = 0.0;
        for _ in 0..ROUNDS {
            let near: Vec<&Point> = points
                .iter()
                .filter(|point| distance(point.colour, surface.at(point.x, point.y)) <= tolerance)
                .collect();
            share = near.len() as f32 / points.len().max(1) as f32;
            surface = Self::least_squares(&near)?;
        }
        (share >= GROUND_MIN).then_some(surface)
    }

    /// The colour at a place, each coordinate from 0 to 1.
    pub fn at(&self, x: f32, y: f32) -> Colour {
        let terms = terms(x, y);
        self.0.map(|weights| weights.iter().zip(terms).map(|(weight, term)| weight * term).sum())
    }

    fn least_squares(points: &[&Point]) -> Option<Self> {
        // The normal equations, with one right side a channel.
        let mut system = [[0.0_f64; TERMS + 3]; TERMS];
        for point in points {
            let terms = terms(point.x, point.y);
            for (row, &weight) in system.iter_mut().zip(&terms) {
                let right = terms.iter().chain(&point.colour);
                row.iter_mut().zip(right).for_each(|(sum, &term)| *sum += f64::from(weight * term));
            }
        }
        solve(&mut system)?;
        Some(Self(std::array::from_fn(|channel| std::array::from_fn(|term| system[term][TERMS + channel] as f32))))
    }
}

fn terms(x: f32, y: f32) -> [f32; TERMS] {
    let (x, y) = (2.0 * x - 1.0, 2.0 * y - 1.0);
    [1.0, x, y, x * x, x * y, y * y]
}

/// Gauss and Jordan's elimination with row exchange; the right sides become the solutions. `None` where there is no
/// single one.
fn solve(system: &mut [[f64; TERMS + 3]; TERMS]) -> Option<()> {
    /// Below this a pivot is rounding error: sums of thousands of terms of about one.
    const PIVOT_MIN: f64 = 1e-6;
    for column in 0..TERMS {
        let best = (column..TERMS).max_by(|&a, &b| system[a][column].abs().total_cmp(&system[b][column].abs()))?;
        system.swap(column, best);
        let pivot = system[column][column];
        if pivot.abs() < PIVOT_MIN {
            return None;
        }
        system[column].iter_mut().for_each(|value| *value /= pivot);
        let pivot_row = system[column];
        for (_, row) in system.iter_mut().enumerate().filter(|&(index, _)| index != column) {
            let factor = row[column];
            row.iter_mut().zip(pivot_row).for_each(|(value, pivot)| *value -= factor * pivot);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(colour: impl Fn(f32, f32) -> f32) -> Vec<Point> {
        let places = (0..400).map(|index| ((index % 20) as f32 / 20.0, (index / 20) as f32 / 20.0));
        places.map(|(x, y)| Point { x, y, colour: [colour(x, y); 3] }).collect()
    }

    #[test]
    fn a_shadow_across_a_page_is_followed_and_its_ink_is_not() {
        let light = |x: f32, y: f32| 240.0 - 100.0 * x * x - 20.0 * y;
        let written = page(|x, y| if (0.4..0.55).contains(&x) && y > 0.2 { 30.0 } else { light(x, y) });

        let surface = Surface::through(&written, [235.0; 3], 60.0).expect("most of the page is ground");

        for (x, y) in [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (0.95, 0.1)] {
            assert!((surface.at(x, y)[0] - light(x, y)).abs() < 1.0, "{} at {x}, {y}", surface.at(x, y)[0]);
        }
    }

    #[test]
    fn too_little_ground_makes_no_surface() {
        assert_eq!(Surface::through(&page(|x, _| if x < 0.2 { 250.0 } else { 10.0 }), [250.0; 3], 20.0), None);
        assert_eq!(Surface::through(&[], [0.0; 3], 20.0), None);
    }
}
