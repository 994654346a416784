//! How far apart are two colours?

/// Red, green and blue, each from 0 to 255.
pub(super) type Colour = [f32; 3];

/// Root mean square difference of the channels of two colours, from 0 to 255.
pub(super) fn distance(a: Colour, b: Colour) -> f32 {
    let squares: f32 = a.iter().zip(b).map(|(&x, y)| (x - y) * (x - y)).sum();
    (squares / 3.0).sqrt()
}
