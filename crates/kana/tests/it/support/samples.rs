//! Which files do tests send that are like those in life?

use std::io::Cursor;

use kana_train::data::strokes;

/// Side of an image, in pixels.
const SIDE: u32 = 28;

/// `count` PNG files of kana's own brush strokes, no two alike, class by class in turn.
pub fn pngs(count: usize) -> Vec<(String, Vec<u8>)> {
    (0..count).map(|n| (format!("sample_{n}.png"), png(n))).collect()
}

fn png(n: usize) -> Vec<u8> {
    let image = strokes::draw(n % strokes::COUNT, n as u64, SIDE as usize);
    let grey =
        image::GrayImage::from_raw(SIDE, SIDE, image.pixels().to_vec()).expect("as many pixels as the sides make");
    let mut bytes = Cursor::new(Vec::new());
    grey.write_to(&mut bytes, image::ImageFormat::Png).expect("a PNG in memory");
    bytes.into_inner()
}
