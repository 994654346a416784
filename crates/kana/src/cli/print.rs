//! How does text leave this process without a panic when nobody reads it?

use std::io::{self, Write};

use serde::Serialize;

/// Writes `text` to standard output, and what was buffered before it.
///
/// # Errors
/// Where nobody reads it any more, or a disk is full.
pub fn text(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        stdout.write_all(b"\n")?;
    }
    stdout.flush()
}

/// Writes `value` as one line of JSON to standard output.
///
/// # Errors
/// As [`text`].
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(text(&serde_json::to_string(value)?)?)
}

/// Writes `text` to standard error, as far as anybody reads that.
pub fn note(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
