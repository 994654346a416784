//! Which workers have ended according to the record of a pod, and for which cause?
//!
//! A worker claims under the id of one incarnation ([`incarnation`](super::incarnation)), which Kubernetes keeps as the
//! termination message of the container. So a container that ended names exactly the claims that ended with it, and its
//! successor in the same pod, which has another id, cannot lose any of its own, however late the record is read or by
//! how many gateways. A pod that is gone ends every incarnation that it had.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};

use super::pod_status;
use kana_queue::{Cause, WorkerId};

/// Exit codes of a process that SIGINT, SIGKILL or SIGTERM ended: its end was wanted from outside.
const EXIT_CODES_OF_SIGNALS: [i32; 3] = [130, 137, 143];

/// Worker or workers that ended and hold no jobs any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// One incarnation of a worker, by its id in the queue.
    Incarnation(WorkerId),
    /// A pod, by its name: every incarnation that it had.
    Pod(String),
}

/// End of a worker, and its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Termination {
    /// The worker or workers that ended.
    pub ended: Ended,
    /// Cause of the end, which decides whether the jobs are charged an attempt.
    pub cause: Cause,
}

/// Returns the terminations in a pod's record that are not among those `reported`, and adds them to `reported`.
pub fn take_unreported(record: &Pod, reported: &mut BTreeSet<Ended>) -> Vec<Termination> {
    let name = record.metadata.name.as_deref().unwrap_or_default();
    let incarnations = container_ends(record).filter_map(|end| {
        let worker = WorkerId::from(end.message.as_deref()?.trim());
        let is_incarnation = worker.pod() == name && worker != WorkerId::of_pod(name);
        is_incarnation.then(|| Termination { ended: Ended::Incarnation(worker), cause: cause(end) })
    });
    let pod = pod_status::is_over(record).then(|| of_pod(record));
    incarnations.chain(pod).filter(|termination| reported.insert(termination.ended.clone())).collect()
}

/// Returns the termination of the pod itself, by its last known record.
pub fn of_pod(record: &Pod) -> Termination {
    // What evicts a pod writes it into the pod's own reason, whatever exit codes its containers end with.
    let is_evicted = record.status.as_ref().and_then(|status| status.reason.as_deref()).is_some();
    let present = pod_status::containers(record).filter_map(|container| container.state.as_ref()?.terminated.as_ref());
    let is_crashed = !is_evicted && present.map(cause).any(|cause| cause == Cause::Crashed);
    let cause = if is_crashed { Cause::Crashed } else { Cause::Stopped };
    Termination { ended: Ended::Pod(record.metadata.name.clone().unwrap_or_default()), cause }
}

/// Returns every end of a container in the record, current and past.
fn container_ends(record: &Pod) -> impl Iterator<Item = &ContainerStateTerminated> {
    pod_status::containers(record)
        .flat_map(|container| [&container.last_state, &container.state].into_iter().flatten())
        .filter_map(|state| state.terminated.as_ref())
}

/// Returns the cause of the end of a container. A signal from outside and exit code 0 are no fault of a job; running
/// out of memory and every other exit code may be.
fn cause(end: &ContainerStateTerminated) -> Cause {
    let is_out_of_memory = end.reason.as_deref() == Some("OOMKilled");
    match end.exit_code {
        _ if is_out_of_memory => Cause::Crashed,
        0 => Cause::Stopped,
        code if EXIT_CODES_OF_SIGNALS.contains(&code) => Cause::Stopped,
        _ => Cause::Crashed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::kubernetes::testing::{container, ended, record};

    const NAME: &str = "kana-worker-5d4f8-abcde";
    const INCARNATION: &str = "kana-worker-5d4f8-abcde~k7x2q";

    fn restarted(exit_code: i32, reason: &str) -> Pod {
        let mut pod = record(NAME);
        container(&mut pod).last_state = serde_json::from_value(ended(exit_code, reason, INCARNATION)).unwrap();
        pod
    }

    fn cause_of(exit_code: i32, reason: &str) -> Cause {
        take_unreported(&restarted(exit_code, reason), &mut BTreeSet::new()).remove(0).cause
    }

    #[test]
    fn a_restarted_container_ends_the_incarnation_that_it_names_and_no_other() {
        let terminations = take_unreported(&restarted(1, "Error"), &mut BTreeSet::new());

        assert_eq!(
            terminations,
            [Termination { ended: Ended::Incarnation(INCARNATION.into()), cause: Cause::Crashed }]
        );
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
    fn a_termination_is_reported_once() {
        let mut reported = BTreeSet::new();
        take_unreported(&restarted(1, "Error"), &mut reported);

        assert!(take_unreported(&restarted(1, "Error"), &mut reported).is_empty());
    }

    #[test]
    fn a_container_that_names_no_incarnation_of_its_own_pod_ends_none() {
        for message in ["", "out of disk", NAME, "kana-worker-5d4f8-other~k7x2q"] {
            let mut pod = record(NAME);
            container(&mut pod).last_state = serde_json::from_value(ended(1, "Error", message)).unwrap();

            assert!(take_unreported(&pod, &mut BTreeSet::new()).is_empty(), "{message:?}");
        }
    }

    #[test]
    fn a_pod_that_is_over_ends_with_every_incarnation() {
        let mut pod = record(NAME);
        pod.status.as_mut().unwrap().phase = Some("Failed".into());
        container(&mut pod).state = serde_json::from_value(ended(101, "Error", INCARNATION)).unwrap();

        let terminations = take_unreported(&pod, &mut BTreeSet::new());

        let ended = terminations.iter().map(|termination| &termination.ended).collect::<Vec<_>>();
        assert_eq!(ended, [&Ended::Incarnation(INCARNATION.into()), &Ended::Pod(NAME.into())]);
        assert!(terminations.iter().all(|termination| termination.cause == Cause::Crashed));
    }

    #[test]
    fn an_evicted_pod_is_not_to_blame_whatever_exit_codes_its_containers_end_with() {
        let mut pod = record(NAME);
        pod.status.as_mut().unwrap().phase = Some("Failed".into());
        pod.status.as_mut().unwrap().reason = Some("Evicted".into());
        container(&mut pod).state = serde_json::from_value(ended(1, "Error", "")).unwrap();

        assert_eq!(of_pod(&pod).cause, Cause::Stopped);
    }

    #[test]
    fn a_deleted_pod_whose_containers_still_ran_was_stopped() {
        assert_eq!(of_pod(&record(NAME)), Termination { ended: Ended::Pod(NAME.into()), cause: Cause::Stopped });
    }
}
