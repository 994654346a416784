//! Who has died, and who is to blame?
//!
//! A worker claims under the name of one life: its pod's name and a mark of its own ([`life`](super::life)), which
//! Kubernetes keeps as the last message of the container. So a container that ended names exactly the claims that ended
//! with it, and a successor in the same pod, which has another mark, cannot lose any of its own, however late this is
//! read or by how many gateways. A pod that is gone takes every life with it.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};

use super::sight;
use kana_queue::{Cause, WorkerId};

/// Exit codes of a process that SIGINT, SIGKILL or SIGTERM ended: somebody outside wanted its end.
const FROM_OUTSIDE: [i32; 3] = [130, 137, 143];

/// Who holds nothing any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dead {
    /// One life of a worker, by its name in the queue.
    Life(WorkerId),
    /// A pod, by its name: every life that it had.
    Pod(String),
}

/// A death, and what it proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// Whose.
    pub dead: Dead,
    /// Who is to blame.
    pub cause: Cause,
}

/// The deaths that a record of a pod tells and that are not among those `told`; they are, after this.
pub fn deaths(record: &Pod, told: &mut BTreeSet<Dead>) -> Vec<Death> {
    let name = record.metadata.name.as_deref().unwrap_or_default();
    let lives = ends(record).filter_map(|end| {
        let life = WorkerId::from(end.message.as_deref()?.trim());
        let is_one = life.pod() == name && life != WorkerId::of_pod(name);
        is_one.then(|| Death { dead: Dead::Life(life), cause: cause(end) })
    });
    let over = sight::is_over(record).then(|| of_pod(record));
    lives.chain(over).filter(|death| told.insert(death.dead.clone())).collect()
}

/// The death of the pod itself, by the last that is known of it.
pub fn of_pod(record: &Pod) -> Death {
    // What evicts a pod says so in the pod's own reason, whatever its containers made of it.
    let evicted = record.status.as_ref().and_then(|status| status.reason.as_deref()).is_some();
    let present = sight::containers(record).filter_map(|container| container.state.as_ref()?.terminated.as_ref());
    let crashed = !evicted && present.map(cause).any(|cause| cause == Cause::Crashed);
    let cause = if crashed { Cause::Crashed } else { Cause::Stopped };
    Death { dead: Dead::Pod(record.metadata.name.clone().unwrap_or_default()), cause }
}

/// Every end of a container that the record tells, present and past.
fn ends(record: &Pod) -> impl Iterator<Item = &ContainerStateTerminated> {
    sight::containers(record)
        .flat_map(|container| [&container.last_state, &container.state].into_iter().flatten())
        .filter_map(|state| state.terminated.as_ref())
}

/// An end wanted from outside and one in order prove nothing against the jobs; running out of memory and every other
/// end may be a job's doing.
fn cause(end: &ContainerStateTerminated) -> Cause {
    let out_of_memory = end.reason.as_deref() == Some("OOMKilled");
    match end.exit_code {
        _ if out_of_memory => Cause::Crashed,
        0 => Cause::Stopped,
        code if FROM_OUTSIDE.contains(&code) => Cause::Stopped,
        _ => Cause::Crashed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::kubernetes::testing::{container, ended, record};

    const NAME: &str = "kana-worker-5d4f8-abcde";
    const LIFE: &str = "kana-worker-5d4f8-abcde~k7x2q";

    fn restarted(exit_code: i32, reason: &str) -> Pod {
        let mut pod = record(NAME);
        container(&mut pod).last_state = serde_json::from_value(ended(exit_code, reason, LIFE)).unwrap();
        pod
    }

    fn cause_of(exit_code: i32, reason: &str) -> Cause {
        deaths(&restarted(exit_code, reason), &mut BTreeSet::new()).remove(0).cause
    }

    #[test]
    fn a_restarted_container_ends_the_life_that_it_names_and_no_other() {
        let deaths = deaths(&restarted(1, "Error"), &mut BTreeSet::new());

        assert_eq!(deaths, [Death { dead: Dead::Life(LIFE.into()), cause: Cause::Crashed }]);
    }

    #[test]
    fn a_container_killed_from_outside_is_not_to_blame_and_one_that_crashed_or_ran_out_of_memory_is() {
        assert_eq!(cause_of(137, "Error"), Cause::Stopped);
        assert_eq!(cause_of(143, "Error"), Cause::Stopped);
        assert_eq!(cause_of(0, "Completed"), Cause::Stopped);
        assert_eq!(cause_of(137, "OOMKilled"), Cause::Crashed);
        assert_eq!(cause_of(134, "Error"), Cause::Crashed);
        assert_eq!(cause_of(1, "Error"), Cause::Crashed);
    }

    #[test]
    fn a_death_is_told_once() {
        let mut told = BTreeSet::new();
        deaths(&restarted(1, "Error"), &mut told);

        assert!(deaths(&restarted(1, "Error"), &mut told).is_empty());
    }

    #[test]
    fn a_container_that_names_no_life_of_its_own_pod_ends_none() {
        for message in ["", "out of disk", NAME, "kana-worker-5d4f8-other~k7x2q"] {
            let mut pod = record(NAME);
            container(&mut pod).last_state = serde_json::from_value(ended(1, "Error", message)).unwrap();

            assert!(deaths(&pod, &mut BTreeSet::new()).is_empty(), "{message:?}");
        }
    }

    #[test]
    fn a_pod_that_is_over_ends_with_every_life() {
        let mut pod = record(NAME);
        pod.status.as_mut().unwrap().phase = Some("Failed".into());
        container(&mut pod).state = serde_json::from_value(ended(101, "Error", LIFE)).unwrap();

        let deaths = deaths(&pod, &mut BTreeSet::new());

        let dead = deaths.iter().map(|death| &death.dead).collect::<Vec<_>>();
        assert_eq!(dead, [&Dead::Life(LIFE.into()), &Dead::Pod(NAME.into())]);
        assert!(deaths.iter().all(|death| death.cause == Cause::Crashed));
    }

    #[test]
    fn an_evicted_pod_is_not_to_blame_whatever_its_containers_made_of_it() {
        let mut pod = record(NAME);
        pod.status.as_mut().unwrap().phase = Some("Failed".into());
        pod.status.as_mut().unwrap().reason = Some("Evicted".into());
        container(&mut pod).state = serde_json::from_value(ended(1, "Error", "")).unwrap();

        assert_eq!(of_pod(&pod).cause, Cause::Stopped);
    }

    #[test]
    fn a_deleted_pod_whose_containers_still_ran_was_stopped() {
        assert_eq!(of_pod(&record(NAME)), Death { dead: Dead::Pod(NAME.into()), cause: Cause::Stopped });
    }
}
