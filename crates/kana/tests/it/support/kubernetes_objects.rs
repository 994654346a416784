//! Which objects and refusals does the fake API server of a test have?
//!
//! The objects of one release in one namespace; a test changes the properties that it needs.

use serde_json::{Value, json};

/// The record of a ready worker of release `a`, whose Deployment is `kana-worker`.
pub fn worker(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "ns", "uid": format!("uid-{name}"),
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "labels": {
                "app.kubernetes.io/name": "kana", "app.kubernetes.io/instance": "a",
                "app.kubernetes.io/component": "worker", "pod-template-hash": "5d4f8",
            },
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "kana-worker-5d4f8",
                "uid": "r", "controller": true }],
        },
        "spec": { "nodeName": "node-1", "containers": [{ "name": "worker" }] },
        "status": {
            "phase": "Running",
            "conditions": [{ "type": "Ready", "status": "True" }],
            "containerStatuses": [{ "name": "worker", "image": "kana", "imageID": "", "ready": true,
                "restartCount": 0, "state": { "running": {} } }],
        },
    })
}

/// The Deployment `kana-worker`.
pub fn deployment(replicas: u32) -> Value {
    json!({ "metadata": { "name": "kana-worker", "namespace": "ns" }, "spec": { "replicas": replicas },
        "status": { "replicas": replicas } })
}

/// The `Status` of a request without the right to it.
pub fn forbidden(verb: &str, resource: &str) -> Value {
    let message = format!(
        "{resource} is forbidden: User \"system:serviceaccount:ns:a\" cannot {verb} resource \"{resource}\" in API \
         group \"\" in the namespace \"ns\""
    );
    json!({ "kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden", "message": message })
}
