//! What does the log say when a child process has ended?
//!
//! One line if the child was asked to stop or is replaced at once. Its last lines too if its successor has to wait.

use std::time::Duration;

use serde_json::Value;
use tracing::{error, info, warn};

use super::respawn::Exit;

/// The end of a child process, for the log.
#[derive(Clone, Copy, Debug)]
pub struct ExitLog<'a> {
    /// The child's pod.
    pub pod: &'a str,
    /// Description of the end, as a predicate: `was ended by signal 9`.
    pub how: &'a str,
    /// Last lines of the child's log.
    pub tail: &'a [String],
}

impl ExitLog<'_> {
    /// Logs the end of a child that was asked to stop.
    pub fn log_stopped(&self) {
        let Self { pod, how, .. } = self;
        info!(pod, "pod stopped: {pod} {how}");
    }

    /// Logs the end of a child that was not asked to stop, and whose successor waits for `pause`.
    pub fn log_lost(&self, exit: &Exit, pause: Duration) {
        let Self { pod, how, tail } = self;
        if pause.is_zero() {
            warn!(pod, "pod lost: {pod} {how}, starting another");
        } else {
            let (age, tail) = (exit.age, tail.join("\n"));
            error!(
                pod,
                "pod lost: {pod} {how} {age:.1?} after its start, starting another in {pause:?}; its last lines:\n{tail}"
            );
        }
    }

    /// Returns the end of the child and its last error in one line.
    pub fn summary(&self) -> String {
        let Self { pod, how, tail } = self;
        match last_error(tail) {
            error if error.is_empty() => format!("{pod} {how}"),
            error => format!("{pod} {how}: {error}"),
        }
    }
}

/// Returns the error that ended a child, as its log has it in either format; empty where there is none.
fn last_error(tail: &[String]) -> String {
    let of_json = |line: &String| {
        let line: Value = serde_json::from_str(line).ok()?;
        let field = |name: &str| line["fields"][name].as_str();
        let message = field("message").filter(|_| line["level"] == "ERROR")?;
        Some(field("error").map_or_else(|| message.to_owned(), |error| format!("{message}: {error}")))
    };
    if let Some(error) = tail.iter().rev().find_map(of_json) {
        return error;
    }
    let Some(begin) = tail.iter().rposition(|line| line.starts_with("error: ")) else { return String::new() };
    let lines = tail[begin..].iter().map(|line| line.trim());
    let causes = lines.map(|line| line.trim_start_matches("error: ").trim_start_matches("because: "));
    causes.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_error_of(tail: &[&str]) -> String {
        last_error(&tail.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_error_that_ended_a_child_is_found_in_a_log_of_either_format() {
        let text = ["INFO starting", "error: could not load the model", "  because: no such file"];
        let json = r#"{"level":"ERROR","fields":{"message":"could not load the model","error":"no such file"}}"#;

        assert_eq!(last_error_of(&text), "could not load the model: no such file");
        assert_eq!(last_error_of(&[json, "Aborted"]), "could not load the model: no such file");
        assert_eq!(last_error_of(&["INFO starting"]), "");
    }
}
