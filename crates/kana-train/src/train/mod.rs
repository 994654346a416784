//! How does a network learn?
//!
//! [`run`] reads a data set, learns from one part, chooses the best epoch by another, is judged once by a third and
//! leaves an artifact. Everything random follows from the seed: the same run gives the same bytes, also when it was
//! interrupted and resumed. Only this folder knows Burn.

pub mod artifact;
pub mod augment;
pub mod batch;
pub mod checkpoint;
pub mod convolution;
pub mod gradient;
pub mod input;
pub mod kernel;
pub mod matrix;
pub mod network;
pub mod optimiser;
pub mod plan;
pub mod progress;
pub mod session;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, ensure};

use crate::data::{Classes, Folder, Study};
use kana_engine::model::Card;
use kana_engine::model::card::{self, Architecture, Evaluation, Training};

use artifact::Judge;

pub use artifact::probabilities;
pub use optimiser::Schedule;

/// Where the arithmetic is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// On all of the processor's cores.
    #[default]
    Cpu,
    /// On the first NVIDIA GPU, where kana was built with the feature `cuda`.
    Cuda,
}

impl Device {
    /// The name on the command line and in cards.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }

    fn open(self) -> anyhow::Result<burn::tensor::Device> {
        match self {
            Self::Cpu => Ok(burn::tensor::Device::flex()),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(burn::tensor::Device::cuda(0)),
            #[cfg(not(feature = "cuda"))]
            Self::Cuda => anyhow::bail!(
                "this kana was built without cuda; `cargo build --release --features cuda` builds one with"
            ),
        }
    }
}

/// What a run is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The folder of the data set.
    pub data: PathBuf,
    /// The folder of the artifact to come, and until then of the checkpoint.
    pub out: PathBuf,
    /// What the model is called; the output folder's name where `None`.
    pub name: Option<String>,
    /// Passes over the images.
    pub epochs: usize,
    /// Channels of the first convolution.
    pub width: usize,
    /// Share of activations dropped after the pooled convolutions, in [0, 0.5); the dense layers drop twice as much.
    pub dropout: f64,
    /// Every random choice follows from it.
    pub seed: u64,
    /// Images a step.
    pub batch_size: usize,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// How the rate goes over the steps.
    pub schedule: Schedule,
    /// How much weights shrink, a step and a rate of one.
    pub weight_decay: f64,
    /// Share of a target that is spread over all classes, in [0, 1).
    pub label_smoothing: f64,
    /// Share of the images held out to choose the epoch, in (0, 1).
    pub validation: f64,
    /// Whether images are distorted on the fly.
    pub augment: bool,
    /// Where the arithmetic is done.
    pub device: Device,
    /// Whether to go on from the checkpoint in `out`.
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
            device: Device::default(),
            resume: false,
        }
    }
}

impl Config {
    /// Whether every choice makes sense by itself, whatever the data.
    ///
    /// # Errors
    /// Where one does not: the message names it and its value.
    pub fn checked(&self) -> anyhow::Result<()> {
        ensure!(self.epochs > 0, "no epochs: nothing would be learned");
        ensure!(self.batch_size > 1, "a batch of {} has no mean and variance to normalise by", self.batch_size);
        ensure!(
            (0.0..0.5).contains(&self.dropout),
            "dropout is {}, expected 0 to 0.5: twice as much is dropped later",
            self.dropout
        );
        ensure!(
            (0.0..1.0).contains(&self.label_smoothing),
            "label smoothing is {}, expected 0 to 1",
            self.label_smoothing
        );
        ensure!(
            self.validation > 0.0 && self.validation < 1.0,
            "validation share is {}, expected 0 to 1",
            self.validation
        );
        ensure!(self.learning_rate.is_finite() && self.learning_rate > 0.0, "learning rate is {}", self.learning_rate);
        ensure!(self.weight_decay.is_finite() && self.weight_decay >= 0.0, "weight decay is {}", self.weight_decay);
        Ok(())
    }

    /// Every choice that the weights depend on beside data and seed, as a card and a checkpoint state it.
    fn settings(&self) -> checkpoint::Settings {
        let entries = [
            ("augment", if self.augment { "on".to_owned() } else { "off".to_owned() }),
            ("batch-size", self.batch_size.to_string()),
            ("device", self.device.name().to_owned()),
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

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// With an artifact.
    Finished {
        /// The artifact's card.
        card: Box<Card>,
    },
    /// Before its end; `resume` goes on.
    Interrupted {
        /// Where it goes on from.
        checkpoint: PathBuf,
        /// Whole epochs done.
        epochs_done: usize,
    },
}

/// Trains a network, until it is done or `interrupted` is set. A set flag is heeded after the step in hand: a
/// checkpoint is left in `config.out`.
///
/// # Errors
/// Where the settings make no sense, the data set is unreadable or too small, the disk refuses, or a checkpoint to be
/// resumed is of another run.
pub fn run(config: &Config, interrupted: &AtomicBool) -> anyhow::Result<Report> {
    config.checked()?;
    let device = config.device.open()?;
    let folder = Folder::load(&config.data)?;
    let study = Study::new(&folder, config.validation, config.seed);
    for (part, images) in
        [("learn from", &study.learning), ("choose the epoch", &study.validation), ("judge", &study.test)]
    {
        ensure!(images.len() > 1, "{} has too few images: {} to {part}", config.data.display(), images.len());
    }
    ensure!(
        study.test.shape() == study.learning.shape(),
        "t10k images are {} and train images {}",
        study.test.shape(),
        study.learning.shape()
    );
    let input = input::measured(&study.learning);
    let session = session::Session::new(config, (&study, &input), (folder.classes.labels.len(), device))?;
    std::fs::create_dir_all(&config.out).with_context(|| format!("could not make {}", config.out.display()))?;
    let Some(best) = session.run(interrupted)? else {
        return Ok(session.interrupted());
    };
    let judge = session.judge(&best.numbers)?;
    let card = card(config, (&study, folder.classes), (&best, &judge));
    let card = artifact::save(&config.out, card, (session.plan(), &best.numbers))?;
    session.forget()?;
    Ok(Report::Finished { card: Box::new(card) })
}

/// The card of the best epoch's network, which is judged here, once.
fn card(config: &Config, (study, classes): (&Study, Classes), (best, judge): (&checkpoint::Best, &Judge<'_>)) -> Card {
    let verdict = judge.verdict(&study.test);
    let evaluation = |protocol: &str, right: usize, images: usize| Evaluation {
        protocol: protocol.to_owned(),
        images,
        accuracy: right as f64 / images as f64,
    };
    Card {
        format: card::FORMAT,
        name: config.name(),
        description: format!("Tells apart {} classes of {} images.", classes.labels.len(), judge.input.shape),
        architecture: Architecture {
            family: kana_engine::model::FAMILY.into(),
            width: config.width,
            dropout: config.dropout,
        },
        input: judge.input.clone(),
        labels: classes.labels,
        romanised: classes.romanised,
        members: Vec::new(),
        training: Training {
            version: env!("CARGO_PKG_VERSION").into(),
            data: study.learning.sources().to_vec(),
            images: study.learning.len(),
            validation_images: study.validation.len(),
            seed: config.seed,
            epochs: config.epochs,
            best_epoch: best.score.epoch,
            settings: config.settings(),
        },
        evaluation: vec![
            evaluation(&study.protocol.test, verdict.right, study.test.len()),
            evaluation(&study.protocol.validation, best.score.right, study.validation.len()),
        ],
        licence: classes.licence,
        attribution: classes.attribution,
        self_test: artifact::specimens(study, judge),
    }
}
