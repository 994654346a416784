//! Does the engine refuse an artifact that does not match its card, and images that do not match the artifact?

mod fixture;
mod numbers;
mod onnx;
mod reference;

use std::path::Path;

use kana_engine::image::{Image, Shape};
use kana_engine::model::{Artifact, Classifier, Error};
use serde_json::json;

use fixture::{Fixture, digest};
use reference::Tensors;

/// How far the engine's single precision may lie from the reference's double.
const NEAR: f64 = 1e-5;

fn image([channels, height, width]: [usize; 3], pixels: Vec<u8>) -> Image {
    Image::new(Shape { channels, height, width }, pixels).expect("as many pixels as the shape has")
}

fn engine(fixture: &Fixture) -> Box<dyn Classifier> {
    let folder = tempfile::tempdir().expect("a folder");
    fixture.write(folder.path());
    Artifact::load(folder.path()).and_then(|artifact| artifact.classifier()).expect("a whole artifact")
}

/// The error of loading and checking `folder`, with all its causes.
fn refusal_of(folder: &Path) -> String {
    match Artifact::load(folder).and_then(|artifact| artifact.classifier().map(|_| ())) {
        Ok(()) => "accepted".to_owned(),
        Err(error) => format!("{:#}", anyhow::Error::from(error)),
    }
}

fn refusal(fixture: &Fixture) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    fixture.write(folder.path());
    refusal_of(folder.path())
}

#[track_caller]
fn assert_near(found: &[f32], expected: &[f64]) {
    let far = found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
    assert!(found.len() == expected.len() && far <= NEAR, "{far:e} apart: {found:?} and {expected:?}");
}

#[test]
fn an_image_of_another_shape_is_refused_with_both_shapes_and_nothing_is_classified() {
    let mut classifier = engine(&Fixture::small());
    let (right, wrong) = (image([1, 20, 20], vec![0; 400]), image([1, 28, 28], vec![0; 784]));

    let error = classifier.classify(&[right, wrong]).expect_err("another shape");

    assert!(matches!(error, Error::Shape { .. }));
    assert_eq!(error.to_string(), "image is 1×28×28 and the model takes 1×20×20");
}

#[test]
fn an_empty_batch_has_no_predictions() {
    assert_eq!(engine(&Fixture::small()).classify(&[]).expect("an answer"), []);
}

#[test]
fn an_inconsistent_card_is_refused_naming_field_and_values() {
    let huge = u64::MAX / 2;
    let table = [
        ("/format", json!(2), "card.json: format: expected 1, found 2"),
        (
            "/architecture/family",
            json!("resnet"),
            "architecture.family: expected one of [\"kana-cnn\"], found \"resnet\"",
        ),
        ("/architecture/depth", json!(2), "architecture.depth: expected 3 to 8, found 2"),
        ("/architecture/depth", json!(5), "expected an input of 40×40 or more for 5 convolutions, found 1×20×20"),
        ("/architecture/depth", json!(huge), "architecture.depth: expected 3 to 8"),
        ("/architecture/width", json!(0), "architecture.width: expected 1 to 1024, found 0"),
        ("/architecture/width", json!(huge), "architecture.width: expected 1 to 1024"),
        ("/input/shape/height", json!(huge), "input.shape.height: expected 1 to 4096"),
        ("/input/shape/width", json!(19), "expected an input of 20×20 or more for 4 convolutions, found 1×20×19"),
        ("/input/shape/channels", json!(0), "input.shape.channels: expected 1 to 16, found 0"),
        ("/input/mean", json!([]), "input.mean: expected 1, found 0"),
        ("/input/deviation", json!([0.0]), "input.deviation: expected numbers above 0, found 0"),
        ("/labels", json!([]), "labels: expected 1 to 100000, found 0"),
        ("/labels", json!(["a", "b", "a"]), "labels: expected each once, found \"a\" twice"),
        ("/romanised", json!(["a"]), "romanised: expected 3, found 1"),
        ("/name", json!("a\nb"), "name: expected 1 to 128 bytes of plain text"),
        ("/self_test", json!([]), "self_test: expected 1 to 256, found 0"),
        ("/self_test/0/pixels", json!("zz"), "self_test[0].pixels: not hexadecimal"),
        ("/self_test/0/pixels", json!("00"), "self_test[0].pixels: expected 400 bytes, found 1"),
        ("/self_test/0/probabilities", json!([1.0]), "self_test[0].probabilities: expected 3, found 1"),
        ("/extra", json!(1), "unknown field `extra`"),
    ];
    for (pointer, value, expected) in table {
        let mut fixture = Fixture::small();
        if pointer.starts_with("/self_test/0/") {
            let (field, found) = (pointer.rsplit('/').next().expect("a field"), &mut fixture.card["self_test"][0]);
            found[field] = value;
        } else if pointer == "/input/shape/width" {
            fixture = fixture.with(pointer, value).with("/self_test", json!([specimen(20 * 19)]));
        } else {
            fixture = fixture.with(pointer, value);
        }

        let message = refusal(&fixture);

        assert!(message.contains(expected), "{pointer}: {message}");
    }
}

fn specimen(bytes: usize) -> serde_json::Value {
    json!({"pixels": "00".repeat(bytes), "probabilities": [1.0, 0.0, 0.0]})
}

#[test]
fn labels_that_do_not_fit_the_output_are_refused_naming_the_tensor() {
    let four = json!([{"pixels": "00".repeat(400), "probabilities": [1.0, 0.0, 0.0, 0.0]}]);
    let fixture = Fixture::small().with("/labels", json!(["a", "b", "c", "d"])).with("/self_test", four);

    let message = refusal(&fixture);

    assert!(message.contains("0.safetensors: tensor dense2.weight: expected [4, 128], found [3, 128]"), "{message}");
}

type Damage = fn(&mut Tensors);

#[test]
fn weights_that_are_not_the_networks_are_refused_naming_file_tensor_expected_and_found() {
    let table: [(Damage, &str); 7] = [
        (|t| drop(t.remove("norm2.beta")), "0.safetensors: tensor norm2.beta: missing"),
        (|t| drop(t.insert("spare".into(), (vec![1], vec![0.0]))), "tensor spare: expected none of this name"),
        (|t| reshape(t, "conv2.bias", vec![1, 2]), "tensor conv2.bias: expected [2], found [1, 2]"),
        (|t| reshape(t, "dense1.weight", vec![4, 128]), "tensor dense1.weight: expected [128, 4], found [4, 128]"),
        (|t| set(t, "conv3.weight", 5, f32::NAN), "tensor conv3.weight: expected finite numbers, found NaN at 5"),
        (|t| set(t, "norm1.variance", 1, -0.5), "tensor norm1.variance: expected none below 0, found -0.5 at 1"),
        (|t| t.values_mut().for_each(|(_, values)| values.fill(1e30)), "tensor conv2.weight: too large to fold"),
    ];
    for (damage, expected) in table {
        let mut fixture = Fixture::small();
        damage(&mut fixture.members[0]);

        let message = refusal(&fixture);

        assert!(message.contains(expected), "expected {expected:?}: {message}");
    }
}

fn reshape(tensors: &mut Tensors, name: &str, shape: Vec<usize>) {
    tensors.get_mut(name).expect("a tensor").0 = shape;
}

fn set(tensors: &mut Tensors, name: &str, at: usize, value: f32) {
    tensors.get_mut(name).expect("a tensor").1[at] = value;
}

#[test]
fn weights_of_another_type_are_refused_naming_the_tensor() {
    let folder = tempfile::tempdir().expect("a folder");
    Fixture::small().write(folder.path());
    // I32 is as long as F32, so that nothing but the type is wrong; a space keeps the header's length.
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("F32");
    let mut bytes = std::fs::read(folder.path().join("0.safetensors")).expect("weights");
    let at = bytes.windows(3).position(text).expect("a type in the header");
    bytes[at] = b'I';
    replace(folder.path(), &bytes);

    let message = refusal_of(folder.path());

    assert!(message.contains(": expected F32, found I32"), "{message}");
}

/// Puts other bytes in the place of the first member's, under their own digest.
fn replace(folder: &Path, bytes: &[u8]) {
    let old = std::fs::read(folder.join("0.safetensors")).expect("weights");
    let card = std::fs::read_to_string(folder.join("card.json")).expect("a card");
    std::fs::write(folder.join("card.json"), card.replace(&digest(&old), &digest(bytes))).expect("written");
    std::fs::write(folder.join("0.safetensors"), bytes).expect("written");
}

#[test]
fn a_flipped_bit_anywhere_in_the_weights_is_refused_naming_the_file_and_both_digests() {
    let folder = tempfile::tempdir().expect("a folder");
    Fixture::small().write(folder.path());
    let file = folder.path().join("0.safetensors");
    let whole = std::fs::read(&file).expect("weights");
    for at in (0..whole.len()).step_by(101).chain([whole.len() - 1]) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&file, &bytes).expect("written");

        let message = refusal_of(folder.path());

        let expected = format!("0.safetensors: expected SHA-256 {}, found {}", digest(&whole), digest(&bytes));
        assert!(message.contains(&expected), "byte {at}: {message}");
    }
}

#[test]
fn a_flipped_bit_in_the_card_never_crashes_and_never_lets_other_weights_pass() {
    let folder = tempfile::tempdir().expect("a folder");
    Fixture::small().write(folder.path());
    let file = folder.path().join("card.json");
    let whole = std::fs::read(&file).expect("a card");
    for at in (0..whole.len()).filter(|at| *at < 400 || at % 17 == 0) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 7);
        std::fs::write(&file, &bytes).expect("written");

        let message = refusal_of(folder.path());

        // A letter of a description may change unnoticed, and so may the last digits of a probability.
        assert!(
            message == "accepted" || message.contains("is refused") || message.contains("could not read"),
            "{message}"
        );
    }
}

#[test]
fn weights_cut_off_or_replaced_by_something_else_are_refused_even_under_a_true_digest() {
    let folder = tempfile::tempdir().expect("a folder");
    Fixture::small().write(folder.path());
    let whole = std::fs::read(folder.path().join("0.safetensors")).expect("weights");
    for bytes in [&whole[..whole.len() - 4], &whole[..100], b"", b"not weights at all, but longer than a header"] {
        replace(folder.path(), bytes);

        let message = refusal_of(folder.path());

        assert!(message.contains("0.safetensors: not a safetensors file"), "{message}");
        replace(folder.path(), &whole);
    }
}

#[test]
fn a_card_that_is_not_json_is_refused_with_line_and_column() {
    let folder = tempfile::tempdir().expect("a folder");
    for (text, place) in [("{\n  \"format\": 1,\n  !", "line 3 column 3"), ("", "line 1 column 0"), ("[", "column 1")] {
        std::fs::write(folder.path().join("card.json"), text).expect("written");

        let message = refusal_of(folder.path());

        assert!(message.contains("card.json: not a card") && message.contains(place), "{message}");
    }
}

#[test]
fn a_member_outside_the_artifacts_own_folder_is_refused_unread() {
    for file in ["../0.safetensors", "/etc/passwd", "a/b", "..", ".", "", "./0.safetensors", "a\\b", "0.safetensors/"] {
        let fixture = Fixture::small().with("/members", json!([{"file": file, "sha256": ""}]));

        let message = refusal(&fixture);

        assert!(message.contains("card.json: members[0].file: expected a name in this folder"), "{file:?}: {message}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = refusal_of(folder.path());
    Fixture::small().write(folder.path());
    std::fs::remove_file(folder.path().join("0.safetensors")).expect("removed");
    let after = refusal_of(folder.path());

    assert!(before.contains("could not read") && before.contains("card.json"), "{before}");
    assert!(after.contains("could not read") && after.contains("0.safetensors"), "{after}");
}

#[test]
fn a_card_that_never_ends_is_read_no_further_than_its_bound() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = std::fs::File::create(folder.path().join("card.json")).expect("a file");
    file.set_len(1 << 40).expect("a hole");

    let message = refusal_of(folder.path());

    assert!(message.contains("card.json") && message.contains("larger than 16777216 bytes"), "{message}");
}

#[test]
fn a_machine_that_computes_other_probabilities_than_the_trainer_is_refused() {
    let mut fixture = Fixture::small();
    let expected = &mut fixture.card["self_test"][1]["probabilities"][0];
    *expected = json!(expected.as_f64().expect("a number") + 1e-3);

    let message = refusal(&fixture);

    assert!(message.contains("fixture is refused: self_test[1]: expected ["), "{message}");
}

#[test]
fn an_engine_that_answers_nan_fails_the_self_test() {
    let mut fixture = Fixture::small();
    // Finite weights whose logits overflow: infinity less infinity is no number.
    set(&mut fixture.members[0], "dense2.bias", 0, f32::MAX);
    set(&mut fixture.members[0], "dense2.bias", 1, f32::MAX);
    fixture.members[0].get_mut("dense2.weight").expect("a tensor").1.fill(f32::MAX);

    let message = refusal(&fixture);

    assert!(message.contains("self_test[0]: expected ["), "{message}");
}
