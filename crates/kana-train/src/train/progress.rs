//! How does a run report its progress?
//!
//! With a progress bar on a terminal, and with one line of the log for each epoch everywhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tracing::info;

use super::evaluator::Score;

/// Time between two messages beside the bar: more often, nobody could read them.
const MESSAGE_INTERVAL: Duration = Duration::from_millis(500);

/// Display of a run's progress.
pub struct Progress {
    bar: ProgressBar,
    epochs: usize,
    shown_at: Instant,
    epoch_started_at: Instant,
}

/// Results of an epoch.
pub struct EpochSummary {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Mean training loss.
    pub loss: f32,
    /// Score on the validation images.
    pub score: Score,
    /// Number of validation images.
    pub images: usize,
    /// Whether the epoch is the best until now.
    pub is_best: bool,
}

impl Progress {
    /// Starts the display of a run of `steps` steps in `epochs` epochs, of which `done` steps are done.
    pub fn start(steps: usize, epochs: usize, done: usize) -> Self {
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len} steps, {msg}, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        // indicatif shows nothing when standard error is no terminal.
        let bar = ProgressBar::new(steps as u64).with_style(style).with_position(done as u64).with_message("loss …");
        bar.reset_eta();
        Self { bar, epochs, shown_at: Instant::now(), epoch_started_at: Instant::now() }
    }

    /// Records a step of `epoch` (from 0), whose mean loss is `loss` until now.
    pub fn record_step(&mut self, epoch: usize, best_accuracy: Option<f64>, loss: f32) {
        self.bar.inc(1);
        if self.bar.is_hidden() || self.shown_at.elapsed() < MESSAGE_INTERVAL {
            return;
        }
        self.shown_at = Instant::now();
        let best = best_accuracy.map_or(String::new(), |accuracy| format!(", best {:.2} %", 100.0 * accuracy));
        self.bar.set_message(format!("epoch {}/{}, loss {:.4}{best}", epoch + 1, self.epochs, loss));
    }

    /// Logs the results of an epoch.
    pub fn log_epoch(&mut self, summary: &EpochSummary) {
        let EpochSummary { epoch, loss, score, images, is_best } = *summary;
        let seconds = self.epoch_started_at.elapsed().as_secs_f64();
        self.epoch_started_at = Instant::now();
        let accuracy = 100.0 * score.correct as f64 / images.max(1) as f64;
        let best = if is_best { ", best so far" } else { "" };
        self.bar.suspend(|| {
            info!(
                "epoch {epoch}/{}: loss {loss:.4}, validation {accuracy:.2} % at loss {:.4}{best}, {seconds:.1} s",
                self.epochs, score.loss,
            );
        });
    }

    /// Removes the progress bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
