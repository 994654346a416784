//! How is a step of training computed on a graphics processor?
//!
//! By the arithmetic of [`super::native`], on the same batches, in the tensors of Burn: a forward pass records what its
//! backward pass needs. Parameters, running statistics and moments stay on the device and are read when someone asks for
//! them; a step reads nothing but the probabilities of its images. Sums have another order than on the processor, so that
//! the results of both agree to rounding, and a run that changes between them continues.

mod adapter;
mod layout;
mod network;
mod optimiser;
#[cfg(test)]
mod tests;

use anyhow::Context;
use burn_tensor::{Device, Tensor, Transaction};

use super::architecture::{Architecture, Parameters};
use super::loader::Batch;
use super::native::Totals;
use super::optimiser::{Moments, Step};
use network::{Forward, Network};
use optimiser::Optimiser;

/// Network and optimiser between two steps, on the device.
pub struct Learner {
    device: Device,
    network: Network,
    /// All trainable parameters, one after another.
    trainable: Tensor<1>,
    /// All running statistics, one after another.
    statistics: Tensor<1>,
    optimiser: Optimiser,
}

impl Learner {
    /// Continues from `parameters` and `moments`, which fit the architecture.
    ///
    /// # Errors
    /// Returns an error when there is no graphics processor that can be used.
    pub fn new(
        architecture: &Architecture,
        parameters: &Parameters,
        moments: &Moments,
        weight_decay: f64,
    ) -> anyhow::Result<Self> {
        let device = adapter::device()?;
        Ok(Self {
            network: Network::new(architecture),
            trainable: layout::join(&parameters.trainable, &device),
            statistics: layout::join(&parameters.statistics, &device),
            optimiser: Optimiser::new(architecture, moments, weight_decay, &device),
            device,
        })
    }

    /// Reads the parameters after the last step.
    ///
    /// # Errors
    /// Returns the error of the device.
    pub fn parameters(&self) -> anyhow::Result<Parameters> {
        let [trainable, statistics] = read([self.trainable.clone(), self.statistics.clone()])?;
        Ok(Parameters {
            trainable: self.network.trainable.split(&trainable),
            statistics: self.network.statistics.split(&statistics),
        })
    }

    /// Reads the moments after the last step.
    ///
    /// # Errors
    /// Returns the error of the device.
    pub fn moments(&self) -> anyhow::Result<Moments> {
        let [first, second] = read([self.optimiser.first.clone(), self.optimiser.second.clone()])?;
        Ok(Moments { first: self.network.trainable.split(&first), second: self.network.trainable.split(&second) })
    }

    /// Trains on a batch; returns the sums over its images, from before the update.
    ///
    /// # Errors
    /// Returns the error of the device.
    pub fn step(&mut self, batch: &Batch, step: Step) -> anyhow::Result<Totals> {
        let (gradient, log_probabilities) = self.gradient(batch);
        self.trainable = self.optimiser.update(self.trainable.clone(), gradient, step);
        // Read last: the device computes the update meanwhile.
        let [log_probabilities] = read([log_probabilities])?;
        Ok(totals(&log_probabilities, batch))
    }

    /// Computes the gradients of a batch's mean loss, one after another as the parameters, and the logarithms of its
    /// probabilities, `[images · classes]`; moves the running statistics towards its own.
    fn gradient(&mut self, batch: &Batch) -> (Tensor<1>, Tensor<1>) {
        let leaves = self.network.trainable.leaves(&self.trainable);
        let Forward { log_probabilities, statistics } = self.network.forward(&leaves, batch, &self.device);
        let targets = layout::upload(batch.targets.clone(), [batch.count(), batch.classes()], &self.device);
        let loss = (log_probabilities.clone() * targets).sum() / -(batch.count() as f32);
        let mut gradients = loss.backward();
        let each = leaves
            .iter()
            .map(|leaf| leaf.grad_remove(&mut gradients).expect("BUG: the loss depends on every trainable parameter"));
        let gradient = Tensor::cat(each.collect(), 0);
        self.statistics = network::moved(self.statistics.clone(), statistics);
        (gradient, log_probabilities.without_autodiff().flatten(0, 1))
    }
}

/// Reads tensors from the device at once.
fn read<const COUNT: usize>(tensors: [Tensor<1>; COUNT]) -> anyhow::Result<[Vec<f32>; COUNT]> {
    let registered = tensors.into_iter().fold(Transaction::default(), Transaction::register);
    let read = registered.try_execute().context("the graphics processor failed")?;
    let mut arrays = [const { Vec::new() }; COUNT];
    for (array, data) in arrays.iter_mut().zip(read) {
        *array = data.try_into_vec::<f32>().context("the graphics processor does not compute in f32")?;
    }
    Ok(arrays)
}

/// Sums over the images of a batch, whose probabilities have these logarithms, `[images][classes]`.
fn totals(log_probabilities: &[f32], batch: &Batch) -> Totals {
    let classes = batch.classes();
    let mut totals = Totals { images: batch.count(), ..Totals::default() };
    for (row, targets) in log_probabilities.chunks_exact(classes).zip(batch.targets.chunks_exact(classes)) {
        let greatest = |values: &[f32]| values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let (likeliest, target) = (greatest(row), greatest(targets));
        totals.correct += usize::from((0..classes).any(|class| targets[class] == target && row[class] == likeliest));
        totals.loss -= row.iter().zip(targets).map(|(row, target)| f64::from(row * target)).sum::<f64>();
    }
    totals
}
