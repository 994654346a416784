//! Which pixels does a brush cover along its path?
//!
//! The line is a Catmull–Rom spline through the points of the path (E. Catmull, R. Rom: A class of local interpolating
//! splines, 1974), as wide at each point as the radius given there. The brightness of a pixel is its coverage, estimated
//! from the distance of its centre to the edge of the nearest segment, so that edges are smooth at every size.

/// Straight segments between two points of a path: more would make no visible difference, even at ten times the size of a
/// training image.
const SEGMENTS: usize = 12;

/// Position and radius of the brush, in the unit of the caller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spot {
    /// Distance from the left edge.
    pub x: f32,
    /// Distance from the top edge.
    pub y: f32,
    /// Half the width of the line at this position.
    pub radius: f32,
}

/// Interpolates a smooth line through `points`, from the first to the last.
pub fn smooth(points: &[Spot]) -> Vec<Spot> {
    let Some((&first, &last)) = points.first().zip(points.last()) else { return Vec::new() };
    let mut line = vec![first];
    for at in 0..points.len() - 1 {
        let previous = if at == 0 { first } else { points[at - 1] };
        let next = points.get(at + 2).copied().unwrap_or(last);
        let four = [previous, points[at], points[at + 1], next];
        line.extend((1..=SEGMENTS).map(|segment| catmull_rom(four, segment as f32 / SEGMENTS as f32)));
    }
    line
}

/// Returns the point `t` (0 to 1) of the curve from the second to the third of `four`.
fn catmull_rom(four: [Spot; 4], t: f32) -> Spot {
    let curve = |of: fn(Spot) -> f32| {
        let [a, b, c, d] = four.map(of);
        let (linear, square, cube) = (c - a, 2.0 * a - 5.0 * b + 4.0 * c - d, 3.0 * (b - c) + d - a);
        b + 0.5 * t * (linear + t * (square + t * cube))
    };
    // The radius is interpolated linearly: a spline would overshoot and thicken the ends.
    let radius = four[1].radius + t * (four[2].radius - four[1].radius);
    Spot { x: curve(|spot| spot.x), y: curve(|spot| spot.y), radius }
}

/// Square canvas, dark where no brush was. Samples `[H, W]` in [0, 1].
#[derive(Clone, Debug)]
pub struct Canvas {
    side: usize,
    coverage: Vec<f32>,
}

impl Canvas {
    /// Creates a dark canvas of `side` × `side` pixels.
    pub fn new(side: usize) -> Self {
        Self { side, coverage: vec![0.0; side * side] }
    }

    /// Draws a line, in pixels. Parts outside the canvas are cut off.
    pub fn draw(&mut self, line: &[Spot]) {
        for ends in line.windows(2) {
            self.draw_segment(ends[0], ends[1]);
        }
    }

    /// Returns the samples of the canvas, `[H, W]`, from 0 (dark) to 255.
    pub fn into_pixels(self) -> Vec<u8> {
        self.coverage.into_iter().map(|coverage| (coverage * 255.0).round() as u8).collect()
    }

    fn draw_segment(&mut self, from: Spot, to: Spot) {
        let reach = from.radius.max(to.radius) + 1.0;
        for row in self.pixels(from.y.min(to.y) - reach, from.y.max(to.y) + reach) {
            for column in self.pixels(from.x.min(to.x) - reach, from.x.max(to.x) + reach) {
                let outside = distance_to_edge(column as f32 + 0.5, row as f32 + 0.5, from, to);
                let coverage = &mut self.coverage[row * self.side + column];
                *coverage = coverage.max((0.5 - outside).clamp(0.0, 1.0));
            }
        }
    }

    /// Returns the indices of the pixels between two coordinates, cut off at the edges.
    fn pixels(&self, low: f32, high: f32) -> std::ops::Range<usize> {
        // A cast from a float saturates, so that a coordinate below zero becomes zero.
        low.floor() as usize..(high.ceil() as usize).min(self.side)
    }
}

/// Returns the distance of a point to the edge of the segment between two spots; negative inside.
fn distance_to_edge(x: f32, y: f32, from: Spot, to: Spot) -> f32 {
    let (along_x, along_y) = (to.x - from.x, to.y - from.y);
    let square = along_x * along_x + along_y * along_y;
    let t = if square > 0.0 { ((x - from.x) * along_x + (y - from.y) * along_y) / square } else { 0.0 };
    let t = t.clamp(0.0, 1.0);
    let (nearest_x, nearest_y) = (from.x + t * along_x, from.y + t * along_y);
    (x - nearest_x).hypot(y - nearest_y) - (from.radius + t * (to.radius - from.radius))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(x: f32, y: f32, radius: f32) -> Spot {
        Spot { x, y, radius }
    }

    #[test]
    fn a_line_is_as_wide_as_its_radii() {
        let mut canvas = Canvas::new(9);

        canvas.draw(&[spot(-5.0, 4.5, 1.5), spot(14.0, 4.5, 1.5)]);

        let column: Vec<u8> = canvas.into_pixels().chunks(9).map(|row| row[4]).collect();
        assert_eq!(column, [0, 0, 0, 255, 255, 255, 0, 0, 0]);
    }

    #[test]
    fn a_pixel_that_is_covered_in_part_is_grey() {
        let mut canvas = Canvas::new(3);

        canvas.draw(&[spot(-5.0, 1.5, 0.75), spot(8.0, 1.5, 0.75)]);

        let column: Vec<u8> = canvas.into_pixels().chunks(3).map(|row| row[1]).collect();
        assert_eq!(column, [64, 255, 64]);
    }

    #[test]
    fn a_smooth_line_passes_through_the_points_of_its_path() {
        let path = [spot(0.0, 0.0, 1.0), spot(4.0, 7.0, 2.0), spot(9.0, 1.0, 0.5)];

        let line = smooth(&path);

        for point in path {
            let near = |spot: &&Spot| (spot.x - point.x).hypot(spot.y - point.y) < 1e-5;
            assert!(line.iter().any(|spot| near(&spot)), "{point:?} is not on the line");
        }
    }
}
