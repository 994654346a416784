//! How are two matrices multiplied on one thread?
//!
//! Only this file passes pointers to `gemm`. It checks all sizes first, so that its callers stay safe.

/// A row-major matrix.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    /// Elements, `[rows, columns]`.
    pub values: &'a [f32],
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
}

impl Matrix<'_> {
    fn assert_complete(&self) {
        let Self { values, rows, columns } = self;
        assert_eq!(values.len(), rows * columns, "BUG: a matrix has rows × columns elements");
    }
}

/// Adds `left` · `right` to `sum`, `[left.rows, right.columns]`.
///
/// # Panics
/// When the sizes do not fit each other.
pub fn add_product(sum: &mut [f32], left: Matrix<'_>, right: Matrix<'_>) {
    left.assert_complete();
    right.assert_complete();
    assert_eq!(left.columns, right.rows, "BUG: the matrices of a layer fit each other");
    assert_eq!(
        sum.len(),
        left.rows * right.columns,
        "BUG: a product has the rows of one matrix, the columns of the other"
    );
    // SAFETY: the assertions above keep every index that these sizes and strides can form inside the slices, and `sum` is
    // borrowed exclusively.
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            sum.as_mut_ptr(),
            1,
            right.columns as isize,
            true,
            left.values.as_ptr(),
            1,
            left.columns as isize,
            right.values.as_ptr(),
            1,
            right.columns as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_added_to_what_was_there() {
        let left = Matrix { values: &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], rows: 2, columns: 3 };
        let right = Matrix { values: &[1.0, 0.0, 0.0, 1.0, 2.0, 1.0], rows: 3, columns: 2 };
        let mut sum = [100.0, 100.0, 100.0, 100.0];

        add_product(&mut sum, left, right);

        assert_eq!(sum, [107.0, 105.0, 116.0, 111.0]);
    }

    #[test]
    #[should_panic(expected = "fit each other")]
    fn matrices_that_do_not_fit_are_refused() {
        let row = Matrix { values: &[1.0, 2.0], rows: 1, columns: 2 };

        add_product(&mut [0.0; 2], row, row);
    }
}
