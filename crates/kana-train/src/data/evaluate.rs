//! How accurate is a classifier, and which classes does it confuse?
//!
//! [`evaluate`] classifies a whole data set and counts every pair of true and predicted class. All other figures follow
//! from that confusion matrix.

use serde::Serialize;

use super::Dataset;
use kana_engine::image::Image;
use kana_engine::model::{Classifier, Error};

/// Images per call of the classifier: enough to keep it busy, few enough to show progress.
const BATCH_SIZE: usize = 64;

/// Accuracy of a classifier on a data set, in total and by class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassificationReport {
    /// Number of images classified.
    pub images: usize,
    /// Share of the images that were classified correctly, in [0, 1].
    pub accuracy: f64,
    /// Figures of each class, in the order of the card's labels.
    pub per_class: Vec<ClassMetrics>,
    /// Confusion matrix in numbers of images. Row: true class; column: predicted class.
    pub confusion: Vec<Vec<usize>>,
}

/// Precision, recall and F1 score of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// Label of the class.
    pub label: String,
    /// Number of images of this class.
    pub count: usize,
    /// Share of the images predicted as this class that belong to it, in [0, 1]; 0 when none was predicted.
    pub precision: f64,
    /// Share of the images of this class that were predicted as it, in [0, 1]; 0 when there are none.
    pub recall: f64,
    /// Harmonic mean of precision and recall, in [0, 1]; 0 when both are.
    pub f1: f64,
}

/// Classifies every image of `dataset` and reports the result. `progress` receives the number of images of each batch.
///
/// # Errors
/// [`Error::Shape`] when the images do not have the shape that the classifier takes.
pub fn evaluate(
    classifier: &mut dyn Classifier,
    dataset: &Dataset,
    mut progress: impl FnMut(usize),
) -> Result<ClassificationReport, Error> {
    let labels = classifier.card().labels.clone();
    // The data set may have classes that the model does not know: these rows get a column that stays empty.
    let class_count = dataset.labels().iter().map(|&label| usize::from(label) + 1).max().unwrap_or(0).max(labels.len());
    let mut confusion = vec![vec![0; class_count]; class_count];
    for start in (0..dataset.len()).step_by(BATCH_SIZE) {
        let indices = start..(start + BATCH_SIZE).min(dataset.len());
        let images: Vec<Image> = indices.clone().map(|index| dataset.image(index)).collect();
        for (index, prediction) in indices.clone().zip(classifier.classify(&images)?) {
            confusion[usize::from(dataset.labels()[index])][prediction.class] += 1;
        }
        progress(indices.len());
    }
    Ok(from_confusion(confusion, &labels))
}

/// Derives all figures from a square confusion matrix; a class without a label is named by its number.
pub fn from_confusion(confusion: Vec<Vec<usize>>, labels: &[String]) -> ClassificationReport {
    let share = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let metrics = |class: usize| {
        let count = confusion[class].iter().sum();
        let predicted = confusion.iter().map(|row| row[class]).sum();
        let correct = confusion[class][class];
        let label = labels.get(class).cloned().unwrap_or_else(|| class.to_string());
        // The harmonic mean of correct / predicted and correct / count.
        let f1 = share(2 * correct, predicted + count);
        ClassMetrics { label, count, precision: share(correct, predicted), recall: share(correct, count), f1 }
    };
    let per_class: Vec<ClassMetrics> = (0..confusion.len()).map(metrics).collect();
    let images = per_class.iter().map(|class| class.count).sum();
    let correct = (0..confusion.len()).map(|class| confusion[class][class]).sum();
    ClassificationReport { images, accuracy: share(correct, images), per_class, confusion }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_reads_columns_and_recall_reads_rows() {
        let labels = ["a".to_owned(), "b".to_owned()];

        let report = from_confusion(vec![vec![3, 1], vec![0, 0]], &labels);

        assert_eq!((report.images, report.accuracy), (4, 0.75));
        let rows: Vec<_> = report.per_class.iter().map(|class| (class.count, class.precision, class.recall)).collect();
        assert_eq!(rows, [(4, 1.0, 0.75), (0, 0.0, 0.0)]);
    }

    #[test]
    fn f1_is_the_harmonic_mean_of_precision_and_recall() {
        let report = from_confusion(vec![vec![3, 1], vec![0, 0]], &[]);

        // 2 / (1 / 1.0 + 1 / 0.75)
        assert!((report.per_class[0].f1 - 6.0 / 7.0).abs() < 1e-12);
        assert_eq!(report.per_class[1].f1, 0.0);
    }

    #[test]
    fn a_class_without_a_label_is_named_by_its_number() {
        let report = from_confusion(vec![vec![1, 0], vec![1, 0]], &["a".to_owned()]);

        assert_eq!(report.per_class[1].label, "1");
    }
}
