//! How does a step change the parameters?
//!
//! By AdamW (I. Loshchilov, F. Hutter: Decoupled Weight Decay Regularization, 2019), with a learning rate that follows a
//! [`Schedule`]. The moments have the order of the parameters, so that a checkpoint contains the whole state of the optimiser.

use super::architecture::{Architecture, TensorSpec};

/// Decay of the first moment per step, β₁.
pub const FIRST_DECAY: f64 = 0.9;
/// Decay of the second moment per step, β₂. Lower than the usual 0.999, because runs have only a few thousand steps.
pub const SECOND_DECAY: f64 = 0.99;
/// Summand ε that keeps the quotient finite when gradients vanish.
pub const EPSILON: f64 = 1e-8;

/// Share of the steps in which the rate of [`Schedule::OneCycle`] rises.
const RISE_SHARE: f64 = 0.3;
/// Ratio of the highest rate to the first of [`Schedule::OneCycle`].
const RISE_FACTOR: f64 = 25.0;
/// Ratio of the highest rate to the last.
const FALL_FACTOR: f64 = 10_000.0;

/// Course of the learning rate over the steps of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// The rate rises for three tenths of the steps, then falls to almost zero, both along a cosine (L. N. Smith,
    /// N. Topin: Super-Convergence, 2018).
    #[default]
    OneCycle,
    /// The rate falls to almost zero from the start, along a cosine (I. Loshchilov, F. Hutter: SGDR, 2017).
    Cosine,
}

impl Schedule {
    /// Returns the name on the command line and in cards.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneCycle => "one-cycle",
            Self::Cosine => "cosine",
        }
    }

    /// Returns the rate of step `step` (from 0) of `steps`, where the highest rate is `rate_max`.
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

/// AdamW with its state.
#[derive(Clone, Debug)]
pub struct Optimiser {
    /// Factor λ of the decoupled weight decay, which is multiplied by the rate.
    weight_decay: f64,
    /// Whether weight decay applies to each of the parameters.
    decays: Vec<bool>,
    moments: Moments,
}

/// Number and learning rate of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Number of steps before this one.
    pub index: usize,
    /// Learning rate.
    pub rate: f64,
}

impl Step {
    /// Returns the learning rate divided by the bias of the first moment, and 1 divided by that of the second: both moments
    /// start at zero.
    pub fn corrected(self) -> (f32, f32) {
        let correction = |decay: f64| 1.0 - decay.powi(i32::try_from(self.index + 1).unwrap_or(i32::MAX));
        ((self.rate / correction(FIRST_DECAY)) as f32, (1.0 / correction(SECOND_DECAY)) as f32)
    }
}

/// Returns whether weight decay applies to a parameter: it does to weights, and not to biases and norms.
pub fn decays(spec: &TensorSpec) -> bool {
    spec.name.ends_with("weight")
}

impl Optimiser {
    /// Creates an optimiser that continues from `moments`.
    pub fn new(architecture: &Architecture, weight_decay: f64, moments: Moments) -> Self {
        let decays = architecture.trainable().iter().map(decays).collect();
        Self { weight_decay, decays, moments }
    }

    /// Returns the moments after the last step.
    pub fn moments(&self) -> &Moments {
        &self.moments
    }

    /// Updates the moments and the `parameters` by their `gradients`.
    pub fn update(&mut self, parameters: &mut [Vec<f32>], gradients: &[Vec<f32>], step: Step) {
        let (rate, second_correction) = step.corrected();
        let [first_decay, second_decay, epsilon] = [FIRST_DECAY, SECOND_DECAY, EPSILON].map(|value| value as f32);
        let moments = self.moments.first.iter_mut().zip(&mut self.moments.second);
        let tensors = parameters.iter_mut().zip(gradients).zip(moments).zip(&self.decays);
        for (((parameters, gradients), (first, second)), decays) in tensors {
            let kept = if *decays { (1.0 - step.rate * self.weight_decay) as f32 } else { 1.0 };
            let elements = parameters.iter_mut().zip(gradients).zip(first.iter_mut().zip(second));
            for ((parameter, gradient), (first, second)) in elements {
                *first = first_decay * *first + (1.0 - first_decay) * gradient;
                *second = second_decay * *second + (1.0 - second_decay) * gradient * gradient;
                let deviation = (*second * second_correction).sqrt() + epsilon;
                *parameter = *parameter * kept - rate * *first / deviation;
            }
        }
    }
}

/// Moments of the gradients.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Running mean of the gradients of each parameter.
    pub first: Vec<Vec<f32>>,
    /// Running mean of the squared gradients of each parameter.
    pub second: Vec<Vec<f32>>,
}

impl Moments {
    /// Creates the moments before the first step.
    pub fn zero(architecture: &Architecture) -> Self {
        let zeros: Vec<Vec<f32>> = architecture.trainable().iter().map(|spec| vec![0.0; spec.count()]).collect();
        Self { first: zeros.clone(), second: zeros }
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
    fn the_first_step_moves_a_parameter_by_the_rate_against_its_gradient() {
        let image_shape = kana_engine::image::Shape { channels: 1, height: 20, width: 20 };
        let architecture = Architecture::new(image_shape, 1, 2);
        let mut optimiser = Optimiser::new(&architecture, 0.0, Moments::zero(&architecture));
        let mut parameters = [vec![1.0; 9]];

        optimiser.update(&mut parameters, &[vec![5.0; 9]], Step { index: 0, rate: 0.1 });

        assert!(parameters[0].iter().all(|value| (value - 0.9).abs() < 1e-5), "{parameters:?}");
    }

    #[test]
    fn a_run_of_one_step_has_a_rate() {
        assert!(Schedule::OneCycle.rate(0.01, 0, 1) > 0.0);
        assert!(Schedule::Cosine.rate(0.01, 0, 1) > 0.0);
    }
}
