//! Where do log lines go, and what do they look like?
//!
//! To standard error, as text or as one JSON object a line. A JSON line has the message and the fields of the event
//! under `fields`, the innermost span under `span`, and all spans, outermost first, under `spans`. An identifier has
//! the same key everywhere: `job.id`, `batch.id` (a submission), `worker` (a worker's id), `pod`, `queue`, `error`. Where
//! the log is JSON, every line is: the error that ends the process, a panic and the notes of a command too.

pub mod exposition;
mod line;
pub mod process;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::error::Error;
use std::fmt::{self, Display};
use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;

use tracing::Level;
use tracing_subscriber::EnvFilter;

pub use line::{forward, note, write_line, write_line_as};

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

/// The format of this process's log, once it is started.
static FORMAT: OnceLock<Format> = OnceLock::new();

/// Returns the format of this process's log: text before it is started.
pub fn format() -> Format {
    FORMAT.get().copied().unwrap_or_default()
}

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
        Format::Json => {
            builder.json().init();
            std::panic::set_hook(Box::new(log_panic));
        }
    }
    // The first start holds, as it does for the subscriber.
    let _ = FORMAT.set(format);
    Ok(())
}

/// Logs a panic as a line of JSON, with its backtrace where `RUST_BACKTRACE` asks for one.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let what = panic.payload_as_str().unwrap_or("without a message");
    let place = panic.location().map(|place| format!(" at {place}")).unwrap_or_default();
    let backtrace = Backtrace::capture();
    let backtrace = match backtrace.status() {
        BacktraceStatus::Captured => backtrace.to_string(),
        _ => String::new(),
    };
    let thread = std::thread::current().name().unwrap_or_default().to_owned();
    let fields = [("thread", &*thread), ("backtrace", &*backtrace)];
    write_line(Level::ERROR, &format!("panicked{place}: {what}"), &fields);
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
