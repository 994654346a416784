//! Which images are there to learn from and to show?
