//! Where do log lines go, and what do they look like?

use std::error::Error;
use std::fmt::{self, Display};
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines, one JSON object a line.
    Json,
}

/// Libraries that log every failure which their caller handles, and logs once. A filter that names one gets it back.
const QUIET: &str = "kube_client=off";

/// Sends logs to stderr. `filter` is in `tracing`'s syntax, such as `info` or `kana::queue=debug`.
///
/// # Errors
/// Where `filter` cannot be read.
pub fn start(format: Format, filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::builder().parse(format!("{QUIET},{filter}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // Whoever reads stderr may die first, as `kana up` does when it is killed; complaining there about that panics.
    let builder = builder.log_internal_errors(false);
    match format {
        Format::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
        Format::Json => builder.json().init(),
    }
    Ok(())
}

/// An error and what caused it in one line, as a log's field: JSON lines would otherwise leave the causes out.
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
    fn an_error_is_told_with_all_that_caused_it() {
        let error = anyhow::Error::msg("refused").context("no connection").context("could not list the pods");

        assert_eq!(Chain(error.as_ref()).to_string(), "could not list the pods: no connection: refused");
    }
}
