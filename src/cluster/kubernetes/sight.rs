//! What does a pod's record say of the pod?

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod, PodStatus};

use crate::clock::Timestamp;
use crate::pod::{self, Phase};

/// The longest reason told, in characters: two lines of a page. Kubernetes' own messages can be a page by themselves.
const REASON_CHARS_MAX: usize = 240;

/// The pod, as everybody but Kubernetes sees it.
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

/// The containers that run the worker and what was put beside it; those that only prepare the pod are left out.
pub fn containers(record: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    record.status.iter().flat_map(|status| status.container_statuses.iter().flatten())
}

/// Whether every container has ended for good, though the record is still there.
pub fn is_over(record: &Pod) -> bool {
    let phase = record.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Failed" | "Succeeded"))
}

fn phase(record: &Pod) -> Phase {
    if is_over(record) {
        Phase::Gone
    } else if record.metadata.deletion_timestamp.is_some() {
        Phase::Stopping
    } else if condition(record.status.as_ref(), "Ready").is_some_and(|(status, _)| status == "True") {
        Phase::Ready
    } else {
        Phase::Starting
    }
}

/// A condition's status, and what is said of it.
fn condition<'a>(status: Option<&'a PodStatus>, kind: &str) -> Option<(&'a str, Option<String>)> {
    let condition = status?.conditions.iter().flatten().find(|condition| condition.type_ == kind)?;
    Some((&condition.status, said(condition.reason.as_deref(), condition.message.as_deref())))
}

fn reason(record: &Pod) -> Option<String> {
    let status = record.status.as_ref()?;
    let evicted = || said(status.reason.as_deref(), status.message.as_deref());
    let unscheduled = || {
        let (scheduled, why) = condition(Some(status), "PodScheduled")?;
        why.filter(|_| scheduled == "False")
    };
    let waiting = || {
        let waiting = containers(record).find_map(|container| container.state.as_ref()?.waiting.as_ref())?;
        // A back-off's own message repeats the pod's names; what ended the container says more.
        let message = waiting.message.as_deref().filter(|_| waiting.reason.as_deref() != Some("CrashLoopBackOff"));
        said(waiting.reason.as_deref(), message)
    };
    let ended = || containers(record).find_map(latest_end).map(end);
    let now = evicted().or_else(unscheduled).or_else(waiting);
    let reason = match (now, ended()) {
        (Some(now), Some(ended)) => format!("{now}; last {ended}"),
        (Some(now), None) => now,
        (None, ended) => format!("last {}", ended?),
    };
    Some(shortened(reason))
}

/// How the container last ended: the present end, where it is over, or else the one before its restart.
fn latest_end(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    let mut states = [&container.state, &container.last_state].into_iter().flatten();
    states.find_map(|state| state.terminated.as_ref())
}

/// The container's message is left out: it is the worker's name in the queue.
fn end(terminated: &ContainerStateTerminated) -> String {
    let code = terminated.exit_code;
    match terminated.reason.as_deref() {
        None | Some("" | "Error") => format!("ended with exit code {code}"),
        Some(reason) => format!("ended as {reason}, exit code {code}"),
    }
}

fn said(reason: Option<&str>, message: Option<&str>) -> Option<String> {
    let filled = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    match (filled(reason), filled(message)) {
        (Some(reason), Some(message)) => Some(format!("{reason}: {message}")),
        (reason, message) => reason.or(message),
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(REASON_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
