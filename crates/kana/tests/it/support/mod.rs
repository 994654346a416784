//! What do the tests share?

pub mod api_server;
pub mod app;
pub mod child;
mod eventually;
pub mod fake_cluster;
pub mod faulty;
pub mod http;
pub mod kubernetes_objects;
pub mod nginx;
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
pub mod time;
pub mod tls;

pub use eventually::eventually;

/// Logs to standard error what `KANA_LOG` asks for, where it is set; for tests that run a role in their own process.
pub fn start_logs() {
    static STARTED: std::sync::Once = std::sync::Once::new();
    STARTED.call_once(|| {
        if let Ok(filter) = std::env::var("KANA_LOG") {
            kana::telemetry::start(kana::telemetry::Format::Text, &filter).expect("KANA_LOG is a filter");
        }
    });
}

/// The folder that the whole project lies in, from which relative paths in the environment count.
pub fn project() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
