//! Does ONNX Runtime compute from an exported model what the definition of the network gives?

use std::path::Path;
use std::process::Command;

use image::GrayImage;
use kana_engine::image::Image;
use kana_engine::model::{Artifact, onnx};

use super::fixture::Fixture;
use super::{NEAR, assert_near, refusal_of};

/// Images that are classified by each model: three sizes of batches.
const IMAGES: u64 = 20;

/// What ONNX Runtime says of `images`, from the file `model`.
fn classified(model: &Path, images: &[u8]) -> Vec<f32> {
    let folder = tempfile::tempdir().expect("a folder");
    let [input, output] = ["images", "probabilities"].map(|name| folder.path().join(name));
    std::fs::write(&input, images).expect("written");
    let tool = crate::drawings::project().join("tools/onnx-classify/main");
    let status = Command::new(tool).arg(model).arg(&input).arg(&output).status().expect("Python, which the tool needs");
    assert!(status.success(), "{status}");
    let bytes = std::fs::read(output).expect("probabilities");
    bytes.as_chunks().0.iter().map(|float| f32::from_le_bytes(*float)).collect()
}

#[test]
fn an_exported_model_or_ensemble_gives_the_same_probabilities_in_onnx_runtime() {
    let fixtures = [
        (10, Fixture::new([1, 28, 28], 8, 10, 1)),
        (3, Fixture::new([3, 23, 31], 5, 3, 1)),
        (2, Fixture::new([1, 20, 20], 4, 2, 3)),
        (150, Fixture::new([2, 40, 21], 3, 150, 2)),
        (3, Fixture::with_depth(3, [1, 16, 17], 4, 3, 2)),
        (4, Fixture::with_depth(5, [3, 48, 45], 3, 4, 1)),
    ];
    for (classes, fixture) in fixtures {
        let folder = tempfile::tempdir().expect("a folder");
        fixture.write(folder.path());
        let model = folder.path().join("model.onnx");
        std::fs::write(&model, onnx::export(Some(folder.path())).expect("a whole artifact")).expect("written");
        let images: Vec<Vec<u8>> = (0..IMAGES).map(|seed| fixture.pixels(seed)).collect();

        let found = classified(&model, &images.concat());

        assert_eq!(found.len(), images.len() * classes);
        for (image, found) in images.iter().zip(found.chunks(classes)) {
            assert_near(found, &fixture.probabilities(image));
        }
    }
}

#[test]
fn an_artifact_that_is_refused_is_not_exported_either() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut fixture = Fixture::small();
    fixture.members[0].remove("norm2.beta");
    fixture.write(folder.path());

    let error = onnx::export(Some(folder.path())).expect_err("a tensor is missing");

    assert_eq!(format!("{:#}", anyhow::Error::from(error)), refusal_of(folder.path()));
}

#[test]
fn the_shipped_model_names_the_same_class_in_onnx_runtime_for_every_test_image() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = folder.path().join("model.onnx");
    std::fs::write(&model, onnx::export(None).expect("the shipped model")).expect("written");

    let mut classifier = Artifact::built_in().and_then(|artifact| artifact.classifier()).expect("the shipped model");
    let shape = classifier.card().input.shape;
    let pixels: Vec<Vec<u8>> = crate::drawings::training_images(10_000).into_iter().map(GrayImage::into_raw).collect();
    let images: Vec<Image> = pixels.iter().map(|bytes| Image::new(shape, bytes.clone()).expect("28 × 28")).collect();

    let theirs = classified(&model, &pixels.concat());

    let ours = classifier.classify(&images).expect("images of its shape");
    assert_eq!(theirs.len(), ours.len() * ours[0].probabilities.len());
    for (at, (ours, theirs)) in ours.iter().zip(theirs.chunks(ours[0].probabilities.len())).enumerate() {
        let far = ours.probabilities.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let most = |row: &[f32]| row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(class, _)| class);
        assert!(far <= NEAR as f32, "image {at}: {far} apart");
        assert_eq!(Some(ours.class), most(theirs), "image {at}");
    }
}
