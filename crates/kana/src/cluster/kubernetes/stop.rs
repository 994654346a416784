//! How is one pod ended?
//!
//! By its name and its `uid`: should another pod have taken the name since this one was looked at, Kubernetes refuses.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::core::Status;
use serde_json::json;

use super::refusal::{Act, refusal};
use super::release::Release;
use crate::pod::{Error, Stop};

/// Ends the pod of this record.
///
/// # Errors
/// [`Error::Unknown`] where it is gone already, [`Error::Refused`] where a disruption budget or an admission rule stands
/// in the way, [`Error::Misconfigured`] where a right is missing, [`Error::Unavailable`].
pub async fn stop(pods: &Api<Pod>, pod: &Pod, how: Stop) -> Result<(), Error> {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let preconditions = Some(Preconditions { uid: pod.metadata.uid.clone(), ..Preconditions::default() });
    let mut params = DeleteParams { preconditions, ..DeleteParams::default() };
    let (verb, resource, asked) = match how {
        Stop::Delete => ("delete", "pods", pods.delete(&name, &params).await.map(drop)),
        Stop::Kill => {
            params.grace_period_seconds = Some(0);
            ("delete", "pods", pods.delete(&name, &params).await.map(drop))
        }
        Stop::Evict => {
            // Written out, because the client library's own eviction loses these options by misnaming them.
            let eviction = json!({
                "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": name }, "deleteOptions": params,
            });
            let asked: kube::Result<Status> =
                pods.create_subresource("eviction", &name, &PostParams::default(), &eviction).await;
            ("create", "pods/eviction", asked.map(drop))
        }
    };
    let act = Act { verb, resource, namespace: pod.metadata.namespace.as_deref().unwrap_or_default() };
    match asked {
        Err(kube::Error::Api(status)) if status.code == 404 || is_another(&status) => Err(Error::Unknown { name }),
        asked => asked.map_err(|error| refusal(error, act)),
    }
}

/// Whether the name belongs to another pod by now.
fn is_another(status: &Status) -> bool {
    status.code == 409 && status.message.to_lowercase().contains("precondition")
}

/// What does the same by hand.
pub fn command(release: &Release, name: &str, how: Stop) -> String {
    let namespace = &release.namespace;
    match how {
        Stop::Delete => format!("kubectl -n {namespace} delete pod {name} --wait=false"),
        Stop::Kill => format!("kubectl -n {namespace} delete pod {name} --grace-period=0 --force"),
        // There is no command of its own for this.
        Stop::Evict => format!(
            "echo '{{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{{\"name\":\"{name}\"}}}}' | \
             kubectl create --raw /api/v1/namespaces/{namespace}/pods/{name}/eviction -f -"
        ),
    }
}
