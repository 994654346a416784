//! Which image files do tests send?

use std::io::Cursor;

use kana_train::data::strokes;

/// Side of an image in pixels.
const SIDE: u32 = 28;

/// Draws `count` different PNG files of brush strokes, with all classes in turn, each with its file name.
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
