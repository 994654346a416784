//! How is inference made slow enough to watch?
//!
//! `--inference-delay` blocks the engine's thread for that long before each image. A demonstration then shows jobs
//! move, and a test can stop a worker in the middle of a batch.

use std::time::Duration;

use kana_engine::Prediction;
use kana_engine::image::Image;
use kana_engine::model::{Card, Classifier, Error};

/// A classifier that takes at least a fixed delay per image.
pub struct Delayed {
    inner: Box<dyn Classifier>,
    delay: Duration,
}

impl Delayed {
    /// Wraps `inner` so that each image takes at least `delay`; returns `inner` itself where `delay` is zero.
    pub fn wrap(inner: Box<dyn Classifier>, delay: Duration) -> Box<dyn Classifier> {
        if delay.is_zero() { inner } else { Box::new(Self { inner, delay }) }
    }
}

impl Classifier for Delayed {
    #[expect(clippy::disallowed_methods, reason = "imitates arithmetic, which blocks the engine's own thread as well")]
    fn classify(&mut self, images: &[Image]) -> Result<Vec<Prediction>, Error> {
        let count = u32::try_from(images.len()).unwrap_or(u32::MAX);
        std::thread::sleep(self.delay.saturating_mul(count));
        self.inner.classify(images)
    }

    fn card(&self) -> &Card {
        self.inner.card()
    }
}
