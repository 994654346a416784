//! Which labels are likely wrong?
//!
//! By confident learning (Northcutt et al., 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels"): the
//! threshold of a class is the mean probability that its own images get for it. An image is suspected where the
//! probability of its label is below the label's threshold, and that of another class reaches the other's threshold.
//! The probabilities must be of a model that was not trained on the image.

use serde::Serialize;

use super::Judged;
use super::verdicts::probability;
use crate::data::Label;

/// Images that are listed: three rows of the page.
const SUSPECTS_MAX: usize = 24;

/// An image whose label is likely wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Suspect {
    /// Index of the image.
    pub image: usize,
    /// Class that the image is labelled with.
    pub label: usize,
    /// Class that it likely belongs to.
    pub suggested: usize,
    /// Probability of the label, in [0, 1].
    pub label_probability: f64,
    /// Probability of the suggested class, in [0, 1].
    pub suggested_probability: f64,
    /// Difference of the two.
    pub margin: f64,
}

/// Returns the images whose label is likely wrong, those with the greatest margin first.
pub(super) fn suspects(judged: &Judged, class_count: usize) -> Vec<Suspect> {
    let thresholds = thresholds(judged, class_count);
    let rows = judged.images.labels().iter().zip(&judged.probabilities).enumerate();
    let suspect = |(image, (&label, row)): (usize, (&Label, &Vec<f32>))| {
        let label = usize::from(label);
        let of = |class: usize| probability(row, class);
        let reaches = |class: &usize| *class != label && thresholds[*class].is_some_and(|least| of(*class) >= least);
        let greater = |best: usize, class: usize| if of(class) > of(best) { class } else { best };
        let suggested = (0..row.len()).filter(reaches).reduce(greater)?;
        let (label_probability, suggested_probability) = (of(label), of(suggested));
        let margin = suggested_probability - label_probability;
        let is_suspect = margin > 0.0 && thresholds[label].is_some_and(|least| label_probability < least);
        is_suspect.then_some(Suspect { image, label, suggested, label_probability, suggested_probability, margin })
    };
    let mut suspects: Vec<Suspect> = rows.filter_map(suspect).collect();
    suspects.sort_by(|a, b| b.margin.total_cmp(&a.margin));
    suspects.truncate(SUSPECTS_MAX);
    suspects
}

/// Mean probability that the images of each class get for it; `None` for a class without images.
fn thresholds(judged: &Judged, class_count: usize) -> Vec<Option<f64>> {
    let (mut sums, mut counts) = (vec![0.0; class_count], vec![0_usize; class_count]);
    for (&label, row) in judged.images.labels().iter().zip(&judged.probabilities) {
        sums[usize::from(label)] += probability(row, usize::from(label));
        counts[usize::from(label)] += 1;
    }
    sums.into_iter().zip(counts).map(|(sum, count)| (count > 0).then(|| sum / count as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::judged;

    #[test]
    fn the_image_with_the_greatest_margin_is_listed_first() {
        // Thresholds: class 0 (0.9 + 0.2 + 0.05) / 3 = 0.383, class 1 (0.6 + 0.6) / 2 = 0.6.
        let judged = judged(
            &[0, 0, 0, 1, 1],
            &[[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.05, 0.95, 0.0], [0.4, 0.6, 0.0], [0.4, 0.6, 0.0]],
        );

        let suspects = suspects(&judged, 3);

        let found: Vec<_> = suspects.iter().map(|suspect| (suspect.image, suspect.suggested)).collect();
        assert_eq!(found, [(2, 1), (1, 1)]);
        assert!((suspects[0].margin - 0.9).abs() < 1e-6);
    }

    #[test]
    fn a_class_without_images_is_never_suggested() {
        let judged = judged(&[0, 0], &[[0.1, 0.0, 0.9], [0.9, 0.0, 0.1]]);

        assert_eq!(suspects(&judged, 3), []);
    }

    #[test]
    fn a_mistake_that_is_not_as_sure_as_the_other_class_is_no_suspect() {
        // Class 1 is usually given 0.99: 0.6 is too little to move an image there.
        let judged = judged(&[0, 0, 1], &[[0.4, 0.6, 0.0], [0.9, 0.1, 0.0], [0.01, 0.99, 0.0]]);

        assert_eq!(suspects(&judged, 3), []);
    }
}
