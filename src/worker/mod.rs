//! How does a process turn claims into outcomes, and die without losing any?

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::model::Classifier;
use crate::queue::Queue;
use crate::shutdown::Shutdown;

/// How a worker works.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name, also its pod's.
    pub name: String,
    /// Images classified at once, at most.
    pub batch_max: usize,
    /// Slows each image down, so that people can watch work move.
    pub inference_delay: Duration,
    /// Where its health and metrics are served; port 0 takes a free one.
    pub listen: SocketAddr,
}

/// Claims, classifies and settles until `shutdown` begins; then finishes its batch and gives the rest back.
pub async fn run(
    _config: Config,
    _queue: Arc<dyn Queue>,
    _classifier: Box<dyn Classifier>,
    _shutdown: &Shutdown,
) -> anyhow::Result<()> {
    Ok(())
}
