//! How does a person see the progress of a command?
//!
//! As a bar on standard error where that is a terminal, and as one line for every tenth of the work where it is not.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::telemetry::{self, Format};

/// Lines written in all where there is no terminal.
const LINES: u64 = 10;

/// The progress of a command, shown to people.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    all: u64,
    done: u64,
    what: &'static str,
}

impl Progress {
    /// Shows a progress of 0 of `all` steps; `what` names the steps in the plural, such as `files`.
    pub fn new(all: u64, what: &'static str) -> Self {
        let is_shown = std::io::stderr().is_terminal() && telemetry::format() == Format::Text;
        let bar = is_shown.then(|| {
            let bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::stderr());
            let template = format!("{{bar:40}} {{pos}}/{{len}} {what} {{per_sec}} {{eta}}");
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, all, done: 0, what }
    }

    /// Counts `steps` more steps as done.
    pub fn add(&mut self, steps: u64) {
        let tenth = |done: u64| done * LINES / self.all.max(1);
        let (before, after) = (tenth(self.done), tenth(self.done + steps));
        self.done += steps;
        match &self.bar {
            Some(bar) => bar.inc(steps),
            None if after > before => telemetry::note(&format!("{}/{} {}\n", self.done, self.all, self.what)),
            None => {}
        }
    }

    /// Runs `write` with the bar hidden, because both may go to the same terminal.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
