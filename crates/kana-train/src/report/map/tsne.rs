//! Which images have which neighbours?
//!
//! t-SNE (van der Maaten and Hinton, 2008), started from the principal components, as Kobak and Berens (2019) advise.
//! That start is also what makes it reproducible, together with a pool of one thread: sums over several would depend on
//! which of them was faster. The gradient is exact: with the crate's two approximations, one or two of ten groups of
//! images stayed collapsed in a single point, and a thousand images take four seconds without them.

use bhtsne::tSNE;

use super::pca;

/// Effective number of neighbours of an image: 30 is usual, from 5 to 50.
const PERPLEXITY_MAX: usize = 30;

/// Images, at least, for each effective neighbour: the crate refuses fewer.
const IMAGES_PER_PERPLEXITY: usize = 3;

/// Images, at least: fewer do not have three effective neighbours.
const IMAGES_MIN: usize = 10;

/// Steps of gradient descent, a third of them with exaggerated attraction.
const EPOCHS: usize = 750;

/// Size of a step: with the crate's own choice, which is a quarter, a thousand images still spread after all steps.
const LEARNING_RATE: f32 = 200.0;

/// Standard deviation of the first axis at the start: small, so that no image is kept apart by where it started.
const START_DEVIATION: f64 = 1e-4;

/// Embeds rows of the same length; `None` for fewer than ten, and where all are the same.
pub fn embed(rows: &[&[f32]]) -> Option<Vec<[f64; 2]>> {
    if rows.len() < IMAGES_MIN {
        return None;
    }
    let start = start(rows)?;
    let perplexity = PERPLEXITY_MAX.min((rows.len() - 1) / IMAGES_PER_PERPLEXITY);
    let square = |a: &&[f32], b: &&[f32]| a.iter().zip(*b).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().ok()?;
    let found = pool.install(|| {
        tSNE::<f32, &[f32], 2>::new(rows)
            .perplexity(perplexity as f32)
            .learning_rate(LEARNING_RATE)
            .epochs(EPOCHS)
            .initial_embedding(start)
            .exact(square)
            .embedding()
    });
    let points: Vec<[f64; 2]> = found.chunks_exact(2).map(|at| [f64::from(at[0]), f64::from(at[1])]).collect();
    points.iter().flatten().all(|coordinate| coordinate.is_finite()).then_some(points)
}

/// Returns the principal components, scaled to [`START_DEVIATION`].
fn start(rows: &[&[f32]]) -> Option<Vec<f32>> {
    let points = pca::project(rows)?.points;
    let variance = points.iter().map(|point| point[0].powi(2)).sum::<f64>() / points.len() as f64;
    let scale = START_DEVIATION / variance.sqrt();
    Some(points.iter().flatten().map(|coordinate| (coordinate * scale) as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clusters of 20 rows each, far from each other.
    fn clusters() -> Vec<Vec<f32>> {
        let row = |index: usize| {
            let (cluster, within) = ((index % 2) as f32, (index / 2) as f32);
            vec![100.0 * cluster + (within * 1.7).sin(), (within * 2.3).cos(), (within * 0.9).sin()]
        };
        (0..40).map(row).collect()
    }

    #[test]
    fn clusters_stay_apart() {
        let rows = clusters();

        let points = embed(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>()).expect("enough rows");

        let distance = |a: usize, b: usize| (points[a][0] - points[b][0]).hypot(points[a][1] - points[b][1]);
        for of in 0..40 {
            let nearest =
                (0..40).filter(|&other| other != of).min_by(|&a, &b| distance(of, a).total_cmp(&distance(of, b)));
            assert_eq!(nearest.expect("39 others") % 2, of % 2, "row {of}");
        }
    }

    #[test]
    fn no_cluster_collapses_in_a_point() {
        let rows = clusters();

        let points = embed(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>()).expect("enough rows");

        for cluster in 0..2 {
            let of = || points.iter().skip(cluster).step_by(2).map(|point| point[0]);
            let width = of().fold(f64::MIN, f64::max) - of().fold(f64::MAX, f64::min);
            assert!(width > 0.1, "cluster {cluster} is {width} wide");
        }
    }

    #[test]
    fn the_same_rows_are_embedded_the_same() {
        let rows = clusters();
        let rows: Vec<_> = rows.iter().map(Vec::as_slice).collect();

        assert_eq!(embed(&rows), embed(&rows));
    }

    #[test]
    fn rows_that_occur_many_times_are_embedded() {
        let rows: Vec<Vec<f32>> = (0..60).map(|index| vec![(index % 3) as f32, 1.0]).collect();

        let points = embed(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>());

        assert_eq!(points.map(|points| points.len()), Some(60));
    }

    #[test]
    fn too_few_rows_are_not_embedded() {
        let rows: Vec<Vec<f32>> = (0..9).map(|index| vec![index as f32]).collect();

        assert_eq!(embed(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>()), None);
    }
}
