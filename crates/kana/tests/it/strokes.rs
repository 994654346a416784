//! Does the shipped model read what kana draws by itself?

use std::collections::HashSet;

use kana_engine::image::fit::fit;
use kana_engine::image::picture::{Layout, Picture};
use kana_engine::image::{Image, Shape};
use kana_engine::model::{Artifact, Classifier};
use kana_train::data::strokes;

/// The side of what the shipped model takes, in pixels.
const SIDE: usize = 28;
/// The side of a drawing as somebody might upload it: ten times as large.
const LARGE: usize = 280;
/// Share of all drawings that must be read right.
const SHARE_MIN: f64 = 0.97;
/// The same of each class.
const CLASS_SHARE_MIN: f64 = 0.9;

fn shipped() -> Box<dyn Classifier> {
    Artifact::built_in().expect("the shipped model").classifier().expect("its self-test")
}

/// Draws `count` images of each class, has them read, and holds the shares against what is promised.
fn are_read(count: u64, draw: impl Fn(&dyn Classifier, usize, u64) -> Image) {
    let mut classifier = shipped();
    let mut right_total = 0;
    for class in 0..strokes::COUNT {
        let images: Vec<Image> = (0..count).map(|seed| draw(classifier.as_ref(), class, seed)).collect();
        let predictions = classifier.classify(&images).expect("images of the model's shape");
        let right = predictions.iter().filter(|prediction| prediction.class == class).count();
        let share = right as f64 / count as f64;
        assert!(share >= CLASS_SHARE_MIN, "of class {class}, {share} are read right");
        right_total += right;
    }
    let share = right_total as f64 / (count * strokes::COUNT as u64) as f64;
    assert!(share >= SHARE_MIN, "of all drawings, {share} are read right");
}

#[test]
fn the_shipped_model_reads_the_strokes() {
    are_read(40, |_, class, seed| strokes::draw(class, seed, SIDE));
}

#[test]
fn large_strokes_are_read_once_they_are_fitted() {
    are_read(10, |classifier, class, seed| {
        let drawn = strokes::draw(class, seed, LARGE);
        let picture = Picture::new(LARGE, LARGE, Layout::Grey, drawn.pixels().to_vec()).expect("a grey picture");
        let input = &classifier.card().input;
        fit(&picture, input.shape, input.fit)
    });
}

#[test]
fn dark_ink_on_white_paper_is_read_as_well() {
    are_read(10, |classifier, class, seed| {
        let drawn = strokes::draw(class, seed, LARGE);
        let samples = drawn.pixels().iter().map(|sample| u8::MAX - sample).collect();
        let picture = Picture::new(LARGE, LARGE, Layout::Grey, samples).expect("a grey picture");
        let input = &classifier.card().input;
        fit(&picture, input.shape, input.fit)
    });
}

#[test]
fn there_is_a_drawing_for_every_label_of_the_shipped_model() {
    let classifier = shipped();

    assert_eq!(classifier.card().labels.len(), strokes::COUNT);
}

#[test]
fn the_same_seed_draws_the_same_bytes() {
    for class in 0..strokes::COUNT {
        assert_eq!(strokes::draw(class, 7, SIDE), strokes::draw(class, 7, SIDE));
    }
}

#[test]
fn no_two_drawings_are_the_same() {
    let seeds = 50;

    let drawings: HashSet<Image> =
        (0..strokes::COUNT).flat_map(|class| (0..seeds).map(move |seed| strokes::draw(class, seed, SIDE))).collect();

    assert_eq!(drawings.len() as u64, strokes::COUNT as u64 * seeds);
}

#[test]
fn a_drawing_fits_any_page_and_nearly_fills_it() {
    for side in [1, 2, 9, SIDE, 101] {
        for class in 0..strokes::COUNT {
            let drawn = strokes::draw(class, 3, side);

            assert_eq!(drawn.shape(), Shape { channels: 1, height: side, width: side });
            assert!(
                side < SIDE || extent(&drawn) * 10 >= side * 9,
                "class {class} covers {} of {side}",
                extent(&drawn)
            );
        }
    }
}

/// Rows or columns from the first to the last with ink, whichever are more.
fn extent(image: &Image) -> usize {
    let side = image.shape().width;
    let inked = |of: fn(usize, usize) -> usize| {
        let all = image.pixels().iter().enumerate().filter(|&(_, sample)| *sample > 64);
        let (low, high) = all.fold((side, 0), |(low, high), (at, _)| (low.min(of(at, side)), high.max(of(at, side))));
        high + 1 - low
    };
    inked(|at, side| at / side).max(inked(|at, side| at % side))
}
