//! Where in a picture is the glyph?
//!
//! The ink is divided into a grid of cells; connected cells with ink form a stroke. The heavy strokes are the glyph; specks,
//! faint shadows and a line along the picture's edge are noise. Where the glyph turns out to be small, the search is
//! repeated around it with finer cells.

use super::ink::Ink;
use super::rectangle::Rectangle;

/// Cells along the longer side of the grid, at most: an eighth of a pixel of the final image.
const CELLS_MAX: usize = 224;

/// Least amount of ink on a pixel that counts, of 255. The soft rim of a stroke has less.
const PIXEL_MIN: usize = 64;

/// Least mean amount of ink in a cell that counts, of 255: the remains of JPEG artefacts stay below.
const CELL_MIN: usize = 4;

/// Least ink of a stroke, as a share of the heaviest stroke's. Of the pieces beside the main stroke in 3,000 KMNIST images
/// a quarter are lighter: dirt of the scans.
const STROKE_SHARE: f32 = 0.02;

/// Least ink in a stroke's darkest cell, as a share of the darkest cell's of all: shadows are even and faint.
const PEAK_SHARE: f32 = 0.35;

/// Strokes that hold most of a glyph's ink, and the least share that they hold. The grain of a blank page is spread over
/// dozens, in 64 × 64 pixels already.
const STROKES: usize = 8;
const STROKES_SHARE: f32 = 0.6;

/// Greatest distance of an edge line from the picture's edge, as a share of the longer side: less than a final pixel. An
/// edge line is at least half as long as that side; a shorter one is a stroke that happens to be there.
const EDGE_SHARE: f32 = 0.03;

/// The place of a glyph, and the noise around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// Bounds of the glyph's strokes.
    pub glyph: Rectangle,
    /// The searched area; nothing outside belongs to the glyph.
    pub area: Rectangle,
    /// Cells in that area whose ink does not belong to the glyph.
    pub noise: Vec<Rectangle>,
}

/// Locates the glyph in `ink` and erases lines along the picture's edge; `None` where no stroke is left, or more than a
/// glyph has.
pub(super) fn locate(ink: &mut Ink) -> Option<Location> {
    let all = Rectangle::covering(ink.width, ink.height);
    let mut area = all;
    loop {
        let grid = Grid::of(ink, area);
        let (edge, strokes): (Vec<_>, Vec<_>) = grid.strokes(&all).into_iter().partition(|stroke| stroke.on_edge);
        edge.iter().flat_map(|stroke| &stroke.cells).for_each(|cell| ink.erase(cell));
        let Sorted { kept, dropped } = sort(strokes);
        if is_grain(&kept) {
            return None;
        }
        let glyph = kept.iter().map(|stroke| stroke.bounds).reduce(Rectangle::union)?;
        // Finer cells would not change the result.
        if grid.cell == 1 || 2 * glyph.longer_side() > area.longer_side() {
            let noise = dropped.into_iter().flat_map(|stroke| stroke.cells).collect();
            return Some(Location { glyph, area, noise });
        }
        // Coarse cells may have missed a light stroke beside the others, so the next area has a margin around the glyph.
        // It is at least a quarter smaller than this one, so the loop ends.
        let margin = glyph.longer_side().max(grid.cell) / 4 + grid.cell;
        let next = glyph.grown(margin, &area);
        if next == area {
            return Some(Location { glyph, area, noise: Vec::new() });
        }
        area = next;
    }
}

/// Connected cells with ink.
struct Stroke {
    bounds: Rectangle,
    cells: Vec<Rectangle>,
    /// Sum of the cells' mean ink.
    mass: usize,
    /// Mean ink of the darkest cell, of 255.
    peak: usize,
    /// Whether this is a line along the picture's edge.
    on_edge: bool,
}

/// Strokes of the glyph, and strokes that are noise.
struct Sorted {
    kept: Vec<Stroke>,
    dropped: Vec<Stroke>,
}

fn sort(strokes: Vec<Stroke>) -> Sorted {
    let mass_min = STROKE_SHARE * strokes.iter().map(|stroke| stroke.mass).max().unwrap_or(0) as f32;
    let peak_min = PEAK_SHARE * strokes.iter().map(|stroke| stroke.peak).max().unwrap_or(0) as f32;
    let (kept, dropped) =
        strokes.into_iter().partition(|stroke| stroke.mass as f32 >= mass_min && stroke.peak as f32 >= peak_min);
    Sorted { kept, dropped }
}

/// Whether the ink is spread over more strokes than a glyph has.
fn is_grain(strokes: &[Stroke]) -> bool {
    let mut masses: Vec<usize> = strokes.iter().map(|stroke| stroke.mass).collect();
    masses.sort_unstable_by(|a, b| b.cmp(a));
    let heaviest: usize = masses.iter().take(STROKES).sum();
    (heaviest as f32) < STROKES_SHARE * masses.iter().sum::<usize>() as f32
}

/// Mean amount of ink in each cell of an area, row by row.
struct Grid {
    area: Rectangle,
    /// A cell's side, in pixels; the last cells of a row or column may be narrower.
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

    /// All groups of connected cells; cells that share a corner are connected.
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
