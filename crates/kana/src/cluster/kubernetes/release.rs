//! Which pods are workers of this release, and of no other?
//!
//! Pods that have its labels *and* were created by its Deployment. Labels alone are not enough: anybody may put them on
//! a pod of their own. A Deployment owns its pods through ReplicaSets whose names are its own name and the hash of the
//! pod template, which each pod has as a label. So the pod's record alone shows its owner, and no right to
//! read ReplicaSets is needed.

use k8s_openapi::api::core::v1::Pod;

/// The label in which a Deployment records the template that a pod was created from.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// One release, and where its workers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The namespace of the release; its rights end there.
    pub namespace: String,
    /// The release's name, which each of its pods has as the label `app.kubernetes.io/instance`.
    pub name: String,
    /// The Deployment of its workers.
    pub workers: String,
}

impl Release {
    /// Returns the labels of the release's workers.
    fn labels(&self) -> [(&'static str, &str); 3] {
        [
            ("app.kubernetes.io/name", "kana"),
            ("app.kubernetes.io/instance", &self.name),
            ("app.kubernetes.io/component", "worker"),
        ]
    }

    /// Returns the selector of the workers' labels, as `kubectl -l` takes it.
    pub fn selector(&self) -> String {
        self.labels().map(|(label, value)| format!("{label}={value}")).join(",")
    }

    /// Whether this pod is a worker of the release.
    pub fn owns(&self, pod: &Pod) -> bool {
        let metadata = &pod.metadata;
        let Some(labels) = &metadata.labels else { return false };
        let Some(hash) = labels.get(TEMPLATE_HASH) else { return false };
        let replica_set = format!("{}-{hash}", self.workers);
        metadata.namespace.as_deref() == Some(&self.namespace)
            && self.labels().iter().all(|(label, value)| labels.get(*label).is_some_and(|found| found == value))
            && metadata.owner_references.iter().flatten().any(|owner| {
                owner.controller == Some(true)
                    && owner.api_version == "apps/v1"
                    && owner.kind == "ReplicaSet"
                    && owner.name == replica_set
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::kubernetes::testing::{record, release};

    #[test]
    fn a_pod_of_the_workers_deployment_is_owned() {
        assert!(release().owns(&record("kana-worker-5d4f8-abcde")));
    }

    #[test]
    fn a_pod_that_only_has_the_labels_is_foreign() {
        let mut unowned = record("kana-worker-5d4f8-abcde");
        unowned.metadata.owner_references = None;

        assert!(!release().owns(&unowned));
    }

    #[test]
    fn a_pod_that_differs_in_any_one_property_is_foreign() {
        let foreign: [fn(&mut Pod); 8] = [
            |pod| _ = pod.metadata.labels.as_mut().unwrap().insert("app.kubernetes.io/instance".into(), "b".into()),
            |pod| _ = pod.metadata.labels.as_mut().unwrap().insert("app.kubernetes.io/name".into(), "redis".into()),
            |pod| _ = pod.metadata.labels.as_mut().unwrap().remove("app.kubernetes.io/component"),
            |pod| _ = pod.metadata.labels.as_mut().unwrap().remove(TEMPLATE_HASH),
            |pod| pod.metadata.namespace = Some("elsewhere".into()),
            |pod| pod.metadata.owner_references.as_mut().unwrap()[0].name = "other-5d4f8".into(),
            |pod| pod.metadata.owner_references.as_mut().unwrap()[0].kind = "StatefulSet".into(),
            |pod| pod.metadata.owner_references.as_mut().unwrap()[0].controller = None,
        ];

        for (n, change) in foreign.into_iter().enumerate() {
            let mut pod = record("kana-worker-5d4f8-abcde");
            change(&mut pod);

            assert!(!release().owns(&pod), "change {n}");
        }
    }

    #[test]
    fn workers_are_selected_by_name_instance_and_component() {
        let selector = release().selector();

        assert_eq!(
            selector,
            "app.kubernetes.io/name=kana,app.kubernetes.io/instance=a,app.kubernetes.io/component=worker"
        );
    }
}
