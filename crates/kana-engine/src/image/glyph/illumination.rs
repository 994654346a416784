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
    /// `None` where they are fewer than [`BACKGROUND_MIN`]. Fastest where cells of one row follow each other.
    pub fn fitted_to(cells: &[Cell], colour: Colour, tolerance: f32) -> Option<Self> {
        let mut fit = Self(colour.map(|sample| [sample, 0.0, 0.0, 0.0, 0.0, 0.0]));
        let mut near: Vec<bool> = Vec::new();
        for _ in 0..ROUNDS {
            let rows = cells.chunk_by(|one, next| one.y == next.y);
            let is_near = |row: &[Cell]| {
                let line = fit.line(row[0].y);
                row.iter().map(|cell| distance(cell.colour, line.at(cell.x)) <= tolerance).collect::<Vec<bool>>()
            };
            let nearer: Vec<bool> = rows.flat_map(is_near).collect();
            if nearer == near {
                break;
            }
            near = nearer;
            fit = Self::least_squares(cells, &near)?;
        }
        let share = near.iter().filter(|near| **near).count() as f32 / cells.len().max(1) as f32;
        (share >= BACKGROUND_MIN).then_some(fit)
    }

    /// The colour along the row at `y`, from 0 at the top to 1.
    pub fn line(&self, y: f32) -> Line {
        let y = centred(y);
        Line(self.0.map(|[one, x, of_y, xx, xy, yy]| [one + (of_y + yy * y) * y, x + xy * y, xx]))
    }

    /// Fits the polynomial to those of the cells that are `near`.
    fn least_squares(cells: &[Cell], near: &[bool]) -> Option<Self> {
        // The normal equations, with one right-hand side for each channel. All cells of a row have the same y, so that their
        // sums need the powers of x alone.
        let mut system = [[0.0_f64; TERMS + 3]; TERMS];
        let mut start = 0;
        for row in cells.chunk_by(|one, next| one.y == next.y) {
            let (mut powers, mut colours) = ([0.0_f64; 5], [[0.0_f64; 3]; 3]);
            for (cell, _) in row.iter().zip(&near[start..]).filter(|(_, near)| **near) {
                let x = f64::from(centred(cell.x));
                let of_x = [1.0, x, x * x, x * x * x, x * x * x * x];
                powers.iter_mut().zip(of_x).for_each(|(sum, power)| *sum += power);
                for (sums, power) in colours.iter_mut().zip(of_x) {
                    sums.iter_mut().zip(cell.colour).for_each(|(sum, sample)| *sum += power * f64::from(sample));
                }
            }
            start += row.len();
            let y = f64::from(centred(row[0].y));
            let of_y = [1.0, y, y * y];
            for (sums, (in_x, in_y)) in system.iter_mut().zip(DEGREES) {
                for (sum, (other_x, other_y)) in sums.iter_mut().zip(DEGREES) {
                    *sum += powers[in_x + other_x] * of_y[in_y] * of_y[other_y];
                }
                sums[TERMS..].iter_mut().zip(colours[in_x]).for_each(|(sum, colour)| *sum += colour * of_y[in_y]);
            }
        }
        solve(&mut system)?;
        Some(Self(std::array::from_fn(|channel| std::array::from_fn(|term| system[term][TERMS + channel] as f32))))
    }
}

/// The background's colour along a row: the coefficients of 1, x and x² for red, green and blue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line([[f32; 3]; 3]);

impl Line {
    /// The colour at `x`, from 0 at the left to 1.
    pub fn at(&self, x: f32) -> Colour {
        let x = centred(x);
        self.0.map(|[one, of_x, xx]| one + (of_x + xx * x) * x)
    }
}

/// Powers of x and of y in each term.
const DEGREES: [(usize, usize); TERMS] = [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)];

/// A coordinate from -1 to 1: sums of powers that lie on both sides of zero are easier to tell apart.
fn centred(place: f32) -> f32 {
    2.0 * place - 1.0
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
            let found = fit.line(y).at(x)[0];
            assert!((found - light(x, y)).abs() < 1.0, "{found} at {x}, {y}");
        }
    }

    #[test]
    fn too_little_background_is_not_fitted() {
        assert_eq!(Illumination::fitted_to(&page(|x, _| if x < 0.2 { 250.0 } else { 10.0 }), [250.0; 3], 20.0), None);
        assert_eq!(Illumination::fitted_to(&[], [0.0; 3], 20.0), None);
    }
}
