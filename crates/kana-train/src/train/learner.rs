//! On which device is a network trained?
//!
//! On the processor, or on a graphics processor in a build with the feature `gpu`. Both take the same batches, and leave the
//! same state: a run may change between them at any checkpoint.

use std::borrow::Cow;

use anyhow::ensure;

use super::architecture::{Architecture, Parameters};
#[cfg(feature = "gpu")]
use super::gpu;
use super::loader::Batch;
use super::native::{self, Totals};
use super::optimiser::{Moments, Step};

/// Device that a network is trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// All cores of the processor.
    #[default]
    Cpu,
    /// Graphics processor, by Vulkan or Metal, in a build with the feature `gpu`.
    Gpu,
}

impl Device {
    /// Checks that this build can train on the device.
    ///
    /// # Errors
    /// Returns how to build kana so that it can.
    pub fn checked(self) -> anyhow::Result<()> {
        ensure!(
            self == Self::Cpu || cfg!(feature = "gpu"),
            "this kana was built without training on graphics processors: build it by `cargo build --release --locked \
             --package kana --features gpu`, or train with --device cpu"
        );
        Ok(())
    }
}

/// Network and optimiser between two steps.
pub enum Learner {
    /// In the memory of the processor.
    Cpu(Box<native::Learner>),
    /// In the memory of a graphics processor.
    #[cfg(feature = "gpu")]
    Gpu(Box<gpu::Learner>),
}

impl Learner {
    /// Continues from `parameters` and `moments`, which fit the architecture.
    ///
    /// # Errors
    /// Returns an error when the device is not there.
    pub fn new(
        device: Device,
        architecture: Architecture,
        parameters: Parameters,
        moments: Moments,
        weight_decay: f64,
    ) -> anyhow::Result<Self> {
        device.checked()?;
        match device {
            #[cfg(feature = "gpu")]
            Device::Gpu => {
                Ok(Self::Gpu(Box::new(gpu::Learner::new(&architecture, &parameters, &moments, weight_decay)?)))
            }
            _ => Ok(Self::Cpu(Box::new(native::Learner::new(architecture, parameters, moments, weight_decay)))),
        }
    }

    /// Trains on a batch; returns the sums over its images, from before the update.
    ///
    /// # Errors
    /// Returns the error of the device; the processor has none.
    pub fn step(&mut self, batch: &Batch, step: Step) -> anyhow::Result<Totals> {
        match self {
            Self::Cpu(learner) => Ok(learner.step(batch, step)),
            #[cfg(feature = "gpu")]
            Self::Gpu(learner) => learner.step(batch, step),
        }
    }

    /// The parameters after the last step.
    ///
    /// # Errors
    /// Returns the error of the device; the processor has none.
    pub fn parameters(&self) -> anyhow::Result<Cow<'_, Parameters>> {
        match self {
            Self::Cpu(learner) => Ok(Cow::Borrowed(learner.parameters())),
            #[cfg(feature = "gpu")]
            Self::Gpu(learner) => Ok(Cow::Owned(learner.parameters()?)),
        }
    }

    /// The moments after the last step.
    ///
    /// # Errors
    /// Returns the error of the device; the processor has none.
    pub fn moments(&self) -> anyhow::Result<Cow<'_, Moments>> {
        match self {
            Self::Cpu(learner) => Ok(Cow::Borrowed(learner.moments())),
            #[cfg(feature = "gpu")]
            Self::Gpu(learner) => Ok(Cow::Owned(learner.moments()?)),
        }
    }
}
