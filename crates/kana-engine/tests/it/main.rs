//! Does the engine keep its promises? One binary, so that everything links once.

mod drawings;
mod model;
mod picture;
