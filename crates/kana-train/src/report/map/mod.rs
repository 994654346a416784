//! Which held-out images does the network find alike?
//!
//! The outputs of the layer before the last are projected to the plane twice: linearly by [`pca`], which keeps great
//! distances, and by [`tsne`], which keeps neighbours together.

pub mod pca;
pub mod tsne;

use serde::Serialize;

/// Images of the linear projection: more dots cover one another.
const PCA_IMAGES_MAX: usize = 2_000;

/// Images of t-SNE: a thousand take four seconds, and the time grows with their square.
const TSNE_IMAGES_MAX: usize = 1_000;

/// Images as points of a plane.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Map {
    /// Name of the method.
    pub method: Method,
    /// Index of each image.
    pub images: Vec<usize>,
    /// Point of each image.
    pub points: Vec<[f64; 2]>,
    /// Share of the variance that each axis keeps; `None` for a method whose axes have no meaning.
    pub explained: Option<[f64; 2]>,
}

/// Projection to the plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Principal component analysis.
    Pca,
    /// t-distributed stochastic neighbour embedding.
    Tsne,
}

/// Projects the images that have features; none where these are of different lengths, not finite or all the same.
pub(super) fn maps(features: &[Vec<f32>]) -> Vec<Map> {
    let with_features: Vec<usize> = (0..features.len()).filter(|image| !features[*image].is_empty()).collect();
    let length = with_features.first().map_or(0, |image| features[*image].len());
    let is_usable = |row: &Vec<f32>| row.len() == length && row.iter().all(|feature| feature.is_finite());
    if !with_features.iter().all(|image| is_usable(&features[*image])) {
        return Vec::new();
    }
    [pca_map(features, &with_features), tsne_map(features, &with_features)].into_iter().flatten().collect()
}

fn pca_map(features: &[Vec<f32>], with_features: &[usize]) -> Option<Map> {
    let images = spaced(with_features, PCA_IMAGES_MAX);
    let projection = pca::project(&rows(features, &images))?;
    Some(Map { method: Method::Pca, images, points: projection.points, explained: Some(projection.explained) })
}

fn tsne_map(features: &[Vec<f32>], with_features: &[usize]) -> Option<Map> {
    let images = spaced(with_features, TSNE_IMAGES_MAX);
    let points = tsne::embed(&rows(features, &images))?;
    Some(Map { method: Method::Tsne, images, points, explained: None })
}

fn rows<'a>(features: &'a [Vec<f32>], images: &[usize]) -> Vec<&'a [f32]> {
    images.iter().map(|&image| features[image].as_slice()).collect()
}

/// Returns at most `max` of `images`, evenly spaced.
fn spaced(images: &[usize], max: usize) -> Vec<usize> {
    let kept = images.len().min(max);
    (0..kept).map(|number| images[number * images.len() / kept]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_are_spaced_over_the_whole_set() {
        assert_eq!(spaced(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 4), [0, 2, 5, 7]);
        assert_eq!(spaced(&[4, 5, 9], 4), [4, 5, 9]);
        assert!(spaced(&[], 4).is_empty());
    }

    #[test]
    fn images_without_features_are_not_on_the_map() {
        let features = [vec![], vec![1.0, 0.0], vec![], vec![0.0, 1.0], vec![0.5, 2.0]];

        assert_eq!(maps(&features)[0].images, [1, 3, 4]);
    }

    #[test]
    fn features_that_are_no_numbers_make_no_map() {
        assert!(maps(&[vec![1.0, f32::NAN], vec![0.0, 1.0]]).is_empty());
        assert!(maps(&[vec![1.0, 2.0], vec![0.0]]).is_empty());
        assert!(maps(&[]).is_empty());
    }
}
