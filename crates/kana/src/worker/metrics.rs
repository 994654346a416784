//! What does a worker count and measure?
//!
//! Every metric of a worker is declared here once, with its unit in its name.

use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::telemetry::process;

/// The metrics of one worker process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Number of images classified and settled as done.
    pub images: Counter,
    /// Number of attempts settled as failed.
    pub attempts_failed: Counter,
    /// Number of leases that a heartbeat or a settlement found lost.
    pub leases_lost: Counter,
    batch_images: Histogram,
    inference: Histogram,
}

impl Metrics {
    /// Creates all metrics, at zero.
    pub fn new() -> Self {
        // 1 to 512 images, and 0.1 ms to 1.6 s: from one image on a fast core to a batch on a throttled one.
        let (images, attempts_failed, leases_lost) = (Counter::default(), Counter::default(), Counter::default());
        let batch_images = Histogram::new(exponential_buckets(1.0, 2.0, 10));
        let inference = Histogram::new(exponential_buckets(0.0001, 2.0, 15));

        let mut registry = Registry::with_prefix("kana_worker");
        registry.register("images", "Images classified", images.clone());
        registry.register("attempts_failed", "Attempts that failed", attempts_failed.clone());
        registry.register("leases_lost", "Leases lost to time or to another outcome", leases_lost.clone());
        registry.register("batch_images", "Images classified at once", batch_images.clone());
        registry.register_with_unit("inference", "Time of a batch in the engine", Unit::Seconds, inference.clone());
        Self { registry, images, attempts_failed, leases_lost, batch_images, inference }
    }

    /// Records a batch of `images` images that took `elapsed` in the engine.
    pub fn record_batch(&self, images: usize, elapsed: Duration) {
        self.batch_images.observe(images as f64);
        self.inference.observe(elapsed.as_secs_f64());
    }

    /// Writes all metrics in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut to = String::new();
        let written = text::encode_registry(&mut to, &self.registry)
            .and_then(|()| process::encode(&mut to))
            .and_then(|()| text::encode_eof(&mut to));
        written.expect("BUG: writing to a String cannot fail");
        to
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
