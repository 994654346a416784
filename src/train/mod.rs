//! How does a network learn?
