//! What does a max pool leave of its input?
//!
//! Only for layers that are computed directly: Winograd's algorithm pools a tile before it stores it.

use super::{Extent, LANES, Vector};

/// Writes the greatest of each 2×2 pixels of `input`, which has `blocks` blocks of channels, to `output`; an odd last row
/// or column is left out.
pub fn pool(input: &[Vector], extent: Extent, blocks: usize, output: &mut [Vector]) {
    let (rows, columns) = (extent.height / 2, extent.width / 2);
    for row in 0..rows {
        for column in 0..columns {
            for block in 0..blocks {
                let at =
                    |dy: usize, dx: usize| &input[((2 * row + dy) * extent.width + 2 * column + dx) * blocks + block].0;
                let corners = [at(0, 0), at(0, 1), at(1, 0), at(1, 1)];
                let out = &mut output[(row * columns + column) * blocks + block].0;
                for lane in 0..LANES {
                    out[lane] = corners[0][lane].max(corners[1][lane]).max(corners[2][lane].max(corners[3][lane]));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_last_row_or_column_is_left_out_of_the_pool() {
        let mut output = [Vector::ZERO];
        let values = [1.0, 2.0, 9.0, 4.0, 3.0, 9.0, 9.0, 9.0, 9.0].map(|value| Vector([value; LANES]));

        pool(&values, Extent { height: 3, width: 3 }, 1, &mut output);

        assert_eq!(output, [Vector([4.0; LANES])]);
    }
}
