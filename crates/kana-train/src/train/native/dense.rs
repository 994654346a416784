//! How are the products of the dense layers computed?
//!
//! All three, of inputs and weights, of gradients and weights, and of gradients and inputs, by the engine's dense layer,
//! for which one matrix of each is laid out as weights. The rows of the result are divided among the threads.

use kana_engine::kernels::dense::Dense;
use kana_engine::kernels::{Instructions, LANES, Vector};
use rayon::prelude::*;

/// Rows of a product that one thread computes at a time.
const ROWS: usize = 12;

/// Lays out a matrix `rows` × `columns` as weights, so that [`multiply`] computes vectors · matrix + `bias`. Elements of
/// padding are zero.
pub fn lay_out(rows: usize, columns: usize, bias: &[f32], element: impl Fn(usize, usize) -> f32) -> Dense {
    let (inputs, outputs) = (rows.div_ceil(LANES), columns.div_ceil(LANES));
    let mut weights = vec![[Vector::ZERO; LANES]; outputs * inputs];
    for row in 0..rows {
        for column in 0..columns {
            weights[column / LANES * inputs + row / LANES][row % LANES].0[column % LANES] = element(row, column);
        }
    }
    let mut biases = vec![Vector::ZERO; outputs];
    for (at, value) in bias.iter().enumerate() {
        biases[at / LANES].0[at % LANES] = *value;
    }
    Dense::new(inputs, weights, biases)
}

/// Multiplies each row of `input` by the matrix `weights` into `output`.
pub fn multiply(instructions: Instructions, weights: &Dense, input: &[Vector], output: &mut Vec<Vector>) {
    let (inputs, outputs) = (weights.inputs(), weights.outputs());
    output.resize(input.len() / inputs * outputs, Vector::ZERO);
    let rows = input.par_chunks(ROWS * inputs).zip(output.par_chunks_mut(ROWS * outputs));
    rows.for_each(|(input, output)| weights.run(instructions, input, output));
}

/// Transposes `rows` rows of `columns` floats: `[columns][blocks of rows]`. Floats of padding are zero.
pub fn transpose(matrix: &[Vector], rows: usize, columns: usize) -> Vec<Vector> {
    let (from, to) = (columns.div_ceil(LANES), rows.div_ceil(LANES));
    let mut transposed = vec![Vector::ZERO; columns * to];
    for (row, vectors) in matrix.chunks_exact(from).enumerate() {
        for column in 0..columns {
            transposed[column * to + row / LANES].0[row % LANES] = vectors[column / LANES].0[column % LANES];
        }
    }
    transposed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_has_each_row_times_the_matrix_plus_bias() {
        // [1 2 3] · [[1 4] [2 5] [3 6]] + [10 20], and the same of [0 1 0].
        let weights = lay_out(3, 2, &[10.0, 20.0], |row, column| (1 + row + 3 * column) as f32);
        let mut rows = [Vector::ZERO; 2];
        rows[0].0[..3].copy_from_slice(&[1.0, 2.0, 3.0]);
        rows[1].0[1] = 1.0;
        let mut output = Vec::new();

        multiply(Instructions::best(), &weights, &rows, &mut output);

        let found: Vec<_> = output.iter().map(|row| row.0[..3].to_vec()).collect();
        assert_eq!(found, [[24.0, 52.0, 0.0], [12.0, 25.0, 0.0]]);
    }

    #[test]
    fn a_transposed_matrix_has_its_rows_as_columns() {
        let rows: Vec<Vector> = (0..20).map(|row| Vector([row as f32; LANES])).collect();

        let transposed = transpose(&rows, 20, 2);

        assert_eq!(transposed.len(), 2 * 2);
        assert_eq!((transposed[2].0[7], transposed[3].0[3], transposed[3].0[4]), (7.0, 19.0, 0.0));
    }
}
