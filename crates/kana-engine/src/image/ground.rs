//! What colour is the ground that a glyph stands on?
//!
//! A grid of cells is laid over the picture, coarse enough that noise averages out. The commonest colour among them is
//! one pole, what is farthest from it the other; [`polarity`] says which of them is the ground. Paper that is lit
//! unevenly has no one colour: where the ground's cells disagree by more than noise, a smooth surface (a
//! polynomial of second degree a channel, enough for a shadow across the page and for dark corners) takes its place.

use super::picture::Picture;
use super::{polarity, surface};

/// Cells along each side of the grid, at most. A stroke of the training brush is a tenth of a glyph, and the ground
/// beside it must have cells of its own even where the glyph is drawn small.
const CELLS_MAX: usize = 96;

/// Pixels looked at along each side of a cell, at most: 64 a cell average noise to an eighth.
const LOOKS_MAX: usize = 8;

/// Colours are told apart by this many shades a channel when the commonest is sought.
const SHADES: usize = 16;

/// How much the cells of an even ground may differ from its colour, as their median, in steps of 255. Cells average
/// noise to an eighth, so that only light from one side, or a bad camera, comes above it.
const UNEVEN: f32 = 2.0;

/// A cell counts as ground when it is no farther from it than this share of the way to the ink.
const GROUND_SHARE: f32 = 0.3;

/// A colour: red, green, blue, each from 0 to 255.
pub(super) type Colour = [f32; 3];

/// How far two colours lie apart, from 0 to 255.
pub(super) fn distance(a: Colour, b: Colour) -> f32 {
    let squares: f32 = a.iter().zip(b).map(|(&x, y)| (x - y) * (x - y)).sum();
    (squares / 3.0).sqrt()
}

/// The ground, and what is on it.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    /// The ground's colour; of an uneven one, the commonest.
    pub colour: Colour,
    /// Roughly the ink's colour: what differs most.
    pub ink: Colour,
    /// The ground's colour from place to place, where it is uneven.
    pub surface: Option<surface::Surface>,
}

/// The ground of a picture without transparency.
pub(super) fn of(picture: &Picture) -> Ground {
    let grid = Grid::of(picture);
    let (common, far) = grid.poles();
    let axis: Colour = std::array::from_fn(|channel| far[channel] - common[channel]);
    let length = axis.iter().map(|part| part * part).sum::<f32>().max(f32::MIN_POSITIVE);
    let shade = |x: usize, y: usize| {
        let cell = grid.cells[y * grid.columns + x];
        (0..3).map(|channel| (cell[channel] - common[channel]) * axis[channel]).sum::<f32>() / length
    };
    let (near, ink) =
        if polarity::low_is_ground(grid.columns, grid.rows, shade) { (common, far) } else { (far, common) };
    let tolerance = GROUND_SHARE * distance(near, ink);
    let colour = grid.median_near(near, tolerance);
    let surface = grid.is_uneven(colour, tolerance).then(|| grid.surface(colour, tolerance)).flatten();
    Ground { colour, ink, surface }
}

/// The mean colours of the cells that a picture is cut into.
struct Grid {
    columns: usize,
    rows: usize,
    cells: Vec<Colour>,
}

impl Grid {
    fn of(picture: &Picture) -> Self {
        let (columns, rows) = (picture.width().min(CELLS_MAX), picture.height().min(CELLS_MAX));
        let mut cells = Vec::with_capacity(columns * rows);
        for row in 0..rows {
            let ys = looks(row, rows, picture.height());
            for column in 0..columns {
                let mut sum = [0_u32; 3];
                let mut count = 0;
                for x in looks(column, columns, picture.width()) {
                    for y in ys.clone() {
                        let colour = picture.colour_at(x, y);
                        sum.iter_mut().zip(colour).for_each(|(sum, sample)| *sum += u32::from(sample));
                        count += 1;
                    }
                }
                cells.push(sum.map(|sum| sum as f32 / count as f32));
            }
        }
        Self { columns, rows, cells }
    }

    /// The commonest colour and the one that is farthest from it.
    fn poles(&self) -> (Colour, Colour) {
        let common = self.commonest();
        let farthest = self.cells.iter().map(|&cell| distance(cell, common)).fold(0.0, f32::max);
        // The mean of all that is far, because the single farthest cell may be a speck of dust.
        let far = mean(self.cells.iter().copied().filter(|&cell| distance(cell, common) >= 0.7 * farthest));
        (common, far.unwrap_or(common))
    }

    /// The mean of the fullest neighbourhood in a histogram of colours.
    fn commonest(&self) -> Colour {
        let bin = |cell: Colour| cell.map(|sample| (sample as usize * SHADES / 256).min(SHADES - 1));
        let mut counts = vec![0_u32; SHADES * SHADES * SHADES];
        let index = |[red, green, blue]: [usize; 3]| (red * SHADES + green) * SHADES + blue;
        for &cell in &self.cells {
            counts[index(bin(cell))] += 1;
        }
        // A colour whose noise straddles two bins counts with both.
        let around = |centre: [usize; 3]| {
            let side = |at: usize| at.saturating_sub(1)..=(at + 1).min(SHADES - 1);
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
        let centre = self.cells.iter().map(|&cell| bin(cell)).max_by_key(|&bin| (around(bin), counts[index(bin)]));
        let centre = centre.unwrap_or_default();
        let close = |cell: &Colour| bin(*cell).iter().zip(centre).all(|(&at, centre)| at.abs_diff(centre) <= 1);
        mean(self.cells.iter().copied().filter(close)).unwrap_or_default()
    }

    /// The median of the cells near `colour`: exact where the ground is of one colour, whatever else is near it.
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

    fn surface(&self, colour: Colour, tolerance: f32) -> Option<surface::Surface> {
        let points: Vec<surface::Point> = self
            .cells
            .iter()
            .enumerate()
            .map(|(index, &colour)| surface::Point {
                x: (index % self.columns) as f32 / self.columns as f32 + 0.5 / self.columns as f32,
                y: (index / self.columns) as f32 / self.rows as f32 + 0.5 / self.rows as f32,
                colour,
            })
            .collect();
        surface::Surface::through(&points, colour, tolerance)
    }
}

/// The pixels that a cell looks at along one side: at most [`LOOKS_MAX`], evenly spread.
fn looks(cell: usize, cells: usize, pixels: usize) -> impl Iterator<Item = usize> + Clone {
    let (start, end) = (cell * pixels / cells, (cell + 1) * pixels / cells);
    let count = (end - start).clamp(1, LOOKS_MAX);
    (0..count).map(move |look| start + (2 * look + 1) * (end - start) / (2 * count))
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
