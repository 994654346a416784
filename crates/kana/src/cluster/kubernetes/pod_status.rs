//! How is a pod's record translated into a [`pod::Pod`]?
//!
//! The record alone decides the phase. The reason is the most informative of the messages in a record: why the pod
//! takes no work yet, or how its container last ended. It is shortened to what a page can show.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod, PodCondition, PodStatus};

use crate::pod::{self, Phase};
use kana_queue::clock::Timestamp;

/// The longest reason, in characters: two lines of a page. Kubernetes' own messages can be a page by themselves.
const REASON_CHARS_MAX: usize = 240;

/// The name of the worker's container in the chart.
const WORKER_CONTAINER: &str = "worker";

/// Translates the record of a pod.
pub fn pod(record: &Pod) -> pod::Pod {
    let created = record.metadata.creation_timestamp.as_ref().map(|time| time.0.as_millisecond());
    pod::Pod {
        name: record.metadata.name.clone().unwrap_or_default(),
        phase: phase(record),
        created: Timestamp::from_millis(created.and_then(|millis| u64::try_from(millis).ok()).unwrap_or_default()),
        restarts: containers(record).map(|container| u32::try_from(container.restart_count).unwrap_or(0)).sum(),
        node: record.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        reason: reason(record),
    }
}

/// Returns the containers that run the worker and its sidecars, without the init containers.
pub fn containers(record: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    record.status.iter().flat_map(|status| status.container_statuses.iter().flatten())
}

/// Returns the name of the worker's container, which need not be the first: a service mesh may put its own before it.
pub fn worker_container(record: &Pod) -> Option<&str> {
    let names = || record.spec.iter().flat_map(|spec| &spec.containers).map(|container| container.name.as_str());
    names().find(|name| *name == WORKER_CONTAINER).or_else(|| names().next())
}

/// Whether every container has ended for good, though the record still exists.
pub fn is_over(record: &Pod) -> bool {
    let phase = record.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Failed" | "Succeeded"))
}

fn phase(record: &Pod) -> Phase {
    if is_over(record) {
        Phase::Gone
    } else if record.metadata.deletion_timestamp.is_some() {
        Phase::Stopping
    } else if is_ready(record) {
        Phase::Ready
    } else {
        Phase::Starting
    }
}

fn is_ready(record: &Pod) -> bool {
    let ready = record.status.as_ref().and_then(|status| condition(status, "Ready"));
    ready.is_some_and(|ready| ready.status == "True")
}

/// Returns the condition of this type, where the record has one.
fn condition<'a>(status: &'a PodStatus, kind: &str) -> Option<&'a PodCondition> {
    status.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

fn reason(record: &Pod) -> Option<String> {
    let status = record.status.as_ref()?;
    let evicted = || explanation(status.reason.as_deref(), status.message.as_deref());
    let unscheduled = || {
        let scheduled = condition(status, "PodScheduled").filter(|scheduled| scheduled.status == "False")?;
        explanation(scheduled.reason.as_deref(), scheduled.message.as_deref())
    };
    let waiting = || {
        let waiting = containers(record).find_map(|container| container.state.as_ref()?.waiting.as_ref())?;
        // The message of a back-off only repeats the pod's names; how the container ended explains more.
        let message = waiting.message.as_deref().filter(|_| waiting.reason.as_deref() != Some("CrashLoopBackOff"));
        explanation(waiting.reason.as_deref(), message)
    };
    let ended = || containers(record).find_map(latest_end).map(describe);
    let now = evicted().or_else(unscheduled).or_else(waiting);
    let reason = match (now, ended()) {
        (Some(now), Some(ended)) => format!("{now}; last {ended}"),
        (Some(now), None) => now,
        (None, ended) => format!("last {}", ended?),
    };
    Some(shorten(reason))
}

/// Returns the container's latest end: the current one if it has ended, or else the one before its restart.
fn latest_end(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    let mut states = [&container.state, &container.last_state].into_iter().flatten();
    states.find_map(|state| state.terminated.as_ref())
}

/// Describes the end of a container. Its message is left out: that is the worker's id in the queue.
fn describe(terminated: &ContainerStateTerminated) -> String {
    let code = terminated.exit_code;
    match terminated.reason.as_deref() {
        None | Some("" | "Error") => format!("ended with exit code {code}"),
        Some(reason) => format!("ended as {reason}, exit code {code}"),
    }
}

/// Joins a reason and its message, either of which may be absent or empty.
fn explanation(reason: Option<&str>, message: Option<&str>) -> Option<String> {
    let filled = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    match (filled(reason), filled(message)) {
        (Some(reason), Some(message)) => Some(format!("{reason}: {message}")),
        (reason, message) => reason.or(message),
    }
}

fn shorten(text: String) -> String {
    match text.char_indices().nth(REASON_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::kubernetes::testing::{container, ended, record};
    use serde_json::{Value, json};

    const NAME: &str = "kana-worker-5d4f8-abcde";

    fn with_status(change: impl FnOnce(&mut PodStatus)) -> pod::Pod {
        let mut record = record(NAME);
        change(record.status.as_mut().unwrap());
        pod(&record)
    }

    fn with_container(state: Value, last: Value) -> pod::Pod {
        let mut record = record(NAME);
        container(&mut record).state = serde_json::from_value(state).unwrap();
        container(&mut record).last_state = serde_json::from_value(last).unwrap();
        pod(&record)
    }

    #[test]
    fn a_ready_pod_that_was_never_restarted_has_no_reason() {
        let pod = pod(&record(NAME));

        assert_eq!((pod.name.as_str(), pod.phase, pod.restarts), (NAME, Phase::Ready, 0));
        assert_eq!((pod.node.as_deref(), pod.reason), (Some("node-1"), None));
        assert_eq!(pod.created, Timestamp::from_millis(1_767_323_045_000));
    }

    #[test]
    fn a_pod_asked_to_stop_is_stopping_even_where_its_record_says_ready() {
        let mut record = record(NAME);
        record.metadata.deletion_timestamp = record.metadata.creation_timestamp.clone();

        assert_eq!(pod(&record).phase, Phase::Stopping);
    }

    #[test]
    fn a_pod_whose_containers_have_all_ended_is_gone() {
        for phase in ["Failed", "Succeeded"] {
            assert_eq!(with_status(|status| status.phase = Some(phase.into())).phase, Phase::Gone);
        }
    }

    #[test]
    fn a_pod_that_no_node_has_room_for_has_that_as_its_reason() {
        let why = json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 Insufficient cpu." });

        let pod = with_status(|status| {
            status.conditions = Some(vec![serde_json::from_value(why).unwrap()]);
            status.container_statuses = None;
        });

        assert_eq!(pod.phase, Phase::Starting);
        assert_eq!(pod.reason.as_deref(), Some("Unschedulable: 0/1 nodes are available: 1 Insufficient cpu."));
    }

    #[test]
    fn a_crash_loop_is_explained_by_how_the_container_last_ended_and_not_by_its_name() {
        let waiting = json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 10s of kana-worker" } });

        let pod = with_container(waiting, ended(101, "Error", "kana-worker-5d4f8-abcde~k7x2q"));

        assert_eq!(pod.reason.as_deref(), Some("CrashLoopBackOff; last ended with exit code 101"));
    }

    #[test]
    fn a_container_that_runs_again_is_explained_by_how_it_last_ended() {
        let pod = with_container(json!({ "running": {} }), ended(137, "OOMKilled", ""));

        assert_eq!(pod.reason.as_deref(), Some("last ended as OOMKilled, exit code 137"));
    }

    #[test]
    fn a_reason_is_shortened() {
        let waiting = json!({ "waiting": { "reason": "ErrImagePull", "message": "れ".repeat(1_000) } });

        let reason = with_container(waiting, json!(null)).reason.unwrap();

        assert_eq!(reason.chars().count(), REASON_CHARS_MAX + 1);
        assert!(reason.starts_with("ErrImagePull: れ") && reason.ends_with('…'));
    }
}
