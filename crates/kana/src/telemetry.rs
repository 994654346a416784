//! Where do log lines go, and what do they look like?
//!
//! To standard error, as text or as one JSON object a line. A JSON line has the message and the fields of the event
//! under `fields`, the innermost span under `span`, and all spans, outermost first, under `spans`. An identifier has
//! the same key everywhere: `job.id`, `batch.id` (a submission), `worker` (a worker's id), `pod`, `queue`, `error`.

use std::error::Error;
use std::fmt::{self, Display};
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line, for machines
    Json,
}

/// Filter that silences libraries whose failures kana handles and logs itself. A user's filter can turn them on again.
const QUIET: &str = "kube_client=off";

/// Starts logging to standard error. `filter` is in `tracing`'s syntax, such as `info` or `info,kana_queue=debug`.
///
/// # Errors
/// Where `filter` cannot be parsed.
pub fn start(format: Format, filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::builder().parse(format!("{QUIET},{filter}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // The reader of standard error may end first, as `kana up` does when it is killed; reporting that there would panic.
    let builder = builder.log_internal_errors(false);
    match format {
        Format::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
        Format::Json => builder.json().init(),
    }
    Ok(())
}

/// Displays an error with all its causes in one line, as the `error` field of a log line.
pub struct Chain<'a>(pub &'a dyn Error);

impl Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_shown_with_all_its_causes() {
        let error = anyhow::Error::msg("refused").context("no connection").context("could not list the pods");

        assert_eq!(Chain(error.as_ref()).to_string(), "could not list the pods: no connection: refused");
    }
}
