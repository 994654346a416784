//! What does a brush leave on the page along its way?
//!
//! A line that runs smoothly through the points of its path (Catmull and Rom's curve) and is as broad at each as its
//! radius there. A pixel's light is how much of it the nearest piece of line covers, by the distance of its middle from
//! the line's edge, so that edges are smooth at every size.

/// Straight pieces between two points of a path: more are not seen, even at ten times the size of a training image.
const PIECES: usize = 12;

/// A spot of the brush. Lengths in the unit of whoever draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spot {
    /// From the left.
    pub x: f32,
    /// From the top.
    pub y: f32,
    /// Half the line's breadth there.
    pub radius: f32,
}

/// The smooth line through `points`, as spots close to each other; they begin and end with the path.
pub fn smooth(points: &[Spot]) -> Vec<Spot> {
    let Some((&first, &last)) = points.first().zip(points.last()) else { return Vec::new() };
    let mut line = vec![first];
    for at in 0..points.len() - 1 {
        let before = if at == 0 { first } else { points[at - 1] };
        let behind = points.get(at + 2).copied().unwrap_or(last);
        let four = [before, points[at], points[at + 1], behind];
        line.extend((1..=PIECES).map(|piece| between(four, piece as f32 / PIECES as f32)));
    }
    line
}

/// The place `t` (0 to 1) on the way from the second to the third of `four`.
fn between(four: [Spot; 4], t: f32) -> Spot {
    let curve = |of: fn(Spot) -> f32| {
        let [a, b, c, d] = four.map(of);
        let (linear, square, cube) = (c - a, 2.0 * a - 5.0 * b + 4.0 * c - d, 3.0 * (b - c) + d - a);
        b + 0.5 * t * (linear + t * (square + t * cube))
    };
    // The breadth goes straight from point to point: overshooting it would swell the ends.
    let radius = four[1].radius + t * (four[2].radius - four[1].radius);
    Spot { x: curve(|spot| spot.x), y: curve(|spot| spot.y), radius }
}

/// A square page, dark, row by row; light where a brush was.
#[derive(Clone, Debug)]
pub struct Page {
    side: usize,
    light: Vec<f32>,
}

impl Page {
    /// A dark page of `side` × `side` pixels.
    pub fn new(side: usize) -> Self {
        Self { side, light: vec![0.0; side * side] }
    }

    /// Draws a line of spots, in pixels. What lies off the page is lost.
    pub fn draw(&mut self, line: &[Spot]) {
        for ends in line.windows(2) {
            self.draw_piece(ends[0], ends[1]);
        }
    }

    /// The page's samples, from 0 (dark) to 255.
    pub fn into_pixels(self) -> Vec<u8> {
        self.light.into_iter().map(|light| (light * 255.0).round() as u8).collect()
    }

    fn draw_piece(&mut self, from: Spot, to: Spot) {
        let reach = from.radius.max(to.radius) + 1.0;
        for row in self.pixels(from.y.min(to.y) - reach, from.y.max(to.y) + reach) {
            for column in self.pixels(from.x.min(to.x) - reach, from.x.max(to.x) + reach) {
                let outside = distance((column as f32 + 0.5, row as f32 + 0.5), from, to);
                let light = &mut self.light[row * self.side + column];
                *light = light.max((0.5 - outside).clamp(0.0, 1.0));
            }
        }
    }

    /// The pixels of the page between two coordinates.
    fn pixels(&self, low: f32, high: f32) -> std::ops::Range<usize> {
        // A cast from a float keeps to the integer's range, so a coordinate off the page becomes its edge.
        low.floor() as usize..(high.ceil() as usize).min(self.side)
    }
}

/// How far a place lies outside the piece of line between two spots; negative inside.
fn distance((x, y): (f32, f32), from: Spot, to: Spot) -> f32 {
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
    fn a_line_is_as_broad_as_its_radii_say() {
        let mut page = Page::new(9);

        page.draw(&[spot(-5.0, 4.5, 1.5), spot(14.0, 4.5, 1.5)]);

        let column: Vec<u8> = page.into_pixels().chunks(9).map(|row| row[4]).collect();
        assert_eq!(column, [0, 0, 0, 255, 255, 255, 0, 0, 0]);
    }

    #[test]
    fn an_edge_inside_a_pixel_lights_it_in_part() {
        let mut page = Page::new(3);

        page.draw(&[spot(-5.0, 1.5, 0.75), spot(8.0, 1.5, 0.75)]);

        let column: Vec<u8> = page.into_pixels().chunks(3).map(|row| row[1]).collect();
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
