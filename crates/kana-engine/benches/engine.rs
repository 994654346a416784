//! What does an image cost the engine, on each instruction set of this processor?
//!
//! One thread, the built-in model. The sets and batches are measured in turn, a little of each at a time, so that whatever
//! else the machine does slows all of them; compare them as ratios. The least time is the engine's own, the median what
//! this machine gave it. Then each layer by itself, beside the processor's peak, measured in the same run. The last line is
//! one JSON object. Run with `cargo bench -p kana-engine --bench engine`.
#![expect(clippy::disallowed_macros, reason = "a benchmark prints its report")]

use std::time::Instant;

use kana_engine::image::Image;
use kana_engine::model::{Artifact, Classifier, Error, Instructions};
use serde_json::json;

/// Images classified together.
const BATCHES: [usize; 3] = [1, 8, 32];

/// Times that every set and batch has its turn.
const ROUNDS: usize = 60;

/// Images classified in a turn, whatever the batch.
const TURN: usize = 96;

/// One set and batch, and its times in microseconds an image, one for each batch classified.
struct Measured {
    instructions: Instructions,
    batch: usize,
    classifier: Box<dyn Classifier>,
    times: Vec<f64>,
}

fn main() -> Result<(), Error> {
    let artifact = Artifact::built_in()?;
    let shape = artifact.card().input.shape;
    // Pictures do not change the time; these have every brightness.
    let pixel = |image: usize, at: usize| ((at * 7_919 + image * 131) % 251) as u8;
    let pixels = |image| (0..shape.bytes()).map(|at| pixel(image, at)).collect::<Vec<u8>>();
    let images: Vec<Image> = (0..32).filter_map(|image| Image::new(shape, pixels(image))).collect();
    let mut measured = Vec::new();
    for instructions in Instructions::available() {
        for batch in BATCHES {
            let classifier = artifact.classifier_on(instructions)?;
            measured.push(Measured { instructions, batch, classifier, times: Vec::new() });
        }
    }
    for _ in 0..ROUNDS {
        for Measured { batch, classifier, times, .. } in &mut measured {
            for _ in 0..TURN / *batch {
                let begun = Instant::now();
                classifier.classify(&images[..*batch])?;
                times.push(begun.elapsed().as_secs_f64() * 1e6 / *batch as f64);
            }
        }
    }
    println!("{:<12}{:>8}{:>16}{:>16}", "instructions", "batch", "least µs/image", "median µs/image");
    let mut rows = Vec::new();
    for Measured { instructions, batch, times, .. } in &mut measured {
        times.sort_by(f64::total_cmp);
        let (least, median) = (times[0], times[times.len() / 2]);
        println!("{:<12}{batch:>8}{least:>16.1}{median:>16.1}", instructions.name());
        rows.push(json!({"instructions": instructions.name(), "batch": batch, "least_us": least, "median_us": median}));
    }
    let mut explained = Vec::new();
    for instructions in Instructions::available() {
        let explanation = artifact.explain(instructions);
        println!("\n{explanation}");
        let layers = explanation.layers.iter().map(|layer| {
            let (name, algorithm) = (layer.name, layer.algorithm);
            json!({"name": name, "algorithm": algorithm, "mflop": layer.mflop, "us": layer.micros,
                "peak_share": layer.peak_share})
        });
        let (name, layers) = (instructions.name(), layers.collect::<Vec<_>>());
        explained.push(json!({"instructions": name, "peak_gflops": explanation.peak_gflops, "layers": layers}));
    }
    println!("\n{}", json!({"images": rows, "explained": explained}));
    Ok(())
}
