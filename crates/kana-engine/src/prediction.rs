//! What does a classifier answer for one image?

use serde::{Deserialize, Serialize};

/// A probability for each class, and the most probable class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Label of the most probable class, as in the model's card.
    pub label: String,
    /// Index of that class in the card's labels.
    pub class: usize,
    /// Probability of that class, in [0, 1].
    pub confidence: f32,
    /// The probability of each class, in the order of the card's labels; the sum is 1.
    pub probabilities: Vec<f32>,
}

impl Prediction {
    /// Selects the most probable class; of equal ones the first. `None` where `probabilities` is empty or that class has no
    /// label.
    pub fn from_probabilities(probabilities: Vec<f32>, labels: &[String]) -> Option<Self> {
        let (class, confidence) =
            probabilities.iter().copied().enumerate().reduce(|best, next| if next.1 > best.1 { next } else { best })?;
        let label = labels.get(class)?.clone();
        Some(Self { label, class, confidence, probabilities })
    }
}
