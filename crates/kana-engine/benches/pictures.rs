//! What does a picture cost before the engine sees it?
//!
//! A character as data sets have it (28×28, grey, PNG), and as a phone takes it: ink on shaded paper with noise, in colour.
//! Decoding and fitting are timed apart, in turn; the least time of each is printed, and the last line is one JSON object.
//! Run with `cargo bench -p kana-engine --bench pictures`.
#![expect(clippy::disallowed_macros, reason = "a benchmark prints its report")]

use std::io::Cursor;
use std::time::Instant;

use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use kana_engine::image::{decode, fit};
use kana_engine::model::Artifact;
use serde_json::json;

/// Sides of the pictures, in pixels: of a data set, a screenshot and a photograph.
const SIDES: [u32; 3] = [28, 200, 1_000];
/// Turns that every picture has, and time that one lasts at least.
const ROUNDS: usize = 12;
const TURN_SECONDS: f64 = 0.02;

/// Part of the ink at a point of the unit square, in [0, 1]: two strokes and a loop, a twelfth of the side wide.
fn ink(x: f32, y: f32) -> f32 {
    let horizontal = ((y - 0.35 - 0.1 * (x - 0.5)).abs() - 0.04).max((x - 0.5).abs() - 0.28);
    let vertical = ((x - 0.45 - 0.1 * (y - 0.5)).abs() - 0.04).max((y - 0.5).abs() - 0.32);
    let loops = ((x - 0.58).hypot(y - 0.65) - 0.15).abs() - 0.04;
    let distance = horizontal.min(vertical).min(loops);
    (0.5 - distance / 0.02).clamp(0.0, 1.0)
}

/// Encodes a picture of `side` pixels.
fn encoded(side: u32, format: ImageFormat) -> anyhow::Result<Vec<u8>> {
    let part = |at: u32| (at as f32 + 0.5) / side as f32;
    let picture: DynamicImage = if side == SIDES[0] {
        GrayImage::from_fn(side, side, |x, y| Luma([(255.0 * ink(part(x), part(y))) as u8])).into()
    } else {
        // Paper that is darker towards a corner, with noise of four levels.
        RgbImage::from_fn(side, side, |x, y| {
            let noise = (x.wrapping_mul(7_919) ^ y.wrapping_mul(104_729)) % 97 % 5;
            let paper = 225.0 - 40.0 * part(x) * part(y) - noise as f32;
            let level = paper - (paper - 30.0) * ink(part(x), part(y));
            Rgb([level as u8, level as u8, (0.92 * level) as u8])
        })
        .into()
    };
    let mut bytes = Vec::new();
    picture.write_to(&mut Cursor::new(&mut bytes), format)?;
    Ok(bytes)
}

/// Returns the microseconds that a call of `run` takes, on average over a turn.
fn turn<T>(mut run: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<f64> {
    let (begun, mut calls) = (Instant::now(), 0_u32);
    while calls == 0 || begun.elapsed().as_secs_f64() < TURN_SECONDS {
        std::hint::black_box(run()?);
        calls += 1;
    }
    Ok(begun.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
}

fn main() -> anyhow::Result<()> {
    let artifact = Artifact::built_in()?;
    let input = &artifact.card().input;
    let mut pictures = Vec::new();
    for (side, format) in SIDES.iter().flat_map(|side| [ImageFormat::Png, ImageFormat::Jpeg].map(|of| (*side, of))) {
        pictures.push((side, format, encoded(side, format)?, [f64::INFINITY; 2]));
    }
    for _ in 0..ROUNDS {
        for (_, _, bytes, least) in &mut pictures {
            let picture = decode::decode(bytes)?;
            let times =
                [turn(|| Ok(decode::decode(bytes)?))?, turn(|| Ok(fit::fit(&picture, input.shape, input.fit)))?];
            least.iter_mut().zip(times).for_each(|(least, time)| *least = least.min(time));
        }
    }
    println!("{:>8}{:>8}{:>10}{:>12}{:>10}{:>10}", "side", "format", "bytes", "decode µs", "fit µs", "sum µs");
    let mut rows = Vec::new();
    for (side, format, bytes, [decode, fit]) in &pictures {
        let name = format.extensions_str()[0];
        println!("{side:>8}{name:>8}{:>10}{decode:>12.1}{fit:>10.1}{:>10.1}", bytes.len(), decode + fit);
        rows.push(json!({"side": side, "format": name, "bytes": bytes.len(), "decode_us": decode, "fit_us": fit}));
    }
    println!("\n{}", json!({"pictures": rows}));
    Ok(())
}
