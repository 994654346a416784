//! How many pods should there be now?
//!
//! Work that waits longer than [`WAIT_MAX`] doubles the pods, as soon as all desired ones are ready: the number follows
//! a backlog within a second, and a burst that one pod finishes in milliseconds starts nothing. Pods that were not
//! needed for the whole cool-down stop one by one. This file only decides: it is given the load, reads no clock and
//! starts nothing.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use kana_queue::WorkerId;

use crate::pod::{Phase, Pod};

/// The largest number of pods on one machine: enough for any machine, and a limit to what a typing error starts.
pub const POD_COUNT_MAX: u32 = 64;

/// Time that work may wait before more pods are worth their start, which takes about half of this.
const WAIT_MAX: Duration = Duration::from_millis(200);

/// Load of the pods at the moment of the decision.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    /// Number of pods desired until now.
    pub desired: u32,
    /// Number of pods that are ready.
    pub ready: u32,
    /// Number of pods that hold jobs.
    pub busy: u32,
    /// Number of jobs that no pod holds.
    pub waiting: usize,
    /// Time that the oldest waiting job has waited.
    pub waited: Duration,
    /// Time for which there has been a spare pod without a break.
    pub spare_for: Duration,
}

impl Load {
    /// Whether one pod fewer would be enough at this moment.
    pub fn has_spare(&self) -> bool {
        self.waiting == 0 && self.busy < self.desired
    }
}

/// Decides how many pods there should be, within `range`.
pub fn desired(load: &Load, range: &RangeInclusive<u32>, cool_down: Duration) -> u32 {
    let waiting = u32::try_from(load.waiting).unwrap_or(u32::MAX);
    let desired = if waiting > 0 && load.desired == 0 {
        1
    } else if waiting > 0 && load.waited >= WAIT_MAX && load.ready >= load.desired {
        // Never more new pods than jobs that wait: the rest would find nothing to do.
        load.desired.saturating_add(load.desired.min(waiting))
    } else if load.has_spare() && load.spare_for >= cool_down {
        load.desired.saturating_sub(1)
    } else {
        load.desired
    };
    desired.clamp(*range.start(), *range.end())
}

/// Chooses the pods to stop so that `count` fewer remain: those not yet ready first, then idle ones, then those that
/// hold the fewest jobs; among equals the youngest. `running` is the number of jobs that each worker holds.
pub fn superfluous(pods: &[Pod], running: &BTreeMap<WorkerId, usize>, count: usize) -> Vec<String> {
    let mut pods: Vec<_> = pods.iter().filter(|pod| matches!(pod.phase, Phase::Starting | Phase::Ready)).collect();
    pods.sort_by_key(|pod| {
        let held = running.get(&WorkerId::of_pod(&pod.name)).copied().unwrap_or(0);
        (pod.phase == Phase::Ready, held, std::cmp::Reverse(pod.created))
    });
    pods.into_iter().take(count).map(|pod| pod.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kana_queue::clock::Timestamp;

    const COOL_DOWN: Duration = Duration::from_secs(10);

    fn backlog(pods: u32) -> Load {
        Load { desired: pods, ready: pods, busy: pods, waiting: 20, waited: WAIT_MAX, ..Load::default() }
    }

    fn quiet(pods: u32) -> Load {
        Load { desired: pods, ready: pods, spare_for: COOL_DOWN, ..Load::default() }
    }

    #[test]
    fn work_that_waits_too_long_doubles_the_pods() {
        assert_eq!(desired(&backlog(1), &(1..=8), COOL_DOWN), 2);
        assert_eq!(desired(&backlog(2), &(1..=8), COOL_DOWN), 4);
    }

    #[test]
    fn there_are_never_more_pods_than_the_range_allows() {
        assert_eq!(desired(&backlog(3), &(1..=4), COOL_DOWN), 4);
    }

    #[test]
    fn there_are_never_more_new_pods_than_jobs_that_wait() {
        let load = Load { waiting: 1, ..backlog(4) };

        assert_eq!(desired(&load, &(1..=8), COOL_DOWN), 5);
    }

    #[test]
    fn a_burst_that_has_hardly_waited_starts_no_pod() {
        let load = Load { waited: WAIT_MAX - Duration::from_millis(1), ..backlog(1) };

        assert_eq!(desired(&load, &(1..=8), COOL_DOWN), 1);
    }

    #[test]
    fn no_more_are_desired_while_some_are_starting() {
        let load = Load { ready: 1, ..backlog(2) };

        assert_eq!(desired(&load, &(1..=8), COOL_DOWN), 2);
    }

    #[test]
    fn spare_pods_stop_one_at_a_time_after_the_cool_down() {
        assert_eq!(desired(&quiet(4), &(1..=8), COOL_DOWN), 3);
    }

    #[test]
    fn spare_pods_stay_during_the_cool_down() {
        let load = Load { spare_for: COOL_DOWN - Duration::from_millis(1), ..quiet(4) };

        assert_eq!(desired(&load, &(1..=8), COOL_DOWN), 4);
    }

    #[test]
    fn there_are_never_fewer_pods_than_the_range_allows() {
        assert_eq!(desired(&quiet(2), &(2..=8), COOL_DOWN), 2);
    }

    #[test]
    fn a_new_range_changes_the_number_at_once() {
        assert_eq!(desired(&Load { desired: 1, ..Load::default() }, &(3..=4), COOL_DOWN), 3);
        assert_eq!(desired(&backlog(8), &(1..=2), COOL_DOWN), 2);
    }

    #[test]
    fn the_first_job_starts_the_first_pod_where_the_minimum_is_zero() {
        let load = Load { waiting: 1, ..Load::default() };

        assert_eq!(desired(&load, &(0..=4), COOL_DOWN), 1);
        assert_eq!(desired(&Load::default(), &(0..=4), COOL_DOWN), 0);
    }

    fn pod(name: &str, phase: Phase, created: u64) -> Pod {
        Pod {
            name: name.into(),
            phase,
            created: Timestamp::from_millis(created),
            restarts: 0,
            node: None,
            reason: None,
        }
    }

    #[test]
    fn pods_stop_in_the_order_of_how_much_work_they_hold() {
        let pods = [
            pod("old and idle", Phase::Ready, 1),
            pod("young and idle", Phase::Ready, 5),
            pod("busy", Phase::Ready, 6),
            pod("starting", Phase::Starting, 2),
            pod("stopping", Phase::Stopping, 7),
        ];
        let running = BTreeMap::from([("busy".into(), 3)]);

        let order = superfluous(&pods, &running, 9);

        assert_eq!(order, ["starting", "young and idle", "old and idle", "busy"]);
    }
}
