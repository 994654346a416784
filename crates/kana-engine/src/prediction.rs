//! What does a classifier say of one image?

use serde::{Deserialize, Serialize};

/// One probability a class, and the class that won.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The winner's label, as the model's card spells it.
    pub label: String,
    /// The winner's index into the card's labels.
    pub class: usize,
    /// The winner's probability, in [0, 1].
    pub confidence: f32,
    /// One probability a class, in the order of the card's labels; they sum to one.
    pub probabilities: Vec<f32>,
}

impl Prediction {
    /// The prediction that `probabilities` make; a tie goes to the lower class. `None` where there are none, or
    /// fewer labels than probabilities.
    pub fn from_probabilities(probabilities: Vec<f32>, labels: &[String]) -> Option<Self> {
        let (class, confidence) =
            probabilities.iter().copied().enumerate().reduce(|best, next| if next.1 > best.1 { next } else { best })?;
        let label = labels.get(class)?.clone();
        Some(Self { label, class, confidence, probabilities })
    }
}
