//! Which flags do several commands share?

use std::ffi::OsStr;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args, Command};
use tracing::warn;

use super::Usage;
use crate::gateway;
use kana_engine::model::{self, Artifact, Instructions};
use kana_queue::{Limits, Url};
use kana_train::data::{fetch, published};

/// Largest report that is kept for readers, in bytes: `kana train` writes half a megabyte, a thousand classes take a few.
const REPORT_BYTES_MAX: u64 = 16 << 20;

/// The flag for the queue of a gateway or a worker.
#[derive(Clone, Debug, Args)]
pub struct QueueUrl {
    /// URL of the queue. sqlite:PATH is on this machine's disk: one gateway holds it, and any number of workers use it
    /// there. redis://USER:PASSWORD@HOST:PORT/DATABASE?prefix=NAME is a Redis server, where only HOST is required, such
    /// as redis://redis.example; rediss:// uses TLS, and ca=FILE adds a certificate authority of your own. Better set as
    /// KANA_QUEUE where it holds a password
    #[arg(long = "queue", env = "KANA_QUEUE", value_name = "URL", hide_env_values = true, value_parser = QueueUrlParser)]
    pub url: Url,
}

/// Checks that other processes can reach a queue.
///
/// # Errors
/// Where it is in the memory of one process.
pub fn check_shared(url: &Url) -> Result<(), Usage> {
    if *url == Url::Memory {
        let why = "gateway and workers are processes of their own, which cannot reach each other's memory";
        return Err(Usage(format!("invalid value 'memory:' for '--queue <URL>': {why}")));
    }
    Ok(())
}

/// Parser of a queue's URL, which may hold a path that is no text and a password that no error may show.
#[derive(Clone, Copy, Debug)]
pub struct QueueUrlParser;

impl TypedValueParser for QueueUrlParser {
    type Value = Url;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<Url, clap::Error> {
        Url::from_os_str(value).map_err(|reason| {
            let flag = argument.map(ToString::to_string).unwrap_or_default();
            let text = format!("invalid value for '{flag}': {reason}\n");
            clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
        })
    }
}

/// The flags for the limits of a queue. Processes that share a queue must get the same.
#[derive(Clone, Debug, Args)]
pub struct QueueLimits {
    /// Unfinished jobs that the queue holds at most; further submissions are refused with status 429. Give every
    /// process of one queue the same value
    #[arg(long, env = "KANA_JOBS_MAX", value_name = "COUNT", default_value_t = Limits::default().jobs_max,
          value_parser = count)]
    jobs_max: usize,

    /// Time after which the jobs of a worker without heartbeat go to other workers, such as 500ms or 6s. Give every
    /// process of one queue the same value
    #[arg(long, env = "KANA_LEASE", value_name = "DURATION", default_value = "6s", value_parser = span)]
    pub lease: Duration,

    /// Failed attempts after which a job becomes a dead letter. Give every process of one queue the same value
    #[arg(long, env = "KANA_ATTEMPTS_MAX", value_name = "COUNT", default_value_t = Limits::default().attempts_max,
          value_parser = clap::value_parser!(u32).range(1..))]
    attempts_max: u32,

    /// Time that outcomes can be read before they are deleted, such as 30m or 1h. Give every process of one queue the
    /// same value
    #[arg(long, env = "KANA_OUTCOME_TTL", value_name = "DURATION", default_value = "1h", value_parser = span)]
    outcome_ttl: Duration,

    /// Time that dead letters are kept, such as 12h or 7days. Give every process of one queue the same value
    #[arg(long, env = "KANA_DEAD_TTL", value_name = "DURATION", default_value = "7days", value_parser = span)]
    dead_ttl: Duration,

    /// Dead letters kept at most: beyond it the oldest is deleted, and its outcome stays. Give every process of one
    /// queue the same value
    #[arg(long, env = "KANA_DEAD_MAX", value_name = "COUNT", default_value_t = Limits::default().dead_max,
          value_parser = count)]
    dead_max: usize,
}

impl QueueLimits {
    /// Returns the limits by these flags.
    pub fn limits(&self) -> Limits {
        let Self { jobs_max, lease, attempts_max, outcome_ttl, dead_ttl, dead_max } = *self;
        // A job is claimed at least as often as it may fail.
        let claims_max = Limits::default().claims_max.max(attempts_max);
        Limits { jobs_max, lease, attempts_max, claims_max, outcome_ttl, dead_ttl, dead_max }
    }
}

/// The flag for the model that classifies.
#[derive(Clone, Debug, Args)]
pub struct Model {
    /// Directory of a trained model, as `kana train` writes it [default: the model built into this program]
    #[arg(long = "model", env = "KANA_MODEL", value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Model {
    /// Loads the model and checks it against its card.
    ///
    /// # Errors
    /// Where its files cannot be read or do not match the card.
    pub fn load(&self) -> Result<Artifact, model::Error> {
        self.folder.as_deref().map_or_else(Artifact::built_in, Artifact::load)
    }

    /// Reads the report of the model's training; `None` where there is none that can be served.
    pub fn report(&self) -> Option<Vec<u8>> {
        let path = self.folder.as_ref()?.join(kana_train::REPORT_PAGE);
        let bytes = std::fs::metadata(&path).ok()?.len();
        if bytes > REPORT_BYTES_MAX {
            warn!(bytes, "the model's report has {bytes} bytes and is not served: {} at most", REPORT_BYTES_MAX);
            return None;
        }
        std::fs::read(&path)
            .inspect_err(|error| warn!(error = %error, "could not read the model's report {}", path.display()))
            .ok()
    }

    /// Returns the absolute path of the directory; `None` for the model built into this program.
    ///
    /// # Errors
    /// Where the directory does not exist.
    pub fn folder(&self) -> anyhow::Result<Option<PathBuf>> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let found = folder.canonicalize();
        Ok(Some(found.with_context(|| format!("could not find the model's folder {}", folder.display()))?))
    }
}

/// The flags for the speed of workers.
#[derive(Clone, Debug, Args)]
pub struct Pace {
    /// Images that a worker classifies at once, at most
    #[arg(long, env = "KANA_BATCH_MAX", value_name = "COUNT", default_value_t = 64, value_parser = count)]
    pub batch_max: usize,

    /// Time added to each image, such as 100ms, so that people can watch work move
    #[arg(long, env = "KANA_INFERENCE_DELAY", value_name = "DURATION", default_value = "0s", value_parser = pause)]
    pub inference_delay: Duration,

    /// Time that a batch may take before its worker counts as stuck and is replaced, such as 30s; a slow model needs
    /// more
    #[arg(long, env = "KANA_STUCK_AFTER", value_name = "DURATION", default_value = "30s", value_parser = span)]
    pub stuck_after: Duration,
}

/// The flags for the engine of a process that classifies.
#[derive(Clone, Debug, Args)]
pub struct Engine {
    /// Vector instructions to compute with: avx512, avx2, neon or portable [default: the fastest of this processor]
    #[arg(long, env = "KANA_INSTRUCTIONS", value_name = "SET")]
    instructions: Option<Instructions>,
}

impl Engine {
    /// Returns the instructions to compute with.
    pub fn instructions(&self) -> Instructions {
        self.instructions.unwrap_or_else(Instructions::best)
    }
}

/// The flag for the threads of a command that classifies by itself.
#[derive(Clone, Debug, Args)]
pub struct Threads {
    /// Threads that classify [default: one for each core]
    #[arg(long, env = "KANA_THREADS", value_name = "COUNT", value_parser = threads)]
    threads: Option<NonZero<usize>>,
}

impl Threads {
    /// Returns the number of threads.
    pub fn count(&self) -> NonZero<usize> {
        self.threads.unwrap_or_else(|| std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN))
    }
}

/// Largest number of threads: more than the cores of any machine, and few enough to start.
const THREADS_MAX: usize = 1_024;

/// Parses a number of threads.
pub fn threads(text: &str) -> Result<NonZero<usize>, String> {
    let count = text.parse().ok().filter(|count: &NonZero<usize>| count.get() <= THREADS_MAX);
    count.ok_or_else(|| format!("expected 1 to {THREADS_MAX}"))
}

/// Resolves `--data` to a folder: the path itself, or for the name of a published data set the folder that
/// `kana data fetch` has put it into.
///
/// # Errors
/// Where the data set has not been fetched, or this user has no folder of data sets.
pub fn data_set(given: &Path) -> anyhow::Result<PathBuf> {
    if given.to_str().and_then(published::find).is_none() {
        return Ok(given.to_owned());
    }
    Ok(fetch::locate(given, &data_cache()?)?)
}

/// Returns the folder for this user's fetched data sets, as the XDG Base Directory Specification names it.
///
/// # Errors
/// Where the environment names no folder of this user's.
pub fn data_cache() -> anyhow::Result<PathBuf> {
    // The specification has relative paths ignored.
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
    let home = || folder("HOME").map(|home| home.join(".local/share"));
    let folder = folder("XDG_DATA_HOME").or_else(home);
    let folder =
        folder.context("neither HOME nor XDG_DATA_HOME names the folder of your data sets: name one by its path")?;
    Ok(folder.join("kana"))
}

/// Parses a number of bytes of at least 1, such as `96MiB`: the units are those of Kubernetes, with or without `B`.
pub fn size(text: &str) -> Result<usize, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().strip_suffix('B').unwrap_or(unit.trim()) {
        "" if unit.is_empty() => Some(0),
        "Ki" => Some(10),
        "Mi" => Some(20),
        "Gi" => Some(30),
        _ => None,
    };
    let bytes = number.parse::<usize>().ok().zip(shift);
    let bytes = bytes.and_then(|(number, shift)| number.checked_mul(1 << shift));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| "expected a number of bytes such as 96MiB".into())
}

/// Parses a count of at least 1.
pub fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("expected at least 1".into()),
        Ok(count) => Ok(count),
        Err(_) => Err("expected a whole number".into()),
    }
}

/// Parses a rate of images a second that a gateway can hold.
pub fn rate_limit(text: &str) -> Result<f64, String> {
    let range = gateway::RATES;
    let rate = text.parse().ok().filter(|rate| range.contains(rate));
    rate.ok_or_else(|| format!("expected a number of images a second from {} to {}", range.start(), range.end()))
}

/// Parses a duration longer than zero, such as `500ms`.
pub fn span(text: &str) -> Result<Duration, String> {
    match pause(text)? {
        Duration::ZERO => Err("expected a duration longer than zero, such as 500ms, 6s or 1h".into()),
        span => Ok(span),
    }
}

/// Parses a duration such as `500ms`; `0` needs no unit.
pub fn pause(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|_| "expected a duration such as 500ms, 6s or 1h".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_binary_unit_or_none() {
        assert_eq!(size("96MiB"), Ok(96 << 20));
        assert_eq!(size("1Gi"), Ok(1 << 30));
        assert_eq!(size("64 KiB"), Ok(64 << 10));
        assert_eq!(size("4096"), Ok(4_096));
        for other in ["", "0", "0MiB", "MiB", "96MB", "96m", "1.5GiB", "-1", "99999999999GiB", "B"] {
            assert!(size(other).is_err(), "{other}");
        }
    }

    #[test]
    fn a_duration_without_a_unit_is_refused() {
        assert!(pause("500").is_err());
        assert_eq!(pause("500ms"), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn a_lease_of_zero_is_refused() {
        assert!(span("0s").is_err());
    }
}
