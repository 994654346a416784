//! How far does a step go, and in which direction?
//!
//! AdamW: each number by its own scale, weights shrunk a little apart from that. The moments are plain tensors in the
//! order of the parameters, so that a checkpoint holds all of the optimiser.

use burn::tensor::{Device, Tensor};

use super::network::{flat, to_vec};
use super::plan::Plan;

/// Share of the old mean in the new, a step.
const MEAN_DECAY: f64 = 0.9;
/// Share of the old mean square in the new, a step. Lower than usual: runs are a few thousand steps long.
const SQUARE_DECAY: f64 = 0.99;
/// Keeps the quotient finite where gradients vanish.
const EPSILON: f64 = 1e-8;

/// Share of the steps in which the rate rises.
const RISE_SHARE: f64 = 0.3;
/// The highest rate is this many times the first.
const RISE_FACTOR: f64 = 25.0;
/// The highest rate is this many times the last.
const FALL_FACTOR: f64 = 10_000.0;

/// How the learning rate goes over the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// Rises for the first three tenths, then falls to nothing, both along a cosine.
    #[default]
    OneCycle,
    /// Falls to nothing from the start, along a cosine.
    Cosine,
}

impl Schedule {
    /// The name on the command line and in cards.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneCycle => "one-cycle",
            Self::Cosine => "cosine",
        }
    }

    /// The rate of step `step` (from 0) of `steps`, where the highest is `rate_max`.
    pub fn rate(self, rate_max: f64, step: usize, steps: usize) -> f64 {
        let cosine =
            |from: f64, to: f64, share: f64| to + (from - to) * (1.0 + (std::f64::consts::PI * share).cos()) / 2.0;
        let share = step as f64 / steps.saturating_sub(1).max(1) as f64;
        let last = rate_max / FALL_FACTOR;
        match self {
            Self::Cosine => cosine(rate_max, last, share),
            Self::OneCycle if share < RISE_SHARE => cosine(rate_max / RISE_FACTOR, rate_max, share / RISE_SHARE),
            Self::OneCycle => cosine(rate_max, last, (share - RISE_SHARE) / (1.0 - RISE_SHARE)),
        }
    }
}

/// AdamW and its memory.
pub struct Optimiser {
    /// How much weights shrink, a step and a rate of one.
    weight_decay: f64,
    /// Whether a parameter is a weight: biases and norms do not shrink.
    shrinks: Vec<bool>,
    means: Vec<Tensor<1>>,
    squares: Vec<Tensor<1>>,
}

impl Optimiser {
    /// One that remembers nothing.
    pub fn new(plan: &Plan, weight_decay: f64, device: &Device) -> Self {
        let zeros = Moments::zero(plan);
        Self::remembering(plan, weight_decay, (&zeros, device))
    }

    /// One that goes on from `moments`.
    pub fn remembering(plan: &Plan, weight_decay: f64, (moments, device): (&Moments, &Device)) -> Self {
        let inner = device.clone().inner();
        let tensors = |arrays: &[Vec<f32>]| arrays.iter().map(|array| flat(array, &inner)).collect();
        let shrinks = plan.parameters().iter().map(|slot| slot.name.ends_with("weight")).collect();
        Self { weight_decay, shrinks, means: tensors(&moments.means), squares: tensors(&moments.squares) }
    }

    /// Its memory, off the device.
    pub fn moments(&self) -> Moments {
        let arrays = |tensors: &[Tensor<1>]| tensors.iter().map(|tensor| to_vec(tensor.clone())).collect();
        Moments { means: arrays(&self.means), squares: arrays(&self.squares) }
    }

    /// Parameter `index` after step `step` (from 0) at `rate`, none of the tensors tracked.
    pub fn step(
        &mut self,
        index: usize,
        (parameter, gradient): (Tensor<1>, Tensor<1>),
        (rate, step): (f64, usize),
    ) -> Tensor<1> {
        let mean = self.means[index].clone() * MEAN_DECAY + gradient.clone() * (1.0 - MEAN_DECAY);
        let square = self.squares[index].clone() * SQUARE_DECAY + gradient.clone() * gradient * (1.0 - SQUARE_DECAY);
        (self.means[index], self.squares[index]) = (mean.clone(), square.clone());
        // Both begin at zero: what is missing of their weight is made up for.
        let weight = |decay: f64| 1.0 - decay.powi(i32::try_from(step + 1).unwrap_or(i32::MAX));
        let scale = (square / weight(SQUARE_DECAY)).sqrt() + EPSILON;
        let kept = if self.shrinks[index] { 1.0 - rate * self.weight_decay } else { 1.0 };
        parameter * kept - mean / scale * (rate / weight(MEAN_DECAY))
    }
}

/// The optimiser's memory, off the device.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Running mean of the gradients, one array a parameter.
    pub means: Vec<Vec<f32>>,
    /// Running mean of their squares, one array a parameter.
    pub squares: Vec<Vec<f32>>,
}

impl Moments {
    /// Those of an optimiser that remembers nothing.
    pub fn zero(plan: &Plan) -> Self {
        let zeros: Vec<Vec<f32>> = plan.parameters().iter().map(|slot| vec![0.0; slot.count()]).collect();
        Self { means: zeros.clone(), squares: zeros }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cycle_rises_to_the_highest_rate_and_falls_to_almost_nothing() {
        let rate = |step| Schedule::OneCycle.rate(0.01, step, 1001);

        assert!((rate(0) - 0.0004).abs() < 1e-9);
        assert!((rate(300) - 0.01).abs() < 1e-9);
        assert!((rate(1000) - 0.000_001).abs() < 1e-9);
        assert!(
            (1..300).all(|step| rate(step) > rate(step - 1)) && (302..1001).all(|step| rate(step) < rate(step - 1))
        );
    }

    #[test]
    fn a_run_of_one_step_has_a_rate() {
        assert!(Schedule::OneCycle.rate(0.01, 0, 1) > 0.0);
        assert!(Schedule::Cosine.rate(0.01, 0, 1) > 0.0);
    }
}
