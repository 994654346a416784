//! Does a graphics processor learn what a processor does?
//!
//! Both start from one state and take the same batches. The images are KMNIST's where `KANA_DATA` has them, or else kana's own
//! drawings; another data set has colour, odd sides and more classes than a block has lanes.

use std::ops::ControlFlow;
use std::path::Path;

use kana_engine::image::Shape;
use rand::RngExt;

use super::*;
use crate::data::random::{Purpose, stream};
use crate::data::{Dataset, Folder, strokes};
use crate::train::input;
use crate::train::loader::{Loader, LoaderConfig, Position, Turn};
use crate::train::native;

/// Images of a data set: a batch of each epoch has 16.
const IMAGES: usize = 160;
/// Rows and columns of kana's own drawings.
const SIDE: usize = 24;
/// Factor of the weight decay: ten times the default, so that a step without it would be noticed.
const WEIGHT_DECAY: f64 = 0.1;
/// Learning rate: the highest of a run's.
const RATE: f64 = 3e-3;
/// Steps before two states are compared: the first ones divide tiny moments by their own size, which makes a whole step of a
/// rounding error.
const WARM_UP: usize = 5;
/// Greatest error of a gradient, as a share of the tensor's largest: single precision, over a batch.
const GRADIENT_ERROR_MAX: f32 = 1e-4;
/// Greatest error of a parameter, a moment or a statistic after one step, as a share of the tensor's largest.
const STATE_ERROR_MAX: f32 = 1e-4;
/// Greatest error of the loss of each of fifty steps, as a share: rounding errors grow from step to step.
const LOSS_ERROR_MAX: f64 = 0.02;

/// Images with characters, of ten classes.
fn characters() -> Dataset {
    let folder = std::env::var_os("KANA_DATA")
        .map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder).join("kmnist"));
    if let Some(folder) = folder.filter(|folder| folder.is_dir()) {
        return Folder::load(&folder).expect("a data set").test.subset(&(0..IMAGES).collect::<Vec<_>>());
    }
    let images = (0..IMAGES).map(|number| strokes::draw(number % strokes::COUNT, number as u64, SIDE));
    let pixels = images.flat_map(|image| image.pixels().to_vec()).collect();
    let labels = (0..IMAGES).map(|number| (number % strokes::COUNT) as u16).collect();
    Dataset::new(Shape { channels: 1, height: SIDE, width: SIDE }, pixels, labels).expect("as many pixels")
}

/// Images of noise in colour, with odd sides, of more classes than a block has lanes.
fn noise() -> Dataset {
    let shape = Shape { channels: 3, height: 23, width: 26 };
    let mut random = stream(7, Purpose::Augment, [0, 0]);
    let pixels = (0..32 * shape.bytes()).map(|_| random.random()).collect();
    Dataset::new(shape, pixels, (0..32).map(|number| number % 18).collect()).expect("as many pixels")
}

/// A network of `width` for a data set, and its first batches.
fn prepare(dataset: &Dataset, width: usize, count: usize) -> (Architecture, Vec<Batch>) {
    let input = input::measure(dataset);
    let class_count = dataset.labels().iter().map(|label| usize::from(*label) + 1).max().unwrap_or(0);
    let architecture = Architecture::new(dataset.shape(), width, class_count).checked().expect("a network");
    let config =
        LoaderConfig { seed: 3, batch_size: 16, augment: true, mixup: 0.5, dropout: 0.2, label_smoothing: 0.05 };
    let loader = Loader { dataset, input: &input, architecture, config, teachers: &[] };
    let mut batches = Vec::new();
    loader.load(Position { epoch: 0, batch: 0 }, usize::MAX, Turn { turn: 0, count: 1 }, |batch| {
        batches.push(batch);
        if batches.len() < count { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    (architecture, batches)
}

/// Learners on both devices, which continue from the same state.
fn learners(architecture: Architecture, batches: &[Batch]) -> (native::Learner, Learner) {
    let (parameters, moments) = (Parameters::initial(&architecture, 3), Moments::zero(&architecture));
    let mut processor = native::Learner::new(architecture, parameters, moments, WEIGHT_DECAY);
    for (index, batch) in batches.iter().enumerate() {
        processor.step(batch, Step { index, rate: RATE });
    }
    let (parameters, moments) = (processor.parameters(), processor.moments());
    let device = Learner::new(&architecture, parameters, moments, WEIGHT_DECAY).expect("a driver: tools/test-gpu");
    (processor, device)
}

/// Asserts that the tensors of `found` are those of `expected`, up to a share of their largest values.
fn assert_close(what: &str, found: &[Vec<f32>], expected: &[Vec<f32>], error_max: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (number, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found.len(), expected.len(), "{what} {number}");
        let scale = expected.iter().fold(0.0, |most: f32, value| most.max(value.abs()));
        let errors = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs());
        let error = errors.fold(0.0, f32::max) / scale.max(f32::MIN_POSITIVE);
        assert!(error <= error_max, "{what} {number}: {error:e} of {scale}");
    }
}

fn assert_gradients(dataset: &Dataset, width: usize) {
    let (architecture, batches) = prepare(dataset, width, WARM_UP + 1);
    let (warm_up, batch) = (&batches[..WARM_UP], &batches[WARM_UP]);
    let (mut processor, mut device) = learners(architecture, warm_up);

    let expected = processor.gradients(batch);
    let (gradient, log_probabilities) = device.gradient(batch);

    let [gradient, log_probabilities] = read([gradient, log_probabilities]).expect("values");
    let totals = totals(&log_probabilities, batch);
    assert_eq!((totals.images, totals.correct), (expected.totals.images, expected.totals.correct));
    assert!((totals.loss - expected.totals.loss).abs() < 1e-4 * expected.totals.loss, "{totals:?}, {expected:?}");
    let gradients = device.network.trainable.split(&gradient);
    assert_close("gradient", &gradients, &expected.trainable, GRADIENT_ERROR_MAX);
}

#[test]
fn gradients_are_those_of_a_processor() {
    assert_gradients(&characters(), 4);
}

#[test]
fn gradients_are_those_of_a_processor_for_colour_odd_sides_and_several_blocks() {
    assert_gradients(&noise(), 20);
}

#[test]
fn a_step_leaves_the_state_that_it_leaves_on_a_processor() {
    let (architecture, batches) = prepare(&characters(), 4, WARM_UP + 1);
    let (mut processor, mut device) = learners(architecture, &batches[..WARM_UP]);
    let step = Step { index: WARM_UP, rate: RATE };

    processor.step(&batches[WARM_UP], step);
    device.step(&batches[WARM_UP], step).expect("a step");

    let (parameters, moments) = (device.parameters().expect("parameters"), device.moments().expect("moments"));
    assert_close("parameter", &parameters.trainable, &processor.parameters().trainable, STATE_ERROR_MAX);
    assert_close("statistic", &parameters.statistics, &processor.parameters().statistics, STATE_ERROR_MAX);
    assert_close("first moment", &moments.first, &processor.moments().first, STATE_ERROR_MAX);
    assert_close("second moment", &moments.second, &processor.moments().second, STATE_ERROR_MAX);
}

#[test]
fn a_state_comes_back_from_the_device_as_it_was() {
    let (architecture, batches) = prepare(&characters(), 5, WARM_UP);

    let (processor, device) = learners(architecture, &batches);

    assert_eq!(&device.parameters().expect("parameters"), processor.parameters());
    assert_eq!(&device.moments().expect("moments"), processor.moments());
}

#[test]
fn the_losses_of_fifty_steps_are_those_of_a_processor() {
    let (architecture, batches) = prepare(&characters(), 4, 50);
    let (mut processor, mut device) = learners(architecture, &[]);

    let mut losses = Vec::new();
    for (index, batch) in batches.iter().enumerate() {
        let step = Step { index, rate: RATE };
        losses.push((processor.step(batch, step).mean_loss(), device.step(batch, step).expect("a step").mean_loss()));
    }

    for (step, (expected, found)) in losses.iter().enumerate() {
        assert!((found - expected).abs() < LOSS_ERROR_MAX * expected, "step {step}: {found} and {expected}");
    }
    let mean = |losses: &[(f64, f64)]| losses.iter().map(|(_, found)| found).sum::<f64>() / losses.len() as f64;
    assert!(mean(&losses[40..]) < mean(&losses[..10]), "nothing was learned: {losses:?}");
}
