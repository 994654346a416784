//! How does a network learn to classify images?
//!
//! [`run`] loads a data set, trains one network ([`single`]) or one for each fold ([`folds`]), and writes an artifact.
//! Every random choice depends on the seed alone: the same run on a processor writes the same bytes, even when it was
//! interrupted and resumed. A graphics processor adds in an order of its own, so that the last digits are its own.

mod architecture;
mod artifact;
mod atomic_write;
mod augment;
mod checkpoint;
mod evaluator;
mod folds;
#[cfg(feature = "gpu")]
mod gpu;
mod input;
mod learner;
mod loader;
mod mixup;
mod native;
mod optimiser;
mod progress;
mod rate_search;
mod run_folder;
mod session;
mod single;
mod specialists;
mod student;
mod weights;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, ensure};

use crate::data::{CLASSES_SETTING, DISTILL_SETTING, FAST_DEV_SETTING, Folder};
use kana_engine::model::Card;
use loader::LoaderConfig;

pub use artifact::probabilities;
pub use learner::Device;
pub use optimiser::Schedule;
pub use rate_search::{RatePoint, RateSearch, find_learning_rate};
pub use run_folder::{REPORT_PAGE, gather, write_report};
pub use student::{Comparison, Measured, Student};

/// Images of each class that [`Config::fast_dev_run`] takes of each file: two steps with the usual batches and ten classes.
const FAST_DEV_IMAGES: usize = 16;

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
    /// Whether images are distorted at random in each epoch, and mixed.
    pub augment: bool,
    /// Share of the images into which another one is mixed in each epoch, in [0, 1]; none where they are not distorted.
    pub mixup: f64,
    /// Device that the network is trained on. It is no setting of a checkpoint: a run may continue on the other.
    pub device: Device,
    /// Classes to tell apart, by their numbers from 0 in the data set; empty for all. Two or more.
    pub classes: Vec<usize>,
    /// Number of folds for cross-validation, at least 2; `None` trains one network.
    pub folds: Option<usize>,
    /// Only fold that this run trains, from 1; `None` trains all.
    pub fold: Option<usize>,
    /// Whether one network learns from those of all folds, in the end.
    pub distill: bool,
    /// Epochs without a better one after which training ends; `None` trains all of them.
    pub early_stop: Option<usize>,
    /// Whether everything is tried with few images, once.
    pub fast_dev_run: bool,
    /// Whether to continue from the checkpoint in `out`.
    pub resume: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::new(),
            out: PathBuf::new(),
            name: None,
            epochs: 60,
            width: 32,
            dropout: 0.05,
            seed: 1,
            batch_size: 64,
            learning_rate: 3e-3,
            schedule: Schedule::default(),
            weight_decay: 1e-2,
            label_smoothing: 0.05,
            validation: 0.1,
            augment: true,
            mixup: 0.5,
            device: Device::default(),
            classes: Vec::new(),
            folds: None,
            fold: None,
            distill: false,
            early_stop: None,
            fast_dev_run: false,
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
        self.device.checked()?;
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
        ensure!((0.0..=1.0).contains(&self.mixup), "mixup share is {}, expected 0 to 1", self.mixup);
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
        ensure!(
            self.folds != Some(0) && self.folds != Some(1),
            "{} folds, expected two or more",
            self.folds.unwrap_or(0)
        );
        if let Some(fold) = self.fold {
            let folds = self.folds.context("fold is one of several: give their number as well, such as 6 folds")?;
            ensure!((1..=folds).contains(&fold), "fold is {fold}, expected 1 to {folds}");
        }
        ensure!(
            !self.distill || self.folds.is_some(),
            "a student is distilled from several networks: give their number as well, such as 6 folds"
        );
        ensure!(
            self.early_stop.is_none() || self.folds.is_none(),
            "early stop needs images that choose the epoch, and those of a fold choose nothing"
        );
        ensure!(self.early_stop != Some(0), "early stop is 0 epochs, expected 1 or more");
        Ok(())
    }

    /// Loads the images of the chosen classes, and few of them for a trial.
    fn load(&self) -> anyhow::Result<Folder> {
        let mut folder = Folder::load(&self.data)?;
        if !self.classes.is_empty() {
            folder = folder.with_classes(&self.classes)?;
        }
        Ok(if self.fast_dev_run { first_images(&folder) } else { folder })
    }

    /// Returns the settings that determine the batches of a network with this seed.
    fn loader(&self, seed: u64) -> LoaderConfig {
        LoaderConfig {
            seed,
            batch_size: self.batch_size,
            augment: self.augment,
            mixup: if self.augment { self.mixup } else { 0.0 },
            dropout: self.dropout,
            label_smoothing: self.label_smoothing,
        }
    }

    /// Returns the settings that the weights depend on, besides the data.
    fn all_settings(&self) -> checkpoint::Settings {
        let mut settings = self.settings();
        settings.extend(
            [
                ("seed", self.seed.to_string()),
                ("epochs", self.epochs.to_string()),
                ("width", self.width.to_string()),
                ("dropout", self.dropout.to_string()),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        settings
    }

    /// Returns the settings that the weights depend on, besides data, seed and architecture, as cards and checkpoints list
    /// them.
    fn settings(&self) -> checkpoint::Settings {
        let entries = [
            ("augment", if self.augment { "on".to_owned() } else { "off".to_owned() }),
            ("batch-size", self.batch_size.to_string()),
            ("label-smoothing", self.label_smoothing.to_string()),
            ("learning-rate", self.learning_rate.to_string()),
            ("mixup", self.mixup.to_string()),
            ("schedule", self.schedule.name().to_owned()),
            ("validation", self.validation.to_string()),
            ("weight-decay", self.weight_decay.to_string()),
        ];
        let classes: Vec<String> = self.classes.iter().map(usize::to_string).collect();
        let optional = [
            (!classes.is_empty()).then(|| (CLASSES_SETTING, classes.join(","))),
            self.distill.then(|| (DISTILL_SETTING, "on".to_owned())),
            self.early_stop.map(|epochs| ("early-stop", epochs.to_string())),
            self.fast_dev_run.then(|| (FAST_DEV_SETTING, "on".to_owned())),
        ];
        let entries = entries.into_iter().chain(optional.into_iter().flatten());
        entries.map(|(key, value)| (key.to_owned(), value)).collect()
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
        /// Network that learned from those of the artifact, where one was asked for.
        student: Option<Box<Student>>,
    },
    /// The run was interrupted. [`Config::resume`] continues it.
    Interrupted {
        /// Path of the checkpoint.
        checkpoint: PathBuf,
        /// Number of complete epochs.
        epochs_done: usize,
        /// Whether [`Config::out`] has a model of the best epoch until then.
        has_model: bool,
    },
    /// The fold of [`Config::fold`] is trained, and others are not: there is no model yet.
    FoldsMissing {
        /// Numbers of the others, from 1.
        missing: Vec<usize>,
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
    let folder = config.load()?;
    let mut config = config.clone();
    if config.fast_dev_run {
        config.epochs = 1;
    }
    let images = folder.development();
    for (class, label) in folder.classes.labels.iter().enumerate() {
        let is_there = images.labels().iter().any(|of| usize::from(*of) == class);
        ensure!(is_there, "{} has no image of class {label} to train on", config.data.display());
    }
    match config.folds {
        None => single::run(&config, &folder, interrupted),
        Some(count) => folds::run(&config, &folder, count, interrupted),
    }
}

/// Returns what [`Config::fast_dev_run`] takes of a data set.
fn first_images(folder: &Folder) -> Folder {
    folder.first_of_each_class(FAST_DEV_IMAGES)
}

fn create_folder(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("could not create {}", folder.display()))
}
