//! Do specialists help, models that tell only a few of the classes apart?
//!
//! Where the two likeliest classes of the model are both of a specialist's, the specialist answers in its place. Every
//! answer that counts is that of a network that never saw the image: an image of a specialist's classes that helped to
//! train it, or to choose its epoch, is not compared. An image of another class that is handed over is wrong before and
//! after, whatever the specialist says of it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::verdicts::{Verdict, greatest, verdicts};
use super::{Inputs, Judged};

/// Probability below which a difference is no longer taken for chance: the usual level.
const CHANCE_MAX: f64 = 0.05;

/// A model of some classes, and what it said of images that it was not trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct Specialist {
    /// Name of the model.
    pub name: String,
    /// Its classes by their numbers in the model beside which it is tried, in the order of its own outputs.
    pub classes: Vec<usize>,
    /// Probability of each of its classes, by the place of the image among all images of its files.
    pub probabilities: BTreeMap<usize, Vec<f32>>,
}

/// Effect of one specialist.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// Name of the specialist.
    pub name: String,
    /// Its classes, by their numbers in the report.
    pub classes: Vec<usize>,
    /// Effect on the held-out images.
    #[serde(flatten)]
    pub change: Change,
}

/// Effect of handing images over to specialists.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Number of images that are compared.
    pub compared: usize,
    /// Number of images that are not compared, because a specialist of their class has seen them.
    pub excluded: usize,
    /// Number of compared images that are handed over.
    pub asked: usize,
    /// Number of images handed over that the model alone has right.
    pub general_correct: usize,
    /// Number of images handed over that the specialists have right.
    pub specialist_correct: usize,
    /// Number of images that the model alone has wrong and the specialists have right.
    pub mended: usize,
    /// Number of images that the model alone has right and the specialists have wrong.
    pub spoiled: usize,
    /// Share of the compared images that the model alone has right, in [0, 1].
    pub accuracy_alone: f64,
    /// Share of the compared images that are right with the specialists, in [0, 1].
    pub accuracy_with: f64,
    /// Probability of a difference as large as that of mended and spoiled images, or larger, by chance alone: McNemar's
    /// exact test, two-sided.
    pub p_value: f64,
    /// What follows from these figures.
    pub effect: Effect,
}

/// What specialists do to the accuracy of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// More images are mended than spoiled, and the difference is larger than chance explains.
    Helps,
    /// More images are spoiled than mended, and the difference is larger than chance explains.
    Harms,
    /// No difference, or one within chance.
    Chance,
}

impl Specialist {
    /// Returns whether an image of class `truth` is one that the specialist may have learned from.
    fn may_have_seen(&self, truth: usize, place: usize) -> bool {
        self.classes.contains(&truth) && !self.probabilities.contains_key(&place)
    }

    /// Returns the class that the specialist gives the image at `place`; `None` where it is of none of its classes.
    fn answer(&self, place: usize) -> Option<usize> {
        let row = self.probabilities.get(&place)?;
        greatest(row, 0..self.classes.len()).map(|output| self.classes[output])
    }
}

/// Returns the effect of each specialist alone.
pub(super) fn trials(inputs: &Inputs) -> Vec<Trial> {
    let verdicts = verdicts(&inputs.judged);
    let trial = |specialist: &Specialist| Trial {
        name: specialist.name.clone(),
        classes: specialist.classes.clone(),
        change: change(&inputs.judged, &verdicts, std::slice::from_ref(specialist)),
    };
    inputs.specialists.iter().map(trial).collect()
}

/// Returns the effect of all specialists, of which the first that applies answers; `None` where there is none.
pub(super) fn together(inputs: &Inputs) -> Option<Change> {
    let all = &inputs.specialists;
    (!all.is_empty()).then(|| change(&inputs.judged, &verdicts(&inputs.judged), all))
}

fn change(judged: &Judged, verdicts: &[Verdict], specialists: &[Specialist]) -> Change {
    let mut correct = [0, 0];
    let [mut compared, mut asked, mut general_correct, mut mended, mut spoiled] = [0; 5];
    for &Verdict { image, truth, predicted, .. } in verdicts {
        let place = judged.images.places()[image];
        if specialists.iter().any(|specialist| specialist.may_have_seen(truth, place)) {
            continue;
        }
        let row = &judged.probabilities[image];
        let second = greatest(row, (0..row.len()).filter(|class| *class != predicted));
        let applies = |specialist: &&Specialist| {
            second.is_some_and(|second| [predicted, second].iter().all(|class| specialist.classes.contains(class)))
        };
        let specialist = specialists.iter().find(applies);
        let after = specialist.and_then(|specialist| specialist.answer(place)).unwrap_or(predicted);
        let right = [predicted == truth, after == truth];
        compared += 1;
        asked += usize::from(specialist.is_some());
        general_correct += usize::from(specialist.is_some() && right[0]);
        mended += usize::from(right == [false, true]);
        spoiled += usize::from(right == [true, false]);
        correct = [correct[0] + usize::from(right[0]), correct[1] + usize::from(right[1])];
    }
    let [accuracy_alone, accuracy_with] = correct.map(|correct| correct as f64 / compared.max(1) as f64);
    let p_value = sign_test(mended, spoiled);
    Change {
        compared,
        excluded: verdicts.len() - compared,
        asked,
        general_correct,
        specialist_correct: general_correct + mended - spoiled,
        mended,
        spoiled,
        accuracy_alone,
        accuracy_with,
        p_value,
        effect: match p_value < CHANCE_MAX {
            true if mended > spoiled => Effect::Helps,
            true => Effect::Harms,
            false => Effect::Chance,
        },
    }
}

/// Returns the probability that a fair coin falls on one side as often as the more frequent of two outcomes, or more
/// often, on either side: twice the tail of the binomial distribution, and at most 1.
fn sign_test(one: usize, other: usize) -> f64 {
    let (count, least) = (one + other, one.min(other));
    // The terms are C(count, k) / 2^count; in logarithms, those of many tosses do not vanish before they are summed.
    let mut term = -(count as f64) * std::f64::consts::LN_2;
    let mut tail = term.exp();
    for k in 0..least {
        term += ((count - k) as f64 / (k + 1) as f64).ln();
        tail += term.exp();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Label;
    use crate::report::tests::judged;

    /// A specialist for these classes, which gives the images at these places this class of its own, from 0.
    fn specialist(classes: &[usize], answers: &[(usize, usize)]) -> Specialist {
        let row = |said: usize| (0..classes.len()).map(|output| if output == said { 0.9 } else { 0.1 }).collect();
        let probabilities = answers.iter().map(|&(place, said)| (place, row(said))).collect();
        Specialist { name: "pair".to_owned(), classes: classes.to_vec(), probabilities }
    }

    /// The effect of `specialists` on images of four classes; of a row, the two likeliest classes are given.
    fn effect(images: &[(Label, [usize; 2])], specialists: &[Specialist]) -> Change {
        let labels: Vec<_> = images.iter().map(|(truth, _)| *truth).collect();
        let row = |&(_, [first, second]): &(Label, [usize; 2])| {
            let mut row = [0.0; 4];
            (row[first], row[second]) = (0.6, 0.4);
            row
        };
        let judged = judged(&labels, &images.iter().map(row).collect::<Vec<_>>());
        change(&judged, &verdicts(&judged), specialists)
    }

    #[test]
    fn an_image_is_handed_over_where_both_likeliest_classes_are_those_of_the_specialist() {
        let images = [(1, [1, 3]), (3, [1, 3]), (1, [1, 0]), (1, [0, 1]), (0, [0, 2])];
        let pair = specialist(&[3, 1], &[(0, 0), (1, 0), (2, 0), (3, 1)]);

        let change = effect(&images, &[pair]);

        // The first is spoiled, the second mended, and the others stay: two of them right.
        assert_eq!((change.compared, change.excluded, change.asked), (5, 0, 2));
        assert_eq!((change.general_correct, change.specialist_correct), (1, 1));
        assert_eq!((change.mended, change.spoiled), (1, 1));
        assert_eq!((change.accuracy_alone, change.accuracy_with), (0.6, 0.6));
    }

    #[test]
    fn an_image_of_its_classes_that_the_specialist_may_have_seen_is_not_compared() {
        let images = [(1, [1, 3]), (3, [1, 3]), (0, [0, 1])];
        let pair = specialist(&[1, 3], &[(1, 1)]);

        let change = effect(&images, &[pair]);

        assert_eq!((change.compared, change.excluded, change.asked, change.mended), (2, 1, 1, 1));
        assert_eq!((change.accuracy_alone, change.accuracy_with), (0.5, 1.0));
    }

    #[test]
    fn an_image_of_another_class_is_wrong_before_and_after_it_is_handed_over() {
        let change = effect(&[(0, [1, 3])], &[specialist(&[1, 3], &[])]);

        assert_eq!((change.compared, change.asked), (1, 1));
        assert_eq!((change.general_correct, change.specialist_correct), (0, 0));
        assert_eq!((change.mended, change.spoiled), (0, 0));
    }

    #[test]
    fn images_are_matched_by_their_place_in_the_data_set() {
        let mut judged = judged(&[0, 1, 3], &[[1.0, 0.0, 0.0, 0.0], [0.0, 0.4, 0.0, 0.6], [0.0, 0.6, 0.0, 0.4]]);
        judged.images = judged.images.subset(&[2, 1]);
        judged.probabilities = vec![vec![0.0, 0.6, 0.0, 0.4], vec![0.0, 0.4, 0.0, 0.6]];
        let pair = specialist(&[1, 3], &[(1, 0), (2, 1)]);

        let change = change(&judged, &verdicts(&judged), &[pair]);

        assert_eq!((change.compared, change.mended, change.spoiled), (2, 2, 0));
    }

    #[test]
    fn of_several_specialists_the_first_that_applies_answers() {
        let images = [(1, [3, 1]), (2, [3, 2])];
        let wrong = specialist(&[1, 3], &[(0, 1)]);
        let right = specialist(&[1, 2, 3], &[(0, 0), (1, 1)]);

        let first = effect(&images, &[wrong.clone(), right.clone()]);
        let second = effect(&images, &[right, wrong]);

        assert_eq!((first.asked, first.mended, second.mended), (2, 1, 2));
    }

    #[test]
    fn of_more_than_two_classes_the_specialists_likeliest_answers() {
        let change = effect(&[(2, [0, 1])], &[specialist(&[0, 1, 2], &[(0, 2)])]);

        assert_eq!((change.asked, change.mended), (1, 1));
    }

    #[test]
    fn a_difference_is_judged_by_the_exact_sign_test() {
        // 2 (C(12, 0) + … + C(12, 5)) / 2^12 = 2 × 1586 / 4096; 2 (1 + 10) / 2^10; 2 / 2^5; 2 / 2^6.
        for (one, other, expected) in [(5, 7, 0.774_414_062_5), (9, 1, 0.021_484_375), (5, 0, 0.0625), (0, 6, 0.031_25)]
        {
            assert!((sign_test(one, other) - expected).abs() < 1e-12, "{one} and {other}: {}", sign_test(one, other));
        }
        assert_eq!([sign_test(0, 0), sign_test(4, 4)], [1.0, 1.0]);
    }

    #[test]
    fn the_sign_test_of_many_images_is_a_number() {
        // By the normal approximation with its correction, z = 199 / 100: p = 0.0466.
        let p_value = sign_test(4_900, 5_100);

        assert!((p_value - 0.0466).abs() < 1e-4, "{p_value}");
        assert!(sign_test(30_000, 0) < 1e-12);
    }

    #[test]
    fn a_specialist_helps_or_harms_only_beyond_chance() {
        let pair =
            |said: usize, count: usize| specialist(&[0, 1], &(0..count).map(|at| (at, said)).collect::<Vec<_>>());
        let images = |count: usize| vec![(0, [1, 0]); count];

        assert_eq!(effect(&images(6), &[pair(0, 6)]).effect, Effect::Helps);
        assert_eq!(effect(&images(5), &[pair(0, 5)]).effect, Effect::Chance);
        assert_eq!(effect(&[(1, [1, 0]); 6], &[pair(0, 6)]).effect, Effect::Harms);
        assert_eq!(effect(&[], &[pair(0, 6)]).effect, Effect::Chance);
    }
}
