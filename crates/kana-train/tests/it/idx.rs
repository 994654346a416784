//! How do tests create small data sets and cards?

use kana_engine::image::Shape;
use kana_engine::model::Card;
use kana_engine::model::card::{self, Architecture, Fit, Input, Training};

/// Encodes an image file with these dimensions, `[N, H, W]`, and any number of pixels.
pub fn images(dimensions: [u32; 3], pixels: &[u8]) -> Vec<u8> {
    let dimensions = dimensions.map(u32::to_be_bytes).concat();
    [&[0, 0, 8, 3], dimensions.as_slice(), pixels].concat()
}

/// Encodes a label file.
pub fn labels(labels: &[u8]) -> Vec<u8> {
    let count = u32::try_from(labels.len()).unwrap().to_be_bytes();
    [&[0, 0, 8, 1], count.as_slice(), labels].concat()
}

/// Returns the card of an untrained model with these `labels` for images of 2×3.
pub fn card(labels: &[&str]) -> Card {
    Card {
        format: card::FORMAT,
        name: "constant".into(),
        description: "Predicts the same class for every image.".into(),
        architecture: Architecture { family: "none".into(), depth: 4, width: 1, dropout: 0.0 },
        input: Input {
            shape: Shape { channels: 1, height: 2, width: 3 },
            mean: vec![0.0],
            deviation: vec![1.0],
            fit: Fit::Cover,
        },
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        romanised: Vec::new(),
        members: Vec::new(),
        training: Training {
            version: "0".into(),
            data: Vec::new(),
            images: 0,
            validation_images: 0,
            seed: 1,
            epochs: 0,
            best_epoch: 0,
            settings: Default::default(),
        },
        evaluation: Vec::new(),
        licence: String::new(),
        attribution: String::new(),
        self_test: Vec::new(),
    }
}
