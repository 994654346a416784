//! What does the log say when a child process has ended?
//!
//! One line where the end was requested or is made up for at once; its last lines too where something is wrong.

use std::time::Duration;

use tracing::{error, info, warn};

use super::respawn::Exit;

/// The end of a child process, for the log.
#[derive(Clone, Copy, Debug)]
pub struct ExitLog<'a> {
    /// The child's pod.
    pub pod: &'a str,
    /// How the child ended, as a predicate: `was ended by signal 9`.
    pub how: &'a str,
    /// The child's last lines.
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
}
