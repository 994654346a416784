//! How is the reference network computed here?
//!
//! One image at a time on one thread, through buffers made once: whoever wants more threads takes more engines. The
//! weights are folded once when they are read, see [`weights`]; the arithmetic is in [`kernel`].

mod kernel;
mod weights;

use std::sync::Arc;

use super::{Card, Classifier, Error};
use crate::Prediction;
use crate::image::Image;
use kernel::{Level, convolve, multiply, pool, softmax};

pub use weights::{NORM_EPSILON, Weights};

/// The only family of networks that this engine computes.
pub const FAMILY: &str = "kana-cnn";

/// Computes networks of the reference family; several members' probabilities are averaged.
pub struct Native {
    card: Arc<Card>,
    members: Arc<[Weights]>,
    extents: [(usize, usize); 7],
    level: Level,
    /// What a layer reads, and what it writes; they change places behind each.
    front: Vec<f32>,
    back: Vec<f32>,
}

impl Native {
    /// An engine for weights that were all read for `card`.
    pub fn new(card: Arc<Card>, members: Arc<[Weights]>) -> Self {
        let extents = weights::extents(card.input.shape)
            .expect("BUG: Weights::read refuses a card whose input is too small, and there are no other weights");
        let convolved = |m: &Weights| {
            let behind = m.convolutions.iter().zip([1, 2, 4, 6]);
            behind.map(|(layer, at)| extents[at].0 * extents[at].1 * layer.outputs).max()
        };
        let dense = |m: &Weights| m.dense.iter().map(|layer| layer.outputs).max();
        let room = members.iter().flat_map(|m| [convolved(m), dense(m)]).flatten().max().unwrap_or_default();
        let room = room.max(card.input.shape.bytes());
        Self { card, members, extents, level: Level::detect(), front: vec![0.0; room], back: vec![0.0; room] }
    }

    /// Adds a member's probabilities for `image` to `total`.
    fn add(&mut self, member: usize, image: &Image, total: &mut [f32]) {
        let Weights { convolutions, dense } = &self.members[member];
        for (float, byte) in self.front.iter_mut().zip(image.pixels()) {
            *float = f32::from(*byte);
        }
        // The extents before each convolution, and whether it is pooled.
        for (layer, (at, pooled)) in convolutions.iter().zip([(0, false), (1, true), (3, true), (5, false)]) {
            let (height, width) = self.extents[at];
            convolve(self.level, layer, (&self.front, height, width), &mut self.back);
            std::mem::swap(&mut self.front, &mut self.back);
            if pooled {
                pool((&self.front, height - 2, width - 2), layer.outputs, &mut self.back);
                std::mem::swap(&mut self.front, &mut self.back);
            }
        }
        let (rows, columns) = self.extents[6];
        let flat = rows * columns * convolutions[3].outputs;
        let [hidden, last] = dense;
        multiply(self.level, hidden, &self.front[..flat], &mut self.back[..hidden.outputs]);
        for value in &mut self.back[..hidden.outputs] {
            *value = value.max(0.0);
        }
        multiply(self.level, last, &self.back[..weights::HIDDEN], &mut self.front[..last.outputs]);
        let logits = &mut self.front[..total.len()];
        softmax(logits);
        for (sum, probability) in total.iter_mut().zip(logits) {
            *sum += *probability;
        }
    }
}

impl Classifier for Native {
    fn classify(&mut self, images: &[Image]) -> Result<Vec<Prediction>, Error> {
        let expected = self.card.input.shape;
        if let Some(image) = images.iter().find(|image| image.shape() != expected) {
            return Err(Error::Shape { expected, found: image.shape() });
        }
        let share = 1.0 / self.members.len() as f32;
        let mut predictions = Vec::with_capacity(images.len());
        for image in images {
            let mut probabilities = vec![0.0; self.card.labels.len()];
            for member in 0..self.members.len() {
                self.add(member, image, &mut probabilities);
            }
            for probability in &mut probabilities {
                *probability *= share;
            }
            let prediction = Prediction::from_probabilities(probabilities, &self.card.labels);
            predictions.push(prediction.expect("BUG: a card without labels is refused when it is read"));
        }
        Ok(predictions)
    }

    fn card(&self) -> &Card {
        &self.card
    }
}
