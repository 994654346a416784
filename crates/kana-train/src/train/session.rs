//! What happens between the first step of a run and its artifact?
//!
//! One thread prepares batches in advance, this one trains on them. The state is saved only between steps and contains
//! everything that the next step depends on, so that a resumed run continues exactly.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;

use anyhow::ensure;
use burn::tensor::{Device, Tensor, activation};

use super::Config;
use super::architecture::{Architecture, Parameters};
use super::artifact;
use super::checkpoint::{Best, CheckpointFile, State};
use super::evaluator::Evaluator;
use super::input;
use super::loader::{Batch, Loader, LoaderConfig, Position, Sampler};
use super::network::{Network, flat, to_vec};
use super::optimiser::{Moments, Optimiser, Step};
use super::progress::{EpochSummary, Progress};
use crate::data::{Classes, Split};
use kana_engine::model::card::{self, Input, Training};
use kana_engine::model::{Card, FAMILY};

/// Batches prepared in advance: enough to bridge a delay, few enough to be lost at an interruption.
const BATCHES_AHEAD: usize = 3;

/// A training run.
pub struct Session<'a> {
    config: &'a Config,
    split: &'a Split,
    classes: &'a Classes,
    input: Input,
    architecture: Architecture,
    sampler: Sampler,
    device: Device,
    checkpoint: CheckpointFile,
}

/// End of the steps of a run.
pub enum End {
    /// All steps are done.
    Finished(Best),
    /// The run was interrupted after this number of complete epochs.
    Interrupted {
        /// Number of complete epochs.
        epochs_done: usize,
    },
}

/// Network and optimiser between two steps.
struct Learner {
    position: Position,
    network: Network,
    optimiser: Optimiser,
    /// Sum of the losses of this epoch's images, on the device.
    loss_sum: Tensor<1>,
    best: Option<Best>,
}

impl<'a> Session<'a> {
    /// Prepares a run on `split` that tells `classes` apart, on `device`.
    ///
    /// # Errors
    /// Returns an error when the images are too small for the network, or the width is out of its bounds.
    pub fn new(config: &'a Config, split: &'a Split, classes: &'a Classes, device: Device) -> anyhow::Result<Self> {
        let input = input::measure(&split.training);
        let class_count = classes.labels.len();
        let architecture = Architecture { image_shape: input.shape, width: config.width, class_count }.checked()?;
        let sampler = Sampler::new(split.training.len(), config.batch_size);
        let mut settings = config.settings();
        settings.insert("seed".into(), config.seed.to_string());
        settings.insert("epochs".into(), config.epochs.to_string());
        settings.insert("width".into(), config.width.to_string());
        settings.insert("dropout".into(), config.dropout.to_string());
        for source in split.training.sources().iter().chain(split.test.sources()) {
            settings.insert(format!("data {}", source.file), source.sha256.clone());
        }
        let checkpoint = CheckpointFile::new(&config.out, architecture, settings);
        Ok(Self { config, split, classes, input, architecture, sampler, device: device.autodiff(), checkpoint })
    }

    /// Returns the path of the run's checkpoint.
    pub fn checkpoint(&self) -> &Path {
        self.checkpoint.path()
    }

    /// Trains until all epochs are done or `interrupted` is set.
    ///
    /// # Errors
    /// Returns an error when the checkpoint cannot be written, or cannot be resumed from.
    pub fn run(&self, interrupted: &AtomicBool) -> anyhow::Result<End> {
        let mut learner = self.learner(self.initial_state()?)?;
        let (epochs, start) = (self.config.epochs, learner.position);
        let steps = epochs * self.sampler.batch_count;
        let mut progress = Progress::start(steps, epochs, self.sampler.steps_before(start));
        let loader = self.loader();
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel(BATCHES_AHEAD);
            scope.spawn(move || {
                loader.load(start, epochs, |batch| match sender.send(batch) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                });
            });
            self.train(&mut learner, receiver.into_iter(), &mut progress, interrupted)
        })?;
        progress.finish();
        let epochs_done = learner.position.epoch;
        if epochs_done < epochs {
            self.save(&learner)?;
        }
        Ok(match learner.best {
            Some(best) if epochs_done == epochs => End::Finished(best),
            _ => End::Interrupted { epochs_done },
        })
    }

    /// Writes the artifact of the best epoch, whose network is tested here, once, and removes the checkpoint.
    ///
    /// # Errors
    /// Returns the error of the file system.
    pub fn finish(&self, best: &Best) -> anyhow::Result<Card> {
        let card = self.card(best, &self.evaluator(&best.parameters)?);
        let card = artifact::save(&self.config.out, card, &self.architecture, &best.parameters)?;
        self.checkpoint.remove()?;
        Ok(card)
    }

    fn card(&self, best: &Best, evaluator: &Evaluator) -> Card {
        let Self { config, split, classes, input, .. } = self;
        let test_score = evaluator.score(&split.test);
        let evaluation = |protocol: &str, correct: usize, images: usize| card::Evaluation {
            protocol: protocol.to_owned(),
            images,
            accuracy: correct as f64 / images as f64,
        };
        Card {
            format: card::FORMAT,
            name: config.name(),
            description: format!("Tells apart {} classes of {} images.", classes.labels.len(), input.shape),
            architecture: card::Architecture { family: FAMILY.into(), width: config.width, dropout: config.dropout },
            input: input.clone(),
            labels: classes.labels.clone(),
            romanised: classes.romanised.clone(),
            members: Vec::new(),
            training: Training {
                version: env!("CARGO_PKG_VERSION").into(),
                data: split.training.sources().to_vec(),
                images: split.training.len(),
                validation_images: split.validation.len(),
                seed: config.seed,
                epochs: config.epochs,
                best_epoch: best.epoch,
                settings: config.settings(),
            },
            evaluation: vec![
                evaluation(&split.protocol.test, test_score.correct, split.test.len()),
                evaluation(&split.protocol.validation, best.score.correct, split.validation.len()),
            ],
            licence: classes.licence.clone(),
            attribution: classes.attribution.clone(),
            self_test: artifact::specimens(&split.validation, evaluator),
        }
    }

    /// Returns the state before the first step, or that of the checkpoint when the run is resumed.
    fn initial_state(&self) -> anyhow::Result<State> {
        if self.config.resume {
            return self.checkpoint.load();
        }
        let path = self.checkpoint.path();
        ensure!(
            !path.exists(),
            "{} belongs to an interrupted run: resume it, remove the file, or choose another folder",
            path.display()
        );
        Ok(State {
            position: Position { epoch: 0, batch: 0 },
            parameters: Parameters::initial(&self.architecture, self.config.seed),
            moments: Moments::zero(&self.architecture),
            loss_sum: 0.0,
            best: None,
        })
    }

    fn learner(&self, state: State) -> anyhow::Result<Learner> {
        let weight_decay = self.config.weight_decay;
        Ok(Learner {
            position: state.position,
            network: Network::new(self.architecture, &state.parameters, &self.device)?,
            optimiser: Optimiser::new(&self.architecture, weight_decay, &state.moments, &self.device),
            loss_sum: self.untracked(state.loss_sum),
            best: state.best,
        })
    }

    fn loader(&self) -> Loader<'_> {
        let config = LoaderConfig {
            seed: self.config.seed,
            batch_size: self.config.batch_size,
            augment: self.config.augment,
            dropout: self.config.dropout,
            label_smoothing: self.config.label_smoothing,
        };
        Loader { dataset: &self.split.training, input: &self.input, architecture: self.architecture, config }
    }

    fn evaluator(&self, parameters: &Parameters) -> anyhow::Result<Evaluator> {
        Evaluator::new(self.architecture, parameters, self.input.clone(), &self.device)
    }

    fn untracked(&self, value: f32) -> Tensor<1> {
        flat(&[value], &self.device.clone().inner())
    }

    /// Trains on `batches` until they end or `interrupted` is set.
    fn train(
        &self,
        learner: &mut Learner,
        batches: impl Iterator<Item = Batch>,
        progress: &mut Progress,
        interrupted: &AtomicBool,
    ) -> anyhow::Result<()> {
        let mut images = 0;
        for batch in batches {
            if interrupted.load(Ordering::Relaxed) {
                break;
            }
            images += batch.images.shape()[0];
            self.step(learner, &batch);
            let validation_images = self.split.validation.len() as f64;
            let best = learner.best.as_ref().map(|best| best.score.correct as f64 / validation_images);
            let loss_sum = learner.loss_sum.clone();
            progress.record_step(batch.position.epoch, best, || to_vec(loss_sum)[0] / images as f32);
            learner.position = self.sampler.next(batch.position);
            if learner.position.batch == 0 {
                self.end_epoch(learner, progress)?;
                images = 0;
            }
        }
        Ok(())
    }

    fn step(&self, learner: &mut Learner, batch: &Batch) {
        let (index, steps) = (self.sampler.steps_before(batch.position), self.config.epochs * self.sampler.batch_count);
        let step = Step { index, rate: self.config.schedule.rate(self.config.learning_rate, index, steps) };
        let logits = learner.network.forward_training(batch.images.to_device(&self.device), &batch.masks);
        let targets = batch.targets.to_device(&self.device);
        let loss_sum = -(activation::log_softmax(logits, 1) * targets).sum();
        let mut gradients = (loss_sum.clone() / batch.images.shape()[0] as f32).backward();
        learner.loss_sum = learner.loss_sum.clone() + loss_sum.inner();
        for (index, parameter) in learner.network.trainable.iter_mut().enumerate() {
            let gradient = parameter
                .grad_remove(&mut gradients)
                .expect("BUG: forward_training uses every trainable parameter, so each has a gradient");
            let updated = learner.optimiser.update(index, parameter.clone().inner(), gradient, step);
            *parameter = Tensor::from_inner(updated).require_grad();
        }
    }

    /// Scores the epoch that has just ended, keeps its network when it is the best, and writes a checkpoint.
    fn end_epoch(&self, learner: &mut Learner, progress: &mut Progress) -> anyhow::Result<()> {
        let parameters = learner.network.parameters();
        let score = self.evaluator(&parameters)?.score(&self.split.validation);
        let epoch = learner.position.epoch;
        let is_best = learner.best.as_ref().is_none_or(|best| score.is_better_than(&best.score));
        let loss = to_vec(learner.loss_sum.clone())[0] / self.split.training.len() as f32;
        progress.log_epoch(&EpochSummary { epoch, loss, score, images: self.split.validation.len(), is_best });
        if is_best {
            learner.best = Some(Best { epoch, score, parameters });
        }
        learner.loss_sum = self.untracked(0.0);
        self.save(learner)
    }

    fn save(&self, learner: &Learner) -> anyhow::Result<()> {
        self.checkpoint.save(&State {
            position: learner.position,
            parameters: learner.network.parameters(),
            moments: learner.optimiser.moments(),
            loss_sum: to_vec(learner.loss_sum.clone())[0],
            best: learner.best.clone(),
        })
    }
}
