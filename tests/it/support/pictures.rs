//! Which files do tests send where it does not matter what they show?

use std::io::Cursor;

/// `count` PNG files of 28×28 grey pixels, no two alike: two light strokes on dark, which no fitting touches.
pub fn pngs(count: u8) -> Vec<(String, Vec<u8>)> {
    (0..count).map(|n| (format!("sample_{n}.png"), png(n))).collect()
}

fn png(n: u8) -> Vec<u8> {
    let (row, column) = (4 + u32::from(n) % 20, 4 + u32::from(n) / 5 % 20);
    let stroke = |x: u32, y: u32| x.abs_diff(column) < 2 || y.abs_diff(row) < 2;
    let inside = |x: u32, y: u32| (3..25).contains(&x) && (3..25).contains(&y);
    let picture = image::GrayImage::from_fn(28, 28, |x, y| {
        image::Luma([if stroke(x, y) && inside(x, y) { 220 + n % 32 } else { 0 }])
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).expect("a PNG in memory");
    bytes.into_inner()
}
