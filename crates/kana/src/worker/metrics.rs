//! What does a worker count and measure?
//!
//! Every metric of a worker is declared here once, with its unit in its name.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::telemetry::exposition::Exposition;

/// Label values of attempts: the first, the second, and all further ones.
const ATTEMPTS: [&str; 3] = ["1", "2", "3_or_more"];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabel {
    attempt: &'static str,
}

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
    attempts: [Counter; 3],
    batch_images: Histogram,
    batch_wait: Histogram,
    inference: Histogram,
    settle: Histogram,
    progress_age: Gauge<f64, AtomicU64>,
}

impl Metrics {
    /// Creates all metrics, at zero.
    pub fn new() -> Self {
        // 1 to 512 images, and 0.1 ms to 1.6 s: from one image on a fast core to a batch on a throttled one.
        let (images, attempts_failed, leases_lost) = (Counter::default(), Counter::default(), Counter::default());
        let batch_images = Histogram::new(exponential_buckets(1.0, 2.0, 10));
        let [batch_wait, inference, settle] = [(); 3].map(|()| Histogram::new(exponential_buckets(0.0001, 2.0, 15)));
        let deliveries = Family::<AttemptLabel, Counter>::default();
        let progress_age = Gauge::default();

        let mut registry = Registry::with_prefix("kana_worker");
        registry.register("images", "Images classified", images.clone());
        registry.register("attempts_failed", "Attempts that failed", attempts_failed.clone());
        registry.register("leases_lost", "Leases lost to time or to another outcome", leases_lost.clone());
        registry.register("deliveries", "Jobs claimed, by their attempt", deliveries.clone());
        registry.register("batch_images", "Images classified at once", batch_images.clone());
        let help = "Time that a claimed batch waits for the engine";
        registry.register_with_unit("batch_wait", help, Unit::Seconds, batch_wait.clone());
        registry.register_with_unit("inference", "Time of a batch in the engine", Unit::Seconds, inference.clone());
        let help = "Time until the queue has the results of a batch";
        registry.register_with_unit("settle", help, Unit::Seconds, settle.clone());
        let help = "Time since this worker last made progress; one that only waits for jobs does";
        registry.register_with_unit("progress_age", help, Unit::Seconds, progress_age.clone());

        let attempts = ATTEMPTS.map(|attempt| deliveries.get_or_create_owned(&AttemptLabel { attempt }));
        Self {
            registry,
            images,
            attempts_failed,
            leases_lost,
            attempts,
            batch_images,
            batch_wait,
            inference,
            settle,
            progress_age,
        }
    }

    /// Records a claim of `jobs` jobs, which are all of this attempt.
    pub fn record_claim(&self, jobs: usize, attempt: u32) {
        let [first, second, later] = &self.attempts;
        let counter = match attempt {
            0 | 1 => first,
            2 => second,
            _ => later,
        };
        counter.inc_by(jobs as u64);
    }

    /// Records how long a claimed batch waited for the engine.
    pub fn record_batch_wait(&self, wait: Duration) {
        self.batch_wait.observe(wait.as_secs_f64());
    }

    /// Records how long it took until the queue had the results of a batch.
    pub fn record_settle(&self, took: Duration) {
        self.settle.observe(took.as_secs_f64());
    }

    /// Sets the time since the last progress, which is known when somebody asks.
    pub fn observe_progress(&self, age: Duration) {
        self.progress_age.set(age.as_secs_f64());
    }

    /// Records a batch of `images` images that took `elapsed` in the engine.
    pub fn record_batch(&self, images: usize, elapsed: Duration) {
        self.batch_images.observe(images as f64);
        self.inference.observe(elapsed.as_secs_f64());
    }

    /// Writes all metrics.
    pub fn text(&self, exposition: Exposition) -> String {
        exposition.write(&self.registry).expect("BUG: writing to a String cannot fail")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
