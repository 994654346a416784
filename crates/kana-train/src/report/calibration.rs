//! May the model's confidence be believed?
//!
//! A calibrated model that is 90 % confident is right nine times of ten. Held-out images are put into [`BINS`] bins of
//! equal width by the probability of their predicted class; in each bin, mean confidence and accuracy are compared.

use serde::Serialize;

use super::Judged;
use super::verdicts::{Verdict, probability};

/// Number of bins, as in "On Calibration of Modern Neural Networks" (Guo et al., 2017).
pub const BINS: usize = 15;

/// Smallest probability whose logarithm is taken, so that one image cannot make the mean infinite.
const PROBABILITY_MIN: f64 = 1e-12;

/// Agreement of confidence and accuracy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Bins of confidence, from 0 to 1.
    pub bins: Vec<Bin>,
    /// Expected calibration error: mean difference of confidence and accuracy, weighted by the images of each bin.
    pub expected_error: f64,
    /// Brier score: mean squared distance of the probabilities from the truth, summed over the classes, in [0, 2].
    pub brier: f64,
    /// Mean negative logarithm of the true class's probability.
    pub negative_log_likelihood: f64,
    /// Mean confidence of all images, in [0, 1].
    pub confidence: f64,
}

/// Images of similar confidence: above `from`, at most `to`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Lower bound of the confidence.
    pub from: f64,
    /// Upper bound of the confidence.
    pub to: f64,
    /// Number of images.
    pub count: usize,
    /// Mean confidence of the images, in [0, 1]; 0 where there are none.
    pub confidence: f64,
    /// Share of the images that are classified correctly, in [0, 1]; 0 where there are none.
    pub accuracy: f64,
}

/// Compares confidence and accuracy; `None` where there is no verdict.
pub(super) fn calibration(judged: &Judged, verdicts: &[Verdict]) -> Option<Calibration> {
    let count = verdicts.len() as f64;
    let mean = |of: &dyn Fn(&Verdict) -> f64| verdicts.iter().map(of).sum::<f64>() / count;
    let bins: Vec<Bin> = (0..BINS).map(|number| bin(number, verdicts)).collect();
    let gap = |bin: &Bin| bin.count as f64 / count * (bin.confidence - bin.accuracy).abs();
    (!verdicts.is_empty()).then(|| Calibration {
        expected_error: bins.iter().map(gap).sum(),
        bins,
        brier: mean(&|verdict| brier(&judged.probabilities[verdict.image], verdict)),
        negative_log_likelihood: mean(&|verdict| -verdict.truth_probability.max(PROBABILITY_MIN).ln()),
        confidence: mean(&|verdict| verdict.confidence),
    })
}

fn bin(number: usize, verdicts: &[Verdict]) -> Bin {
    let bound = |number: usize| number as f64 / BINS as f64;
    // Confidence 0 belongs to the first bin, which is open below like the others.
    let bin_of = |confidence: f64| ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
    let inside: Vec<&Verdict> = verdicts.iter().filter(|verdict| bin_of(verdict.confidence) == number).collect();
    let mean = |sum: f64| if inside.is_empty() { 0.0 } else { sum / inside.len() as f64 };
    Bin {
        from: bound(number),
        to: bound(number + 1),
        count: inside.len(),
        confidence: mean(inside.iter().map(|verdict| verdict.confidence).sum()),
        accuracy: mean(inside.iter().filter(|verdict| verdict.is_correct()).count() as f64),
    }
}

/// Squared distance of a row from the row that has 1 at the true class.
fn brier(row: &[f32], verdict: &Verdict) -> f64 {
    let squares: f64 = (0..row.len()).map(|class| probability(row, class).powi(2)).sum();
    let truth = verdict.truth_probability;
    squares - truth.powi(2) + (1.0 - truth).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::judged;
    use crate::report::verdicts::verdicts;

    #[test]
    fn the_figures_are_those_of_a_computation_by_hand() {
        // Bin 12 of 15, (0.733, 0.8]: right and wrong at 0.75. Bin 15, (0.933, 1]: right at 1.
        let judged = judged(&[0, 0, 1, 1], &[[0.75, 0.25, 0.0], [0.25, 0.75, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]);

        let calibration = calibration(&judged, &verdicts(&judged)).expect("four images");

        // ECE: 2/4 × |0.75 − 0.5| + 2/4 × |1 − 1|.
        assert!((calibration.expected_error - 0.125).abs() < 1e-12);
        // Brier: (0.0625 + 0.0625) + (0.5625 + 0.5625) + 0 + 0, over 4.
        assert!((calibration.brier - 1.25 / 4.0).abs() < 1e-12);
        // NLL: (−ln 0.75 − ln 0.25) over 4.
        assert!((calibration.negative_log_likelihood - (-(0.75_f64.ln()) - 0.25_f64.ln()) / 4.0).abs() < 1e-12);
        assert_eq!((calibration.bins[11].count, calibration.bins[11].accuracy), (2, 0.5));
        assert_eq!((calibration.bins[14].count, calibration.bins[14].confidence), (2, 1.0));
    }

    #[test]
    fn a_true_class_of_probability_0_leaves_every_figure_finite() {
        let judged = judged(&[0], &[[0.0, 1.0, 0.0]]);

        let calibration = calibration(&judged, &verdicts(&judged)).expect("an image");

        assert!(calibration.negative_log_likelihood.is_finite());
        assert_eq!(calibration.brier, 2.0);
    }

    #[test]
    fn without_images_there_is_no_calibration() {
        assert_eq!(calibration(&judged(&[], &[] as &[[f32; 3]]), &[]), None);
    }
}
