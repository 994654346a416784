//! What does the log say when a child process has ended?
//!
//! One line if the child was asked to stop or is replaced at once. Its last lines too if its successor has to wait.

use std::time::Duration;

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
}
