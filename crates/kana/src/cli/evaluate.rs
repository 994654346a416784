//! Which flags do `evaluate` and `predict` take, and what do they print?
//!
//! These commands run in this process, without a queue or a service. They print data to standard output and progress to
//! standard error.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{FAILED, flags, print};
use kana_engine::Prediction;
use kana_engine::image::{decode, fit};
use kana_engine::model::Classifier;
use kana_train::data::evaluate::{ClassificationReport, evaluate};
use kana_train::data::{Folder, split};

/// Arguments of `kana evaluate`.
#[derive(Debug, Args)]
pub struct Evaluate {
    #[command(flatten)]
    model: flags::Model,

    /// Data set: a folder with the IDX files of MNIST (such as t10k-images-idx3-ubyte.gz) or with pictures in a folder for
    /// each class (train/CLASS, test/CLASS, or CLASS alone), or the name kmnist or mnist after `kana data fetch kmnist`
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
        let folder = Folder::load(&flags::data_set(data)?)?.for_model(artifact.card())?;
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

/// Classes whose confusion matrix is printed: a line of more is wider than any terminal.
const MATRIX_MAX: usize = 50;

/// Pairs of classes that are printed in place of a larger matrix.
const PAIRS_MAX: usize = 20;

/// Formats accuracy, figures of each class and the confusion matrix, or what is worst in it, as tab-separated tables.
fn tables(report: &ClassificationReport) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let (accuracy, images) = (100.0 * report.accuracy, report.images);
    writeln!(text, "{accuracy:.2} % of {images} images\n")?;
    writeln!(text, "class\timages\tprecision\trecall")?;
    for row in &report.per_class {
        writeln!(text, "{}\t{}\t{:.2} %\t{:.2} %", row.label, row.count, 100.0 * row.precision, 100.0 * row.recall)?;
    }
    if report.per_class.len() > MATRIX_MAX {
        return worst_pairs(report, text);
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

/// Adds the pairs with the most mistakes to `text`.
fn worst_pairs(report: &ClassificationReport, mut text: String) -> Result<String, std::fmt::Error> {
    let rows = report.confusion.iter().enumerate();
    let mut mistakes: Vec<(usize, usize, usize)> = rows
        .flat_map(|(truth, row)| row.iter().enumerate().map(move |(predicted, count)| (truth, predicted, *count)))
        .filter(|(truth, predicted, count)| truth != predicted && *count > 0)
        .collect();
    mistakes.sort_by_key(|(.., count)| std::cmp::Reverse(*count));
    mistakes.truncate(PAIRS_MAX);
    writeln!(text, "\nthe pairs with the most mistakes; --json has all\ntrue class\tpredicted class\timages")?;
    for (truth, predicted, count) in mistakes {
        writeln!(text, "{}\t{}\t{count}", report.per_class[truth].label, report.per_class[predicted].label)?;
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

#[cfg(test)]
mod tests {
    use kana_train::data::evaluate::from_confusion;

    use super::*;

    #[test]
    fn of_many_classes_the_worst_pairs_are_printed_in_place_of_the_matrix() {
        for (classes, has_matrix) in [(MATRIX_MAX, true), (MATRIX_MAX + 1, false)] {
            let mut confusion = vec![vec![0; classes]; classes];
            (0..classes).for_each(|class| confusion[class][class] = 9);
            (confusion[3][7], confusion[8][2]) = (2, 5);
            let labels: Vec<String> = (0..classes).map(|class| format!("c{class}")).collect();

            let text = tables(&from_confusion(confusion, &labels)).unwrap();

            assert_eq!(text.contains("column: predicted class"), has_matrix, "{text}");
            assert_eq!(text.ends_with("images\nc8\tc2\t5\nc3\tc7\t2\n"), !has_matrix, "{text}");
        }
    }
}
