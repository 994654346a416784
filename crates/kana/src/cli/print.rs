//! How does output leave this process without a panic when the reader has closed it?
//!
//! `println!` panics on a closed pipe; these functions return the error, or ignore it where the text is only a note.

use std::ffi::OsStr;
use std::io::{self, Write};

use serde::Serialize;

pub use crate::telemetry::note;

/// Writes `text` to standard output, followed by a newline where it has none, and flushes. A path keeps its bytes.
///
/// # Errors
/// Where the output is closed, or a disk is full.
pub fn text(text: impl AsRef<OsStr>) -> io::Result<()> {
    let bytes = text.as_ref().as_encoded_bytes();
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    if !bytes.ends_with(b"\n") {
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
