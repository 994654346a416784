//! May a dead pod be replaced at once?
//!
//! Yes, whoever killed it: that is what pods are for. Only a pod that dies by itself, again and again right after its
//! start, has its successors wait, longer each time. This file only decides; it is handed the time.

use std::time::Duration;

use tokio::time::Instant;

use kana_queue::Cause;

/// A pod that lived this long is not part of a crash loop.
pub const HEALTHY_AFTER: Duration = Duration::from_secs(5);

/// Quick deaths in a row that are replaced at once: bad luck comes in twos.
const FREE_DEATHS: u32 = 2;

/// The first pause.
const PAUSE_MIN: Duration = Duration::from_millis(250);

/// The longest pause: how long a repaired model or queue waits to be noticed, at most.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// How a pod ended, as far as its successor is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Death {
    /// Who is to blame.
    pub cause: Cause,
    /// Whether it had become ready.
    pub was_ready: bool,
    /// How long it lived.
    pub age: Duration,
}

impl Death {
    /// Whether it looks like one of a crash loop.
    fn is_quick(&self) -> bool {
        self.cause == Cause::Crashed && (!self.was_ready || self.age < HEALTHY_AFTER)
    }

    /// Whether somebody ended it before it was of any use, as a machine out of memory does: no crash loop, and still
    /// nothing to repeat without a breath in between.
    fn is_stillborn(&self) -> bool {
        self.cause == Cause::Stopped && !self.was_ready
    }
}

/// The quick deaths in a row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Respawn {
    deaths: u32,
    latest: Option<Instant>,
    opens: Option<Instant>,
}

impl Respawn {
    /// A pod that nobody here asked to end has died. Answers how long its successor waits.
    pub fn died(&mut self, death: Death, now: Instant) -> Duration {
        self.deaths = if death.is_quick() { self.deaths.saturating_add(1) } else { 0 };
        self.latest = Some(now);
        let pause = match self.deaths.checked_sub(FREE_DEATHS + 1) {
            None if death.is_stillborn() => PAUSE_MIN,
            None => Duration::ZERO,
            Some(doublings) => {
                PAUSE_MIN.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(PAUSE_MAX)
            }
        };
        self.opens = (!pause.is_zero()).then_some(now + pause);
        pause
    }

    /// A pod born at `born` has been healthy for [`HEALTHY_AFTER`]. It ends the loop where it is younger than the
    /// latest death: an old pod's health says nothing of what is started now.
    pub fn lived(&mut self, born: Instant) {
        if self.latest.is_some_and(|death| death < born) {
            *self = Self::default();
        }
    }

    /// When the next pod may start; `None` where it may now.
    pub fn opens_at(&self, now: Instant) -> Option<Instant> {
        self.opens.filter(|opens| *opens > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRASH: Death = Death { cause: Cause::Crashed, was_ready: true, age: Duration::from_millis(80) };
    const KILL: Death = Death { cause: Cause::Stopped, was_ready: true, age: Duration::from_millis(80) };

    fn pauses(death: Death, count: usize) -> Vec<u128> {
        let mut respawn = Respawn::default();
        (0..count).map(|_| respawn.died(death, Instant::now()).as_millis()).collect()
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
    fn pods_that_crash_before_they_are_ready_are_a_crash_loop_however_old() {
        assert_eq!(pauses(Death { was_ready: false, age: HEALTHY_AFTER, ..CRASH }, 4)[3], 500);
    }

    #[test]
    fn pods_killed_before_they_are_ready_are_replaced_after_a_breath_however_often() {
        assert_eq!(pauses(Death { was_ready: false, ..KILL }, 20), [250; 20]);
    }

    #[test]
    fn a_crash_after_a_healthy_life_is_replaced_at_once() {
        let mut respawn = Respawn::default();
        (0..5).for_each(|_| _ = respawn.died(CRASH, Instant::now()));

        let pause = respawn.died(Death { age: HEALTHY_AFTER, ..CRASH }, Instant::now());

        assert_eq!(pause, Duration::ZERO);
    }

    #[test]
    fn a_healthy_successor_ends_the_pause_and_an_older_pod_does_not() {
        let mut respawn = Respawn::default();
        let now = Instant::now();
        (0..5).for_each(|_| _ = respawn.died(CRASH, now));

        respawn.lived(now - Duration::from_secs(1));
        assert!(respawn.opens_at(now).is_some());

        respawn.lived(now + Duration::from_secs(1));
        assert_eq!(respawn.opens_at(now), None);
    }
}
