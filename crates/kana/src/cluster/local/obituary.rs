//! What is said when a child has died?

use std::time::Duration;

use tracing::{error, info, warn};

use super::respawn::Death;

/// A child's end, for the log.
#[derive(Clone, Copy, Debug)]
pub struct Obituary<'a> {
    /// The child.
    pub name: &'a str,
    /// How it ended.
    pub how: &'a str,
    /// Its last lines.
    pub tail: &'a [String],
}

impl Obituary<'_> {
    /// Of one that was asked to end.
    pub fn of_one_asked(&self) {
        info!("{} {}, as it was asked to", self.name, self.how);
    }

    /// Of one that will be replaced after `pause`.
    pub fn of_one_replaced(&self, death: Death, pause: Duration) {
        let Self { name, how, tail } = self;
        if pause.is_zero() {
            warn!("{name} {how}, and is replaced");
        } else {
            let (age, tail) = (death.age, tail.join("\n"));
            error!("{name} {how} {age:.1?} after its start; the next one waits {pause:?}; its last words:\n{tail}");
        }
    }
}
