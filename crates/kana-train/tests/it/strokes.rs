//! Does the built-in model classify the drawings of kana correctly?

use std::collections::HashSet;

use kana_engine::image::fit::fit;
use kana_engine::image::picture::{Layout, Picture};
use kana_engine::image::{Image, Shape};
use kana_engine::model::{Artifact, Classifier};
use kana_train::data::strokes;

/// Side of the images that the built-in model takes, in pixels.
const SIDE: usize = 28;
/// Side of a drawing as it might be uploaded, in pixels.
const LARGE: usize = 280;
/// Smallest accuracy on all drawings.
const ACCURACY_MIN: f64 = 0.97;
/// Smallest recall of each class.
const RECALL_MIN: f64 = 0.9;

fn built_in() -> Box<dyn Classifier> {
    Artifact::built_in().expect("the built-in model").classifier().expect("a passed self-test")
}

/// Classifies `count` drawings of each class, and checks accuracy and recall.
fn assert_accurate(count: u64, draw: impl Fn(&dyn Classifier, usize, u64) -> Image) {
    let mut classifier = built_in();
    let mut correct_total = 0;
    for class in 0..strokes::COUNT {
        let images: Vec<Image> = (0..count).map(|seed| draw(classifier.as_ref(), class, seed)).collect();
        let predictions = classifier.classify(&images).expect("images of the model's shape");
        let correct = predictions.iter().filter(|prediction| prediction.class == class).count();
        let share = correct as f64 / count as f64;
        assert!(share >= RECALL_MIN, "the recall of class {class} is {share}");
        correct_total += correct;
    }
    let share = correct_total as f64 / (count * strokes::COUNT as u64) as f64;
    assert!(share >= ACCURACY_MIN, "the accuracy is {share}");
}

#[test]
fn the_built_in_model_classifies_drawings_of_its_own_size() {
    assert_accurate(40, |_, class, seed| strokes::draw(class, seed, SIDE));
}

#[test]
fn large_drawings_are_classified_after_fitting() {
    assert_accurate(10, |classifier, class, seed| {
        let drawn = strokes::draw(class, seed, LARGE);
        let picture = Picture::new(LARGE, LARGE, Layout::Grey, drawn.pixels().to_vec()).expect("a grey picture");
        let input = &classifier.card().input;
        fit(&picture, input.shape, input.fit)
    });
}

#[test]
fn dark_drawings_on_white_are_classified_after_fitting() {
    assert_accurate(10, |classifier, class, seed| {
        let drawn = strokes::draw(class, seed, LARGE);
        let samples = drawn.pixels().iter().map(|sample| u8::MAX - sample).collect();
        let picture = Picture::new(LARGE, LARGE, Layout::Grey, samples).expect("a grey picture");
        let input = &classifier.card().input;
        fit(&picture, input.shape, input.fit)
    });
}

#[test]
fn every_label_of_the_built_in_model_has_a_drawing() {
    let classifier = built_in();

    assert_eq!(classifier.card().labels.len(), strokes::COUNT);
}

#[test]
fn the_same_seed_draws_the_same_bytes() {
    for class in 0..strokes::COUNT {
        assert_eq!(strokes::draw(class, 7, SIDE), strokes::draw(class, 7, SIDE));
    }
}

#[test]
fn drawings_of_different_seeds_differ() {
    let seeds = 50;

    let drawings: HashSet<Image> =
        (0..strokes::COUNT).flat_map(|class| (0..seeds).map(move |seed| strokes::draw(class, seed, SIDE))).collect();

    assert_eq!(drawings.len() as u64, strokes::COUNT as u64 * seeds);
}

#[test]
fn a_drawing_nearly_fills_an_image_of_any_size() {
    for side in [1, 2, 9, SIDE, 101] {
        for class in 0..strokes::COUNT {
            let drawn = strokes::draw(class, 3, side);

            assert_eq!(drawn.shape(), Shape { channels: 1, height: side, width: side });
            assert!(
                side < SIDE || extent(&drawn) * 10 >= side * 9,
                "class {class} fills {} of {side} pixels",
                extent(&drawn)
            );
        }
    }
}

/// Returns the number of rows or columns between the first and the last with ink, whichever is larger.
fn extent(image: &Image) -> usize {
    let side = image.shape().width;
    let inked = |of: fn(usize, usize) -> usize| {
        let all = image.pixels().iter().enumerate().filter(|&(_, sample)| *sample > 64);
        let (low, high) = all.fold((side, 0), |(low, high), (at, _)| (low.min(of(at, side)), high.max(of(at, side))));
        high + 1 - low
    };
    inked(|at, side| at / side).max(inked(|at, side| at % side))
}
