//! How do several networks become one model, and how accurate is each?
//!
//! By stratified K-fold cross-validation: the images are divided into folds, and each network is trained on all folds but
//! one, which judges it. No image chooses anything: a network is that of its last epoch. So the mean over the folds says how
//! accurate a network is on images that it never saw, and every image has a prediction by a network that never saw it. The
//! model averages the networks' probabilities; where there are files to test with beside those that were divided, they
//! judge it.
//!
//! Each fold has a folder with its checkpoint, its metrics and, when finished, its network and results. Folds are trained one
//! after another, or each by a process of its own; whichever finishes last writes the model, and trains the [`student`]
//! where one is asked for.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::atomic_write::atomic_write;
use super::checkpoint::{CheckpointFile, Settings, differences};
use super::evaluator::Evaluator;
use super::session::{Choice, End, Plan, Session};
use super::student::{self, Lesson, Outcome};
use super::weights::{encode_weights, read_weights};
use super::{Completion, Config, artifact, input, run_folder};
use crate::data::split::Division;
use crate::data::stratify::folds;
use crate::data::{Dataset, FOLDS_SETTING, Folder};
use crate::metrics::Spread;
use kana_engine::model::Card;
use kana_engine::model::card::{Evaluation, Input};

/// File with the results of a finished fold, in its folder.
const RESULT_FILE: &str = "fold.json";
/// File with the network of a finished fold, in its folder.
const WEIGHTS_FILE: &str = "weights.safetensors";
/// File that a process which trains a fold has locked, in the fold's folder.
const LOCK_FILE: &str = "lock";
/// File with the predictions of every image by the network that never saw it: `[images][classes]` floats in the format of
/// IDX.
const HELD_OUT_FILE: &str = "held-out-idx2-float";

/// Results of a finished fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldResult {
    /// Number of images that the network was trained on.
    pub training_images: usize,
    /// Number of images that judged it.
    pub held_out_images: usize,
    /// Accuracy on the training images, undistorted and without dropout, in [0, 1].
    pub training_accuracy: f64,
    /// Accuracy on the held-out images, in [0, 1].
    pub held_out_accuracy: f64,
    /// Settings and digests of the data, which determine the network.
    pub settings: Settings,
}

/// A cross-validation.
struct CrossValidation<'a> {
    config: &'a Config,
    folder: &'a Folder,
    division: Division,
    /// Fold of each image, from 0.
    fold_of: Vec<usize>,
    count: usize,
    input: Input,
}

/// End of the training of a fold.
enum Fold {
    Finished,
    Interrupted { checkpoint: PathBuf, epochs_done: usize },
}

/// Trains the folds of [`Config::folds`] that `config` asks for, and writes the model when all are there.
///
/// # Errors
/// Those of [`super::run`].
pub fn run(config: &Config, folder: &Folder, count: usize, interrupted: &AtomicBool) -> anyhow::Result<Completion> {
    let division = Division::new(folder, config.distill, config.seed);
    let images = &division.images;
    for (class, label) in folder.classes.labels.iter().enumerate() {
        let found = images.labels().iter().filter(|of| usize::from(**of) == class).count();
        ensure!(found >= count, "class {label} has {found} images, expected {count} or more for as many folds");
    }
    let fold_of = folds(images.labels(), count, config.seed);
    let input = input::measure(images);
    let run = CrossValidation { config, folder, division, fold_of, count, input };
    run_folder::start(config)?;
    let wanted: Vec<usize> = config.fold.map_or((0..count).collect(), |number| vec![number - 1]);
    if !config.resume {
        let student = config.distill.then(|| student::folder(&config.out));
        for folder in wanted.iter().map(|number| run.folder(*number)).chain(student) {
            ensure!(
                !folder.exists(),
                "{} belongs to an earlier run: resume it, remove the folder, or choose another one",
                folder.display()
            );
        }
    }
    for number in wanted {
        if let Fold::Interrupted { checkpoint, epochs_done } = run.train(number, interrupted)? {
            return Ok(Completion::Interrupted { checkpoint, epochs_done, has_model: false });
        }
    }
    let missing: Vec<usize> = (0..count).filter(|number| !run.result_path(*number).exists()).map(|at| at + 1).collect();
    if !missing.is_empty() {
        return Ok(Completion::FoldsMissing { missing });
    }
    run.assemble(interrupted)
}

impl CrossValidation<'_> {
    fn folder(&self, number: usize) -> PathBuf {
        fold_folder(&self.config.out, number)
    }

    fn result_path(&self, number: usize) -> PathBuf {
        self.folder(number).join(RESULT_FILE)
    }

    /// Divides the images into those of the fold, and the others.
    fn parts(&self, number: usize) -> [Dataset; 2] {
        let images = &self.division.images;
        let all = 0..images.len();
        let (held_out, rest): (Vec<usize>, Vec<usize>) = all.partition(|image| self.fold_of[*image] == number);
        [held_out, rest].map(|indices| images.subset(&indices))
    }

    fn session<'a>(&'a self, number: usize, folder: &'a Path, parts: &'a [Dataset; 2]) -> anyhow::Result<Session<'a>> {
        let [held_out, training] = parts;
        let fold = format!("{} of {}, divided under seed {}", number + 1, self.count, self.config.seed);
        let plan = Plan {
            folder,
            training,
            validation: held_out,
            teachers: &[],
            input: self.input.clone(),
            class_count: self.folder.classes.labels.len(),
            // Networks that start differently err differently.
            seed: self.config.seed.wrapping_add(number as u64),
            // The folds after the one that was interrupted have not begun.
            resume: self.config.resume && CheckpointFile::is_in(folder),
            choice: Choice::Last,
            settings: BTreeMap::from([("fold".to_owned(), fold)]),
        };
        Session::new(self.config, plan)
    }

    /// Trains the network of a fold, unless it is finished.
    fn train(&self, number: usize, interrupted: &AtomicBool) -> anyhow::Result<Fold> {
        let (folder, parts) = (self.folder(number), self.parts(number));
        super::create_folder(&folder)?;
        let _lock = lock(&folder, &format!("fold {}", number + 1))?;
        let session = self.session(number, &folder, &parts)?;
        if self.result_path(number).exists() {
            self.result(number, &session)?;
            return Ok(Fold::Finished);
        }
        info!("fold {} of {}: {} images, {} held out", number + 1, self.count, parts[1].len(), parts[0].len());
        let best = match session.run(interrupted)? {
            End::Finished(best) => best,
            End::Interrupted { epochs_done, .. } => {
                return Ok(Fold::Interrupted { checkpoint: session.checkpoint().path().to_owned(), epochs_done });
            }
        };
        let [held_out, training] = &parts;
        let result = FoldResult {
            training_images: training.len(),
            held_out_images: held_out.len(),
            training_accuracy: session.evaluator(&best.parameters).score(training).accuracy(),
            held_out_accuracy: best.score.accuracy(),
            settings: session.checkpoint().settings().clone(),
        };
        atomic_write(&folder.join(WEIGHTS_FILE), &encode_weights(session.architecture(), &best.parameters)?)?;
        // Written last: its presence means that the fold is finished.
        atomic_write(&self.result_path(number), (serde_json::to_string_pretty(&result)? + "\n").as_bytes())?;
        session.checkpoint().remove()?;
        Ok(Fold::Finished)
    }

    /// Reads the results of a finished fold, which was trained as this run would train it.
    fn result(&self, number: usize, session: &Session<'_>) -> anyhow::Result<FoldResult> {
        let result = read_result(&self.config.out, number)?;
        let differences = differences(&result.settings, session.checkpoint().settings());
        ensure!(
            differences.is_empty(),
            "{} was trained with other settings: {}",
            self.folder(number).display(),
            differences.join("; ")
        );
        Ok(result)
    }

    /// Writes the model of all folds, and trains its student where one is asked for.
    fn assemble(&self, interrupted: &AtomicBool) -> anyhow::Result<Completion> {
        let (mut members, mut evaluators, mut results) = (Vec::new(), Vec::new(), Vec::new());
        let mut architecture = None;
        for number in 0..self.count {
            let (folder, parts) = (self.folder(number), self.parts(number));
            let session = self.session(number, &folder, &parts)?;
            results.push(self.result(number, &session)?);
            let parameters = read_weights(session.architecture(), &folder.join(WEIGHTS_FILE))?;
            evaluators.push(session.evaluator(&parameters));
            members.push(parameters);
            architecture = Some(*session.architecture());
        }
        let architecture = architecture.expect("BUG: Config::checked refuses fewer than two folds");
        let held_out = by_fold(&self.division.images, &self.fold_of, &evaluators, Evaluator::probabilities);
        write_floats(&self.config.out.join(HELD_OUT_FILE), &held_out)?;
        let card = self.card(&evaluators, &results, &held_out);
        let card = artifact::save(&self.config.out, card, &architecture, &members.iter().collect::<Vec<_>>())?;
        if !self.config.distill {
            return Ok(Completion::Finished { card: Box::new(card), student: None });
        }
        let Self { config, folder, division, input, .. } = self;
        let lesson = Lesson { config, classes: &folder.classes, division, input, teachers: &evaluators, card: &card };
        Ok(match lesson.run(interrupted)? {
            Outcome::Finished(student) => Completion::Finished { card: Box::new(card), student: Some(student) },
            Outcome::Interrupted { checkpoint, epochs_done } => {
                Completion::Interrupted { checkpoint, epochs_done, has_model: true }
            }
        })
    }

    fn card(&self, members: &[Evaluator], results: &[FoldResult], held_out: &[Vec<f32>]) -> Card {
        let mut card = artifact::describe(self.config, &self.folder.classes, &self.input);
        let Division { images, test, names: [files, test_files] } = &self.division;
        card.training.data = images.sources().to_vec();
        card.training.images = images.len();
        card.training.best_epoch = self.config.epochs;
        card.training.settings.insert(FOLDS_SETTING.into(), self.count.to_string());
        let of = |value: fn(&FoldResult) -> f64| Spread::of(&results.iter().map(value).collect::<Vec<_>>());
        let (trained, judged) = (of(|fold| fold.training_accuracy), of(|fold| fold.held_out_accuracy));
        let percent = |spread: Spread| format!("{:.2} ± {:.2} %", 100.0 * spread.mean, 100.0 * spread.deviation);
        card.evaluation = vec![Evaluation {
            protocol: format!(
                "{} folds of {files}, divided by class under seed {}: each member judged on the images that it never saw, \
                 after its last epoch: {} (on those that it learned from: {})",
                self.count,
                self.config.seed,
                percent(judged),
                percent(trained),
            ),
            images: images.len(),
            accuracy: artifact::accuracy(images, held_out),
        }];
        if let Some(test) = test {
            let probabilities = artifact::mean_probabilities(members, test);
            card.evaluation.insert(
                0,
                Evaluation {
                    protocol: format!(
                        "{} networks, learned from {} images of {files}, their probabilities averaged; judged once on \
                         {} images of {test_files}, which none saw",
                        self.count,
                        images.len(),
                        test.len(),
                    ),
                    images: test.len(),
                    accuracy: artifact::accuracy(test, &probabilities),
                },
            );
        }
        card.self_test = artifact::specimens(images, members);
        card
    }
}

/// Folder of fold `number`, from 0, of the run in `out`.
pub fn fold_folder(out: &Path, number: usize) -> PathBuf {
    out.join(format!("fold-{}", number + 1))
}

/// Reads the results of fold `number`, from 0, of the run in `out`.
///
/// # Errors
/// Returns the error of the file system, and that of the JSON.
pub fn read_result(out: &Path, number: usize) -> anyhow::Result<FoldResult> {
    run_folder::read_json(&fold_folder(out, number).join(RESULT_FILE))
}

/// Computes rows for the images of each member's fold, in the order of all images; those of folds without a member stay
/// empty.
pub fn by_fold(
    images: &Dataset,
    fold_of: &[usize],
    members: &[Evaluator],
    rows: fn(&Evaluator, &Dataset) -> Vec<Vec<f32>>,
) -> Vec<Vec<f32>> {
    let mut all = vec![Vec::new(); images.len()];
    for (number, member) in members.iter().enumerate() {
        let held_out: Vec<usize> = (0..images.len()).filter(|image| fold_of[*image] == number).collect();
        for (image, row) in held_out.iter().zip(rows(member, &images.subset(&held_out))) {
            all[*image] = row;
        }
    }
    all
}

/// Locks the folder in which `what` is trained until the file is dropped or the process ends.
pub fn lock(folder: &Path, what: &str) -> anyhow::Result<File> {
    let path = folder.join(LOCK_FILE);
    let file = File::create(&path).with_context(|| format!("could not create {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another process trains {what} in {}", folder.display()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("could not lock {}", path.display())),
    }
}

/// Writes rows of floats in the format of IDX: type 0x0D, two dimensions, big-endian.
fn write_floats(path: &Path, rows: &[Vec<f32>]) -> anyhow::Result<()> {
    let columns = rows.first().map_or(0, Vec::len);
    let mut bytes = vec![0, 0, 0x0D, 2];
    for size in [rows.len(), columns] {
        bytes.extend(u32::try_from(size).context("too many images for a file of IDX")?.to_be_bytes());
    }
    bytes.extend(rows.iter().flatten().flat_map(|value| value.to_be_bytes()));
    atomic_write(path, &bytes)
}
