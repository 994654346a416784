//! How do several threads classify one batch?
//!
//! Each has an engine of its own and takes a run of neighbouring images. An image's probabilities do not depend on its
//! batch, so they are the same for any number of threads.

use super::{Card, Classifier, Error};
use crate::Prediction;
use crate::image::Image;

/// Images for one thread, at least: fewer are classified before a further thread has started.
const IMAGES_MIN: usize = 4;

/// A classifier of several engines, all of one model.
pub struct Threads {
    first: Box<dyn Classifier>,
    others: Vec<Box<dyn Classifier>>,
}

impl Threads {
    /// Creates a classifier that uses the calling thread for `first` and one further thread for each of `others`.
    pub fn new(first: Box<dyn Classifier>, others: Vec<Box<dyn Classifier>>) -> Self {
        Self { first, others }
    }
}

impl Classifier for Threads {
    fn classify(&mut self, images: &[Image]) -> Result<Vec<Prediction>, Error> {
        let expected = self.first.card().input.shape;
        if let Some(image) = images.iter().find(|image| image.shape() != expected) {
            return Err(Error::Shape { expected, found: image.shape() });
        }
        let share = images.len().div_ceil(1 + self.others.len()).max(IMAGES_MIN);
        let (own, rest) = images.split_at(share.min(images.len()));
        std::thread::scope(|scope| {
            let shares = self.others.iter_mut().zip(rest.chunks(share));
            let running: Vec<_> = shares.map(|(engine, images)| scope.spawn(move || engine.classify(images))).collect();
            let mut predictions = self.first.classify(own)?;
            for share in running {
                predictions.extend(share.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
            }
            Ok(predictions)
        })
    }

    fn card(&self) -> &Card {
        self.first.card()
    }
}
