//! How are two matrices multiplied on one thread?
//!
//! The one place that hands pointers to `gemm`: extents are checked here, so that callers need no care.

/// Numbers row by row.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    /// As many as rows times columns.
    pub numbers: &'a [f32],
    /// How many rows.
    pub rows: usize,
    /// How many columns.
    pub columns: usize,
}

/// A matrix as a product reads it.
#[derive(Clone, Copy)]
pub struct View<'a> {
    numbers: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: isize,
    column_stride: isize,
}

impl<'a> Matrix<'a> {
    /// As it is.
    ///
    /// # Panics
    /// Where the numbers are not as many as rows times columns.
    pub fn plain(self) -> View<'a> {
        let Self { numbers, rows, columns } = self;
        assert_eq!(numbers.len(), rows * columns, "BUG: a matrix has as many numbers as rows times columns");
        View { numbers, rows, columns, row_stride: columns as isize, column_stride: 1 }
    }

    /// With rows and columns exchanged.
    ///
    /// # Panics
    /// As [`Matrix::plain`].
    pub fn transposed(self) -> View<'a> {
        let View { numbers, rows, columns, row_stride, column_stride } = self.plain();
        View { numbers, rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride }
    }
}

/// What a product does to what was there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// It is forgotten.
    Replaced,
    /// It is added to.
    Added,
}

/// `target` (rows of `left` × columns of `right`) becomes, or is added, `left` · `right`.
///
/// # Panics
/// Where the extents do not fit each other.
pub fn multiply(target: &mut [f32], left: View<'_>, right: View<'_>, product: Product) {
    assert_eq!(left.columns, right.rows, "BUG: the matrices of a layer fit each other");
    assert_eq!(
        target.len(),
        left.rows * right.columns,
        "BUG: a product has the rows of one and the columns of the other"
    );
    // SAFETY: the assertions here and in `Matrix::plain` keep every index that these extents and strides can form inside
    // the slices, and `target` is borrowed exclusively.
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            target.as_mut_ptr(),
            1,
            right.columns as isize,
            product == Product::Added,
            left.numbers.as_ptr(),
            left.column_stride,
            left.row_stride,
            right.numbers.as_ptr(),
            right.column_stride,
            right.row_stride,
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
    fn a_product_reads_transposed_matrices_and_adds_to_what_was_there() {
        let left = Matrix { numbers: &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], rows: 2, columns: 3 };
        let right = Matrix { numbers: &[1.0, 0.0, 2.0, 0.0, 1.0, 1.0], rows: 2, columns: 3 };
        let mut target = [100.0, 100.0, 100.0, 100.0];

        multiply(&mut target, left.plain(), right.transposed(), Product::Added);

        assert_eq!(target, [107.0, 105.0, 116.0, 111.0]);
        multiply(&mut target, left.plain(), right.transposed(), Product::Replaced);
        assert_eq!(target, [7.0, 5.0, 16.0, 11.0]);
    }
}
