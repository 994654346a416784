//! How is one pod stopped, and no other?
//!
//! By its name and its `uid`: Kubernetes refuses if another pod has taken the name since the record was read.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::core::Status;
use serde_json::json;

use super::api_error::{self, Access};
use super::release::Release;
use crate::pod::{Error, Stop};

/// A call that stops a pod: the access that it needs, and its result.
struct Call {
    verb: &'static str,
    resource: &'static str,
    result: kube::Result<()>,
}

/// Stops the pod of this record. Returns when Kubernetes has accepted that, not when the pod has ended.
///
/// # Errors
/// [`Error::Unknown`] where the pod is gone already, [`Error::Refused`] where a disruption budget or an admission rule
/// forbids it, [`Error::Misconfigured`] where a right is missing, [`Error::Unavailable`] where the server does not
/// answer.
pub async fn stop(pods: &Api<Pod>, pod: &Pod, how: Stop) -> Result<(), Error> {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let preconditions = Some(Preconditions { uid: pod.metadata.uid.clone(), ..Preconditions::default() });
    let mut params = DeleteParams { preconditions, ..DeleteParams::default() };
    let call = match how {
        Stop::Delete => delete(pods, &name, &params).await,
        Stop::Kill => {
            params.grace_period_seconds = Some(0);
            delete(pods, &name, &params).await
        }
        Stop::Evict => {
            // Written out, because kube's own `evict` misnames `deleteOptions`, and the server then ignores them.
            let eviction = json!({
                "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": name }, "deleteOptions": params,
            });
            let result: kube::Result<Status> =
                pods.create_subresource("eviction", &name, &PostParams::default(), &eviction).await;
            Call { verb: "create", resource: "pods/eviction", result: result.map(drop) }
        }
    };
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let access = Access { verb: call.verb, resource: call.resource, namespace };
    match call.result {
        Err(kube::Error::Api(status)) if status.code == 404 || is_replaced(&status) => Err(Error::Unknown { name }),
        result => result.map_err(|error| api_error::translate(error, access)),
    }
}

async fn delete(pods: &Api<Pod>, name: &str, params: &DeleteParams) -> Call {
    Call { verb: "delete", resource: "pods", result: pods.delete(name, params).await.map(drop) }
}

/// Whether the name belongs to another pod by now.
fn is_replaced(status: &Status) -> bool {
    status.code == 409 && status.message.to_lowercase().contains("precondition")
}

/// Returns the command line with which a person can do the same.
pub fn command(release: &Release, name: &str, how: Stop) -> String {
    let namespace = &release.namespace;
    match how {
        Stop::Delete => format!("kubectl -n {namespace} delete pod {name} --wait=false"),
        Stop::Kill => format!("kubectl -n {namespace} delete pod {name} --grace-period=0 --force"),
        // kubectl has no command of its own for this.
        Stop::Evict => format!(
            "echo '{{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{{\"name\":\"{name}\"}}}}' | \
             kubectl create --raw /api/v1/namespaces/{namespace}/pods/{name}/eviction -f -"
        ),
    }
}
