//! How does one file hold a queue for many processes?
