//! Does a step compute what PyTorch computes?
//!
//! Two steps of three networks, from files that `tools/torch-gradients` wrote: what a step takes, and what PyTorch made of it
//! in doubles.

use std::collections::HashMap;

use kana_engine::image::Shape;
use kana_engine::kernels::Extent;
use safetensors::SafeTensors;

use super::*;
use crate::train::architecture::TensorSpec;
use crate::train::loader::{DropoutMasks, Position};

/// Learning rates of the steps, and weight decay.
const RATES: [f64; 2] = [3e-3, 2e-3];
const WEIGHT_DECAY: f64 = 0.05;
/// Greatest error of a loss, and of a gradient or a statistic as a share of the tensor's largest: single precision.
const ERROR_MAX: f32 = 2e-5;
/// Greatest error of a parameter after both steps, whatever its size: one three-hundredth of a step. AdamW divides gradients by
/// their size, and with them the error of one near zero.
const PARAMETER_ERROR_MAX: f32 = 1e-5;

/// A file, with its sizes.
struct Fixture {
    tensors: HashMap<String, Vec<f32>>,
    sizes: HashMap<String, usize>,
}

impl Fixture {
    fn read(bytes: &[u8]) -> Self {
        let (_, header) = SafeTensors::read_metadata(bytes).expect("a safetensors file");
        let sizes = header.metadata().as_ref().expect("sizes").iter();
        let floats = |data: &[u8]| data.as_chunks().0.iter().map(|float| f32::from_le_bytes(*float)).collect();
        let file = SafeTensors::deserialize(bytes).expect("a safetensors file");
        Self {
            tensors: file.iter().map(|(name, tensor)| (name.to_owned(), floats(tensor.data()))).collect(),
            sizes: sizes.map(|(name, size)| (name.clone(), size.parse().expect("a number"))).collect(),
        }
    }

    fn architecture(&self) -> Architecture {
        let size = |name: &str| self.sizes[name];
        let image_shape = Shape { channels: size("channels"), height: size("height"), width: size("columns") };
        Architecture { image_shape, depth: size("depth"), width: size("width"), class_count: size("classes") }
    }

    /// The tensors of `specs` after `prefix`, in order.
    fn all(&self, prefix: &str, specs: &[TensorSpec]) -> Vec<Vec<f32>> {
        specs.iter().map(|spec| self.tensors[&format!("{prefix}.{}", spec.name)].clone()).collect()
    }

    /// A mask, `[images][channels][height][width]`, in the trainer's layout.
    fn mask(&self, name: &str, channels: usize, extent: Extent) -> Mask {
        let (factors, pixels) = (&self.tensors[&format!("mask.{name}")], extent.pixels());
        let mut vectors = Vec::new();
        for image in factors.chunks_exact(channels * pixels) {
            for pixel in 0..pixels {
                let block = |block: usize| {
                    Vector(std::array::from_fn(|lane| {
                        let channel = block * LANES + lane;
                        if channel < channels { image[channel * pixels + pixel] } else { 0.0 }
                    }))
                };
                vectors.extend((0..channels.div_ceil(LANES)).map(block));
            }
        }
        Mask(vectors)
    }

    fn batch(&self) -> Batch {
        let layers = Layer::of_network(&self.architecture());
        let mask = |name: &str, layer: &Layer| self.mask(name, layer.outputs, layer.output());
        let pooled = (2..layers.len()).map(|number| mask(&format!("norm{number}"), &layers[number - 1])).collect();
        let masks = DropoutMasks {
            pooled,
            flat: mask("flat", &layers[layers.len() - 1]),
            dense1: self.mask("dense1", DENSE_WIDTH, Extent { height: 1, width: 1 }),
        };
        let [samples, targets] = ["samples", "targets"].map(|name| self.tensors[name].clone());
        Batch::new(Position { epoch: 0, batch: 0 }, samples, targets, masks, self.sizes["images"])
    }
}

/// Asserts that no value is further from the expected one than `error_max` of the largest.
fn assert_near(name: &str, found: &[f32], expected: &[f32], error_max: impl Fn(f32) -> f32) {
    let largest = expected.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    assert_eq!(found.len(), expected.len(), "{name}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs();
        assert!(error <= error_max(largest), "{name} at {at}: {found}, and {expected} by PyTorch; {largest} at most");
    }
}

fn assert_agrees(bytes: &[u8]) {
    let fixture = Fixture::read(bytes);
    let (architecture, batch) = (fixture.architecture(), fixture.batch());
    let [trainable, statistics] = [architecture.trainable(), architecture.statistics()];
    let parameters =
        Parameters { trainable: fixture.all("before", &trainable), statistics: fixture.all("before", &statistics) };
    let moments = Moments::zero(&architecture);
    let mut learner = Learner::new(architecture, parameters, moments, WEIGHT_DECAY);

    for (index, rate) in RATES.into_iter().enumerate() {
        let gradients = learner.gradients(&batch);
        learner.optimiser.update(&mut learner.parameters.trainable, &gradients.trainable, Step { index, rate });

        let number = index + 1;
        let loss = gradients.totals.mean_loss() as f32;
        assert_near(&format!("loss {number}"), &[loss], &fixture.tensors[&format!("loss{number}")], |_| ERROR_MAX);
        let expected = fixture.all(&format!("gradient{number}"), &trainable);
        for ((spec, found), expected) in trainable.iter().zip(&gradients.trainable).zip(&expected) {
            let name = format!("gradient {number} of {}", spec.name);
            assert_near(&name, found, expected, |largest| largest * ERROR_MAX);
        }
    }
    let Parameters { trainable: found, statistics: measured } = learner.parameters();
    for ((spec, found), expected) in trainable.iter().zip(found).zip(&fixture.all("after", &trainable)) {
        assert_near(&spec.name, found, expected, |_| PARAMETER_ERROR_MAX);
    }
    for ((spec, found), expected) in statistics.iter().zip(measured).zip(&fixture.all("after", &statistics)) {
        assert_near(&spec.name, found, expected, |largest| largest * ERROR_MAX);
    }
}

#[test]
fn two_steps_are_those_of_pytorch_with_three_convolutions() {
    assert_agrees(include_bytes!("../../../tests/torch/three.safetensors"));
}

#[test]
fn two_steps_are_those_of_pytorch_with_four_convolutions() {
    assert_agrees(include_bytes!("../../../tests/torch/four.safetensors"));
}

#[test]
fn two_steps_are_those_of_pytorch_with_five_convolutions() {
    assert_agrees(include_bytes!("../../../tests/torch/five.safetensors"));
}
