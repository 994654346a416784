//! Where in a picture is the glyph?
//!
//! A grid of cells is laid over the ink, and cells with ink that touch are a stroke. The glyph is the heavy strokes;
//! specks, faint shadows and a line drawn along the picture's edge are litter. Where the glyph turns out to be small,
//! the search begins again within what was found, with finer cells.

use super::ink::Ink;

/// Cells along the longer side of the grid, at most: an eighth of a pixel of the final image.
const CELLS_MAX: usize = 224;

/// How much of a pixel must be ink for the pixel to count, of 255. The soft rim of a stroke does not.
const PIXEL_MIN: usize = 64;

/// The least mean amount of ink that makes a cell count, of 255: what is left of JPEG artefacts stays below.
const CELL_MIN: usize = 4;

/// A stroke's ink must be this share of the heaviest stroke's, at least. Of the pieces beside the main stroke in 3,000
/// KMNIST images a quarter are lighter: the dirt of the scans.
const STROKE_SHARE: f32 = 0.02;

/// A stroke's darkest cell must have this share of the darkest cell's ink, at least: shadows are even and faint.
const PEAK_SHARE: f32 = 0.35;

/// How near to the picture's edge a line along it lies, as a share of the longer side: less than a final pixel. It is
/// half as long as that side, at least; what is shorter is a stroke that happens to be there.
const EDGE_SHARE: f32 = 0.03;

/// A part of a picture, in whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rectangle {
    /// The first column.
    pub left: usize,
    /// The first row.
    pub top: usize,
    /// The column behind the last.
    pub right: usize,
    /// The row behind the last.
    pub bottom: usize,
}

impl Rectangle {
    fn all(ink: &Ink) -> Self {
        Self { left: 0, top: 0, right: ink.width, bottom: ink.height }
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.right - self.left
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.bottom - self.top
    }

    fn longer_side(&self) -> usize {
        self.width().max(self.height())
    }

    fn union(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    fn grown(self, by: usize, limit: &Self) -> Self {
        Self {
            left: self.left.saturating_sub(by).max(limit.left),
            top: self.top.saturating_sub(by).max(limit.top),
            right: (self.right + by).min(limit.right),
            bottom: (self.bottom + by).min(limit.bottom),
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What the glyph's strokes cover.
    pub glyph: Rectangle,
    /// Where it was found; nothing outside belongs to it.
    pub area: Rectangle,
    /// What does not belong to it within that area, piece by piece.
    pub litter: Vec<Rectangle>,
}

/// The glyph in `ink`; `None` where nothing is heavy enough to be one. Lines along the picture's edge are wiped out.
pub(super) fn glyph(ink: &mut Ink) -> Option<Found> {
    let all = Rectangle::all(ink);
    let mut area = all;
    loop {
        let grid = Grid::of(ink, area);
        let (edge, strokes): (Vec<_>, Vec<_>) = grid.strokes(&all).into_iter().partition(|stroke| stroke.on_edge);
        edge.iter().flat_map(|stroke| &stroke.cells).for_each(|cell| ink.wipe(cell));
        let (kept, dropped) = sort_out(strokes);
        let glyph = kept.iter().map(|stroke| stroke.bounds).reduce(Rectangle::union)?;
        // Finer cells would not find more.
        if grid.cell == 1 || 2 * glyph.longer_side() > area.longer_side() {
            let litter = dropped.into_iter().flat_map(|stroke| stroke.cells).collect();
            return Some(Found { glyph, area, litter });
        }
        // Coarse cells may have missed a light stroke beside the others. Half of the smaller area lies around what
        // was found, so that the next round is at least a quarter finer and the rounds end.
        let room = glyph.longer_side().max(grid.cell) / 4 + grid.cell;
        let next = glyph.grown(room, &area);
        if next == area {
            return Some(Found { glyph, area, litter: Vec::new() });
        }
        area = next;
    }
}

/// Cells with ink that touch.
struct Stroke {
    bounds: Rectangle,
    cells: Vec<Rectangle>,
    mass: usize,
    peak: usize,
    on_edge: bool,
}

/// Strokes that belong to the glyph, and those that do not.
fn sort_out(strokes: Vec<Stroke>) -> (Vec<Stroke>, Vec<Stroke>) {
    let mass_min = STROKE_SHARE * strokes.iter().map(|stroke| stroke.mass).max().unwrap_or(0) as f32;
    let peak_min = PEAK_SHARE * strokes.iter().map(|stroke| stroke.peak).max().unwrap_or(0) as f32;
    strokes.into_iter().partition(|stroke| stroke.mass as f32 >= mass_min && stroke.peak as f32 >= peak_min)
}

/// Mean amounts of ink, cell by cell.
struct Grid {
    area: Rectangle,
    /// A cell's side, in pixels; the last ones of a row or column may be cut.
    cell: usize,
    columns: usize,
    rows: usize,
    means: Vec<usize>,
}

impl Grid {
    fn of(ink: &Ink, area: Rectangle) -> Self {
        let cell = area.longer_side().div_ceil(CELLS_MAX).max(1);
        let (columns, rows) = (area.width().div_ceil(cell), area.height().div_ceil(cell));
        let mut means = vec![0; columns * rows];
        for y in area.top..area.bottom {
            let line = &ink.amounts[y * ink.width + area.left..y * ink.width + area.right];
            let sums = &mut means[(y - area.top) / cell * columns..][..columns];
            for (sum, part) in sums.iter_mut().zip(line.chunks(cell)) {
                *sum += part.iter().map(|&amount| u32::from(amount)).sum::<u32>() as usize;
            }
        }
        means.iter_mut().for_each(|sum| *sum /= cell * cell);
        Self { area, cell, columns, rows, means }
    }

    fn pixels(&self, index: usize) -> Rectangle {
        let (left, top) =
            (self.area.left + index % self.columns * self.cell, self.area.top + index / self.columns * self.cell);
        Rectangle {
            left,
            top,
            right: (left + self.cell).min(self.area.right),
            bottom: (top + self.cell).min(self.area.bottom),
        }
    }

    /// All groups of cells that touch, corners included.
    fn strokes(&self, picture: &Rectangle) -> Vec<Stroke> {
        // A line one pixel wide covers one part in `cell` of each cell that it crosses.
        let ink_min = (PIXEL_MIN / self.cell).max(CELL_MIN);
        let edge = (picture.longer_side() as f32 * EDGE_SHARE) as usize;
        let mut open: Vec<bool> = self.means.iter().map(|&mean| mean >= ink_min).collect();
        let mut strokes = Vec::new();
        for start in 0..open.len() {
            if !std::mem::take(&mut open[start]) {
                continue;
            }
            let mut stroke = Stroke { bounds: self.pixels(start), cells: Vec::new(), mass: 0, peak: 0, on_edge: true };
            let mut waiting = vec![start];
            while let Some(index) = waiting.pop() {
                let cell = self.pixels(index);
                stroke.bounds = stroke.bounds.union(cell);
                stroke.cells.push(cell);
                stroke.mass += self.means[index];
                stroke.peak = stroke.peak.max(self.means[index]);
                stroke.on_edge &= cell.right <= edge
                    || cell.bottom <= edge
                    || cell.left + edge >= picture.right
                    || cell.top + edge >= picture.bottom;
                waiting.extend(self.neighbours(index).filter(|&next| std::mem::take(&mut open[next])));
            }
            stroke.on_edge &= 2 * stroke.bounds.longer_side() >= picture.longer_side();
            strokes.push(stroke);
        }
        strokes
    }

    fn neighbours(&self, index: usize) -> impl Iterator<Item = usize> + use<> {
        let (columns, rows) = (self.columns, self.rows);
        let (x, y) = (index % columns, index / columns);
        let ys = y.saturating_sub(1)..=(y + 1).min(rows - 1);
        ys.flat_map(move |y| (x.saturating_sub(1)..=(x + 1).min(columns - 1)).map(move |x| y * columns + x))
    }
}
