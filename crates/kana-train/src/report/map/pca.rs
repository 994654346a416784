//! In which two directions do the features differ most?
//!
//! The two greatest eigenvectors of the covariance matrix, by power iteration: the features are about a hundred, two
//! directions are needed, and a hundred multiplications of a vector with the matrix take a millisecond.

/// Multiplications with the matrix, at most: enough where the eigenvalues differ by a percent.
const ITERATIONS_MAX: usize = 2_000;

/// Greatest change of a direction that counts as none.
const TOLERANCE: f64 = 1e-10;

/// Share of the variance below which a direction is an error of rounding, and no axis.
const VARIANCE_MIN: f64 = 1e-12;

/// Rows as points of the plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    /// Point of each row; the mean of all is the origin.
    pub points: Vec<[f64; 2]>,
    /// Share of the variance that each axis keeps, in [0, 1].
    pub explained: [f64; 2],
}

/// Projects rows of the same length; `None` where all are the same.
pub fn project(rows: &[&[f32]]) -> Option<Projection> {
    let centred = centred(rows);
    let mut matrix = covariance(&centred);
    let total: f64 = (0..matrix.len()).map(|at| matrix[at][at]).sum();
    if !(total.is_finite() && total > 0.0) {
        return None;
    }
    let axes = [(); 2].map(|()| {
        let axis = greatest_direction(&matrix);
        let variance = dot(&product(&matrix, &axis), &axis);
        if variance < VARIANCE_MIN * total {
            return (vec![0.0; axis.len()], 0.0);
        }
        deflate(&mut matrix, &axis, variance);
        (axis, variance / total)
    });
    let points = centred.iter().map(|row| [dot(row, &axes[0].0), dot(row, &axes[1].0)]).collect();
    Some(Projection { points, explained: [axes[0].1, axes[1].1] })
}

fn centred(rows: &[&[f32]]) -> Vec<Vec<f64>> {
    let length = rows.first().map_or(0, |row| row.len());
    let mean: Vec<f64> =
        (0..length).map(|at| rows.iter().map(|row| f64::from(row[at])).sum::<f64>() / rows.len() as f64).collect();
    rows.iter().map(|row| row.iter().zip(&mean).map(|(&feature, mean)| f64::from(feature) - mean).collect()).collect()
}

fn covariance(centred: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let length = centred.first().map_or(0, Vec::len);
    let mut matrix = vec![vec![0.0; length]; length];
    for row in centred {
        for (sums, &left) in matrix.iter_mut().zip(row) {
            sums.iter_mut().zip(row).for_each(|(sum, &right)| *sum += left * right);
        }
    }
    matrix.iter_mut().flatten().for_each(|sum| *sum /= centred.len() as f64);
    matrix
}

/// Returns the eigenvector of the greatest eigenvalue, of length 1 and with a positive greatest component; 0 where the
/// matrix is 0.
fn greatest_direction(matrix: &[Vec<f64>]) -> Vec<f64> {
    // The column of the greatest variance is no multiple of another eigenvector, unless the features are independent;
    // then it is the one that is looked for.
    let widest = (0..matrix.len()).max_by(|&a, &b| matrix[a][a].total_cmp(&matrix[b][b])).unwrap_or(0);
    let mut direction = unit(matrix[widest].clone());
    for _ in 0..ITERATIONS_MAX {
        let next = unit(product(matrix, &direction));
        let change = next.iter().zip(&direction).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        direction = next;
        if change < TOLERANCE {
            break;
        }
    }
    let greatest = direction.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0);
    direction.iter().map(|component| component * greatest.signum()).collect()
}

/// Removes a direction of this variance.
fn deflate(matrix: &mut [Vec<f64>], axis: &[f64], variance: f64) {
    for (row, &left) in matrix.iter_mut().zip(axis) {
        row.iter_mut().zip(axis).for_each(|(cell, &right)| *cell -= variance * left * right);
    }
}

fn product(matrix: &[Vec<f64>], vector: &[f64]) -> Vec<f64> {
    matrix.iter().map(|row| dot(row, vector)).collect()
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(a, b)| a * b).sum()
}

fn unit(vector: Vec<f64>) -> Vec<f64> {
    let length = dot(&vector, &vector).sqrt();
    if length > f64::MIN_POSITIVE { vector.iter().map(|component| component / length).collect() } else { vector }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_a_line_lie_on_the_first_axis() {
        let rows: [&[f32]; 3] = [&[0.0, 0.0], &[3.0, 4.0], &[6.0, 8.0]];

        let projection = project(&rows).expect("they differ");

        for (point, expected) in projection.points.iter().zip([-5.0, 0.0, 5.0]) {
            assert!((point[0] - expected).abs() < 1e-9 && point[1].abs() < 1e-9, "{point:?}");
        }
        assert!((projection.explained[0] - 1.0).abs() < 1e-9 && projection.explained[1] < 1e-9);
    }

    #[test]
    fn the_axes_are_ordered_by_variance() {
        // Variances 1 and 4 along the axes of the features, none in the third.
        let rows: [&[f32]; 4] = [&[1.0, 2.0, 7.0], &[1.0, -2.0, 7.0], &[-1.0, 2.0, 7.0], &[-1.0, -2.0, 7.0]];

        let projection = project(&rows).expect("they differ");

        assert!((projection.explained[0] - 0.8).abs() < 1e-9 && (projection.explained[1] - 0.2).abs() < 1e-9);
        assert!((projection.points[1][0] + 2.0).abs() < 1e-9, "{:?}", projection.points);
    }

    #[test]
    fn rows_that_are_all_the_same_have_no_direction() {
        assert_eq!(project(&[&[1.0, 2.0], &[1.0, 2.0]]), None);
        assert_eq!(project(&[]), None);
    }
}
