//! How does output leave this process without a panic when the reader has closed it?
//!
//! `println!` panics on a closed pipe; these functions return the error, or ignore it where the text is only a note.

use std::io::{self, Write};

use serde::Serialize;

/// Writes `text` to standard output, followed by a newline where it has none, and flushes.
///
/// # Errors
/// Where the output is closed, or a disk is full.
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

/// Writes `text` to standard error, and ignores a failure.
pub fn note(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
