//! What happens between the first step of a run and its artifact?
//!
//! Threads of their own prepare batches in advance, this one trains on them. The state is saved only between steps and contains
//! everything that the next step depends on, so that a resumed run continues exactly.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;

use anyhow::ensure;

use super::Config;
use super::architecture::{Architecture, Parameters};
use super::artifact;
use super::checkpoint::{Best, CheckpointFile, State};
use super::evaluator::Evaluator;
use super::input;
use super::loader::{Batch, Loader, LoaderConfig, Position, Sampler, Turn};
use super::native::Learner;
use super::optimiser::{Moments, Step};
use super::progress::{EpochSummary, Progress};
use crate::data::{Classes, Split};
use kana_engine::model::card::{self, Input, Training};
use kana_engine::model::{Card, FAMILY};

/// Batches that each loader prepares in advance: enough to bridge a delay, few enough to be lost at an interruption.
const BATCHES_AHEAD: usize = 3;
/// Cores that train, at most, on what one thread prepares: it needs less than a third of the processor time that a step
/// does.
const CORES_PER_LOADER: usize = 3;

/// A training run.
pub struct Session<'a> {
    config: &'a Config,
    split: &'a Split,
    classes: &'a Classes,
    input: Input,
    architecture: Architecture,
    sampler: Sampler,
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

/// Run between two steps.
struct Run {
    position: Position,
    learner: Learner,
    /// Sum of the losses of this epoch's images.
    loss_sum: f32,
    best: Option<Best>,
}

impl<'a> Session<'a> {
    /// Prepares a run on `split` that tells `classes` apart.
    ///
    /// # Errors
    /// Returns an error when the images are too small for the network, or the width is out of its bounds.
    pub fn new(config: &'a Config, split: &'a Split, classes: &'a Classes) -> anyhow::Result<Self> {
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
        Ok(Self { config, split, classes, input, architecture, sampler, checkpoint })
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
        let mut run = self.start(self.initial_state()?);
        let (epochs, start) = (self.config.epochs, run.position);
        let steps = epochs * self.sampler.batch_count;
        let mut progress = Progress::start(steps, epochs, self.sampler.steps_before(start));
        let loader = self.loader();
        std::thread::scope(|scope| {
            let count = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(CORES_PER_LOADER));
            let receivers: Vec<_> = (0..count)
                .map(|turn| {
                    let (sender, receiver) = sync_channel(BATCHES_AHEAD);
                    let loader = &loader;
                    scope.spawn(move || {
                        loader.load(start, epochs, Turn { turn, count }, |batch| match sender.send(batch) {
                            Ok(()) => ControlFlow::Continue(()),
                            Err(_) => ControlFlow::Break(()),
                        });
                    });
                    receiver
                })
                .collect();
            // The batches are in order, so that the loader whose turn it is has none left only when no one has.
            let batches = receivers.iter().cycle().map_while(|receiver| receiver.recv().ok());
            self.train(&mut run, batches, &mut progress, interrupted)
        })?;
        progress.finish();
        let epochs_done = run.position.epoch;
        if epochs_done < epochs {
            self.save(&run)?;
        }
        Ok(match run.best {
            Some(best) if epochs_done == epochs => End::Finished(best),
            _ => End::Interrupted { epochs_done },
        })
    }

    /// Writes the artifact of the best epoch, whose network is tested here, once, and removes the checkpoint.
    ///
    /// # Errors
    /// Returns the error of the file system.
    pub fn finish(&self, best: &Best) -> anyhow::Result<Card> {
        let card = self.card(best, &self.evaluator(&best.parameters));
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

    fn start(&self, State { position, parameters, moments, loss_sum, best }: State) -> Run {
        let learner = Learner::new(self.architecture, parameters, moments, self.config.weight_decay);
        Run { position, learner, loss_sum, best }
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

    fn evaluator(&self, parameters: &Parameters) -> Evaluator {
        Evaluator::new(&self.architecture, parameters, self.input.clone())
    }

    /// Trains on `batches` until they end or `interrupted` is set.
    fn train(
        &self,
        run: &mut Run,
        batches: impl Iterator<Item = Batch>,
        progress: &mut Progress,
        interrupted: &AtomicBool,
    ) -> anyhow::Result<()> {
        let mut images = 0;
        for batch in batches {
            if interrupted.load(Ordering::Relaxed) {
                break;
            }
            images += batch.count();
            run.loss_sum += self.step(&mut run.learner, &batch)?;
            let validation_images = self.split.validation.len() as f64;
            let best = run.best.as_ref().map(|best| best.score.correct as f64 / validation_images);
            progress.record_step(batch.position.epoch, best, run.loss_sum / images as f32);
            run.position = self.sampler.next(batch.position);
            if run.position.batch == 0 {
                self.end_epoch(run, progress)?;
                images = 0;
            }
        }
        Ok(())
    }

    /// Trains on a batch and returns the sum of its losses.
    fn step(&self, learner: &mut Learner, batch: &Batch) -> anyhow::Result<f32> {
        let (index, steps) = (self.sampler.steps_before(batch.position), self.config.epochs * self.sampler.batch_count);
        let rate = self.config.schedule.rate(self.config.learning_rate, index, steps);
        let loss_sum = learner.step(batch, Step { index, rate });
        ensure!(
            loss_sum.is_finite(),
            "the loss is {loss_sum} at step {} of epoch {}, with a learning rate of {rate:e}: choose a lower one",
            batch.position.batch + 1,
            batch.position.epoch + 1,
        );
        Ok(loss_sum)
    }

    /// Scores the epoch that has just ended, keeps its network when it is the best, and writes a checkpoint.
    fn end_epoch(&self, run: &mut Run, progress: &mut Progress) -> anyhow::Result<()> {
        let parameters = run.learner.parameters();
        let score = self.evaluator(parameters).score(&self.split.validation);
        let epoch = run.position.epoch;
        let is_best = run.best.as_ref().is_none_or(|best| score.is_better_than(&best.score));
        let loss = run.loss_sum / self.split.training.len() as f32;
        progress.log_epoch(&EpochSummary { epoch, loss, score, images: self.split.validation.len(), is_best });
        if is_best {
            run.best = Some(Best { epoch, score, parameters: parameters.clone() });
        }
        run.loss_sum = 0.0;
        self.save(run)
    }

    fn save(&self, run: &Run) -> anyhow::Result<()> {
        self.checkpoint.save(&State {
            position: run.position,
            parameters: run.learner.parameters().clone(),
            moments: run.learner.moments().clone(),
            loss_sum: run.loss_sum,
            best: run.best.clone(),
        })
    }
}
