//! Which part of a picture?

/// Part of a picture, in whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rectangle {
    /// The first column.
    pub left: usize,
    /// The first row.
    pub top: usize,
    /// The column after the last.
    pub right: usize,
    /// The row after the last.
    pub bottom: usize,
}

impl Rectangle {
    /// The rectangle that covers a plane of `width` × `height` pixels.
    pub fn covering(width: usize, height: usize) -> Self {
        Self { left: 0, top: 0, right: width, bottom: height }
    }

    /// Columns, in pixels.
    pub fn width(&self) -> usize {
        self.right - self.left
    }

    /// Rows, in pixels.
    pub fn height(&self) -> usize {
        self.bottom - self.top
    }

    /// The greater of width and height, in pixels.
    pub fn longer_side(&self) -> usize {
        self.width().max(self.height())
    }

    /// The smallest rectangle that contains both.
    pub fn union(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// The rectangle with `by` more pixels on each side, as far as `limit` allows.
    pub fn grown(self, by: usize, limit: &Self) -> Self {
        Self {
            left: self.left.saturating_sub(by).max(limit.left),
            top: self.top.saturating_sub(by).max(limit.top),
            right: (self.right + by).min(limit.right),
            bottom: (self.bottom + by).min(limit.bottom),
        }
    }
}
