//! Which colour is the background of a glyph?
//!
//! The picture is divided into a grid of cells, coarse enough that noise averages out. One pole is the commonest colour of
//! the cells, the other is the colour farthest from it; [`polarity`] decides which of them is the background. Unevenly lit
//! paper has more than one colour: where the background's cells differ by more than noise, a polynomial of second degree
//! in each channel ([`Illumination`]) describes it, which is enough for a shadow across the page and for dark corners.

use super::colour::{Colour, distance};
use super::illumination::{self, Illumination};
use super::polarity;
use crate::image::picture::{Picture, colour};

/// Cells along each side of the grid, at most. A stroke in the training images is a tenth of a glyph wide, and the
/// background beside it must have cells of its own even where the glyph is small.
const CELLS_MAX: usize = 96;

/// Pixels sampled along each side of a cell, at most: the mean of 64 pixels has an eighth of their noise.
const CELL_SAMPLES_MAX: usize = 8;

/// Bins of the colour histogram along each channel.
const BINS: usize = 16;

/// Greatest median distance between an even background's cells and its colour, of 255. A cell has an eighth of its
/// pixels' noise, so only light from one side, or a bad camera, exceeds this.
const UNEVEN: f32 = 2.0;

/// Greatest distance between a background cell and the background's colour, as a share of the distance to the ink.
const BACKGROUND_SHARE: f32 = 0.3;

/// Colours of a picture's background and of its ink.
#[derive(Clone, Debug)]
pub(super) struct Background {
    /// The background's colour; the commonest one where it is unevenly lit.
    pub colour: Colour,
    /// Approximate colour of the ink: the mean of the cells that differ most from the other pole.
    pub ink: Colour,
    /// The background's colour from place to place, where it is unevenly lit.
    pub illumination: Option<Illumination>,
}

impl Background {
    /// Estimates the background of a picture without transparency.
    pub fn of(picture: &Picture) -> Self {
        let grid = Grid::of(picture);
        let (common, far) = grid.poles();
        let axis: Colour = std::array::from_fn(|channel| far[channel] - common[channel]);
        let length = axis.iter().map(|part| part * part).sum::<f32>().max(f32::MIN_POSITIVE);
        let shade = |x: usize, y: usize| {
            let cell = grid.cells[y * grid.columns + x];
            (0..3).map(|channel| (cell[channel] - common[channel]) * axis[channel]).sum::<f32>() / length
        };
        let (near, ink) =
            if polarity::low_is_background(grid.columns, grid.rows, shade) { (common, far) } else { (far, common) };
        let tolerance = BACKGROUND_SHARE * distance(near, ink);
        let colour = grid.median_near(near, tolerance);
        let illumination = grid.is_uneven(colour, tolerance).then(|| grid.illumination(colour, tolerance)).flatten();
        Self { colour, ink, illumination }
    }
}

/// The mean colours of a picture's cells, row by row.
struct Grid {
    columns: usize,
    rows: usize,
    cells: Vec<Colour>,
}

impl Grid {
    fn of(picture: &Picture) -> Self {
        let (columns, rows) = (picture.width().min(CELLS_MAX), picture.height().min(CELLS_MAX));
        let mut cells = Vec::with_capacity(columns * rows);
        let channels = picture.layout().channels();
        let xs: Vec<Vec<usize>> = (0..columns).map(|at| sampled(at, columns, picture.width()).collect()).collect();
        for row in 0..rows {
            let mut sums = vec![[0_u32; 3]; columns];
            let ys = sampled(row, rows, picture.height());
            for samples in ys.clone().map(|y| picture.row(y)) {
                for (sum, xs) in sums.iter_mut().zip(&xs) {
                    for &x in xs {
                        let colour = colour(&samples[x * channels..(x + 1) * channels]);
                        sum.iter_mut().zip(colour).for_each(|(sum, sample)| *sum += u32::from(sample));
                    }
                }
            }
            let rows = ys.count();
            cells.extend(sums.iter().zip(&xs).map(|(sum, xs)| sum.map(|sum| sum as f32 / (rows * xs.len()) as f32)));
        }
        Self { columns, rows, cells }
    }

    /// The commonest colour, and the mean of the colours farthest from it.
    fn poles(&self) -> (Colour, Colour) {
        let common = self.commonest();
        let farthest = self.cells.iter().map(|&cell| distance(cell, common)).fold(0.0, f32::max);
        // The single farthest cell may be a speck of dust.
        let far = mean(self.cells.iter().copied().filter(|&cell| distance(cell, common) >= 0.7 * farthest));
        (common, far.unwrap_or(common))
    }

    /// The mean of the fullest neighbourhood in a histogram of colours.
    fn commonest(&self) -> Colour {
        let bin = |cell: Colour| cell.map(|sample| (sample as usize * BINS / 256).min(BINS - 1));
        let mut counts = vec![0_u32; BINS * BINS * BINS];
        let index = |[red, green, blue]: [usize; 3]| (red * BINS + green) * BINS + blue;
        for &cell in &self.cells {
            counts[index(bin(cell))] += 1;
        }
        // Noise may spread one colour over two bins, so each bin is counted with its neighbours.
        let around = |centre: [usize; 3]| {
            let side = |at: usize| at.saturating_sub(1)..=(at + 1).min(BINS - 1);
            let mut sum = 0;
            for red in side(centre[0]) {
                for green in side(centre[1]) {
                    for blue in side(centre[2]) {
                        sum += counts[index([red, green, blue])];
                    }
                }
            }
            sum
        };
        // Most cells share a few bins, whose neighbourhoods are summed once.
        let mut sums = vec![None; counts.len()];
        let mut around = |centre| *sums[index(centre)].get_or_insert_with(|| around(centre));
        let centre = self.cells.iter().map(|&cell| bin(cell)).max_by_key(|&bin| (around(bin), counts[index(bin)]));
        let centre = centre.unwrap_or_default();
        let close = |cell: &Colour| bin(*cell).iter().zip(centre).all(|(&at, centre)| at.abs_diff(centre) <= 1);
        mean(self.cells.iter().copied().filter(close)).unwrap_or_default()
    }

    /// The median, in each channel, of the cells within `tolerance` of `colour`: exact where the background has one colour,
    /// whatever other cells are near.
    fn median_near(&self, colour: Colour, tolerance: f32) -> Colour {
        let near: Vec<Colour> =
            self.cells.iter().copied().filter(|&cell| distance(cell, colour) <= tolerance).collect();
        std::array::from_fn(|channel| {
            median(near.iter().map(|cell| cell[channel]).collect()).unwrap_or(colour[channel])
        })
    }

    fn is_uneven(&self, colour: Colour, tolerance: f32) -> bool {
        let distances = self.cells.iter().map(|&cell| distance(cell, colour)).filter(|&far| far <= tolerance);
        median(distances.collect()).is_some_and(|deviation| deviation > UNEVEN)
    }

    fn illumination(&self, colour: Colour, tolerance: f32) -> Option<Illumination> {
        let cells: Vec<illumination::Cell> = self
            .cells
            .iter()
            .enumerate()
            .map(|(index, &colour)| illumination::Cell {
                x: (index % self.columns) as f32 / self.columns as f32 + 0.5 / self.columns as f32,
                y: (index / self.columns) as f32 / self.rows as f32 + 0.5 / self.rows as f32,
                colour,
            })
            .collect();
        Illumination::fitted_to(&cells, colour, tolerance)
    }
}

/// The pixels sampled along one side of a cell: at most [`CELL_SAMPLES_MAX`], evenly spread.
fn sampled(cell: usize, cells: usize, pixels: usize) -> impl Iterator<Item = usize> + Clone {
    let (start, end) = (cell * pixels / cells, (cell + 1) * pixels / cells);
    let count = (end - start).clamp(1, CELL_SAMPLES_MAX);
    (0..count).map(move |sample| start + (2 * sample + 1) * (end - start) / (2 * count))
}

fn mean(colours: impl Iterator<Item = Colour>) -> Option<Colour> {
    let mut sum = [0.0; 3];
    let mut count = 0.0;
    for colour in colours {
        sum.iter_mut().zip(colour).for_each(|(sum, sample)| *sum += sample);
        count += 1.0;
    }
    (count > 0.0).then(|| sum.map(|sum| sum / count))
}

fn median(mut values: Vec<f32>) -> Option<f32> {
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, f32::total_cmp).1)
}
