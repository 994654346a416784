//! Does the engine keep its promises? One binary, so that everything links once.

mod blank;
mod counting;
mod drawings;
mod memory;
mod model;
mod picture;
