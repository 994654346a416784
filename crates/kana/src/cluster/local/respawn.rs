//! May another pod be started at once after one has ended?
//!
//! Yes, however it ended. Only pods that crash again and again right after their start delay their successors, longer
//! each time. This file only decides; it is given the time.
//!
//! The pauses grow as those of [`kana_queue::backoff`] do, but without its jitter, because they serve another purpose:
//! they bound how often a crash loop starts a process, so each must last its full length, and one supervisor starts no
//! two successors together that jitter would keep apart.

use std::time::Duration;

use tokio::time::Instant;

use kana_queue::Cause;
use kana_queue::backoff::Bounds;

/// Age from which a pod is not part of a crash loop.
pub const HEALTHY_AFTER: Duration = Duration::from_secs(5);

/// Crashes in a row that delay no successor: one or two may be chance.
const FREE_CRASHES: u32 = 2;

/// The pauses after further crashes. The longest is also how long a repaired model or queue goes unnoticed, at most.
const PAUSES: Bounds = Bounds { first: Duration::from_millis(250), longest: Duration::from_secs(10) };

/// End of a pod's process, as far as it matters to its successor.
#[derive(Clone, Copy, Debug)]
pub struct Exit {
    /// Cause of the end.
    pub cause: Cause,
    /// Whether the pod had become ready.
    pub was_ready: bool,
    /// Time from the pod's start to its end.
    pub age: Duration,
}

impl Exit {
    /// Whether the end looks like one of a crash loop.
    fn is_crash_loop(&self) -> bool {
        self.cause == Cause::Crashed && (!self.was_ready || self.age < HEALTHY_AFTER)
    }

    /// Whether somebody killed the pod before it was ready, as a machine out of memory does: no crash loop, and still
    /// nothing to repeat without a pause.
    fn is_killed_early(&self) -> bool {
        self.cause == Cause::Stopped && !self.was_ready
    }
}

/// Counts the crashes in a row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Respawn {
    crashes: u32,
    latest_exit: Option<Instant>,
    blocked_until: Option<Instant>,
}

impl Respawn {
    /// Records the end of a pod that was not asked to stop. Returns the time that its successor must wait.
    pub fn record_exit(&mut self, exit: &Exit, now: Instant) -> Duration {
        self.crashes = if exit.is_crash_loop() { self.crashes.saturating_add(1) } else { 0 };
        self.latest_exit = Some(now);
        let pause = match self.crashes.saturating_sub(FREE_CRASHES) {
            0 if exit.is_killed_early() => PAUSES.first,
            0 => Duration::ZERO,
            crashes => PAUSES.ceiling(crashes),
        };
        self.blocked_until = (!pause.is_zero()).then_some(now + pause);
        pause
    }

    /// Records that a pod started at `started` has been healthy for [`HEALTHY_AFTER`]. That ends the loop where the pod
    /// is younger than the latest exit: an older pod's health shows nothing about what is started now.
    pub fn record_healthy(&mut self, started: Instant) {
        if self.latest_exit.is_some_and(|exit| exit < started) {
            *self = Self::default();
        }
    }

    /// Returns the time from which the next pod may start; `None` if it may start now.
    pub fn blocked_until(&self, now: Instant) -> Option<Instant> {
        self.blocked_until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRASH: Exit = Exit { cause: Cause::Crashed, was_ready: true, age: Duration::from_millis(80) };
    const KILL: Exit = Exit { cause: Cause::Stopped, was_ready: true, age: Duration::from_millis(80) };

    fn pauses(exit: Exit, count: usize) -> Vec<u128> {
        let mut respawn = Respawn::default();
        (0..count).map(|_| respawn.record_exit(&exit, Instant::now()).as_millis()).collect()
    }

    #[test]
    fn a_killed_pod_is_replaced_at_once_however_often() {
        assert_eq!(pauses(KILL, 20), [0; 20]);
    }

    #[test]
    fn a_crash_loop_slows_down_and_stays_bounded() {
        let pauses = pauses(CRASH, 40);

        assert_eq!(pauses[..6], [0, 0, 250, 500, 1_000, 2_000]);
        assert_eq!(pauses[39], 10_000);
    }

    #[test]
    fn pods_that_crash_before_they_are_ready_are_a_crash_loop_at_any_age() {
        assert_eq!(pauses(Exit { was_ready: false, age: HEALTHY_AFTER, ..CRASH }, 4)[3], 500);
    }

    #[test]
    fn pods_killed_before_they_are_ready_are_replaced_after_the_first_pause_however_often() {
        assert_eq!(pauses(Exit { was_ready: false, ..KILL }, 20), [250; 20]);
    }

    #[test]
    fn a_pod_that_crashes_after_it_was_healthy_is_replaced_at_once() {
        let mut respawn = Respawn::default();
        (0..5).for_each(|_| _ = respawn.record_exit(&CRASH, Instant::now()));

        let pause = respawn.record_exit(&Exit { age: HEALTHY_AFTER, ..CRASH }, Instant::now());

        assert_eq!(pause, Duration::ZERO);
    }

    #[test]
    fn a_healthy_successor_ends_the_pause_and_an_older_pod_does_not() {
        let mut respawn = Respawn::default();
        let now = Instant::now();
        (0..5).for_each(|_| _ = respawn.record_exit(&CRASH, now));

        respawn.record_healthy(now - Duration::from_secs(1));
        assert!(respawn.blocked_until(now).is_some());

        respawn.record_healthy(now + Duration::from_secs(1));
        assert_eq!(respawn.blocked_until(now), None);
    }
}
