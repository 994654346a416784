//! How does a step change the parameters, on the device?
//!
//! As [`crate::train::optimiser`] says, all of them at once.

use burn_tensor::{Device, Tensor};

use super::layout::{join, upload};
use crate::train::architecture::Architecture;
use crate::train::optimiser::{EPSILON, FIRST_DECAY, Moments, SECOND_DECAY, Step, decays};

/// AdamW with its state.
pub struct Optimiser {
    weight_decay: f64,
    /// 1 for each parameter that weight decay applies to, and 0 for the others.
    decays: Tensor<1>,
    /// Running mean of the gradients.
    pub first: Tensor<1>,
    /// Running mean of the squared gradients.
    pub second: Tensor<1>,
}

impl Optimiser {
    /// Creates an optimiser that continues from `moments`.
    pub fn new(architecture: &Architecture, moments: &Moments, weight_decay: f64, device: &Device) -> Self {
        let each = |spec| std::iter::repeat_n(if decays(&spec) { 1.0 } else { 0.0 }, spec.count());
        let decays: Vec<f32> = architecture.trainable().into_iter().flat_map(each).collect();
        let count = decays.len();
        Self {
            weight_decay,
            decays: upload(decays, [count], device),
            first: join(&moments.first, device),
            second: join(&moments.second, device),
        }
    }

    /// Updates the moments, and returns the updated `parameters`.
    pub fn update(&mut self, parameters: Tensor<1>, gradient: Tensor<1>, step: Step) -> Tensor<1> {
        let [first_decay, second_decay] = [FIRST_DECAY, SECOND_DECAY].map(|decay| decay as f32);
        let (rate, second_correction) = step.corrected();
        self.first = self.first.clone() * first_decay + gradient.clone() * (1.0 - first_decay);
        self.second = self.second.clone() * second_decay + gradient.clone() * gradient * (1.0 - second_decay);
        let deviation = (self.second.clone() * second_correction).sqrt() + EPSILON as f32;
        let kept = self.decays.clone() * (-step.rate * self.weight_decay) as f32 + 1.0;
        parameters * kept - self.first.clone() / deviation * rate
    }
}
