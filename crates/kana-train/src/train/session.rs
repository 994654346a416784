//! What happens between the first step and the last?
//!
//! One thread makes batches ahead, this one learns from them. State is kept only between steps, and everything that the
//! next step depends on is in it: that is what makes resuming exact.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;

use anyhow::{Context, ensure};
use burn::tensor::{Device, Tensor, activation};

use super::artifact::Judge;
use super::batch::{Batch, Kitchen, Order, Place, Recipe};
use super::checkpoint::{self, Best, Score, Settings, State};
use super::network::{Network, to_vec};
use super::optimiser::{Moments, Optimiser};
use super::plan::{Numbers, Plan};
use super::progress::Progress;
use super::{Config, Report};
use crate::data::Study;
use kana_engine::model::card::Input;

/// Batches made ahead: enough to bridge a hiccup, few enough to be made again after an interruption.
const BATCHES_AHEAD: usize = 3;

/// One run.
pub struct Session<'a> {
    config: &'a Config,
    study: &'a Study,
    input: &'a Input,
    plan: Plan,
    order: Order,
    device: Device,
    settings: Settings,
    epochs_done: std::cell::Cell<usize>,
}

/// What changes from step to step.
struct Learner {
    place: Place,
    network: Network,
    optimiser: Optimiser,
    /// The loss of this epoch's images so far, summed; on the device.
    loss_sum: Tensor<1>,
    best: Option<Best>,
}

impl<'a> Session<'a> {
    /// One that learns `class_count` classes on `device`.
    ///
    /// # Errors
    /// Where the images are too small for the network.
    pub fn new(
        config: &'a Config,
        (study, input): (&'a Study, &'a Input),
        (class_count, device): (usize, Device),
    ) -> anyhow::Result<Self> {
        let plan = Plan { shape: input.shape, width: config.width, class_count }.checked()?;
        let order = Order::new(study.learning.len(), config.batch_size);
        let mut settings = config.settings();
        settings.insert("seed".into(), config.seed.to_string());
        settings.insert("epochs".into(), config.epochs.to_string());
        settings.insert("width".into(), config.width.to_string());
        settings.insert("dropout".into(), config.dropout.to_string());
        for source in study.learning.sources().iter().chain(study.test.sources()) {
            settings.insert(format!("data {}", source.file), source.sha256.clone());
        }
        let epochs_done = std::cell::Cell::new(0);
        Ok(Self { config, study, input, plan, order, device: device.autodiff(), settings, epochs_done })
    }

    /// What the network is built to.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The network that `numbers` make, not learning.
    ///
    /// # Errors
    /// Where the numbers do not fit the plan.
    pub fn judge(&self, numbers: &Numbers) -> anyhow::Result<Judge<'_>> {
        Judge::new(self.plan, numbers, (self.input, &self.device))
    }

    /// The report of a run that was interrupted.
    pub fn interrupted(&self) -> Report {
        Report::Interrupted { checkpoint: checkpoint::path(&self.config.out), epochs_done: self.epochs_done.get() }
    }

    /// Removes the checkpoint: the artifact has taken its place.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn forget(&self) -> anyhow::Result<()> {
        let path = checkpoint::path(&self.config.out);
        std::fs::remove_file(&path).with_context(|| format!("could not remove {}", path.display()))
    }

    /// Learns until the end, and gives the best epoch; `None` where `interrupted` was set before.
    ///
    /// # Errors
    /// Where the disk refuses, or a checkpoint is of another run.
    pub fn run(&self, interrupted: &AtomicBool) -> anyhow::Result<Option<Best>> {
        let mut learner = self.learner(self.begin()?)?;
        let epochs = self.config.epochs;
        let progress = Progress::begin(epochs * self.order.batches, epochs, self.order.steps_before(learner.place));
        let recipe = Recipe {
            seed: self.config.seed,
            batch_size: self.config.batch_size,
            augment: self.config.augment,
            dropout: self.config.dropout,
            label_smoothing: self.config.label_smoothing,
        };
        let kitchen = Kitchen { dataset: &self.study.learning, input: self.input, plan: self.plan, recipe };
        let from = learner.place;
        let outcome = std::thread::scope(|scope| {
            let (send, receive) = sync_channel(BATCHES_AHEAD);
            scope.spawn(move || kitchen.serve(from, epochs, |batch| send.send(batch).is_ok()));
            self.learn(&mut learner, receive.into_iter(), (progress, interrupted))
        })?;
        Ok(if outcome { learner.best } else { None })
    }

    /// The state that the run begins with: the checkpoint's where it is resumed.
    fn begin(&self) -> anyhow::Result<State> {
        if self.config.resume {
            return checkpoint::load(&self.config.out, (&self.plan, &self.settings));
        }
        let path: PathBuf = checkpoint::path(&self.config.out);
        ensure!(
            !path.exists(),
            "{} is of an interrupted run: resume it, or remove the file, or choose another folder",
            path.display()
        );
        Ok(State {
            place: Place { epoch: 0, batch: 0 },
            numbers: Numbers::initial(&self.plan, self.config.seed),
            moments: Moments::zero(&self.plan),
            loss_sum: 0.0,
            best: None,
        })
    }

    fn learner(&self, state: State) -> anyhow::Result<Learner> {
        let remembered = (&state.moments, &self.device);
        Ok(Learner {
            place: state.place,
            network: Network::new(self.plan, &state.numbers, &self.device)?,
            optimiser: Optimiser::remembering(&self.plan, self.config.weight_decay, remembered),
            loss_sum: super::network::flat(&[state.loss_sum], &self.device.clone().inner()),
            best: state.best,
        })
    }

    /// Learns from `batches`; whether it came to the end.
    fn learn(
        &self,
        learner: &mut Learner,
        batches: impl Iterator<Item = Batch>,
        (mut progress, interrupted): (Progress, &AtomicBool),
    ) -> anyhow::Result<bool> {
        let mut images = 0;
        for batch in batches {
            if interrupted.load(Ordering::Relaxed) {
                break;
            }
            images += batch.images.extents()[0];
            self.step(learner, &batch);
            let best = learner.best.as_ref().map(|best| best.score.right as f64 / self.study.validation.len() as f64);
            let loss_sum = learner.loss_sum.clone();
            progress.step(batch.place, best, || to_vec(loss_sum)[0] / images as f32);
            learner.place = self.order.after(batch.place);
            if learner.place.batch == 0 {
                self.end_epoch(learner, &mut progress)?;
                images = 0;
            }
        }
        progress.end();
        let is_done = learner.place.epoch == self.config.epochs;
        if !is_done {
            self.save(learner)?;
        }
        self.epochs_done.set(learner.place.epoch);
        Ok(is_done)
    }

    fn step(&self, learner: &mut Learner, batch: &Batch) {
        let step = self.order.steps_before(batch.place);
        let rate = self.config.schedule.rate(self.config.learning_rate, step, self.config.epochs * self.order.batches);
        let logits = learner.network.forward_training(batch.images.tensor(&self.device), &batch.masks);
        let targets = batch.targets.tensor(&self.device);
        let loss_sum = -(activation::log_softmax(logits, 1) * targets).sum();
        let mut gradients = (loss_sum.clone() / batch.images.extents()[0] as f32).backward();
        learner.loss_sum = learner.loss_sum.clone() + loss_sum.inner();
        for (index, parameter) in learner.network.parameters.iter_mut().enumerate() {
            let gradient = parameter
                .grad_remove(&mut gradients)
                .expect("BUG: forward_training uses every parameter of the plan, so each has a gradient");
            let pair = (parameter.clone().inner(), gradient);
            *parameter = Tensor::from_inner(learner.optimiser.step(index, pair, (rate, step))).require_grad();
        }
    }

    /// Judges the epoch just done, keeps it where it is the best, and writes a checkpoint.
    fn end_epoch(&self, learner: &mut Learner, progress: &mut Progress) -> anyhow::Result<()> {
        let numbers = learner.network.numbers();
        let validation = &self.study.validation;
        let verdict = self.judge(&numbers)?.verdict(validation);
        let score = Score::new(learner.place.epoch, verdict.right, verdict.loss);
        let is_best = learner.best.as_ref().is_none_or(|best| score.beats(&best.score));
        let loss = to_vec(learner.loss_sum.clone())[0] / self.study.learning.len() as f32;
        progress.epoch(loss, (&score, validation.len()), is_best);
        if is_best {
            learner.best = Some(Best { score, numbers });
        }
        learner.loss_sum = super::network::flat(&[0.0], &self.device.clone().inner());
        self.save(learner)
    }

    fn save(&self, learner: &Learner) -> anyhow::Result<()> {
        let state = State {
            place: learner.place,
            numbers: learner.network.numbers(),
            moments: learner.optimiser.moments(),
            loss_sum: to_vec(learner.loss_sum.clone())[0],
            best: learner.best.clone(),
        };
        checkpoint::save(&self.config.out, &state, (&self.plan, &self.settings))
    }
}
