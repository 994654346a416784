//! How does a network learn to classify images?
//!
//! [`run`] loads a data set, trains on one part of it, selects the best epoch on another, measures the result once on a
//! third, and writes an artifact. Every random choice depends on the seed alone: the same run writes the same bytes, even
//! when it was interrupted and resumed.

mod architecture;
mod artifact;
mod atomic_write;
mod augment;
mod checkpoint;
mod evaluator;
mod input;
mod loader;
mod native;
mod optimiser;
mod progress;
mod session;
mod weights;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, ensure};

use crate::data::{Folder, Split};
use kana_engine::model::Card;

pub use artifact::probabilities;
pub use optimiser::Schedule;

use session::{End, Session};

/// Settings of a run. `data` and `out` have no useful default.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Folder of the data set, in the format of [`Folder::load`].
    pub data: PathBuf,
    /// Folder that the artifact is written into, and the checkpoint until then.
    pub out: PathBuf,
    /// Name of the model; `None` for the name of the folder `out`.
    pub name: Option<String>,
    /// Number of passes over the training images.
    pub epochs: usize,
    /// Output channels of the first convolution, 1 to 256.
    pub width: usize,
    /// Share of activations that dropout sets to zero after the pooled convolutions, in [0, 0.5); twice as many around
    /// the first dense layer.
    pub dropout: f64,
    /// Seed of every random choice.
    pub seed: u64,
    /// Largest number of images in a step, at least 2.
    pub batch_size: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Course of the learning rate over the steps.
    pub schedule: Schedule,
    /// Factor of AdamW's weight decay: each step subtracts this share times the learning rate from the weights.
    pub weight_decay: f64,
    /// Share of a target probability that is spread over all classes, in [0, 1).
    pub label_smoothing: f64,
    /// Share of the images that is held out from training to select the best epoch, in (0, 1).
    pub validation: f64,
    /// Whether images are distorted at random in each epoch.
    pub augment: bool,
    /// Whether to continue from the checkpoint in `out`.
    pub resume: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::new(),
            out: PathBuf::new(),
            name: None,
            epochs: 20,
            width: 32,
            dropout: 0.2,
            seed: 1,
            batch_size: 64,
            learning_rate: 3e-3,
            schedule: Schedule::default(),
            weight_decay: 1e-2,
            label_smoothing: 0.05,
            validation: 0.1,
            augment: true,
            resume: false,
        }
    }
}

impl Config {
    /// Checks every setting that does not depend on the data.
    ///
    /// # Errors
    /// Returns the first setting that is out of its range, with its value and the range.
    pub fn checked(&self) -> anyhow::Result<()> {
        ensure!(self.epochs > 0, "epochs is 0, expected 1 or more");
        ensure!(
            self.batch_size > 1,
            "batch size is {}, expected 2 or more: one image has no variance",
            self.batch_size
        );
        ensure!(
            (0.0..0.5).contains(&self.dropout),
            "dropout is {}, expected 0 to below 0.5: the dense layers use twice as much",
            self.dropout
        );
        ensure!(
            (0.0..1.0).contains(&self.label_smoothing),
            "label smoothing is {}, expected 0 to below 1",
            self.label_smoothing
        );
        ensure!(
            self.validation > 0.0 && self.validation < 1.0,
            "validation share is {}, expected a number between 0 and 1",
            self.validation
        );
        ensure!(
            self.learning_rate.is_finite() && self.learning_rate > 0.0,
            "learning rate is {}, expected more than 0",
            self.learning_rate
        );
        ensure!(
            self.weight_decay.is_finite() && self.weight_decay >= 0.0,
            "weight decay is {}, expected 0 or more",
            self.weight_decay
        );
        Ok(())
    }

    /// Returns the settings that the weights depend on, besides data, seed and architecture, as cards and checkpoints list
    /// them.
    fn settings(&self) -> checkpoint::Settings {
        let entries = [
            ("augment", if self.augment { "on".to_owned() } else { "off".to_owned() }),
            ("batch-size", self.batch_size.to_string()),
            ("label-smoothing", self.label_smoothing.to_string()),
            ("learning-rate", self.learning_rate.to_string()),
            ("schedule", self.schedule.name().to_owned()),
            ("validation", self.validation.to_string()),
            ("weight-decay", self.weight_decay.to_string()),
        ];
        entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    fn name(&self) -> String {
        let folder = || self.out.file_name().map(|name| name.to_string_lossy().into_owned());
        self.name.clone().or_else(folder).unwrap_or_else(|| "model".into())
    }
}

/// End of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Completion {
    /// All epochs are done, and the artifact is written.
    Finished {
        /// Card of the artifact.
        card: Box<Card>,
    },
    /// The run was interrupted. [`Config::resume`] continues it.
    Interrupted {
        /// Path of the checkpoint.
        checkpoint: PathBuf,
        /// Number of complete epochs.
        epochs_done: usize,
    },
}

/// Trains a network until all epochs are done or `interrupted` is set. After an interruption, the current step is
/// completed and a checkpoint is written into [`Config::out`].
///
/// # Errors
/// Returns an error when a setting is out of its range, the data set cannot be loaded or is too small, a file cannot be
/// written, or the checkpoint to be resumed belongs to another run.
pub fn run(config: &Config, interrupted: &AtomicBool) -> anyhow::Result<Completion> {
    config.checked()?;
    let folder = Folder::load(&config.data)?;
    let split = Split::new(&folder, config.validation, config.seed);
    for (part, images) in [("training", &split.training), ("validation", &split.validation), ("test", &split.test)] {
        let count = images.len();
        ensure!(count > 1, "{} has {count} images for {part}, expected two or more", config.data.display());
    }
    ensure!(
        split.test.shape() == split.training.shape(),
        "t10k images are {}, train images are {}",
        split.test.shape(),
        split.training.shape()
    );
    let session = Session::new(config, &split, &folder.classes)?;
    std::fs::create_dir_all(&config.out).with_context(|| format!("could not create {}", config.out.display()))?;
    Ok(match session.run(interrupted)? {
        End::Finished(best) => Completion::Finished { card: Box::new(session.finish(&best)?) },
        End::Interrupted { epochs_done } => {
            Completion::Interrupted { checkpoint: session.checkpoint().to_owned(), epochs_done }
        }
    })
}
