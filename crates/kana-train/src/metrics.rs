//! How did a run go, epoch by epoch?
//!
//! Each network that is trained has a file [`FILE`], one JSON object a line for each epoch, for people and programs to read
//! while the run goes on. A resumed run continues the file.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Name of the file in the folder of a network.
pub const FILE: &str = "metrics.jsonl";

/// Results of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Learning rate of its last step.
    pub learning_rate: f64,
    /// Mean training loss: of distorted images, with dropout and smoothed labels.
    pub loss: f64,
    /// Share of the training images that were classified correctly while they were trained on, in [0, 1].
    pub accuracy: f64,
    /// Mean cross-entropy of the held-out images.
    pub validation_loss: f64,
    /// Share of the held-out images that were classified correctly, in [0, 1].
    pub validation_accuracy: f64,
    /// Time that the epoch took, in seconds, with the classification of the held-out images.
    pub seconds: f64,
    /// Training images a second.
    pub images_per_second: f64,
}

/// Mean and deviation of some numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Arithmetic mean; 0 for none.
    pub mean: f64,
    /// Standard deviation of the sample (divided by one less than their number); 0 for one number.
    pub deviation: f64,
}

impl Spread {
    /// Computes both.
    pub fn of(numbers: &[f64]) -> Self {
        let count = numbers.len();
        let mean = if count == 0 { 0.0 } else { numbers.iter().sum::<f64>() / count as f64 };
        let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
        Self { mean, deviation: if count < 2 { 0.0 } else { (squares / (count - 1) as f64).sqrt() } }
    }
}

/// File of a network's metrics.
#[derive(Debug)]
pub struct MetricsFile {
    path: PathBuf,
}

impl MetricsFile {
    /// Starts or continues the file in `folder` after `epochs` epochs; what it has of later ones is forgotten.
    ///
    /// # Errors
    /// Returns the error of the file system.
    pub fn open(folder: &Path, epochs: usize) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let kept = if epochs == 0 { Vec::new() } else { read(folder)? };
        let lines: Vec<String> =
            kept.iter().filter(|epoch| epoch.epoch <= epochs).map(serde_json::to_string).collect::<Result<_, _>>()?;
        let text: String = lines.into_iter().map(|line| line + "\n").collect();
        std::fs::write(&path, text).with_context(|| format!("could not write {}", path.display()))?;
        Ok(Self { path })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// Returns the error of the file system.
    pub fn append(&self, epoch: &Epoch) -> anyhow::Result<()> {
        let line = serde_json::to_string(epoch)? + "\n";
        let file = std::fs::OpenOptions::new().append(true).open(&self.path);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .with_context(|| format!("could not write {}", self.path.display()))
    }
}

/// Reads the metrics in `folder`.
///
/// # Errors
/// Returns the error of the file system, and the number of a line that is no epoch.
pub fn read(folder: &Path) -> anyhow::Result<Vec<Epoch>> {
    let path = folder.join(FILE);
    let text = std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
    let line = |(number, line)| {
        serde_json::from_str(line).with_context(|| format!("could not parse line {} of {}", number + 1, path.display()))
    };
    text.lines().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(epoch: usize) -> Epoch {
        Epoch {
            epoch,
            learning_rate: 0.003,
            loss: 0.5,
            accuracy: 0.75,
            validation_loss: 0.25,
            validation_accuracy: 0.875,
            seconds: 2.0,
            images_per_second: 100.0,
        }
    }

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        let spread = Spread::of(&[0.9, 0.92, 0.94]);

        assert!((spread.mean - 0.92).abs() < 1e-12 && (spread.deviation - 0.02).abs() < 1e-12, "{spread:?}");
        assert_eq!(Spread::of(&[0.5]).deviation, 0.0);
    }

    #[test]
    fn a_continued_file_forgets_what_came_after_the_checkpoint() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = MetricsFile::open(folder.path(), 0).expect("a new file");
        (1..4).for_each(|number| file.append(&epoch(number)).expect("written"));

        let file = MetricsFile::open(folder.path(), 2).expect("the same file");
        file.append(&epoch(3)).expect("written");

        assert_eq!(read(folder.path()).expect("whole"), [epoch(1), epoch(2), epoch(3)]);
    }

    #[test]
    fn a_line_that_is_no_epoch_is_named_by_its_number() {
        let folder = tempfile::tempdir().expect("a folder");
        let line = serde_json::to_string(&epoch(1)).expect("JSON");
        std::fs::write(folder.path().join(FILE), format!("{line}\n{{}}\n")).expect("written");

        let error = read(folder.path()).expect_err("no epoch");

        assert!(format!("{error:#}").contains("line 2 of"), "{error:#}");
    }
}
