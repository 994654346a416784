//! What does an image cost the engine, on each instruction set of this processor?
//!
//! One thread, the built-in model. The sets and batches are measured in turn, a little of each at a time, so that whatever
//! else the machine does slows all of them; compare them as ratios. The least time is the engine's own, the median what
//! this machine gave it. Then each layer by itself, beside the processor's peak, measured in the same run. The last line is
//! one JSON object. Run with `cargo bench -p kana-engine --bench engine`.
//!
//! With `-- --best` every time of the best set, on one thread and on two, as one JSON object: for `tools/bench-engine`, which
//! compares them.
#![expect(clippy::disallowed_macros, reason = "a benchmark prints its report")]

use std::num::NonZero;
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

/// Threads and images classified together with `--best`, and how often.
const BEST_THREADS: [usize; 2] = [1, 2];
const BEST_BATCHES: [usize; 4] = [1, 8, 32, 128];
const BEST_IMAGES: usize = 1_024;

/// Images of every brightness; pictures do not change the time.
fn images(artifact: &Artifact, count: usize) -> Vec<Image> {
    let shape = artifact.card().input.shape;
    let pixel = |image: usize, at: usize| ((at * 7_919 + image * 131) % 251) as u8;
    let pixels = |image| (0..shape.bytes()).map(|at| pixel(image, at)).collect::<Vec<u8>>();
    (0..count).filter_map(|image| Image::new(shape, pixels(image))).collect()
}

/// Prints the times of the best instruction set.
fn best(artifact: &Artifact) -> Result<(), Error> {
    let images = images(artifact, BEST_BATCHES[BEST_BATCHES.len() - 1]);
    let mut rows = Vec::new();
    for threads in BEST_THREADS {
        let threads_of = NonZero::new(threads).unwrap_or(NonZero::<usize>::MIN);
        let mut classifier = artifact.classifier_on_threads(Instructions::best(), threads_of)?;
        for batch in BEST_BATCHES {
            let mut times = Vec::new();
            for _ in 0..BEST_IMAGES / batch {
                let begun = Instant::now();
                classifier.classify(&images[..batch])?;
                times.push(begun.elapsed().as_secs_f64() * 1e6 / batch as f64);
            }
            rows.push(json!({"threads": threads, "batch": batch, "times_us": times}));
        }
    }
    println!("{}", json!({"instructions": Instructions::best().name(), "images": rows}));
    Ok(())
}

fn main() -> Result<(), Error> {
    let artifact = Artifact::built_in()?;
    if std::env::args().any(|argument| argument == "--best") {
        return best(&artifact);
    }
    let images = images(&artifact, BATCHES[BATCHES.len() - 1]);
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
        explained.push(explanation);
    }
    println!("\n{}", json!({"images": rows, "explained": explained}));
    Ok(())
}
