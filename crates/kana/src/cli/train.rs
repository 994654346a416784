//! Which flags does `train` take, and what does it print?
//!
//! It runs in this process, prints the path of the model to standard output and progress to standard error.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Args, ValueEnum};

use super::{FAILED, Usage, flags, print};
use kana_train::{self as train, Comparison, Completion, Device, Measured, Schedule, Student};

/// Arguments of `kana train`.
#[derive(Debug, Args)]
pub struct Train {
    /// Data set: a folder with the IDX files of MNIST (such as t10k-images-idx3-ubyte.gz) or with pictures in a folder for
    /// each class (train/CLASS, test/CLASS, or CLASS alone), or the name kmnist or mnist after `kana data fetch kmnist`
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

    /// Share of the images into which another one is mixed in each epoch, 0 to 1; none with --no-augment
    #[arg(long, env = "KANA_MIXUP", value_name = "SHARE", default_value_t = defaults().mixup)]
    mixup: f64,

    /// Device that the network is trained on; the same seed gives the same model to the last digit on the processor alone
    #[arg(long, env = "KANA_DEVICE", value_enum, default_value_t = DeviceFlag::Cpu)]
    device: DeviceFlag,

    /// Classes to tell apart, by their numbers from 0 in the data set, such as 2,6 for a specialist [default: all]
    #[arg(long, env = "KANA_CLASSES", value_name = "NUMBERS", value_delimiter = ',', num_args = 1)]
    classes: Vec<usize>,

    /// Number of folds for cross-validation: a network for each, trained on the others; the model averages them
    #[arg(long, env = "KANA_FOLDS", value_name = "COUNT", value_parser = flags::count)]
    folds: Option<usize>,

    /// Train this fold alone, from 1, while other processes train others; the last one writes the model
    #[arg(long, env = "KANA_FOLD", value_name = "NUMBER", requires = "folds", value_parser = flags::count)]
    fold: Option<usize>,

    /// Then train one network, in the folder student, on what those of the folds say together, and compare it with them; where
    /// the data set has no images to test with, a sixth of it is held out for that
    #[arg(long, env = "KANA_DISTILL", requires = "folds")]
    distill: bool,

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

/// Values of `--device`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum DeviceFlag {
    /// All cores of the processor
    Cpu,
    /// Graphics processor, by Vulkan or Metal, in a kana that was built with the feature gpu
    Gpu,
}

/// Values of `--schedule`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScheduleFlag {
    /// Rise for 30 % of the steps, then fall to almost zero
    OneCycle,
    /// Fall to almost zero from the start
    Cosine,
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
            Completion::Finished { card, student } => {
                for evaluation in &card.evaluation {
                    let accuracy = 100.0 * evaluation.accuracy;
                    print::note(&format!("{accuracy:.2} % of {} images: {}\n", evaluation.images, evaluation.protocol));
                }
                print::text(&config.out)?;
                let report = train::write_report(&config.out, Some(&config.data), &[])?;
                print::note(&format!("report: {}\n", report.display()));
                if let Some(student) = student {
                    print::note(&describe(&student));
                    print::text(&student.folder)?;
                }
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
            mixup: self.mixup,
            device: match self.device {
                DeviceFlag::Cpu => Device::Cpu,
                DeviceFlag::Gpu => Device::Gpu,
            },
            classes: self.classes.clone(),
            folds: self.folds,
            fold: self.fold,
            distill: self.distill,
            early_stop: self.early_stop,
            fast_dev_run: self.fast_dev_run,
            resume: self.resume,
        })
    }
}

/// Says what a student costs in accuracy and gains in time.
fn describe(Student { card, comparison: Comparison { ensemble, student }, .. }: &Student) -> String {
    let Measured { accuracy, microseconds } = student;
    format!(
        "student: {:.2} % of {} images, {:.2} % by the networks together; {microseconds:.0} µs an image on one thread, \
         {:.0} µs by the networks\n",
        100.0 * accuracy,
        card.evaluation.first().map_or(0, |evaluation| evaluation.images),
        100.0 * ensemble.accuracy,
        ensemble.microseconds,
    )
}
