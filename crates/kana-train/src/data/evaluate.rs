//! How often is a classifier right, and what does it take for what?

use serde::Serialize;

use super::Dataset;
use kana_engine::image::Image;
use kana_engine::model::{Classifier, Error};

/// Images handed to the classifier at once: enough to keep it busy, few enough to show progress.
const BATCH: usize = 64;

/// What a classifier did on a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Images judged.
    pub images: usize,
    /// Share judged right, in [0, 1].
    pub accuracy: f64,
    /// One row a class, in the order of the card's labels.
    pub per_class: Vec<ClassRow>,
    /// Row: the true class, column: the class that the classifier named; counts of images.
    pub confusion: Vec<Vec<usize>>,
}

/// How a classifier did on one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassRow {
    /// The class's label.
    pub label: String,
    /// Images that truly are of this class.
    pub count: usize,
    /// Share of the images named so that truly are; 0 where none was named so.
    pub precision: f64,
    /// Share of the class's images that were named so; 0 where there is none.
    pub recall: f64,
}

/// Lets `classifier` name every image of `dataset`; `progress` hears how many were judged since it last heard.
///
/// # Errors
/// Where the images are not of the shape that the classifier takes.
pub fn evaluate(
    classifier: &mut dyn Classifier,
    dataset: &Dataset,
    mut progress: impl FnMut(usize),
) -> Result<Evaluation, Error> {
    let labels = classifier.card().labels.clone();
    // A data set may have classes that the model has never heard of: they are rows without a column of their own.
    let class_count = dataset.labels().iter().map(|&label| usize::from(label) + 1).max().unwrap_or(0).max(labels.len());
    let mut confusion = vec![vec![0; class_count]; class_count];
    for start in (0..dataset.len()).step_by(BATCH) {
        let indices = start..(start + BATCH).min(dataset.len());
        let images: Vec<Image> = indices.clone().map(|index| dataset.image(index)).collect();
        for (index, prediction) in indices.clone().zip(classifier.classify(&images)?) {
            confusion[usize::from(dataset.labels()[index])][prediction.class] += 1;
        }
        progress(indices.len());
    }
    Ok(summary(confusion, &labels))
}

/// The evaluation that a confusion matrix amounts to.
fn summary(confusion: Vec<Vec<usize>>, labels: &[String]) -> Evaluation {
    let share = |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let row = |class: usize| {
        let count = confusion[class].iter().sum();
        let named = confusion.iter().map(|row| row[class]).sum();
        let right = confusion[class][class];
        let label = labels.get(class).cloned().unwrap_or_else(|| class.to_string());
        ClassRow { label, count, precision: share(right, named), recall: share(right, count) }
    };
    let per_class: Vec<ClassRow> = (0..confusion.len()).map(row).collect();
    let images = per_class.iter().map(|row| row.count).sum();
    let right = (0..confusion.len()).map(|class| confusion[class][class]).sum();
    Evaluation { images, accuracy: share(right, images), per_class, confusion }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_reads_columns_and_recall_reads_rows() {
        let labels = ["a".to_owned(), "b".to_owned()];

        let evaluation = summary(vec![vec![3, 1], vec![0, 0]], &labels);

        assert_eq!((evaluation.images, evaluation.accuracy), (4, 0.75));
        let rows: Vec<_> = evaluation.per_class.iter().map(|row| (row.count, row.precision, row.recall)).collect();
        assert_eq!(rows, [(4, 1.0, 0.75), (0, 0.0, 0.0)]);
    }
}
