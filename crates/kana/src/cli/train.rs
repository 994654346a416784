//! Which flags do `train`, `evaluate` and `predict` take, and what do they print?
//!
//! These commands run in this process, without a queue or a service. They print data to standard output and progress to
//! standard error.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{FAILED, Usage, flags, print};
use kana_engine::Prediction;
use kana_engine::image::{decode, fit};
use kana_engine::model::Classifier;
use kana_train::data::evaluate::{ClassificationReport, evaluate};
use kana_train::data::{Folder, split};
use kana_train::{self as train, Completion, Schedule};

/// Arguments of `kana train`.
#[derive(Debug, Args)]
pub struct Train {
    /// Data set: a folder with the IDX files of MNIST (such as t10k-images-idx3-ubyte.gz), or the name kmnist or mnist
    /// after `kana data fetch kmnist`
    #[arg(long, env = "KANA_DATA", value_name = "DIR")]
    data: PathBuf,

    /// Folder that the model is written into, such as models/mine; also holds the checkpoint of an interrupted run
    #[arg(long, env = "KANA_OUT", value_name = "DIR", required_unless_present = "lr_find")]
    out: Option<PathBuf>,

    /// Name of the model [default: the name of the output folder]
    #[arg(long, env = "KANA_NAME", value_name = "NAME")]
    name: Option<String>,

    /// Number of passes over the training images
    #[arg(long, env = "KANA_EPOCHS", value_name = "COUNT", default_value_t = defaults().epochs, value_parser = flags::count)]
    epochs: usize,

    /// Output channels of the first convolution, 1 to 256; later layers have a fixed multiple
    #[arg(long, env = "KANA_WIDTH", value_name = "COUNT", default_value_t = defaults().width, value_parser = flags::count)]
    width: usize,

    /// Share of activations that dropout sets to zero after the convolutions, 0 to below 0.5; twice as many in the dense
    /// layers
    #[arg(long, env = "KANA_DROPOUT", value_name = "SHARE", default_value_t = defaults().dropout)]
    dropout: f64,

    /// Seed of every random choice: the same seed, data and settings give the same model
    #[arg(long, env = "KANA_SEED", value_name = "NUMBER", default_value_t = defaults().seed)]
    seed: u64,

    /// Largest number of images in a training step, at least 2
    #[arg(long, env = "KANA_BATCH_SIZE", value_name = "COUNT", default_value_t = defaults().batch_size, value_parser = flags::count)]
    batch_size: usize,

    /// Highest learning rate of the schedule
    #[arg(long, env = "KANA_LEARNING_RATE", value_name = "RATE", default_value_t = defaults().learning_rate)]
    learning_rate: f64,

    /// Course of the learning rate over the steps
    #[arg(long, env = "KANA_SCHEDULE", value_enum, default_value_t = ScheduleFlag::OneCycle)]
    schedule: ScheduleFlag,

    /// Weight decay of AdamW: each step subtracts this share times the learning rate from the weights
    #[arg(long, env = "KANA_WEIGHT_DECAY", value_name = "RATE", default_value_t = defaults().weight_decay)]
    weight_decay: f64,

    /// Share of the target probability that is spread over all classes, 0 to below 1
    #[arg(long, env = "KANA_LABEL_SMOOTHING", value_name = "SHARE", default_value_t = defaults().label_smoothing)]
    label_smoothing: f64,

    /// Share of the images that is held out from training to select the best epoch, between 0 and 1
    #[arg(long, env = "KANA_VALIDATION", value_name = "SHARE", default_value_t = defaults().validation)]
    validation: f64,

    /// Train on the original images, without random distortion
    #[arg(long, env = "KANA_NO_AUGMENT")]
    no_augment: bool,

    /// Number of folds for cross-validation: a network for each, trained on the others; the model averages them
    #[arg(long, env = "KANA_FOLDS", value_name = "COUNT", value_parser = flags::count)]
    folds: Option<usize>,

    /// Train this fold alone, from 1, while other processes train others; the last one writes the model
    #[arg(long, env = "KANA_FOLD", value_name = "NUMBER", requires = "folds", value_parser = flags::count)]
    fold: Option<usize>,

    /// End after this number of epochs without a better one on the validation images
    #[arg(long, env = "KANA_EARLY_STOP", value_name = "EPOCHS", conflicts_with = "folds", value_parser = flags::count)]
    early_stop: Option<usize>,

    /// Search a learning rate instead: train 200 steps at rising rates, print each rate and loss, then a suggestion
    #[arg(long, env = "KANA_LR_FIND", conflicts_with_all = ["folds", "resume", "fast_dev_run"])]
    lr_find: bool,

    /// Try everything once, with 16 images of each class and one epoch
    #[arg(long, env = "KANA_FAST_DEV_RUN")]
    fast_dev_run: bool,

    /// Continue an interrupted run from the checkpoint in the output folder; needs the same data and settings
    #[arg(long, env = "KANA_RESUME")]
    resume: bool,
}

/// Values of `--schedule`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScheduleFlag {
    /// Rise for 30 % of the steps, then fall to almost zero
    OneCycle,
    /// Fall to almost zero from the start
    Cosine,
}

/// Arguments of `kana evaluate`.
#[derive(Debug, Args)]
pub struct Evaluate {
    #[command(flatten)]
    model: flags::Model,

    /// Data set: a folder with the IDX files of MNIST (such as t10k-images-idx3-ubyte.gz), or the name kmnist or mnist
    /// after `kana data fetch kmnist`
    #[arg(long, env = "KANA_DATA", value_name = "DIR", required_unless_present = "explain")]
    data: Option<PathBuf>,

    /// Measure what each layer takes instead: its algorithm, MFLOP, microseconds, and share of the processor's peak
    #[arg(long, env = "KANA_EXPLAIN")]
    explain: bool,

    /// Evaluate on all images, including those that the model was trained on
    #[arg(long, env = "KANA_ALL")]
    all: bool,

    #[command(flatten)]
    engine: flags::Engine,

    #[command(flatten)]
    threads: flags::Threads,

    /// Print one JSON object instead of tables: accuracy, figures of each class, and the confusion matrix
    #[arg(long, env = "KANA_JSON")]
    json: bool,
}

/// Arguments of `kana predict`.
#[derive(Debug, Args)]
pub struct Predict {
    #[command(flatten)]
    model: flags::Model,

    #[command(flatten)]
    engine: flags::Engine,

    #[command(flatten)]
    threads: flags::Threads,

    /// Print one JSON object for each file, one a line, instead of a table
    #[arg(long, env = "KANA_JSON")]
    json: bool,

    /// Image files (PNG, JPEG, GIF, BMP, WebP or PNM)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

fn defaults() -> train::Config {
    train::Config::default()
}

impl Train {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            // The second signal ends the process at once, because the flag is set by then.
            signal_hook::flag::register_conditional_default(signal, interrupted.clone())?;
            signal_hook::flag::register(signal, interrupted.clone())?;
        }
        let config = self.config()?;
        config.checked().map_err(|error| Usage(error.to_string()))?;
        if self.lr_find {
            let search = train::find_learning_rate(&config, &interrupted)?;
            let mut text = String::from("rate\tloss\n");
            for point in &search.points {
                writeln!(text, "{:.3e}\t{:.4}", point.rate, point.loss)?;
            }
            print::text(&text)?;
            print::note(&format!("suggested: --learning-rate {:.1e}\n", search.suggested));
            return Ok(ExitCode::SUCCESS);
        }
        match train::run(&config, &interrupted)? {
            Completion::Finished { card } => {
                for evaluation in &card.evaluation {
                    let accuracy = 100.0 * evaluation.accuracy;
                    print::note(&format!("{accuracy:.2} % of {} images: {}\n", evaluation.images, evaluation.protocol));
                }
                print::text(&config.out)?;
                Ok(ExitCode::SUCCESS)
            }
            Completion::Interrupted { checkpoint, epochs_done, has_model } => {
                let model = if has_model {
                    format!("; the best epoch serves from {}", config.out.display())
                } else {
                    String::new()
                };
                print::note(&format!(
                    "interrupted after {epochs_done} epochs; run the same command with --resume to continue from {}{model}\n",
                    checkpoint.display()
                ));
                Ok(ExitCode::from(FAILED))
            }
            Completion::FoldsMissing { missing } => {
                let missing: Vec<String> = missing.iter().map(usize::to_string).collect();
                print::note(&format!(
                    "trained the fold; the model is written when {} are trained, too\n",
                    missing.join(", ")
                ));
                Ok(ExitCode::SUCCESS)
            }
        }
    }

    fn config(&self) -> anyhow::Result<train::Config> {
        Ok(train::Config {
            data: flags::data_set(&self.data)?,
            out: self.out.clone().unwrap_or_default(),
            name: self.name.clone(),
            epochs: self.epochs,
            width: self.width,
            dropout: self.dropout,
            seed: self.seed,
            batch_size: self.batch_size,
            learning_rate: self.learning_rate,
            schedule: match self.schedule {
                ScheduleFlag::OneCycle => Schedule::OneCycle,
                ScheduleFlag::Cosine => Schedule::Cosine,
            },
            weight_decay: self.weight_decay,
            label_smoothing: self.label_smoothing,
            validation: self.validation,
            augment: !self.no_augment,
            folds: self.folds,
            fold: self.fold,
            early_stop: self.early_stop,
            fast_dev_run: self.fast_dev_run,
            resume: self.resume,
        })
    }
}

impl Evaluate {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let artifact = self.model.load()?;
        let Some(data) = self.data.as_deref().filter(|_| !self.explain) else {
            let explanation = artifact.explain(self.engine.instructions());
            match self.json {
                true => print::json(&explanation)?,
                false => print::text(explanation.to_string())?,
            }
            return Ok(ExitCode::SUCCESS);
        };
        let mut classifier = artifact.classifier_on_threads(self.engine.instructions(), self.threads.count())?;
        let folder = Folder::load(&flags::data_set(data)?)?;
        let total = folder.test.len();
        let images = match split::held_out(&folder, artifact.card()) {
            _ if self.all => folder.test,
            Some(images) => images,
            None => anyhow::bail!(
                "every image of {} was trained on by some network of this model, so that its accuracy would be flattered; \
                 the card has the one of its folds, and --all evaluates it anyway",
                data.display()
            ),
        };
        if images.len() < total {
            print::note(&format!(
                "evaluating {} of {total} images: the model was trained on the others; --all includes them\n",
                images.len()
            ));
        }
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len} images, {eta} left")?;
        let bar = ProgressBar::new(images.len() as u64).with_style(style);
        let report = evaluate(classifier.as_mut(), &images, |images| bar.inc(images as u64))?;
        bar.finish_and_clear();

        match self.json {
            true => print::json(&report)?,
            false => print::text(&tables(&report)?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Formats accuracy, figures of each class and the confusion matrix as tab-separated tables.
fn tables(report: &ClassificationReport) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let (accuracy, images) = (100.0 * report.accuracy, report.images);
    writeln!(text, "{accuracy:.2} % of {images} images\n")?;
    writeln!(text, "class\timages\tprecision\trecall")?;
    for row in &report.per_class {
        writeln!(text, "{}\t{}\t{:.2} %\t{:.2} %", row.label, row.count, 100.0 * row.precision, 100.0 * row.recall)?;
    }
    writeln!(text, "\nrow: true class; column: predicted class")?;
    for row in &report.per_class {
        write!(text, "\t{}", row.label)?;
    }
    writeln!(text)?;
    for (row, counts) in report.per_class.iter().zip(&report.confusion) {
        write!(text, "{}", row.label)?;
        for count in counts {
            write!(text, "\t{count}")?;
        }
        writeln!(text)?;
    }
    Ok(text)
}

/// Files that a thread classifies before results are printed: few enough to see them come.
const FILES_A_THREAD: usize = 16;

/// Output for one file. The names of the fields are those of the JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum FileResult<'a> {
    Classified {
        #[serde(serialize_with = "shown")]
        file: &'a Path,
        #[serde(flatten)]
        prediction: Prediction,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        blank: bool,
    },
    Failed {
        #[serde(serialize_with = "shown")]
        file: &'a Path,
        error: String,
    },
}

/// Writes a path as far as it is text.
fn shown<S: serde::Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&path.display())
}

impl Predict {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let artifact = self.model.load()?;
        let threads = self.threads.count().get().min(self.files.len());
        let mut classifiers =
            (0..threads).map(|_| artifact.classifier_on(self.engine.instructions())).collect::<Result<Vec<_>, _>>()?;
        let mut all_classified = true;
        for files in self.files.chunks(threads * FILES_A_THREAD) {
            for result in predict_all(&mut classifiers, files) {
                all_classified &= matches!(result, FileResult::Classified { .. });
                self.print(&result)?;
            }
        }
        Ok(if all_classified { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
    }

    fn print(&self, result: &FileResult<'_>) -> anyhow::Result<()> {
        match result {
            result if self.json => print::json(result),
            FileResult::Classified { file, prediction: Prediction { label, confidence, .. }, blank } => {
                let mut line = OsString::from(format!("{label}\t{:6.2} %\t", 100.0 * confidence));
                line.push(file);
                line.push(if *blank { "\tblank" } else { "" });
                Ok(print::text(line)?)
            }
            FileResult::Failed { file, error } => {
                print::note(&format!("error: {}: {error}\n", file.display()));
                Ok(())
            }
        }
    }
}

/// Classifies files on a thread for each of `classifiers`; the results are in the order of the files.
fn predict_all<'a>(classifiers: &mut [Box<dyn Classifier>], files: &'a [PathBuf]) -> Vec<FileResult<'a>> {
    let share = files.len().div_ceil(classifiers.len());
    let predict_share = |classifier: &mut Box<dyn Classifier>, files: &'a [PathBuf]| {
        let predict = |file: &'a PathBuf| match predict(classifier.as_mut(), file) {
            Ok((prediction, blank)) => FileResult::Classified { file, prediction, blank },
            Err(error) => FileResult::Failed { file, error: format!("{error:#}") },
        };
        files.iter().map(predict).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let shares = classifiers.iter_mut().zip(files.chunks(share));
        let running: Vec<_> =
            shares.map(|(classifier, files)| scope.spawn(move || predict_share(classifier, files))).collect();
        let joined = running.into_iter().map(|share| share.join());
        joined.flat_map(|share| share.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// Classifies a file. Returns the answer, and whether its picture is blank.
fn predict(classifier: &mut dyn Classifier, path: &Path) -> anyhow::Result<(Prediction, bool)> {
    let bytes = std::fs::read(path).context("could not read the file")?;
    let picture = decode::decode(&bytes)?;
    let input = &classifier.card().input;
    let image = fit::fit(&picture, input.shape, input.fit);
    let blank = image.is_blank();
    let prediction = classifier.classify(&[image])?.pop();
    Ok((prediction.expect("BUG: a classifier returns one prediction for each image"), blank))
}
