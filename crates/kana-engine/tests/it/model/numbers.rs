//! Does the engine compute the network as defined, on every instruction set of this machine?

use std::num::NonZero;
use std::path::Path;

use kana_engine::Prediction;
use kana_engine::image::{Image, Shape};
use kana_engine::model::{Artifact, Card, Classifier, Error, Instructions};
use safetensors::SafeTensors;

use super::fixture::Fixture;
use super::reference::{Reference, Tensors};
use super::{assert_near, image};

/// Classes of the shapes' tests; the number of classes has a test of its own.
const CLASSES: usize = 10;

/// Loads an artifact and creates its classifier on each set; each runs the self-test, whose answers are the reference's.
fn engines(fixture: &Fixture) -> Vec<(Instructions, Box<dyn Classifier>)> {
    let folder = tempfile::tempdir().expect("a folder");
    fixture.write(folder.path());
    let artifact = Artifact::load(folder.path()).expect("a whole artifact");
    let engine = |set| (set, artifact.classifier_on(set).expect("an engine that passes the self-test"));
    Instructions::available().into_iter().map(engine).collect()
}

fn assert_agrees(shape: [usize; 3], width: usize, classes: usize) {
    assert_fixture_agrees(&Fixture::new(shape, width, classes, 1), shape);
}

fn assert_fixture_agrees(fixture: &Fixture, shape: [usize; 3]) {
    for seed in 7..9 {
        let pixels = fixture.pixels(seed);
        let expected = fixture.probabilities(&pixels);
        for (_, mut engine) in engines(fixture) {
            let found = engine.classify(&[image(shape, pixels.clone())]).expect("an image of its shape");

            assert_near(&found[0].probabilities, &expected);
        }
    }
}

#[test]
fn the_engine_agrees_with_the_definition_of_the_network_for_any_depth() {
    for (depth, side) in [(3, 10), (3, 16), (4, 64), (5, 40), (5, 64), (6, 80), (8, 320)] {
        for (channels, width) in [(1, 3), (3, 17)] {
            // The largest takes the definition, which is slow, most of a second.
            let (shape, width) = ([channels, side, side + 1], if depth == 8 { 2 } else { width });

            assert_fixture_agrees(&Fixture::with_depth(depth, shape, width, CLASSES, 2), shape);
        }
    }
}

#[test]
fn the_engine_agrees_with_the_definition_of_the_network_for_any_width() {
    for width in [1, 5, 8, 16, 17, 32, 64, 128] {
        assert_agrees([1, 28, 28], width, CLASSES);
    }
}

#[test]
fn the_engine_agrees_with_the_definition_of_the_network_for_any_shape() {
    let shapes = [[1, 20, 20], [1, 21, 20], [3, 23, 31], [2, 40, 21], [3, 32, 32], [16, 22, 27], [1, 64, 64]];
    for shape in shapes {
        for width in [5, 32] {
            assert_agrees(shape, width, CLASSES);
        }
    }
}

#[test]
fn the_engine_agrees_with_the_definition_of_the_network_for_any_number_of_classes() {
    for classes in [1, 2, 16, 17, 150, 1_000] {
        assert_agrees([1, 20, 20], 2, classes);
    }
}

/// Weights of alternating signs, so that the sums of Winograd's transforms cancel as far as they can.
#[test]
fn weights_that_cancel_each_other_stay_within_the_tolerance() {
    let shape = [1, 28, 28];
    for width in [8, 64] {
        let mut fixture = Fixture::new(shape, width, CLASSES, 1);
        for (name, (_, values)) in &mut fixture.members[0] {
            if name.starts_with("conv") && name.ends_with("weight") {
                for (at, value) in values.iter_mut().enumerate() {
                    *value = value.abs() * if at % 2 == 0 { 3.0 } else { -3.0 };
                }
            }
        }
        let pixels = fixture.pixels(3);
        let expected = fixture.probabilities(&pixels);
        fixture.card["self_test"] = fixture.self_test();
        for (_, mut engine) in engines(&fixture) {
            let found = engine.classify(&[image(shape, pixels.clone())]).expect("an image of its shape");

            assert_near(&found[0].probabilities, &expected);
        }
    }
}

#[test]
fn the_shipped_weights_give_what_the_definition_of_the_network_gives_for_real_drawings() {
    let artifact = Artifact::built_in().expect("the shipped model");
    let card: &Card = artifact.card();
    let folder = crate::drawings::project().join("models/kana");
    let members: Vec<Tensors> = card.members.iter().map(|member| tensors(&folder.join(&member.file))).collect();
    let Shape { height, width, .. } = card.input.shape;
    for drawing in crate::drawings::training_images(32) {
        let pixels = drawing.into_raw();
        let each = members.iter().map(|tensors| {
            let (mean, deviation) = (&card.input.mean, &card.input.deviation);
            Reference { tensors, mean, deviation }.probabilities(&pixels, height, width)
        });
        let rows: Vec<Vec<f64>> = each.collect();
        let mean = |class: usize| rows.iter().map(|row| row[class]).sum::<f64>() / rows.len() as f64;
        let expected: Vec<f64> = (0..card.labels.len()).map(mean).collect();
        for set in Instructions::available() {
            let mut classifier = artifact.classifier_on(set).expect("an engine that passes the self-test");

            let image = Image::new(card.input.shape, pixels.clone()).expect("a whole image");
            let found = classifier.classify(&[image]).expect("an answer");

            assert_near(&found[0].probabilities, &expected);
        }
    }
}

fn tensors(file: &Path) -> Tensors {
    let bytes = std::fs::read(file).expect("weights");
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let floats = |data: &[u8]| data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let tensors = file.iter().map(|(name, t)| (name.to_owned(), (t.shape().to_vec(), floats(t.data()))));
    tensors.collect()
}

#[test]
fn an_image_has_the_same_probabilities_to_the_last_bit_alone_and_in_any_batch() {
    let fixture = Fixture::new([1, 28, 28], 8, 10, 2);
    let images: Vec<Image> = (0..33).map(|seed| image([1, 28, 28], fixture.pixels(seed))).collect();
    for (set, mut classifier) in engines(&fixture) {
        let alone: Vec<_> =
            images.iter().flat_map(|one| classifier.classify(std::slice::from_ref(one)).expect("an answer")).collect();
        for size in [33, 2, 3, 5, 7, 8, 13, 24] {
            let batches = images.chunks(size).map(|batch| classifier.classify(batch).expect("answers"));

            assert_eq!(batches.collect::<Vec<_>>().concat(), alone, "{set}, {size} at once");
        }
    }
}

#[test]
fn the_probabilities_of_several_members_are_averaged() {
    let fixture = Fixture::new([1, 28, 28], 4, 5, 3);
    let pixels = fixture.pixels(1);
    for (_, mut engine) in engines(&fixture) {
        let found = engine.classify(&[image([1, 28, 28], pixels.clone())]).expect("an answer");

        assert_near(&found[0].probabilities, &fixture.probabilities(&pixels));
        assert!((found[0].probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}

#[test]
fn nothing_is_allocated_but_the_predictions_that_are_returned() {
    let fixture = Fixture::new([1, 28, 28], 8, 10, 2);
    let images: Vec<Image> = (0..33).map(|seed| image([1, 28, 28], fixture.pixels(seed))).collect();
    for (set, mut classifier) in engines(&fixture) {
        let (predictions, held) = crate::counting::peak(|| classifier.classify(&images).expect("answers"));

        let own = |p: &Prediction| p.label.capacity() + p.probabilities.capacity() * size_of::<f32>();
        let returned = predictions.capacity() * size_of::<Prediction>() + predictions.iter().map(own).sum::<usize>();
        assert_eq!(held, returned as u64, "{set}");
    }
}

#[test]
fn an_explanation_names_each_layer_its_algorithm_and_its_work() {
    let artifact = Artifact::built_in().expect("the shipped model");
    for set in Instructions::available() {
        let explanation = artifact.explain(set);

        let rows: Vec<_> =
            explanation.layers.iter().map(|l| (l.name.as_str(), l.algorithm, (l.mflop * 1e3) as u32)).collect();
        let expected = [
            ("conv1", "direct", 389),
            ("conv2", "winograd 4×4", 10_616),
            ("conv3", "winograd 4×4", 3_686),
            ("conv4", "direct", 663),
            ("dense1", "dense", 147),
            ("dense2", "dense", 2),
        ];
        assert_eq!(rows, expected);
        assert!(explanation.layers.iter().all(|layer| layer.micros > 0.0 && layer.peak_share > 0.0));
        assert!(explanation.to_string().contains(set.name()), "{explanation}");
    }
}

#[test]
fn an_explanation_of_a_deeper_network_names_all_its_layers() {
    let folder = tempfile::tempdir().expect("a folder");
    Fixture::with_depth(5, [1, 40, 40], 3, 2, 1).write(folder.path());
    let artifact = Artifact::load(folder.path()).expect("a whole artifact");

    let layers = artifact.explain(Instructions::best()).layers;

    let rows: Vec<_> = layers.iter().map(|l| (l.name.as_str(), (l.mflop * 1e6).round() as usize)).collect();
    let convolution = |pixels: usize, from: usize, to: usize| 2 * 9 * pixels * from * to;
    let expected = [
        ("conv1", convolution(38 * 38, 1, 3)),
        ("conv2", convolution(36 * 36, 3, 3)),
        ("conv3", convolution(16 * 16, 3, 6)),
        ("conv4", convolution(6 * 6, 6, 6)),
        ("conv5", convolution(1, 6, 6)),
        ("dense1", 2 * 6 * 128),
        ("dense2", 2 * 128 * 2),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn an_image_has_the_same_probabilities_to_the_last_bit_on_any_number_of_threads() {
    let fixture = Fixture::new([1, 28, 28], 8, 10, 1);
    let folder = tempfile::tempdir().expect("a folder");
    fixture.write(folder.path());
    let artifact = Artifact::load(folder.path()).expect("a whole artifact");
    let images: Vec<Image> = (0..33).map(|seed| image([1, 28, 28], fixture.pixels(seed))).collect();
    let alone = artifact.classifier().and_then(|mut one| one.classify(&images)).expect("answers");

    for threads in 1..=5 {
        let threads = NonZero::new(threads).expect("not 0");
        let mut classifier = artifact.classifier_on_threads(Instructions::best(), threads).expect("engines");
        for count in [0, 1, 4, 5, 9, 33] {
            let answers = classifier.classify(&images[..count]).expect("answers");
            assert_eq!(answers, alone[..count], "{count} images on {threads} threads");
        }
        let wrong = image([1, 20, 20], vec![0; 400]);
        assert!(matches!(classifier.classify(&[wrong]), Err(Error::Shape { .. })));
    }
}
