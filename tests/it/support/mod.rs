//! What do the tests share?

pub mod eventually;
pub mod faulty;
pub mod http;
pub mod pictures;
pub mod process;
pub mod scripted;
pub mod world;
pub mod idx;
