//! How many images are there, of which shape and brightness, and how are they shared among the classes?

use kana_engine::image::Shape;
use serde::Serialize;

use crate::data::Dataset;

/// Size, samples and class balance of a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Images {
    /// Number of images.
    pub count: usize,
    /// Shape of every image.
    pub shape: Shape,
    /// Range and mean of the samples; `None` where there is no image.
    pub samples: Option<Samples>,
    /// Number of images of each class.
    pub per_class: Vec<usize>,
}

/// Range and mean of all samples of a data set, on the scale of 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Samples {
    /// Smallest sample.
    pub min: u8,
    /// Greatest sample.
    pub max: u8,
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
}

/// Describes a data set of `class_count` classes.
pub fn images(dataset: &Dataset, class_count: usize) -> Images {
    let mut per_class = vec![0; class_count];
    for &label in dataset.labels() {
        per_class[usize::from(label)] += 1;
    }
    Images { count: dataset.len(), shape: dataset.shape(), samples: samples(dataset), per_class }
}

fn samples(dataset: &Dataset) -> Option<Samples> {
    // A byte has 256 values: the sums over their counts are exact, whatever the order of the images.
    let mut counts = [0_u64; 256];
    for image in 0..dataset.len() {
        for &sample in dataset.pixels(image) {
            counts[usize::from(sample)] += 1;
        }
    }
    let present = || (0..=u8::MAX).filter(|&sample| counts[usize::from(sample)] > 0);
    let (min, max) = present().min().zip(present().max())?;
    let total = counts.iter().sum::<u64>() as f64;
    let over = |value: &dyn Fn(f64) -> f64| {
        present().map(|sample| value(f64::from(sample)) * counts[usize::from(sample)] as f64).sum::<f64>() / total
    };
    let mean = over(&|sample| sample);
    let deviation = over(&|sample| (sample - mean).powi(2)).sqrt();
    Some(Samples { min, max, mean, deviation })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_and_classes_are_counted() {
        let shape = Shape { channels: 1, height: 1, width: 2 };
        let dataset = Dataset::new(shape, vec![10, 20, 10, 20], vec![2, 0]).expect("two images");

        let images = images(&dataset, 4);

        assert_eq!(images.per_class, [1, 0, 1, 0]);
        assert_eq!(images.samples, Some(Samples { min: 10, max: 20, mean: 15.0, deviation: 5.0 }));
    }

    #[test]
    fn a_data_set_without_images_has_no_samples() {
        let shape = Shape { channels: 3, height: 2, width: 2 };
        let dataset = Dataset::new(shape, vec![], vec![]).expect("no image");

        assert_eq!(images(&dataset, 2).samples, None);
    }
}
