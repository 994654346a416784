//! How does the colour of an unevenly lit background change from place to place?
//!
//! As a polynomial of second degree in each channel, fitted to the cells of the background. Which cells these are is not
//! known at first: the fit begins with the cells near the commonest colour, and each round adds the cells near the
//! polynomial fitted so far. Ink stays far from it and is never added.

use super::colour::{Colour, distance};

/// Terms of a polynomial of second degree in two variables: 1, x, y, x², xy, y².
const TERMS: usize = 6;

/// Rounds of fitting. A shadow across the whole page is fitted after four or five.
const ROUNDS: usize = 8;

/// Least share of the cells that a fit must explain: a bold glyph in a tight frame leaves four tenths to the background.
const BACKGROUND_MIN: f32 = 0.35;

/// The colour of a cell, and the place of its centre.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// Distance from the left, from 0 to 1.
    pub x: f32,
    /// Distance from the top, from 0 to 1.
    pub y: f32,
    /// The cell's mean colour.
    pub colour: Colour,
}

/// The background's colour at every place: the terms' coefficients for red, green and blue.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Illumination([[f32; TERMS]; 3]);

impl Illumination {
    /// Fits the polynomial to the cells within `tolerance` (from 0 to 255) of it, beginning with those near `colour`;
    /// `None` where they are fewer than [`BACKGROUND_MIN`].
    pub fn fitted_to(cells: &[Cell], colour: Colour, tolerance: f32) -> Option<Self> {
        let mut fit = Self(colour.map(|sample| [sample, 0.0, 0.0, 0.0, 0.0, 0.0]));
        let mut share = 0.0;
        for _ in 0..ROUNDS {
            let near: Vec<&Cell> =
                cells.iter().filter(|cell| distance(cell.colour, fit.at(cell.x, cell.y)) <= tolerance).collect();
            share = near.len() as f32 / cells.len().max(1) as f32;
            fit = Self::least_squares(&near)?;
        }
        (share >= BACKGROUND_MIN).then_some(fit)
    }

    /// The colour at a place, each coordinate from 0 to 1.
    pub fn at(&self, x: f32, y: f32) -> Colour {
        let terms = terms(x, y);
        self.0.map(|weights| weights.iter().zip(terms).map(|(weight, term)| weight * term).sum())
    }

    fn least_squares(cells: &[&Cell]) -> Option<Self> {
        // The normal equations, with one right-hand side for each channel.
        let mut system = [[0.0_f64; TERMS + 3]; TERMS];
        for cell in cells {
            let terms = terms(cell.x, cell.y);
            for (row, &weight) in system.iter_mut().zip(&terms) {
                let right = terms.iter().chain(&cell.colour);
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

/// Solves a system of linear equations by Gauss–Jordan elimination with row exchange; the right-hand sides become the
/// solutions. `None` where there is no unique solution.
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

    fn page(colour: impl Fn(f32, f32) -> f32) -> Vec<Cell> {
        let places = (0..400).map(|index| ((index % 20) as f32 / 20.0, (index / 20) as f32 / 20.0));
        places.map(|(x, y)| Cell { x, y, colour: [colour(x, y); 3] }).collect()
    }

    #[test]
    fn a_shadow_across_a_page_is_fitted_and_its_ink_is_not() {
        let light = |x: f32, y: f32| 240.0 - 100.0 * x * x - 20.0 * y;
        let written = page(|x, y| if (0.4..0.55).contains(&x) && y > 0.2 { 30.0 } else { light(x, y) });

        let fit = Illumination::fitted_to(&written, [235.0; 3], 60.0).expect("most of the page is background");

        for (x, y) in [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (0.95, 0.1)] {
            assert!((fit.at(x, y)[0] - light(x, y)).abs() < 1.0, "{} at {x}, {y}", fit.at(x, y)[0]);
        }
    }

    #[test]
    fn too_little_background_is_not_fitted() {
        assert_eq!(Illumination::fitted_to(&page(|x, _| if x < 0.2 { 250.0 } else { 10.0 }), [250.0; 3], 20.0), None);
        assert_eq!(Illumination::fitted_to(&[], [0.0; 3], 20.0), None);
    }
}
