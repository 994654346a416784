//! How does a test get a process of its own, to be limited or killed?
//!
//! By running this binary again, for one test alone, with [`ROLE`] set: that test then does what the role says.

use std::process::{Command, Stdio};

/// The environment variable with the child's role; absent where a test is no child.
const ROLE: &str = "KANA_TEST_CHILD";

/// This process's role, where it is a child.
pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// A command that runs `test` alone, with `role` as its role and its output piped.
pub fn running(test: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this binary has a path"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(ROLE, role);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}
