//! What happens between the first step of a network and its last?
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
use super::checkpoint::{Best, CheckpointFile, Settings, State};
use super::evaluator::Evaluator;
use super::learner::{Device, Learner};
use super::loader::{Batch, Loader, Position, Sampler, Turn};
use super::native::Totals;
use super::optimiser::{Moments, Step};
use super::progress::Progress;
use crate::data::Dataset;
use crate::metrics::{Epoch, MetricsFile};
use kana_engine::model::card::Input;

/// Batches that each loader prepares in advance: enough to bridge a delay, few enough to be lost at an interruption.
const BATCHES_AHEAD: usize = 3;
/// Cores for each thread that prepares batches: it needs less than a third of the processor time that a step does. Where a
/// graphics processor trains, every core prepares.
const CORES_PER_LOADER: usize = 3;

/// Training of one network.
pub struct Session<'a> {
    config: &'a Config,
    plan: Plan<'a>,
    architecture: Architecture,
    sampler: Sampler,
    checkpoint: CheckpointFile,
}

/// What one network is trained on.
pub struct Plan<'a> {
    /// Folder of the checkpoint and the metrics.
    pub folder: &'a Path,
    /// Images that the network is trained on.
    pub training: &'a Dataset,
    /// Images that are classified after each epoch.
    pub validation: &'a Dataset,
    /// Networks that it learns from instead of the labels; empty for the labels.
    pub teachers: &'a [Evaluator],
    /// Shape and scale of the images.
    pub input: Input,
    /// Number of classes.
    pub class_count: usize,
    /// Seed of every random choice.
    pub seed: u64,
    /// Whether to continue from the checkpoint in the folder.
    pub resume: bool,
    /// Epoch whose network is kept.
    pub choice: Choice,
    /// What the weights depend on besides the settings of every run.
    pub settings: Settings,
}

/// Epoch whose network is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The one that classifies the validation images best.
    Best,
    /// The last one: the validation images choose nothing.
    Last,
}

/// End of the steps of a run.
pub enum End {
    /// All steps are done.
    Finished(Best),
    /// The run was interrupted.
    Interrupted {
        /// Number of complete epochs.
        epochs_done: usize,
        /// Best network until now; `None` during the first epoch.
        best: Option<Best>,
    },
}

/// Run between two steps.
struct Run {
    position: Position,
    learner: Learner,
    /// Sum of the losses of this epoch's images, and number of those that were classified correctly.
    totals: Totals,
    best: Option<Best>,
}

/// Reason why the steps of a run ended.
enum Stop {
    Done,
    Interrupted,
}

/// What ends a run early, and what it reports to.
struct Watch<'a> {
    progress: Progress,
    metrics: MetricsFile,
    interrupted: &'a AtomicBool,
}

impl<'a> Session<'a> {
    /// Prepares the training of a network.
    ///
    /// # Errors
    /// Returns an error when the images are too small for the network, or the width is out of its bounds.
    pub fn new(config: &'a Config, plan: Plan<'a>) -> anyhow::Result<Self> {
        let (image_shape, class_count) = (plan.input.shape, plan.class_count);
        let architecture = Architecture::new(image_shape, config.width, class_count).checked()?;
        let sampler = Sampler::new(plan.training.len(), config.batch_size);
        let mut settings = config.all_settings();
        settings.extend(plan.settings.clone());
        for source in plan.training.sources() {
            settings.insert(format!("data {}", source.file), source.sha256.clone());
        }
        let checkpoint = CheckpointFile::new(plan.folder, architecture, settings);
        Ok(Self { config, plan, architecture, sampler, checkpoint })
    }

    /// Returns the architecture of the network.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Returns the run's checkpoint.
    pub fn checkpoint(&self) -> &CheckpointFile {
        &self.checkpoint
    }

    /// Prepares the forward pass with `parameters`.
    pub fn evaluator(&self, parameters: &Parameters) -> Evaluator {
        Evaluator::new(&self.architecture, parameters, self.plan.input.clone())
    }

    /// Trains until all epochs are done or `interrupted` is set.
    ///
    /// # Errors
    /// Returns an error when the checkpoint cannot be written, or cannot be resumed from.
    pub fn run(&self, interrupted: &AtomicBool) -> anyhow::Result<End> {
        let mut run = self.start(self.initial_state()?)?;
        let (epochs, start) = (self.config.epochs, run.position);
        let steps = epochs * self.sampler.batch_count;
        let mut watch = Watch {
            progress: Progress::start(steps, epochs, self.sampler.steps_before(start)),
            metrics: MetricsFile::open(self.plan.folder, start.epoch)?,
            interrupted,
        };
        let loader = self.loader();
        let end = std::thread::scope(|scope| {
            let cores_per_loader = match self.config.device {
                Device::Cpu => CORES_PER_LOADER,
                Device::Gpu => 1,
            };
            let count = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(cores_per_loader));
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
            self.train(&mut run, batches, &mut watch)
        })?;
        watch.progress.finish();
        let epochs_done = run.position.epoch;
        match (end, run.best.clone()) {
            (Stop::Done, Some(best)) => Ok(End::Finished(best)),
            (_, best) => {
                self.save(&run)?;
                Ok(End::Interrupted { epochs_done, best })
            }
        }
    }

    /// Returns the state before the first step, or that of the checkpoint when the run is resumed.
    fn initial_state(&self) -> anyhow::Result<State> {
        if self.plan.resume {
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
            parameters: Parameters::initial(&self.architecture, self.plan.seed),
            moments: Moments::zero(&self.architecture),
            totals: Totals::default(),
            best: None,
        })
    }

    fn start(&self, State { position, parameters, moments, totals, best }: State) -> anyhow::Result<Run> {
        let Config { device, weight_decay, .. } = *self.config;
        let learner = Learner::new(device, self.architecture, parameters, moments, weight_decay)?;
        Ok(Run { position, learner, totals, best })
    }

    fn loader(&self) -> Loader<'_> {
        let config = self.config.loader(self.plan.seed);
        let Plan { training, input, teachers, .. } = &self.plan;
        Loader { dataset: training, input, architecture: self.architecture, config, teachers }
    }

    /// Trains on `batches` until they end, the run is interrupted, or no epoch was better for long.
    fn train(
        &self,
        run: &mut Run,
        batches: impl Iterator<Item = Batch>,
        watch: &mut Watch<'_>,
    ) -> anyhow::Result<Stop> {
        if self.is_hopeless(run) {
            return Ok(Stop::Done);
        }
        for batch in batches {
            if watch.interrupted.load(Ordering::Relaxed) {
                return Ok(Stop::Interrupted);
            }
            let rate = self.step(run, &batch)?;
            let best = run.best.as_ref().map(|best| best.score.accuracy());
            watch.progress.record_step(batch.position.epoch, best, &run.totals);
            run.position = self.sampler.next(batch.position);
            if run.position.batch == 0 {
                self.end_epoch(run, rate, watch)?;
                if self.is_hopeless(run) {
                    return Ok(Stop::Done);
                }
            }
        }
        Ok(Stop::Done)
    }

    /// Returns whether so many epochs were no better that training ends early.
    fn is_hopeless(&self, run: &Run) -> bool {
        let without_gain = run.best.as_ref().map_or(0, |best| run.position.epoch - best.epoch);
        self.config.early_stop.is_some_and(|patience| without_gain >= patience)
    }

    /// Trains on a batch and returns its learning rate.
    fn step(&self, run: &mut Run, batch: &Batch) -> anyhow::Result<f64> {
        let (index, steps) = (self.sampler.steps_before(batch.position), self.config.epochs * self.sampler.batch_count);
        let rate = self.config.schedule.rate(self.config.learning_rate, index, steps);
        let totals = run.learner.step(batch, Step { index, rate })?;
        ensure!(
            totals.loss.is_finite(),
            "the loss is {} at step {} of epoch {}, with a learning rate of {rate:e}: choose a lower one",
            totals.loss,
            batch.position.batch + 1,
            batch.position.epoch + 1,
        );
        run.totals.add(&totals);
        Ok(rate)
    }

    /// Scores the epoch that has just ended, keeps its network when it is the best, and writes a checkpoint.
    fn end_epoch(&self, run: &mut Run, learning_rate: f64, watch: &mut Watch<'_>) -> anyhow::Result<()> {
        let parameters = run.learner.parameters()?;
        let score = self.evaluator(&parameters).score(self.plan.validation);
        let is_better = run.best.as_ref().is_none_or(|best| score.is_better_than(&best.score));
        let is_kept = self.plan.choice == Choice::Last || is_better;
        let seconds = watch.progress.end_epoch();
        let epoch = Epoch {
            epoch: run.position.epoch,
            learning_rate,
            loss: run.totals.mean_loss(),
            accuracy: run.totals.accuracy(),
            validation_loss: f64::from(score.loss),
            validation_accuracy: score.accuracy(),
            seconds,
            images_per_second: run.totals.images as f64 / seconds,
        };
        watch.metrics.append(&epoch)?;
        watch.progress.log_epoch(&epoch, is_better);
        if is_kept {
            run.best = Some(Best { epoch: epoch.epoch, score, parameters: parameters.into_owned() });
        }
        run.totals = Totals::default();
        self.save(run)
    }

    fn save(&self, run: &Run) -> anyhow::Result<()> {
        self.checkpoint.save(&State {
            position: run.position,
            parameters: run.learner.parameters()?.into_owned(),
            moments: run.learner.moments()?.into_owned(),
            totals: run.totals,
            best: run.best.clone(),
        })
    }
}
