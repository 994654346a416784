//! Which flags do several commands share?

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use kana_engine::model::{self, Artifact};
use kana_queue::Limits;
use kana_train::data::fetch;

/// The bounds of a queue. Processes that share one are given the same.
#[derive(Clone, Debug, Args)]
pub struct Queue {
    /// Jobs that may be unfinished at once; more are refused until some are done
    #[arg(long, env = "KANA_JOBS_MAX", value_name = "COUNT", default_value_t = Limits::default().jobs_max,
          value_parser = count)]
    jobs_max: usize,

    /// How long a worker that fell silent keeps its jobs
    #[arg(long, env = "KANA_LEASE", value_name = "TIME", default_value = "6s", value_parser = span)]
    pub lease: Duration,

    /// Failed attempts that make a job a dead letter
    #[arg(long, env = "KANA_ATTEMPTS_MAX", value_name = "COUNT", default_value_t = Limits::default().attempts_max,
          value_parser = clap::value_parser!(u32).range(1..))]
    attempts_max: u32,

    /// How long outcomes can be read
    #[arg(long, env = "KANA_OUTCOME_TTL", value_name = "TIME", default_value = "1h", value_parser = span)]
    outcome_ttl: Duration,
}

impl Queue {
    /// The queue's bounds.
    pub fn limits(&self) -> Limits {
        let Self { jobs_max, lease, attempts_max, outcome_ttl } = *self;
        let defaults = Limits::default();
        // A job is claimed at least as often as it may fail.
        let claims_max = defaults.claims_max.max(attempts_max);
        Limits { jobs_max, lease, attempts_max, outcome_ttl, claims_max, ..defaults }
    }
}

/// The model that answers.
#[derive(Clone, Debug, Args)]
pub struct Model {
    /// The model's folder; without it, the model inside this program
    #[arg(long = "model", env = "KANA_MODEL", value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Model {
    /// The model, checked against its card.
    ///
    /// # Errors
    /// Where its files cannot be read or are not what the card says.
    pub fn load(&self) -> Result<Artifact, model::Error> {
        self.folder.as_deref().map_or_else(Artifact::built_in, Artifact::load)
    }

    /// The folder, such that it means the same to another process.
    ///
    /// # Errors
    /// Where there is none.
    pub fn folder(&self) -> std::io::Result<Option<PathBuf>> {
        self.folder.as_deref().map(Path::canonicalize).transpose()
    }
}

/// How fast workers work.
#[derive(Clone, Debug, Args)]
pub struct Pace {
    /// Images classified at once, at most
    #[arg(long, env = "KANA_BATCH_MAX", value_name = "COUNT", default_value_t = 64, value_parser = count)]
    pub batch_max: usize,

    /// Slow each image down by this much, to watch work move
    #[arg(long, env = "KANA_INFERENCE_DELAY", value_name = "TIME", default_value = "0s", value_parser = pause)]
    pub inference_delay: Duration,
}

/// The folder that `--data` means: itself, or where it is a published name, where `kana data fetch` has put that one.
///
/// # Errors
/// Where a data set was named that has not been fetched.
pub fn data_set(given: &Path) -> Result<PathBuf, fetch::Error> {
    fetch::locate(given, &data_cache())
}

/// Where fetched data sets are kept for this user: in the folder that the XDG Base Directory Specification names.
pub fn data_cache() -> PathBuf {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || folder("HOME").map(|home| home.join(".local/share"));
    folder("XDG_DATA_HOME").or_else(home).unwrap_or_default().join("kana")
}

/// A number of things, of which there is at least one.
pub fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("expected at least 1".into()),
        Ok(count) => Ok(count),
        Err(_) => Err("expected a whole number".into()),
    }
}

/// A length of time that is not zero, such as `500ms`.
pub fn span(text: &str) -> Result<Duration, String> {
    match pause(text)? {
        Duration::ZERO => Err("expected a time longer than none, such as 500ms, 6s or 1h".into()),
        span => Ok(span),
    }
}

/// A length of time, such as `500ms`; `0` is none.
pub fn pause(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|_| "expected a time such as 500ms, 6s or 1h".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_unit_is_refused() {
        assert!(pause("500").is_err());
        assert_eq!(pause("500ms"), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn a_lease_of_no_time_is_refused() {
        assert!(span("0s").is_err());
    }
}
