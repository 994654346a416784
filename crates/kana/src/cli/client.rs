//! What do `submit`, `dead` and `bench` take?

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{FAILED, Threads, block_on, flags, print};
use crate::client::bench::{self, Load, Until};
use crate::client::dead::{self, Action, Letters};
use crate::client::{Target, submit};
use kana_train::data::samples;

/// Pictures that `bench` sends in turn where it is given none: two of each class.
const STROKES: usize = 20;

/// A running gateway.
#[derive(Debug, Args)]
struct Server {
    /// Where the service is
    #[arg(long, env = "KANA_SERVER", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    server: String,

    /// The token that it asks for; better given as KANA_TOKEN, which no list of processes shows
    #[arg(long, env = "KANA_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// `kana submit`.
#[derive(Debug, Args)]
pub struct Submit {
    #[command(flatten)]
    server: Server,

    /// How long to go on trying where the service does not answer
    #[arg(long, env = "KANA_PATIENCE", value_name = "TIME", default_value = "60s", value_parser = flags::span)]
    patience: Duration,

    /// What every file shows: fail where one is read as something else
    #[arg(long, env = "KANA_EXPECT", value_name = "LABEL")]
    expect: Option<String>,

    /// Image files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// `kana dead`.
#[derive(Debug, Subcommand)]
pub enum Dead {
    /// Which there are, newest first
    List(Look),
    /// All that is known of one
    Show(One),
    /// Queue some again, with every attempt before them
    Replay(Several),
    /// Forget some
    Drop(Several),
}

/// How dead letters are shown.
#[derive(Debug, Args)]
pub struct Look {
    #[command(flatten)]
    server: Server,

    /// Print JSON instead of words
    #[arg(long, env = "KANA_JSON")]
    json: bool,
}

/// One dead letter.
#[derive(Debug, Args)]
pub struct One {
    #[command(flatten)]
    look: Look,

    /// The job's identifier
    #[arg(value_name = "JOB")]
    job: String,
}

/// Some dead letters.
#[derive(Debug, Args)]
pub struct Several {
    #[command(flatten)]
    look: Look,

    /// Every one that there is
    #[arg(long, env = "KANA_ALL", conflicts_with = "jobs")]
    all: bool,

    /// The jobs' identifiers
    #[arg(value_name = "JOB", required_unless_present = "all")]
    jobs: Vec<String>,
}

/// `kana bench`.
#[derive(Debug, Args)]
pub struct Bench {
    #[command(flatten)]
    server: Server,

    /// Requests on their way at a time, each sent when the one before it is answered
    #[arg(long, env = "KANA_CONCURRENCY", value_name = "COUNT", default_value_t = 1, value_parser = flags::count)]
    concurrency: usize,

    /// Requests a second instead, whatever becomes of them
    #[arg(long, env = "KANA_RATE", value_name = "COUNT", conflicts_with = "concurrency", value_parser = rate)]
    rate: Option<f64>,

    /// How long
    #[arg(long, env = "KANA_DURATION", value_name = "TIME", default_value = "10s", value_parser = flags::span)]
    duration: Duration,

    /// How many requests, instead of how long
    #[arg(long, env = "KANA_REQUESTS", value_name = "COUNT", conflicts_with = "duration")]
    requests: Option<u64>,

    /// Print JSON instead of words
    #[arg(long, env = "KANA_JSON")]
    json: bool,

    /// Image files, sent in turn; without any, brush strokes that kana draws by itself
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
        let others = if unexpected == 0 { String::new() } else { format!(", {unexpected} read as something else") };
        print::note(&format!("{done} done, {failed} failed, {rejected} rejected{others}\n"));
        Ok(if summary.is_complete() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
    }
}

impl Dead {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let (look, action) = match self {
            Self::List(look) => (look, Action::List),
            Self::Show(one) => (one.look, Action::Show(one.job)),
            Self::Replay(some) => {
                let letters = some.letters();
                (some.look, Action::Replay(letters))
            }
            Self::Drop(some) => {
                let letters = some.letters();
                (some.look, Action::Drop(letters))
            }
        };
        let config = dead::Config { target: look.server.target(), action, json: look.json };
        block_on(Threads::One, dead::run(&config, &mut io::stdout()))??;
        Ok(ExitCode::SUCCESS)
    }
}

impl Several {
    fn letters(&self) -> Letters {
        if self.all { Letters::All } else { Letters::These(self.jobs.clone()) }
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
        let report = block_on(Threads::Cores, bench::run(&config, &mut io::stdout()))??;
        Ok(if report.errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
    }
}

/// More than none a second.
fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("expected a number of requests a second, more than 0".into()),
    }
}
