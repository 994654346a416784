//! Which flags do `submit`, `dead` and `bench` take?
//!
//! Each is turned into one configuration of [`crate::client`], run, and its result into an exit code.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{FAILED, Threads, block_on, flags, print};
use crate::client::bench::{self, Load, Until};
use crate::client::dead::{self, Action, Selection};
use crate::client::{Target, submit};
use kana_train::data::samples;

/// Images that `bench` draws and sends in turn where no files are named: two of each class.
const STROKES: usize = 20;

/// The flags that name a running gateway.
#[derive(Debug, Args)]
struct Server {
    /// URL of the service
    #[arg(long, env = "KANA_SERVER", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    server: String,

    /// Token to send, where the service asks for one. Better set as KANA_TOKEN: lists of processes show arguments
    #[arg(long, env = "KANA_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// `kana submit`.
#[derive(Debug, Args)]
pub struct Submit {
    #[command(flatten)]
    server: Server,

    /// Time to keep trying while the service does not answer or is too busy, such as 30s or 5m
    #[arg(long, env = "KANA_PATIENCE", value_name = "DURATION", default_value = "60s", value_parser = flags::span)]
    patience: Duration,

    /// Label that every file should get, such as お; exit with 1 where a file gets another one
    #[arg(long, env = "KANA_EXPECT", value_name = "LABEL")]
    expect: Option<String>,

    /// Image files to classify
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// `kana dead`.
#[derive(Debug, Subcommand)]
pub enum Dead {
    /// List dead letters, newest first
    List(View),
    /// Show everything known about one dead letter
    Show(One),
    /// Queue dead letters again: each job gets all its attempts anew
    Replay(Several),
    /// Delete dead letters
    Drop(Several),
}

/// The service whose dead letters are shown, and the format.
#[derive(Debug, Args)]
pub struct View {
    #[command(flatten)]
    server: Server,

    /// Print JSON instead of text
    #[arg(long, env = "KANA_JSON")]
    json: bool,
}

/// The flags for one dead letter.
#[derive(Debug, Args)]
pub struct One {
    #[command(flatten)]
    view: View,

    /// Identifier of the job, as `kana dead list` prints it
    #[arg(value_name = "JOB")]
    job: String,
}

/// The flags for several dead letters.
#[derive(Debug, Args)]
pub struct Several {
    #[command(flatten)]
    view: View,

    /// Apply to all dead letters, up to 1000
    #[arg(long, env = "KANA_ALL", conflicts_with = "jobs")]
    all: bool,

    /// Identifiers of the jobs, as `kana dead list` prints them
    #[arg(value_name = "JOB", required_unless_present = "all")]
    jobs: Vec<String>,
}

/// `kana bench`.
#[derive(Debug, Args)]
pub struct Bench {
    #[command(flatten)]
    server: Server,

    /// Requests in flight at a time; each sender sends its next request when its last one is answered
    #[arg(long, env = "KANA_CONCURRENCY", value_name = "COUNT", default_value_t = 1, value_parser = flags::count)]
    concurrency: usize,

    /// Requests a second at a fixed rate, such as 50 or 0.5, whether or not earlier ones were answered; instead of
    /// --concurrency
    #[arg(long, env = "KANA_RATE", value_name = "PER-SECOND", conflicts_with = "concurrency", value_parser = rate)]
    rate: Option<f64>,

    /// Time to send requests for, such as 10s or 2m
    #[arg(long, env = "KANA_DURATION", value_name = "DURATION", default_value = "10s", value_parser = flags::span)]
    duration: Duration,

    /// Number of requests to send in all, instead of --duration
    #[arg(long, env = "KANA_REQUESTS", value_name = "COUNT", conflicts_with = "duration")]
    requests: Option<u64>,

    /// Print JSON instead of text
    #[arg(long, env = "KANA_JSON")]
    json: bool,

    /// Image files to send in turn [default: brush strokes that kana draws itself]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Server {
    fn target(self) -> Target {
        Target { server: self.server, token: self.token }
    }
}

impl Submit {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let config = submit::Config {
            patience: self.patience,
            expected: self.expect,
            ..submit::Config::new(self.server.target(), self.files)
        };
        let summary = block_on(Threads::One, submit::run(&config, &mut io::stdout()))??;
        let submit::Summary { done, failed, rejected, unexpected } = summary;
        let others =
            if unexpected == 0 { String::new() } else { format!(", {unexpected} with another label than expected") };
        print::note(&format!("{done} done, {failed} failed, {rejected} rejected{others}\n"));
        Ok(if summary.is_complete() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
    }
}

impl Dead {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let (view, action) = match self {
            Self::List(view) => (view, Action::List),
            Self::Show(one) => (one.view, Action::Show(one.job)),
            Self::Replay(several) => {
                let selection = several.selection();
                (several.view, Action::Replay(selection))
            }
            Self::Drop(several) => {
                let selection = several.selection();
                (several.view, Action::Drop(selection))
            }
        };
        let config = dead::Config { target: view.server.target(), action, json: view.json };
        block_on(Threads::One, dead::run(&config, &mut io::stdout()))??;
        Ok(ExitCode::SUCCESS)
    }
}

impl Several {
    fn selection(&self) -> Selection {
        if self.all { Selection::All } else { Selection::Jobs(self.jobs.clone()) }
    }
}

impl Bench {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let read = |path: &PathBuf| std::fs::read(path).with_context(|| format!("could not read {}", path.display()));
        let images = match self.files.is_empty() {
            true => {
                (0..STROKES).map(|number| samples::encode_png(&samples::draw(number))).collect::<Result<Vec<_>, _>>()?
            }
            false => self.files.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?,
        };
        let config = bench::Config {
            target: self.server.target(),
            load: match self.rate {
                None => Load::Closed { concurrency: self.concurrency },
                Some(per_second) => Load::Open { per_second },
            },
            until: self.requests.map_or(Until::Elapsed(self.duration), Until::Requests),
            images: images.into_iter().map(Into::into).collect(),
            json: self.json,
        };
        let report = block_on(Threads::Many, bench::run(&config, &mut io::stdout()))??;
        Ok(if report.errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
    }
}

/// Parses a rate above zero.
fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("expected a number of requests a second, more than 0".into()),
    }
}
