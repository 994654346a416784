//! Which of these files is a picture, and why is each other one refused?
//!
//! Run with `ls | cargo run -p kana-engine --example verdict`. Prints a line for each path that it reads: a word (read, cut,
//! damaged, unsupported or refused), width, height, a digest of all samples, the mean red, green and blue, and the error,
//! with tabs between. `tools/picture-corpus` compares them with other programs'.
#![expect(clippy::disallowed_macros, reason = "an example that prints to a terminal")]

use std::collections::hash_map::DefaultHasher;
use std::error::Error as _;
use std::hash::{Hash, Hasher};

use kana_engine::image::decode::Error;
use kana_engine::image::{Picture, decode};

fn main() -> std::io::Result<()> {
    for path in std::io::stdin().lines() {
        match decode(&std::fs::read(path?)?) {
            Ok(picture) => println!("read\t{}", summary(&picture)),
            Err(error) => {
                let word = match error {
                    Error::Truncated { .. } => "cut",
                    Error::Damaged { .. } => "damaged",
                    Error::Unsupported { .. } => "unsupported",
                    _ => "refused",
                };
                let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                println!("{word}\t0\t0\t0\t0\t0\t0\t{error}{cause}");
            }
        }
    }
    Ok(())
}

fn summary(picture: &Picture) -> String {
    let mut digest = DefaultHasher::new();
    picture.samples().hash(&mut digest);
    let mut sums = [0_u64; 3];
    picture.colours().for_each(|colour| (0..3).for_each(|channel| sums[channel] += u64::from(colour[channel])));
    let [red, green, blue] = sums.map(|sum| sum as f64 / (picture.width() * picture.height()) as f64);
    let (width, height) = (picture.width(), picture.height());
    format!("{width}\t{height}\t{:x}\t{red:.1}\t{green:.1}\t{blue:.1}\t", digest.finish())
}
