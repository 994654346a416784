//! How does somebody at the terminal see that it goes on?
//!
//! By a bar on standard error where that is a terminal, and by a line every tenth part of the way where it is not.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Lines written over the whole way where there is no terminal.
const LINES: u64 = 10;

/// How far a command has come.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    all: u64,
    done: u64,
    what: &'static str,
}

impl Progress {
    /// The beginning of a way of `all` steps, each one of `what` (several of them).
    pub fn new(all: u64, what: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::stderr());
            let template = format!("{{bar:40}} {{pos}}/{{len}} {what} {{per_sec}} {{eta}}");
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, all, done: 0, what }
    }

    /// `steps` more are done.
    pub fn add(&mut self, steps: u64) {
        let tenth = |done: u64| done * LINES / self.all.max(1);
        let (before, after) = (tenth(self.done), tenth(self.done + steps));
        self.done += steps;
        match &self.bar {
            Some(bar) => bar.inc(steps),
            // Whoever closed standard error does not want to know.
            None if after > before => _ = writeln!(std::io::stderr(), "{}/{} {}", self.done, self.all, self.what),
            None => {}
        }
    }

    /// Runs `write` while the bar is out of the way, as both may go to the same terminal.
    pub fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
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
