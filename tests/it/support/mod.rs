//! What do the tests share?

pub mod world;
