//! Which artifact is complete, yet small enough to be created and damaged in a test?

use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::reference::{Reference, Tensors};

/// An artifact in parts, valid until a test changes one of them.
pub struct Fixture {
    pub card: Value,
    /// The weights of each member, in files `0.safetensors`, `1.safetensors`, …
    pub members: Vec<Tensors>,
    /// Channels, height and width.
    shape: [usize; 3],
}

impl Fixture {
    /// Random weights for `[channels, height, width]`, and a card whose self-test they pass.
    pub fn new(shape: [usize; 3], width: usize, classes: usize, members: u64) -> Self {
        Self::with_depth(4, shape, width, classes, members)
    }

    /// The same with `depth` convolutions.
    pub fn with_depth(depth: usize, shape: [usize; 3], width: usize, classes: usize, members: u64) -> Self {
        let [channels, height, columns] = shape;
        let labels: Vec<String> = (0..classes).map(|class| format!("class {class}")).collect();
        let card = json!({
            "format": 1, "name": "fixture", "description": "Random weights.",
            "architecture": {"family": "kana-cnn", "depth": depth, "width": width, "dropout": 0.2},
            "input": {
                "shape": {"channels": channels, "height": height, "width": columns},
                "mean": vec![0.25; channels], "deviation": vec![0.5; channels], "fit": {"as": "cover"},
            },
            "labels": labels, "members": [],
            "training": {
                "version": "0", "data": [], "images": 0, "validation_images": 0, "seed": 0, "epochs": 0,
                "best_epoch": 0, "settings": {},
            },
            "evaluation": [], "licence": "none", "attribution": "nobody", "self_test": [],
        });
        let members = (0..members).map(|seed| weights(depth, shape, width, classes, seed)).collect();
        let mut fixture = Self { card, members, shape };
        fixture.card["self_test"] = fixture.self_test();
        fixture
    }

    /// Specimens with the reference's probabilities.
    pub fn self_test(&self) -> Value {
        let specimen = |seed| {
            let pixels = self.pixels(seed);
            json!({"pixels": hex::encode(&pixels), "probabilities": self.probabilities(&pixels)})
        };
        (0..2).map(specimen).collect()
    }

    /// The smallest artifact that is accepted.
    pub fn small() -> Self {
        Self::new([1, 20, 20], 2, 3, 1)
    }

    /// Random bytes of this model's shape.
    pub fn pixels(&self, seed: u64) -> Vec<u8> {
        let mut random = Random(seed + 1_000);
        (0..self.shape.iter().product::<usize>()).map(|_| (random.share() * 256.0) as u8).collect()
    }

    /// The reference's probabilities for `pixels`, averaged over the members.
    pub fn probabilities(&self, pixels: &[u8]) -> Vec<f64> {
        let [channels, height, width] = self.shape;
        let (mean, deviation) = (&vec![0.25; channels], &vec![0.5; channels]);
        let each = self.members.iter().map(|tensors| Reference { tensors, mean, deviation });
        let rows: Vec<Vec<f64>> = each.map(|reference| reference.probabilities(pixels, height, width)).collect();
        (0..rows[0].len()).map(|class| rows.iter().map(|row| row[class]).sum::<f64>() / rows.len() as f64).collect()
    }

    /// Writes card and weights with true digests.
    pub fn write(&self, folder: &Path) {
        let mut card = self.card.clone();
        for (number, tensors) in self.members.iter().enumerate() {
            let bytes = serialised(tensors);
            let member = json!({"file": format!("{number}.safetensors"), "sha256": digest(&bytes)});
            card["members"].as_array_mut().expect("an array").push(member);
            std::fs::write(folder.join(format!("{number}.safetensors")), bytes).expect("written");
        }
        std::fs::write(folder.join("card.json"), card.to_string()).expect("written");
    }

    /// Replaces the value at `pointer` in the card.
    pub fn with(mut self, pointer: &str, value: Value) -> Self {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        self.card.pointer_mut(parent).expect("a place in the card")[key] = value;
        self
    }
}

/// SHA-256 in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn serialised(tensors: &Tensors) -> Vec<u8> {
    let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, values))| (name, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let views = bytes
        .iter()
        .map(|(name, shape, data)| (*name, TensorView::new(Dtype::F32, (*shape).clone(), data).expect("a tensor")));
    safetensors::serialize(views, None).expect("a file")
}

fn weights(depth: usize, [channels, height, columns]: [usize; 3], width: usize, classes: usize, seed: u64) -> Tensors {
    let mut random = Random(seed);
    let mut tensors = Tensors::new();
    let mut layer = |name: &str, shape: Vec<usize>| {
        let inputs: usize = shape[1..].iter().product();
        let reach = (6.0 / inputs as f64).sqrt();
        let values = (0..shape.iter().product()).map(|_| (random.signed() * reach) as f32).collect();
        let bias = (0..shape[0]).map(|_| random.signed() as f32 * 0.1).collect();
        tensors.insert(format!("{name}.bias"), (vec![shape[0]], bias));
        tensors.insert(format!("{name}.weight"), (shape, values));
    };
    let last_side = |side: usize| (2..depth).fold(side - 2, |side, _| (side - 2) / 2) - 2;
    let flat = 2 * width * last_side(height) * last_side(columns);
    let outputs = |number: usize| if number <= 2 { width } else { 2 * width };
    layer("conv1", vec![width, channels, 3, 3]);
    for number in 2..=depth {
        layer(&format!("conv{number}"), vec![outputs(number), outputs(number - 1), 3, 3]);
    }
    layer("dense1", vec![128, flat]);
    layer("dense2", vec![classes, 128]);
    for number in 1..depth {
        let (name, channels) = (format!("norm{number}"), outputs(number));
        for (part, least) in [("gamma", 0.5), ("beta", -0.5), ("mean", 0.0), ("variance", 0.25)] {
            let values = (0..channels).map(|_| least + random.share() as f32).collect();
            tensors.insert(format!("{name}.{part}"), (vec![channels], values));
        }
    }
    tensors
}

/// Steele and Vigna's SplitMix64, which is good enough for weights.
struct Random(u64);

impl Random {
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn signed(&mut self) -> f64 {
        2.0 * self.share() - 1.0
    }
}
