//! Which character does each file show?
//!
//! Run with `cargo run -p kana-engine --example classify -- FILE...`. Prints each file's label and confidence.
#![expect(clippy::disallowed_macros, reason = "an example that prints to a terminal")]

use std::error::Error;

use kana_engine::Prediction;
use kana_engine::image::{decode, fit};
use kana_engine::model::{Artifact, Classifier};

fn main() -> Result<(), Box<dyn Error>> {
    let mut classifier = Artifact::built_in()?.classifier()?;
    for path in std::env::args().skip(1) {
        match classify(&path, classifier.as_mut()) {
            Ok(Prediction { label, confidence, .. }) => println!("{path}: {label} ({:.1} %)", 100.0 * confidence),
            Err(error) => println!("{path}: {error}"),
        }
    }
    Ok(())
}

fn classify(path: &str, classifier: &mut dyn Classifier) -> Result<Prediction, Box<dyn Error>> {
    let picture = decode(&std::fs::read(path)?)?;
    let input = &classifier.card().input;
    let image = fit(&picture, input.shape, input.fit);
    let mut predictions = classifier.classify(&[image])?;
    Ok(predictions.remove(0))
}
