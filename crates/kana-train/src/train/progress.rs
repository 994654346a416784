//! How does a run report its progress?
//!
//! With a progress bar on a terminal, and with one line of the log for each epoch everywhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tracing::info;

use super::native::Totals;
use crate::metrics::Epoch;

/// Time between two messages beside the bar: more often, nobody could read them.
const MESSAGE_INTERVAL: Duration = Duration::from_millis(500);

/// Display of a run's progress.
pub struct Progress {
    bar: ProgressBar,
    epochs: usize,
    shown_at: Instant,
    epoch_started_at: Instant,
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

    /// Records a step of `epoch` (from 0); `totals` are those of the epoch until now.
    pub fn record_step(&mut self, epoch: usize, best_accuracy: Option<f64>, totals: &Totals) {
        self.bar.inc(1);
        if self.bar.is_hidden() || self.shown_at.elapsed() < MESSAGE_INTERVAL {
            return;
        }
        self.shown_at = Instant::now();
        let best = best_accuracy.map_or(String::new(), |accuracy| format!(", best {:.2} %", 100.0 * accuracy));
        let (loss, accuracy) = (totals.mean_loss(), 100.0 * totals.accuracy());
        let rate = totals.images as f64 / self.epoch_started_at.elapsed().as_secs_f64();
        self.bar.set_message(format!(
            "epoch {}/{}, loss {loss:.4}, {accuracy:.2} %{best}, {rate:.0} images/s",
            epoch + 1,
            self.epochs
        ));
    }

    /// Ends an epoch and returns the seconds that it took.
    pub fn end_epoch(&mut self) -> f64 {
        let seconds = self.epoch_started_at.elapsed().as_secs_f64();
        self.epoch_started_at = Instant::now();
        seconds
    }

    /// Logs the results of an epoch.
    pub fn log_epoch(&mut self, epoch: &Epoch, is_best: bool) {
        let best = if is_best { ", best so far" } else { "" };
        self.bar.suspend(|| {
            info!(
                "epoch {}/{}: loss {:.4}, validation {:.2} % at loss {:.4}{best}, {:.1} s, {:.0} images/s",
                epoch.epoch,
                self.epochs,
                epoch.loss,
                100.0 * epoch.validation_accuracy,
                epoch.validation_loss,
                epoch.seconds,
                epoch.images_per_second,
            );
        });
    }

    /// Removes the progress bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
