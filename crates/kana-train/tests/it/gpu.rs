//! Does a run on a graphics processor leave what a run on a processor does?

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use kana_engine::image::{Image, Shape};
use kana_engine::model::Artifact;
use kana_train::{Completion, Config, Device, metrics};
use tempfile::TempDir;

use crate::train::{SIDE, config, folder, run, shapes};

/// Greatest difference of a mean loss of an epoch, as a share: rounding errors grow from step to step.
const LOSS_ERROR_MAX: f64 = 0.05;

/// Set in the process of a test that looks for a graphics processor where there is none.
const CHILD: &str = "KANA_TEST_WITHOUT_DRIVERS";

/// Trains until `epochs` are in the metrics, and interrupts the run then.
fn run_until(config: &Config, epochs: usize) -> Completion {
    let (flag, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = config.out.join("metrics.jsonl");
            let written = || fs::read_to_string(&file).map_or(0, |text| text.lines().count());
            while written() < epochs && !is_over.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            flag.store(true, Ordering::Relaxed);
        });
        let completion = kana_train::run(config, &flag);
        is_over.store(true, Ordering::Relaxed);
        completion.unwrap()
    })
}

/// Classes that the engine predicts for images like those of the training.
fn predicted(model: &Path) -> Vec<usize> {
    let shape = Shape { channels: 1, height: SIDE, width: SIDE };
    let (pixels, _) = shapes(120);
    let images: Vec<Image> =
        pixels.chunks_exact(SIDE * SIDE).map(|pixels| Image::new(shape, pixels.to_vec()).unwrap()).collect();
    let mut classifier = Artifact::load(model).unwrap().classifier().unwrap();
    classifier.classify(&images).unwrap().iter().map(|prediction| prediction.class).collect()
}

fn assert_same_epochs(found: &Path, expected: &Path) {
    let (found, expected) = (metrics::read(found).unwrap(), metrics::read(expected).unwrap());
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!((found.epoch, found.learning_rate), (expected.epoch, expected.learning_rate));
        assert!((found.loss - expected.loss).abs() < LOSS_ERROR_MAX * expected.loss, "{found:?} and {expected:?}");
    }
}

#[test]
fn a_model_of_a_graphics_processor_predicts_the_classes_that_one_of_a_processor_does() {
    let data = folder(120);
    let outs = [TempDir::new().unwrap(), TempDir::new().unwrap()];

    for (out, device) in outs.iter().zip([Device::Cpu, Device::Gpu]) {
        run(&Config { device, width: 4, epochs: 4, ..config(data.path(), out.path()) }).unwrap();
    }

    assert_same_epochs(outs[1].path(), outs[0].path());
    assert_eq!(predicted(outs[1].path()), predicted(outs[0].path()));
}

#[test]
fn a_run_changes_from_a_processor_to_a_graphics_processor_and_back() {
    let data = folder(120);
    let (uninterrupted, changed) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let config = |out: &TempDir| Config { epochs: 6, ..config(data.path(), out.path()) };
    run(&config(&uninterrupted)).unwrap();

    let first = run_until(&config(&changed), 1);
    let second = run_until(&Config { device: Device::Gpu, resume: true, ..config(&changed) }, 3);
    let third = run(&Config { resume: true, ..config(&changed) }).unwrap();

    assert!(matches!(first, Completion::Interrupted { .. }), "{first:?}");
    assert!(matches!(second, Completion::Interrupted { .. }), "{second:?}");
    assert!(matches!(third, Completion::Finished { .. }), "{third:?}");
    assert_same_epochs(changed.path(), uninterrupted.path());
}

#[test]
fn a_run_without_a_graphics_processor_fails_and_says_what_was_looked_for() {
    if std::env::var_os(CHILD).is_some() {
        let (data, out) = (folder(90), TempDir::new().unwrap());

        let error = run(&Config { device: Device::Gpu, ..config(data.path(), out.path()) }).unwrap_err();

        let error = format!("{error:#}");
        assert!(error.contains("looked for one by") && error.contains("--device cpu"), "{error}");
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "gpu::a_run_without_a_graphics_processor_fails_and_says_what_was_looked_for"])
        .env(CHILD, "1")
        .env("VK_DRIVER_FILES", "/none")
        .env("VK_ICD_FILENAMES", "/none")
        .output()
        .unwrap();

    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
