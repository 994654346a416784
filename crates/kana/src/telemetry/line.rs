//! How is a log line written where the subscriber cannot do it?
//!
//! By hand, in the subscriber's own format: before it is there, for the error that ends the process whatever the filter
//! is, and in a panic, which may have happened inside the subscriber.

use std::io::Write as _;

use serde_json::{Map, Value, json};
use tracing::Level;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

use super::Format;

/// Writes a line to standard error in the format of this process's log. Fields without a value are left out. A failure
/// is ignored: nothing is left to report it to.
pub fn write_line(level: Level, message: &str, fields: &[(&str, &str)]) {
    write_line_as(super::format(), level, message, fields);
}

/// Writes a line as [`write_line`] does, in a given format.
pub fn write_line_as(format: Format, level: Level, message: &str, fields: &[(&str, &str)]) {
    let line = match format {
        Format::Text => text(level, message, fields),
        Format::Json => json(level, message, fields),
    };
    // In one call, so that lines of several threads do not mix.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Writes a note of a command to standard error: as it is, or as a line of JSON where the log is. A failure is ignored.
pub fn note(text: &str) {
    match super::format() {
        Format::Text => _ = std::io::stderr().write_all(text.as_bytes()),
        Format::Json => write_line(Level::INFO, text.trim_end(), &[]),
    }
}

/// Writes a line that another process wrote to its log: as it is, or wrapped where this log is JSON and the line is not.
/// A dying process writes such lines, as the C library or a panic in a panic does.
pub fn forward(line: &str, pod: &str) {
    let is_wrapped = super::format() == Format::Json && serde_json::from_str::<Map<String, Value>>(line).is_err();
    let line = if is_wrapped { json(Level::WARN, line, &[("pod", pod)]) } else { format!("{line}\n") };
    let _ = std::io::stderr().write_all(line.as_bytes());
}

fn now() -> String {
    let mut text = String::new();
    // Fails only where the clock stands before 1970, and a line without its time is better than none.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

fn json(level: Level, message: &str, fields: &[(&str, &str)]) -> String {
    let mut all = Map::from_iter([("message".to_owned(), Value::from(message))]);
    let known = fields.iter().filter(|(_, value)| !value.is_empty());
    all.extend(known.map(|(key, value)| ((*key).to_owned(), Value::from(*value))));
    format!("{}\n", json!({ "timestamp": now(), "level": level.as_str(), "fields": all }))
}

fn text(level: Level, message: &str, fields: &[(&str, &str)]) -> String {
    let known = fields.iter().filter(|(_, value)| !value.is_empty());
    let fields: String = known.map(|(key, value)| format!(" {key}={value:?}")).collect();
    format!("{} {level:>5} {message}{fields}\n", now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_has_the_parts_of_the_subscribers_lines() {
        let line = json(Level::ERROR, "it \"ends\"\nhere", &[("error", "no disk"), ("note", "")]);

        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line.lines().count(), 1);
        assert_eq!(value["level"], "ERROR");
        assert_eq!(value["fields"], json!({ "message": "it \"ends\"\nhere", "error": "no disk" }));
        assert!(value["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
    }
}
