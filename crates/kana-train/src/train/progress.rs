//! How far is the training?
//!
//! A bar on a terminal, a line an epoch everywhere; all of it on standard error.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::batch::Place;
use super::checkpoint::Score;

/// Between two readings of the loss: it makes the device finish what it is at.
const LOSS_INTERVAL: Duration = Duration::from_millis(500);

/// Shows how far the training is.
pub struct Progress {
    bar: ProgressBar,
    epochs: usize,
    loss_read: Instant,
    epoch_begun: Instant,
}

impl Progress {
    /// One for `steps` steps in `epochs` epochs, of which `done` steps are done.
    pub fn begin(steps: usize, epochs: usize, done: usize) -> Self {
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len} steps, {msg}, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        // indicatif shows nothing where standard error is no terminal.
        let bar = ProgressBar::new(steps as u64).with_style(style).with_position(done as u64).with_message("loss …");
        bar.reset_eta();
        Self { bar, epochs, loss_read: Instant::now(), epoch_begun: Instant::now() }
    }

    /// A step is done; `loss` reads the mean of the epoch so far, and is not called every time.
    pub fn step(&mut self, place: Place, best: Option<f64>, loss: impl FnOnce() -> f32) {
        self.bar.inc(1);
        if self.bar.is_hidden() || self.loss_read.elapsed() < LOSS_INTERVAL {
            return;
        }
        self.loss_read = Instant::now();
        let best = best.map_or(String::new(), |accuracy| format!(", best {:.2} %", 100.0 * accuracy));
        self.bar.set_message(format!("epoch {}/{}, loss {:.4}{best}", place.epoch + 1, self.epochs, loss()));
    }

    /// An epoch is done.
    pub fn epoch(&mut self, loss: f32, (score, images): (&Score, usize), is_best: bool) {
        let seconds = self.epoch_begun.elapsed().as_secs_f64();
        self.epoch_begun = Instant::now();
        let accuracy = 100.0 * score.right as f64 / images.max(1) as f64;
        let best = if is_best { ", best so far" } else { "" };
        self.say(&format!(
            "epoch {}/{}: loss {loss:.4}, validation {accuracy:.2} % at loss {:.4}{best}, {seconds:.1} s",
            score.epoch,
            self.epochs,
            score.loss(),
        ));
    }

    /// Something else worth a line.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    /// The training is over or interrupted.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
