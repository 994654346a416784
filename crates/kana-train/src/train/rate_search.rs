//! Which learning rate suits these images and this network?
//!
//! A range test (L. N. Smith: Cyclical Learning Rates for Training Neural Networks, 2017, section 3.3): the rate rises
//! exponentially over a few hundred steps. The loss falls first slowly, then fast, and at last grows without end.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Config;
use super::architecture::{Architecture, Parameters};
use super::input;
use super::learner::Learner;
use super::loader::{Loader, Position, Turn};
use super::optimiser::{Moments, Step};

/// Steps of a search: enough to see the loss fall.
const STEPS: usize = 200;
/// Rate of the first step: at which nothing is learned.
const RATE_MIN: f64 = 1e-6;
/// Rate of the last step: at which no network of this family learns.
const RATE_MAX: f64 = 1.0;
/// Weight of a step in the smoothed loss: batches differ.
const SMOOTHING: f64 = 0.05;
/// Factor of the least loss beyond which the search ends.
const LOSS_GROWTH_MAX: f64 = 4.0;
/// Steps before the least loss is looked for: the mean of a few is not smooth.
const WARM_UP: usize = 20;
/// Ratio of the rate with the least loss to the one that is suggested: at the former the network already jumps about.
const MARGIN: f64 = 10.0;

/// Result of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct RateSearch {
    /// Each step, in order.
    pub points: Vec<RatePoint>,
    /// Highest rate for a schedule.
    pub suggested: f64,
}

/// A step of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatePoint {
    /// Learning rate of the step.
    pub rate: f64,
    /// Loss until this step, smoothed.
    pub loss: f64,
}

/// Searches the learning rate for the network and the images of `config`; writes nothing.
///
/// # Errors
/// Returns an error when a setting is out of its range, the data set cannot be loaded, or the device fails.
pub fn find_learning_rate(config: &Config, interrupted: &AtomicBool) -> anyhow::Result<RateSearch> {
    config.checked()?;
    let folder = config.load()?;
    let images = folder.development();
    let input = input::measure(images);
    let (image_shape, class_count) = (input.shape, folder.classes.labels.len());
    let architecture = Architecture::new(image_shape, config.width, class_count).checked()?;
    let loader =
        Loader { dataset: images, input: &input, architecture, config: config.loader(config.seed), teachers: &[] };
    let parameters = Parameters::initial(&architecture, config.seed);
    let moments = Moments::zero(&architecture);
    let mut learner = Learner::new(config.device, architecture, parameters, moments, config.weight_decay)?;
    let (mut points, mut average): (Vec<RatePoint>, f64) = (Vec::new(), 0.0);
    let mut failure = None;
    loader.load(Position { epoch: 0, batch: 0 }, STEPS, Turn { turn: 0, count: 1 }, |batch| {
        let index = points.len();
        let rate = RATE_MIN * (RATE_MAX / RATE_MIN).powf(index as f64 / (STEPS - 1) as f64);
        let loss = match learner.step(&batch, Step { index, rate }) {
            Ok(totals) => totals.mean_loss(),
            Err(error) => {
                failure = Some(error);
                return ControlFlow::Break(());
            }
        };
        average += SMOOTHING * (loss - average);
        let smoothed = average / (1.0 - (1.0 - SMOOTHING).powi(index as i32 + 1));
        let least = points.iter().map(|point| point.loss).fold(f64::INFINITY, f64::min);
        if !loss.is_finite() || smoothed > LOSS_GROWTH_MAX * least {
            return ControlFlow::Break(());
        }
        points.push(RatePoint { rate, loss: smoothed });
        let is_over = points.len() == STEPS || interrupted.load(Ordering::Relaxed);
        if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(RateSearch { suggested: suggest(&points), points }),
    }
}

/// A [`MARGIN`] below the rate with the least loss.
fn suggest(points: &[RatePoint]) -> f64 {
    let settled = points.get(WARM_UP..).filter(|points| !points.is_empty()).unwrap_or(points);
    let least = settled.iter().min_by(|one, other| one.loss.total_cmp(&other.loss));
    least.map_or(RATE_MIN, |point| point.rate / MARGIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suggested_rate_is_a_tenth_of_the_one_with_the_least_loss() {
        let loss = |step: usize| if step < 120 { 3.0 - step as f64 / 100.0 } else { 1.8 + (step - 120) as f64 };
        let points: Vec<_> = (0..150).map(|at| RatePoint { rate: at as f64, loss: loss(at) }).collect();

        assert_eq!(suggest(&points), 12.0);
    }
}
