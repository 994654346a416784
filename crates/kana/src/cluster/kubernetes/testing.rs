//! Which records do the unit tests of this folder work with?
//!
//! One ready pod of one release; a test changes the properties that it needs.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use serde_json::{Value, json};

use super::release::Release;

/// The release `a`, whose Deployment is `kana-worker`.
pub fn release() -> Release {
    Release { namespace: "ns".into(), name: "a".into(), workers: "kana-worker".into() }
}

/// The record of a ready worker of [`release`] that was never restarted.
pub fn record(name: &str) -> Pod {
    let labels = json!({
        "app.kubernetes.io/name": "kana",
        "app.kubernetes.io/instance": "a",
        "app.kubernetes.io/component": "worker",
        "pod-template-hash": "5d4f8",
    });
    let owner = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "kana-worker-5d4f8", "uid": "r", "controller": true,
    });
    let container = json!({
        "name": "worker", "image": "kana", "imageID": "", "ready": true, "restartCount": 0,
        "state": { "running": {} },
    });
    let record = json!({
        "metadata": {
            "name": name, "namespace": "ns", "uid": format!("uid of {name}"), "labels": labels,
            "ownerReferences": [owner], "creationTimestamp": "2026-01-02T03:04:05Z",
        },
        "spec": { "nodeName": "node-1", "containers": [{ "name": "worker" }] },
        "status": {
            "phase": "Running",
            "conditions": [{ "type": "Ready", "status": "True" }],
            "containerStatuses": [container],
        },
    });
    serde_json::from_value(record).expect("BUG: the record above is a pod")
}

/// The only container of a pod.
pub fn container(pod: &mut Pod) -> &mut ContainerStatus {
    let status = pod.status.as_mut().expect("BUG: records of this file have a status");
    &mut status.container_statuses.as_mut().expect("BUG: records of this file have a container")[0]
}

/// The state of a container that ended; `worker` is the worker's id in the queue.
pub fn ended(exit_code: i32, reason: &str, worker: &str) -> Value {
    json!({ "terminated": {
        "exitCode": exit_code, "reason": reason, "message": worker, "containerID": format!("containerd://{worker}"),
    }})
}
