//! What does `data` take?
