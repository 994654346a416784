//! How is work made slow enough to watch?

use std::time::Duration;

use kana_engine::Prediction;
use kana_engine::image::Image;
use kana_engine::model::{Card, Classifier, Error};

/// A classifier that takes at least `delay` an image, so that people see work move and tests catch it in the act.
pub struct Slow {
    inner: Box<dyn Classifier>,
    delay: Duration,
}

impl Slow {
    /// Slows `inner` down; leaves it alone where `delay` is zero.
    pub fn down(inner: Box<dyn Classifier>, delay: Duration) -> Box<dyn Classifier> {
        if delay.is_zero() { inner } else { Box::new(Self { inner, delay }) }
    }
}

impl Classifier for Slow {
    fn classify(&mut self, images: &[Image]) -> Result<Vec<Prediction>, Error> {
        let count = u32::try_from(images.len()).unwrap_or(u32::MAX);
        std::thread::sleep(self.delay.saturating_mul(count));
        self.inner.classify(images)
    }

    fn card(&self) -> &Card {
        self.inner.card()
    }
}
