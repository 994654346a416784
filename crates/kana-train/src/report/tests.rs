//! Does a report say what is so, whatever the run was like?

use std::collections::BTreeMap;

use kana_engine::image::Shape;
use kana_engine::model::card::{Architecture, Fit, Input, Source};

use super::*;
use crate::data::Label;

/// Judged images of one pixel, with these labels and probabilities.
pub(super) fn judged<const CLASSES: usize>(labels: &[Label], probabilities: &[[f32; CLASSES]]) -> Judged {
    let shape = Shape { channels: 1, height: 1, width: 1 };
    let images = Dataset::new(shape, vec![0; labels.len()], labels.to_vec()).expect("a pixel for each label");
    let probabilities = probabilities.iter().map(|row| row.to_vec()).collect();
    Judged { protocol: "every fifth image".to_owned(), images, probabilities, features: Vec::new() }
}

fn card(labels: &[&str]) -> Card {
    let shape = Shape { channels: 1, height: 2, width: 3 };
    Card {
        format: 1,
        name: "mine".to_owned(),
        description: "A test.".to_owned(),
        architecture: Architecture { family: "cnn".to_owned(), depth: 4, width: 8, dropout: 0.25 },
        input: Input { shape, mean: vec![0.5], deviation: vec![0.5], fit: Fit::Cover },
        labels: labels.iter().map(|&label| label.to_owned()).collect(),
        romanised: Vec::new(),
        members: vec![Member { file: "weights.safetensors".to_owned(), sha256: "ab".repeat(32) }],
        training: Training {
            version: "0.1.0".to_owned(),
            data: vec![Source { file: "train-images".to_owned(), sha256: "cd".repeat(32) }],
            images: 20,
            validation_images: 4,
            seed: 7,
            epochs: 2,
            best_epoch: 2,
            settings: BTreeMap::from([("batch".to_owned(), "128".to_owned())]),
        },
        evaluation: vec![Evaluation { protocol: "held out".to_owned(), images: 12, accuracy: 0.75 }],
        licence: "CC0".to_owned(),
        attribution: "Somebody".to_owned(),
        self_test: Vec::new(),
    }
}

fn epochs(count: usize) -> Vec<metrics::Epoch> {
    let epoch = |number: usize| metrics::Epoch {
        epoch: number,
        learning_rate: 0.001 / number as f64,
        loss: 1.0 / number as f64,
        accuracy: 1.0 - 0.5 / number as f64,
        validation_loss: 0.9 / number as f64,
        validation_accuracy: 1.0 - 0.4 / number as f64,
        seconds: 2.0,
        images_per_second: 100.0,
    };
    (1..=count).map(epoch).collect()
}

fn dataset(shape: Shape, labels: Vec<Label>) -> Dataset {
    let pixels = (0..shape.bytes() * labels.len()).map(|at| (at * 37 % 251) as u8).collect();
    Dataset::new(shape, pixels, labels).expect("whole images")
}

/// A run of 40 images of the classes `labels`, of which every fourth is taken for the next class.
fn inputs(labels: &[&str]) -> Inputs {
    let card = card(labels);
    let (shape, classes) = (card.input.shape, labels.len());
    let truth: Vec<Label> = (0..40).map(|image| (image % classes) as Label).collect();
    let row = |(image, &label): (usize, &Label)| {
        let said = (usize::from(label) + usize::from(image % 4 == 3)) % classes;
        let rest = 0.3 / (classes.max(2) - 1) as f32;
        (0..classes).map(|class| if class == said { 0.7 } else { rest }).collect()
    };
    let feature = |image: usize| (0..6).map(|at| (image * (at + 3)) as f32 % 7.0).collect();
    Inputs {
        judged: Judged {
            protocol: "held out".to_owned(),
            probabilities: truth.iter().enumerate().map(row).collect(),
            features: (0..40).map(feature).collect(),
            images: dataset(shape, truth.clone()),
        },
        development: dataset(shape, truth),
        specialists: Vec::new(),
        networks: vec![Network { name: "network".to_owned(), epochs: epochs(3), accuracy: None }],
        card,
        seconds: 61.0,
        machine: "a machine".to_owned(),
    }
}

fn page(inputs: &Inputs) -> String {
    html(inputs, &report(inputs))
}

/// Checks what holds for every page, and that no figure is something that JSON cannot write.
fn assert_is_sound(inputs: &Inputs) {
    let report = report(inputs);
    let page = html(inputs, &report);

    // Images in base 64 may have any letters.
    let mut parts = page.split("base64,");
    let first = parts.next().unwrap_or_default().to_owned();
    let page: String = parts.fold(first, |page, part| page + part.split_once('"').map_or("", |(_, rest)| rest));
    assert!(!page.contains("NaN") && !page.contains(">inf"), "a figure that is no number");
    for drawing in page.split("<svg").skip(1) {
        let tag = drawing.split('>').next().unwrap_or_default();
        assert!(tag.contains("role=\"img\"") && tag.contains("aria-label=\""), "{tag}");
    }
    for figure in page.split("<figure>").skip(1) {
        let figure = figure.split("</figure>").next().unwrap_or_default();
        assert!(figure.contains("aria-label=\"") && figure.contains("<figcaption>"), "{figure:.300}");
    }
    for loads in ["http://", "https://", "<script", "@import", "<link", "url("] {
        assert!(!page.contains(loads), "the page has {loads}");
    }
    let json = serde_json::to_value(&report).expect("JSON");
    assert!(json["calibration"].is_null() || json["calibration"]["brier"].is_f64());
    assert!(json["macro_f1"].is_f64() && json["results"]["accuracy"].is_f64());
}

#[test]
fn a_usual_run_makes_a_sound_page() {
    let inputs = inputs(&["a", "b", "c"]);

    assert_is_sound(&inputs);
}

#[test]
fn the_same_inputs_make_the_same_bytes() {
    let inputs = inputs(&["a", "b", "c"]);

    let (first, second) = (report(&inputs), report(&inputs));

    assert_eq!(serde_json::to_string(&first).expect("JSON"), serde_json::to_string(&second).expect("JSON"));
    assert_eq!(html(&inputs, &first), html(&inputs, &second));
}

#[test]
fn the_figures_are_those_of_the_images() {
    let inputs = inputs(&["a", "b"]);

    let report = report(&inputs);

    // Every fourth image is wrong, and every fourth has an odd number: class b.
    assert_eq!(report.results.confusion, [[20, 0], [10, 10]]);
    assert_eq!((report.results.accuracy, report.pairs[0].truth, report.pairs[0].share), (0.75, 1, 0.5));
    assert_eq!((report.mistakes.len(), report.mistakes[0].image), (10, 3));
    // F1 of a: 2 × 20 / (30 + 20); of b: 2 × 10 / (10 + 20).
    assert!((report.macro_f1 - (0.8 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
    assert_eq!(report.maps.iter().map(|map| map.points.len()).collect::<Vec<_>>(), [40, 40]);
}

#[test]
fn labels_are_escaped() {
    let mut inputs = inputs(&["<script>alert(1)</script>", "\"'&<b>"]);
    inputs.card.name = "<i>".to_owned();
    inputs.card.training.settings.insert("<u>".to_owned(), "<s>".to_owned());

    let page = page(&inputs);

    for tag in ["<script", "<b>", "<i>", "<u>", "<s>", "\"\"'&"] {
        assert!(!page.contains(tag), "{tag}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

#[test]
fn romanised_labels_are_shown_beside_the_labels() {
    let mut inputs = inputs(&["お", "き"]);
    inputs.card.romanised = vec!["o".to_owned(), "ki".to_owned()];

    let page = page(&inputs);

    assert!(page.contains("<span class=\"label\">お <small>o</small></span>") && page.contains("alt=\"き ki\""));
}

#[test]
fn folds_are_summed_up_as_mean_and_deviation() {
    let mut inputs = inputs(&["a", "b"]);
    let fold = |number: usize, training, validation| Network {
        name: format!("fold {number}"),
        epochs: epochs(1 + number),
        accuracy: Some(FoldAccuracy { training, validation }),
    };
    inputs.networks = vec![fold(1, 0.96, 0.90), fold(2, 0.98, 0.92), fold(3, 1.0, 0.94)];

    let report = report(&inputs);

    let folds = report.folds.expect("accuracies");
    assert!((folds.training.mean - 0.98).abs() < 1e-12 && (folds.validation.deviation - 0.02).abs() < 1e-12);
    assert!(html(&inputs, &report).contains("92.00 % ± 2.00 %"));
    assert_is_sound(&inputs);
}

#[test]
fn two_classes_make_a_sound_page() {
    assert_is_sound(&inputs(&["no", "yes"]));
}

#[test]
fn a_thousand_classes_make_a_sound_page_of_the_worst_pairs() {
    let labels: Vec<String> = (0..1_000).map(|class| format!("class {class}")).collect();
    let inputs = inputs(&labels.iter().map(String::as_str).collect::<Vec<_>>());

    assert_is_sound(&inputs);
    assert!(!page(&inputs).contains("class=\"confusion"));
}

#[test]
fn a_run_without_features_has_no_map() {
    let mut inputs = inputs(&["a", "b"]);
    inputs.judged.features.clear();

    assert_is_sound(&inputs);
    assert!(page(&inputs).contains("were not recorded"));
}

#[test]
fn a_single_epoch_or_none_makes_a_sound_page() {
    for count in 0..2 {
        let mut inputs = inputs(&["a", "b"]);
        inputs.networks[0].epochs = epochs(count);

        assert_is_sound(&inputs);
    }
}

#[test]
fn an_epoch_whose_loss_is_no_number_makes_a_sound_page() {
    let mut inputs = inputs(&["a", "b"]);
    inputs.networks[0].epochs[1].loss = f64::NAN;
    inputs.networks[0].epochs[2].validation_loss = f64::INFINITY;

    assert_is_sound(&inputs);
}

#[test]
fn a_class_without_images_makes_a_sound_page() {
    let mut inputs = inputs(&["a", "b"]);
    inputs.card.labels.push("never".to_owned());

    let report = report(&inputs);

    assert_eq!((report.judged.per_class[2], report.results.per_class[2].f1), (0, 0.0));
    assert_is_sound(&inputs);
}

#[test]
fn a_run_without_mistakes_says_so() {
    let mut inputs = inputs(&["a", "b"]);
    let right = |&label: &Label| if label == 0 { vec![1.0, 0.0] } else { vec![0.0, 1.0] };
    inputs.judged.probabilities = inputs.judged.images.labels().iter().map(right).collect();

    let page = page(&inputs);

    assert!(page.contains("No image was classified wrongly.") && page.contains("No label is in doubt."));
    assert_is_sound(&inputs);
}

#[test]
fn a_run_without_judged_images_says_so() {
    let mut inputs = inputs(&["a", "b"]);
    inputs.judged = judged(&[], &[] as &[[f32; 2]]);

    assert!(page(&inputs).contains("No image was judged."));
    assert_is_sound(&inputs);
}

#[test]
fn colour_images_make_a_sound_page() {
    let mut inputs = inputs(&["a", "b"]);
    let shape = Shape { channels: 3, height: 80, width: 100 };
    inputs.development = dataset(shape, vec![0, 1]);
    inputs.judged.images = dataset(shape, inputs.judged.images.labels().to_vec());

    assert_is_sound(&inputs);
}

#[test]
fn probabilities_that_are_no_numbers_make_a_sound_page() {
    let mut inputs = inputs(&["a", "b"]);
    inputs.judged.probabilities[0] = vec![f32::NAN, f32::NAN];
    inputs.judged.probabilities[1].clear();

    assert_is_sound(&inputs);
}

/// The usual inputs with specialists for a and b that call every image of theirs "a".
fn inputs_with_specialists(count: usize) -> Inputs {
    let mut inputs = inputs(&["a", "b", "<c>"]);
    let probabilities = (0..40).filter(|image| image % 3 != 2).map(|image| (image, vec![0.9, 0.1])).collect();
    let specialist = Specialist { name: "a & b".to_owned(), classes: vec![0, 1], probabilities };
    inputs.specialists = vec![specialist; count];
    inputs
}

#[test]
fn a_report_without_specialists_says_nothing_of_them() {
    let inputs = inputs(&["a", "b"]);

    let report = report(&inputs);

    assert!(report.specialists.is_empty() && report.with_specialists.is_none());
    assert!(!html(&inputs, &report).contains("pecialist"));
}

#[test]
fn specialists_make_a_sound_page_that_says_whether_they_help() {
    for count in 1..3 {
        let inputs = inputs_with_specialists(count);

        assert_is_sound(&inputs);
        let (report, page) = (report(&inputs), page(&inputs));
        assert_eq!(report.specialists.len(), count);
        assert!(page.contains("a &amp; b") && page.contains(" of 40 images"));
        assert_eq!(page.contains("all together"), count > 1);
    }
}

#[test]
fn the_figures_of_specialists_are_in_the_json() {
    let report = report(&inputs_with_specialists(1));

    let json = serde_json::to_value(&report).expect("JSON");

    assert_eq!(json["specialists"][0]["compared"], 40);
    // Of the images of b, 3 of 13 were wrong before; of those of a, 4.
    assert_eq!([&json["specialists"][0]["mended"], &json["specialists"][0]["spoiled"]], [4, 10]);
    assert_eq!(json["specialists"][0]["effect"], "chance");
    assert_eq!(json["with_specialists"]["spoiled"], json["specialists"][0]["spoiled"]);
}
