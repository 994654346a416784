//! What does `kubectl describe` and `kubectl get events` say that this gateway did?
//!
//! Each act is one Event of Kubernetes on the pod or the Deployment that it was about. An Event that cannot be written is
//! only logged: no act waits for it for long, or fails for want of it.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, PostParams};
use parking_lot::Mutex;
use tokio::time::timeout;
use tracing::debug;

use super::release::Release;

/// The name under which Events say where they come from.
const COMPONENT: &str = "kana-gateway";

/// Time that writing one Event may take: an act waits for it.
const WRITE_MAX: Duration = Duration::from_secs(1);

/// The longest message, in characters: Kubernetes refuses more than 1,024 bytes.
const MESSAGE_CHARS_MAX: usize = 250;

/// Writes Events about the workers of one release.
pub struct EventRecorder {
    client: Client,
    release: Release,
    /// Distinguishes the Deployment from another of its name; `describe` shows no Event without it.
    deployment_uid: Mutex<Option<String>>,
}

impl EventRecorder {
    /// Creates a recorder. Sends no request.
    pub fn new(client: Client, release: Release) -> Self {
        Self { client, release, deployment_uid: Mutex::default() }
    }

    /// Takes the uid of the Deployment as it is now.
    pub fn see_deployment(&self, uid: Option<String>) {
        *self.deployment_uid.lock() = uid;
    }

    /// Writes an Event about a pod.
    pub async fn about_pod(&self, pod: &Pod, reason: &str, message: String) {
        let about = ObjectReference {
            api_version: Some("v1".into()),
            kind: Some("Pod".into()),
            name: pod.metadata.name.clone(),
            namespace: pod.metadata.namespace.clone(),
            uid: pod.metadata.uid.clone(),
            ..ObjectReference::default()
        };
        self.write(about, reason, message).await;
    }

    /// Writes an Event about the workers' Deployment.
    pub async fn about_workers(&self, reason: &str, message: String) {
        let about = ObjectReference {
            api_version: Some("apps/v1".into()),
            kind: Some("Deployment".into()),
            name: Some(self.release.workers.clone()),
            namespace: Some(self.release.namespace.clone()),
            uid: self.deployment_uid.lock().clone(),
            ..ObjectReference::default()
        };
        self.write(about, reason, message).await;
    }

    async fn write(&self, about: ObjectReference, reason: &str, message: String) {
        let now = Time(Timestamp::now());
        let event = Event {
            metadata: ObjectMeta {
                generate_name: Some(format!("{}.", about.name.as_deref().unwrap_or(COMPONENT))),
                namespace: Some(self.release.namespace.clone()),
                ..ObjectMeta::default()
            },
            involved_object: about,
            reason: Some(reason.into()),
            message: Some(message.chars().take(MESSAGE_CHARS_MAX).collect()),
            type_: Some("Normal".into()),
            first_timestamp: Some(now.clone()),
            last_timestamp: Some(now),
            count: Some(1),
            reporting_component: Some(COMPONENT.into()),
            ..Event::default()
        };
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.release.namespace);
        match timeout(WRITE_MAX, api.create(&PostParams::default(), &event)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => debug!(error = %error, "could not write the Event {reason}"),
            Err(late) => debug!(error = %late, "could not write the Event {reason} in time"),
        }
    }
}
