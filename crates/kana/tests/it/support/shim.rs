//! How does a test change the system calls of a server?
//!
//! With a few lines of C, built by the compiler that Rust links with, and loaded before the server's own libraries.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds `source`, a file beside this one, as a library in `folder`.
pub fn build(source: &str, folder: &Path) -> PathBuf {
    let library = folder.join(source).with_extension("so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support").join(source);
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"]).arg(&library).arg(source);
    assert!(compiler.status().expect("a C compiler").success(), "{} does not compile", library.display());
    library
}
