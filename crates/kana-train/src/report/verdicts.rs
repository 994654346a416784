//! What did the model say of each held-out image, and where was it wrong?

use serde::Serialize;

use super::Judged;
use crate::data::Label;
use crate::data::evaluate::ClassificationReport;

/// Pairs of classes that are listed: a reader compares a few dozen at most.
const PAIRS_MAX: usize = 50;

/// Images that are listed for a pair: a row of the page.
const IMAGES_PER_PAIR_MAX: usize = 8;

/// Mistakes that are listed: three rows of the page.
const MISTAKES_MAX: usize = 24;

/// What the model said of one held-out image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Index of the image.
    pub image: usize,
    /// Class that the image is labelled with.
    pub truth: usize,
    /// Class with the greatest probability; the first of several.
    pub predicted: usize,
    /// Probability of the predicted class, in [0, 1].
    pub confidence: f64,
    /// Probability of the true class, in [0, 1].
    pub truth_probability: f64,
}

impl Verdict {
    /// Returns whether the predicted class is the true one.
    pub fn is_correct(&self) -> bool {
        self.truth == self.predicted
    }
}

/// A true class, and another one that its images were taken for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// True class.
    pub truth: usize,
    /// Predicted class.
    pub predicted: usize,
    /// Number of images.
    pub count: usize,
    /// Share of the images of the true class, in [0, 1].
    pub share: f64,
    /// Indices of some of the images, those of greatest confidence first.
    pub images: Vec<usize>,
}

/// Returns the probability of `class` in a row; 0 where the row has none, or where it is no number.
pub(super) fn probability(row: &[f32], class: usize) -> f64 {
    row.get(class).filter(|found| found.is_finite()).map_or(0.0, |&found| f64::from(found).clamp(0.0, 1.0))
}

/// Returns that of `classes` with the greatest probability in a row, the first of several; `None` for no classes.
pub(super) fn greatest(row: &[f32], classes: impl Iterator<Item = usize>) -> Option<usize> {
    classes.reduce(|best, class| if probability(row, class) > probability(row, best) { class } else { best })
}

/// Returns a verdict for each image that has a row of probabilities.
pub(super) fn verdicts(judged: &Judged) -> Vec<Verdict> {
    let rows = judged.images.labels().iter().zip(&judged.probabilities).enumerate();
    let verdict = |(image, (&label, row)): (usize, (&Label, &Vec<f32>))| {
        let truth = usize::from(label);
        let predicted = greatest(row, 0..row.len()).unwrap_or(0);
        let confidence = probability(row, predicted);
        Verdict { image, truth, predicted, confidence, truth_probability: probability(row, truth) }
    };
    rows.map(verdict).collect()
}

/// Counts the verdicts. Row: true class; column: predicted class.
pub(super) fn confusion(verdicts: &[Verdict], class_count: usize) -> Vec<Vec<usize>> {
    let mut confusion = vec![vec![0; class_count]; class_count];
    for verdict in verdicts {
        confusion[verdict.truth][verdict.predicted] += 1;
    }
    confusion
}

/// Returns the pairs with the most mistakes; of equally many, those with the greater share first.
pub(super) fn pairs(verdicts: &[Verdict], results: &ClassificationReport) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (truth, row) in results.confusion.iter().enumerate() {
        for (predicted, &count) in row.iter().enumerate().filter(|&(class, &count)| class != truth && count > 0) {
            let share = count as f64 / results.per_class[truth].count as f64;
            pairs.push(Pair { truth, predicted, count, share, images: Vec::new() });
        }
    }
    // The sort is stable: pairs that are equal in both keep the order of the classes.
    pairs.sort_by(|a, b| b.count.cmp(&a.count).then(b.share.total_cmp(&a.share)));
    pairs.truncate(PAIRS_MAX);
    let mistakes = wrong(verdicts);
    for pair in &mut pairs {
        let is_one = |mistake: &&Verdict| (mistake.truth, mistake.predicted) == (pair.truth, pair.predicted);
        pair.images = mistakes.iter().filter(is_one).take(IMAGES_PER_PAIR_MAX).map(|found| found.image).collect();
    }
    pairs
}

/// Returns the mistakes of greatest confidence.
pub(super) fn mistakes(verdicts: &[Verdict]) -> Vec<Verdict> {
    let mut mistakes = wrong(verdicts);
    mistakes.truncate(MISTAKES_MAX);
    mistakes
}

/// Returns all mistakes, those of greatest confidence first.
fn wrong(verdicts: &[Verdict]) -> Vec<Verdict> {
    let mut wrong: Vec<Verdict> = verdicts.iter().filter(|verdict| !verdict.is_correct()).copied().collect();
    wrong.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::evaluate;
    use crate::report::tests::judged;

    #[test]
    fn the_pair_with_the_most_mistakes_comes_first_with_its_most_confident_image() {
        // Class 0 is taken for 1 twice, class 1 for 2 once, class 2 is right.
        let judged = judged(
            &[0, 0, 0, 1, 2],
            &[[0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.1, 0.9, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]],
        );

        let verdicts = verdicts(&judged);
        let pairs = pairs(&verdicts, &evaluate::from_confusion(confusion(&verdicts, 3), &[]));

        assert_eq!(pairs.len(), 2);
        assert_eq!((pairs[0].truth, pairs[0].predicted, pairs[0].count), (0, 1, 2));
        assert_eq!((pairs[0].share, pairs[0].images.clone()), (2.0 / 3.0, vec![2, 1]));
        assert_eq!((pairs[1].truth, pairs[1].predicted, pairs[1].images.clone()), (1, 2, vec![3]));
    }

    #[test]
    fn mistakes_are_listed_by_confidence() {
        let judged = judged(&[0, 0, 1], &[[0.4, 0.6, 0.0], [0.1, 0.9, 0.0], [0.0, 1.0, 0.0]]);

        let mistakes = mistakes(&verdicts(&judged));

        assert_eq!(mistakes.iter().map(|mistake| mistake.image).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn a_probability_that_is_no_number_is_0() {
        let judged = judged(&[1], &[[f32::NAN, 0.25, f32::INFINITY]]);

        let verdict = verdicts(&judged)[0];

        assert_eq!((verdict.predicted, verdict.confidence), (1, 0.25));
    }
}
