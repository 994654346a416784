//! What do the tests share?

pub mod api_server;
pub mod app;
pub mod child;
pub mod drawings;
mod eventually;
pub mod faulty;
pub mod http;
pub mod idx;
pub mod pictures;
pub mod process;
pub mod proxy;
pub mod queue;
pub mod redis;
pub mod resp;
pub mod samples;
pub mod script;
pub mod scripted;
pub mod shim;
pub mod stage;
pub mod time;
pub mod tls;

pub use eventually::eventually;

/// The folder that the whole project lies in, from which relative paths in the environment count.
pub fn project() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
