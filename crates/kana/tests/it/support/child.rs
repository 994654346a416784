//! How does a test get a process of its own, to be limited or killed?
//!
//! By running this very binary again, for one test alone, with [`ROLE`] set: that test then plays the child's part.

use std::process::{Command, Stdio};

/// Set where a test is to play the child's part.
const ROLE: &str = "KANA_TEST_CHILD";

/// This process's part, where it is a child.
pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// A process that runs `test` alone, in the part of `role`. What it prints is piped.
pub fn running(test: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this binary has a path"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(ROLE, role);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}
