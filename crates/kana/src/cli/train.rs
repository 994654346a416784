//! What do `train`, `evaluate` and `predict` take?

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
use kana_train::data::evaluate::{Evaluation, evaluate};
use kana_train::data::{Folder, study};
use kana_train::{self as train, Report, Schedule};

/// `kana train`.
#[derive(Debug, Args)]
pub struct Train {
    /// The data set: a folder of IDX files, named as MNIST's; or kmnist or mnist, once fetched
    #[arg(long, env = "KANA_DATA", value_name = "DIR")]
    data: PathBuf,

    /// The folder of the model to come
    #[arg(long, env = "KANA_OUT", value_name = "DIR")]
    out: PathBuf,

    /// What the model is called; without it, as its folder
    #[arg(long, env = "KANA_NAME", value_name = "NAME")]
    name: Option<String>,

    /// Passes over the images
    #[arg(long, env = "KANA_EPOCHS", value_name = "COUNT", default_value_t = defaults().epochs, value_parser = flags::count)]
    epochs: usize,

    /// Channels of the first convolution
    #[arg(long, env = "KANA_WIDTH", value_name = "COUNT", default_value_t = defaults().width, value_parser = flags::count)]
    width: usize,

    /// Share of activations dropped after the convolutions, below 0.5; the dense layers drop twice as much
    #[arg(long, env = "KANA_DROPOUT", value_name = "SHARE", default_value_t = defaults().dropout)]
    dropout: f64,

    /// Every random choice follows from it
    #[arg(long, env = "KANA_SEED", value_name = "NUMBER", default_value_t = defaults().seed)]
    seed: u64,

    /// Images a step
    #[arg(long, env = "KANA_BATCH_SIZE", value_name = "COUNT", default_value_t = defaults().batch_size, value_parser = flags::count)]
    batch_size: usize,

    /// The highest learning rate
    #[arg(long, env = "KANA_LEARNING_RATE", value_name = "RATE", default_value_t = defaults().learning_rate)]
    learning_rate: f64,

    /// How the learning rate goes over the steps
    #[arg(long, env = "KANA_SCHEDULE", value_enum, default_value_t = Curve::OneCycle)]
    schedule: Curve,

    /// How much weights shrink, a step and a rate of one
    #[arg(long, env = "KANA_WEIGHT_DECAY", value_name = "RATE", default_value_t = defaults().weight_decay)]
    weight_decay: f64,

    /// Share of a target that is spread over all classes
    #[arg(long, env = "KANA_LABEL_SMOOTHING", value_name = "SHARE", default_value_t = defaults().label_smoothing)]
    label_smoothing: f64,

    /// Share of the images held out to choose the best epoch
    #[arg(long, env = "KANA_VALIDATION", value_name = "SHARE", default_value_t = defaults().validation)]
    validation: f64,

    /// Show the images as they are, undistorted
    #[arg(long, env = "KANA_NO_AUGMENT")]
    no_augment: bool,

    /// Where the arithmetic is done
    #[arg(long, env = "KANA_DEVICE", value_enum, default_value_t = Device::Cpu)]
    device: Device,

    /// Go on from the checkpoint in the output folder
    #[arg(long, env = "KANA_RESUME")]
    resume: bool,
}

/// How the learning rate goes.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Curve {
    /// Up for three tenths of the steps, then down to nothing
    OneCycle,
    /// Down to nothing from the start
    Cosine,
}

/// Where the arithmetic is done.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Device {
    /// On all cores of the processor
    Cpu,
    /// On an NVIDIA GPU
    Cuda,
}

/// `kana evaluate`.
#[derive(Debug, Args)]
pub struct Evaluate {
    #[command(flatten)]
    model: flags::Model,

    /// The data set: a folder of IDX files, named as MNIST's; or kmnist or mnist, once fetched
    #[arg(long, env = "KANA_DATA", value_name = "DIR")]
    data: PathBuf,

    /// Judge by every image, those too that the model learned from
    #[arg(long, env = "KANA_ALL")]
    all: bool,

    /// Print JSON instead of tables
    #[arg(long, env = "KANA_JSON")]
    json: bool,
}

/// `kana predict`.
#[derive(Debug, Args)]
pub struct Predict {
    #[command(flatten)]
    model: flags::Model,

    /// Print one JSON line a file instead of a table
    #[arg(long, env = "KANA_JSON")]
    json: bool,

    /// Image files
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
            // A second one ends the process at once, as it would without us: the flag is set by then.
            signal_hook::flag::register_conditional_default(signal, interrupted.clone())?;
            signal_hook::flag::register(signal, interrupted.clone())?;
        }
        let config = self.config()?;
        config.checked().map_err(|error| Usage(error.to_string()))?;
        match train::run(&config, &interrupted)? {
            Report::Finished { card } => {
                for evaluation in &card.evaluation {
                    let accuracy = 100.0 * evaluation.accuracy;
                    print::note(&format!("{accuracy:.2} % of {} images: {}\n", evaluation.images, evaluation.protocol));
                }
                print::text(&self.out.display().to_string())?;
                Ok(ExitCode::SUCCESS)
            }
            Report::Interrupted { checkpoint, epochs_done } => {
                print::note(&format!(
                    "interrupted after {epochs_done} epochs; the same command with --resume goes on from {}\n",
                    checkpoint.display()
                ));
                Ok(ExitCode::from(FAILED))
            }
        }
    }

    fn config(&self) -> anyhow::Result<train::Config> {
        Ok(train::Config {
            data: flags::data_set(&self.data)?,
            out: self.out.clone(),
            name: self.name.clone(),
            epochs: self.epochs,
            width: self.width,
            dropout: self.dropout,
            seed: self.seed,
            batch_size: self.batch_size,
            learning_rate: self.learning_rate,
            schedule: match self.schedule {
                Curve::OneCycle => Schedule::OneCycle,
                Curve::Cosine => Schedule::Cosine,
            },
            weight_decay: self.weight_decay,
            label_smoothing: self.label_smoothing,
            validation: self.validation,
            augment: !self.no_augment,
            device: match self.device {
                Device::Cpu => train::Device::Cpu,
                Device::Cuda => train::Device::Cuda,
            },
            resume: self.resume,
        })
    }
}

impl Evaluate {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let artifact = self.model.load()?;
        let mut classifier = artifact.classifier()?;
        let folder = Folder::load(&flags::data_set(&self.data)?)?;
        let (there, held_out) = (folder.test.len(), study::held_out(&folder, artifact.card()));
        let images = if self.all { folder.test } else { held_out };
        if images.len() < there {
            print::note(&format!(
                "judging by {} of {there} images: the model learned from the others; --all judges by them too\n",
                images.len()
            ));
        }
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len} images, {eta} left")?;
        let bar = ProgressBar::new(images.len() as u64).with_style(style);
        let evaluation = evaluate(classifier.as_mut(), &images, |judged| bar.inc(judged as u64))?;
        bar.finish_and_clear();

        match self.json {
            true => print::json(&evaluation)?,
            false => print::text(&tables(&evaluation)?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Accuracy, a row a class, and what was taken for what.
fn tables(evaluation: &Evaluation) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let (accuracy, images) = (100.0 * evaluation.accuracy, evaluation.images);
    writeln!(text, "{accuracy:.2} % of {images} images\n")?;
    writeln!(text, "class\timages\tprecision\trecall")?;
    for row in &evaluation.per_class {
        writeln!(text, "{}\t{}\t{:.2} %\t{:.2} %", row.label, row.count, 100.0 * row.precision, 100.0 * row.recall)?;
    }
    writeln!(text, "\nrow: what it is; column: what it was taken for")?;
    for row in &evaluation.per_class {
        write!(text, "\t{}", row.label)?;
    }
    writeln!(text)?;
    for (row, counts) in evaluation.per_class.iter().zip(&evaluation.confusion) {
        write!(text, "{}", row.label)?;
        for count in counts {
            write!(text, "\t{count}")?;
        }
        writeln!(text)?;
    }
    Ok(text)
}

/// What became of one file.
#[derive(Serialize)]
#[serde(untagged)]
enum Line {
    Read {
        file: String,
        #[serde(flatten)]
        prediction: Prediction,
    },
    Unread {
        file: String,
        error: String,
    },
}

impl Predict {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut classifier = self.model.load()?.classifier()?;
        let mut all_read = true;
        for path in &self.files {
            let file = path.display().to_string();
            let line = match predict(classifier.as_mut(), path) {
                Ok(prediction) => Line::Read { file, prediction },
                Err(error) => {
                    all_read = false;
                    Line::Unread { file, error: format!("{error:#}") }
                }
            };
            match (self.json, &line) {
                (true, line) => print::json(line)?,
                (false, Line::Read { file, prediction: Prediction { label, confidence, .. } }) => {
                    print::text(&format!("{label}\t{:6.2} %\t{file}", 100.0 * confidence))?;
                }
                (false, Line::Unread { file, error }) => print::note(&format!("error: {file}: {error}\n")),
            }
        }
        Ok(if all_read { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
    }
}

fn predict(classifier: &mut dyn Classifier, path: &Path) -> anyhow::Result<Prediction> {
    let bytes = std::fs::read(path).context("could not read the file")?;
    let picture = decode::decode(&bytes)?;
    let input = &classifier.card().input;
    let image = fit::fit(&picture, input.shape, input.fit);
    classifier.classify(&[image])?.pop().context("the model said nothing")
}
