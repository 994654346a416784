//! Who moves the number of workers, and between which bounds?
//!
//! At most one object: a HorizontalPodAutoscaler, or a KEDA ScaledObject, which makes a HorizontalPodAutoscaler of its
//! own and would undo what is written into that one. Without either the Deployment's own number is all there is.

use std::ops::RangeInclusive;

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use serde_json::json;

use super::board::Replicas;
use super::refusal::{Act, refusal};
use super::release::Release;
use crate::pod::{Error, ScaledBy};

/// Whose change it was, in each object's `managedFields`.
const FIELD_MANAGER: &str = "kana";

/// What may be scaled by a [`Bounds`].
const DEPLOYMENT: &str = "Deployment";

/// The annotations by which KEDA lets a ScaledObject rest.
const PAUSED: [&str; 2] = ["autoscaling.keda.sh/paused", "autoscaling.keda.sh/paused-replicas"];

/// What moves the number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scaler {
    /// Nobody.
    Nobody,
    /// The HorizontalPodAutoscaler of this name.
    Hpa(String),
    /// The ScaledObject of this name.
    Keda(String),
}

/// An object that holds bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Its kind.
    pub kind: ApiResource,
    /// Its name.
    pub name: String,
    /// Its kind, as `kubectl` takes it.
    kubectl: &'static str,
    /// The bounds' names within its `spec`, each with what Kubernetes takes where it is absent.
    min: (&'static str, u32),
    max: (&'static str, u32),
}

impl Scaler {
    /// Who decides, as the page says it.
    pub fn by(&self) -> ScaledBy {
        match self {
            Self::Nobody => ScaledBy::Fixed,
            Self::Hpa(_) => ScaledBy::Hpa,
            Self::Keda(_) => ScaledBy::Keda,
        }
    }

    /// The object that holds the bounds, where there is one.
    pub fn bounds(&self) -> Option<Bounds> {
        match self {
            Self::Nobody => None,
            Self::Hpa(name) => Some(Bounds {
                kind: resource(("autoscaling", "v2"), "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
                name: name.clone(),
                kubectl: "hpa",
                min: ("minReplicas", 1),
                max: ("maxReplicas", 1),
            }),
            Self::Keda(name) => Some(Bounds {
                kind: resource(("keda.sh", "v1alpha1"), "ScaledObject", "scaledobjects"),
                name: name.clone(),
                kubectl: "scaledobject",
                min: ("minReplicaCount", 0),
                max: ("maxReplicaCount", 100),
            }),
        }
    }
}

/// The kind of the workers' owner.
pub fn deployments() -> ApiResource {
    resource(("apps", "v1"), "Deployment", "deployments")
}

fn resource((group, version): (&str, &str), kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// A kind, as roles name it.
pub fn right(kind: &ApiResource) -> String {
    format!("{}.{}", kind.plural, kind.group)
}

/// How many pods this Deployment should have, and has.
pub fn replicas(deployment: &DynamicObject) -> Replicas {
    // Kubernetes fills an absent number in with 1, and leaves a count of 0 out.
    Replicas {
        desired: number(deployment, "/spec/replicas").unwrap_or(1),
        current: number(deployment, "/status/replicas").unwrap_or(0),
    }
}

fn number(object: &DynamicObject, pointer: &str) -> Option<u32> {
    object.data.pointer(pointer)?.as_u64().and_then(|number| u32::try_from(number).ok())
}

impl Bounds {
    /// The bounds that this object holds.
    pub fn of(&self, object: &DynamicObject) -> RangeInclusive<u32> {
        let bound = |(name, default)| number(object, &format!("/spec/{name}")).unwrap_or(default);
        bound(self.min)..=bound(self.max)
    }

    /// Why this object is none of the workers' business, if it is not: its bounds are those of something else.
    pub fn foreign(&self, object: &DynamicObject, workers: &str) -> Option<String> {
        let target = |part: &str| object.data.pointer(&format!("/spec/scaleTargetRef/{part}"))?.as_str();
        // A ScaledObject need not say that it means a Deployment.
        let (kind, name) = (target("kind").unwrap_or(DEPLOYMENT), target("name").unwrap_or(workers));
        let is_foreign = (kind, name) != (DEPLOYMENT, workers);
        is_foreign.then(|| {
            format!("the {} {} scales the {kind} {name}, not the {DEPLOYMENT} {workers}", self.kind.kind, self.name)
        })
    }

    /// Why nothing moves the number within the bounds, if somebody has seen to that.
    pub fn paused(&self, object: &DynamicObject) -> Option<String> {
        let annotations = object.metadata.annotations.as_ref()?;
        let by = PAUSED.into_iter().find(|by| annotations.get(*by).is_some_and(|value| value != "false"))?;
        let (kind, name) = (&self.kind.kind, &self.name);
        Some(format!("the {kind} {name} is paused: the number stays as it is until the annotation {by} is removed"))
    }

    fn change(&self, range: &RangeInclusive<u32>) -> serde_json::Value {
        json!({ "spec": { self.min.0: range.start(), self.max.0: range.end() } })
    }

    /// Writes the bounds; answers those that hold then.
    ///
    /// # Errors
    /// [`Error::Refused`] where Kubernetes finds them wrong, [`Error::Misconfigured`] where a right or the object is
    /// missing, [`Error::Unavailable`] where it does not answer.
    pub async fn set(
        &self,
        client: Client,
        release: &Release,
        range: &RangeInclusive<u32>,
    ) -> Result<RangeInclusive<u32>, Error> {
        let api: Api<DynamicObject> = Api::namespaced_with(client, &release.namespace, &self.kind);
        let patched = api.patch(&self.name, &params(), &Patch::Merge(self.change(range))).await;
        let act = Act { verb: "patch", resource: &right(&self.kind), namespace: &release.namespace };
        patched.map(|object| self.of(&object)).map_err(|error| refusal(error, act))
    }

    /// What does the same by hand.
    pub fn command(&self, release: &Release, range: &RangeInclusive<u32>) -> String {
        format!(
            "kubectl -n {} patch {} {} --type merge --field-manager {FIELD_MANAGER} -p '{}'",
            release.namespace,
            self.kubectl,
            self.name,
            self.change(range)
        )
    }

    /// What shows the same by hand, behind `kubectl` and the namespace.
    pub fn look(&self) -> String {
        format!("get {} {} --watch", self.kubectl, self.name)
    }
}

/// Sets the Deployment's own number, where nobody else does; answers the number that holds then.
///
/// # Errors
/// As [`Bounds::set`].
pub async fn set_replicas(client: Client, release: &Release, replicas: u32) -> Result<u32, Error> {
    let api: Api<DynamicObject> = Api::namespaced_with(client, &release.namespace, &deployments());
    let change = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
    let scaled = api.patch_scale(&release.workers, &params(), &change).await;
    let act = Act { verb: "patch", resource: "deployments.apps/scale", namespace: &release.namespace };
    let scaled = scaled.map_err(|error| refusal(error, act))?;
    let number = scaled.spec.and_then(|spec| spec.replicas).and_then(|number| u32::try_from(number).ok());
    Ok(number.unwrap_or(replicas))
}

/// What sets the Deployment's number by hand.
pub fn command(release: &Release, replicas: u32) -> String {
    format!("kubectl -n {} scale deployment {} --replicas {replicas}", release.namespace, release.workers)
}

fn params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn object(value: Value) -> DynamicObject {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn bounds_that_are_not_written_down_are_kubernetes_own() {
        let empty = object(json!({ "metadata": {}, "spec": {} }));

        assert_eq!(Scaler::Hpa("a".into()).bounds().unwrap().of(&empty), 1..=1);
        assert_eq!(Scaler::Keda("a".into()).bounds().unwrap().of(&empty), 0..=100);
        assert_eq!(replicas(&empty), Replicas { desired: 1, current: 0 });
    }

    #[test]
    fn each_scaler_keeps_its_bounds_under_names_of_its_own() {
        let hpa = object(json!({ "metadata": {}, "spec": { "minReplicas": 2, "maxReplicas": 7 } }));
        let keda = object(json!({ "metadata": {}, "spec": { "minReplicaCount": 0, "maxReplicaCount": 9 } }));

        assert_eq!(Scaler::Hpa("a".into()).bounds().unwrap().of(&hpa), 2..=7);
        assert_eq!(Scaler::Keda("a".into()).bounds().unwrap().of(&keda), 0..=9);
    }

    #[test]
    fn what_scales_something_else_is_foreign() {
        let keda = Scaler::Keda("a".into()).bounds().unwrap();
        let scales = |target: Value| {
            let object = object(json!({ "metadata": {}, "spec": { "scaleTargetRef": target } }));
            keda.foreign(&object, "kana-worker")
        };

        assert_eq!(scales(json!({ "name": "kana-worker" })), None);
        assert_eq!(scales(json!({ "kind": "Deployment", "name": "kana-worker" })), None);
        let other = "the ScaledObject a scales the Deployment shop, not the Deployment kana-worker";
        assert_eq!(scales(json!({ "name": "shop" })).as_deref(), Some(other));
        assert!(scales(json!({ "kind": "StatefulSet", "name": "kana-worker" })).is_some());
    }

    #[test]
    fn a_scaled_object_is_paused_by_either_annotation() {
        let keda = Scaler::Keda("a".into()).bounds().unwrap();
        let paused = |annotations: Value| keda.paused(&object(json!({ "metadata": { "annotations": annotations } })));

        assert!(paused(json!({ "autoscaling.keda.sh/paused": "true" })).is_some());
        assert!(paused(json!({ "autoscaling.keda.sh/paused-replicas": "0" })).is_some());
        assert_eq!(paused(json!({ "autoscaling.keda.sh/paused": "false" })), None);
        assert_eq!(paused(json!({})), None);
    }

    #[test]
    fn nobody_keeps_no_bounds() {
        assert_eq!(Scaler::Nobody.bounds(), None);
        assert_eq!(Scaler::Nobody.by(), ScaledBy::Fixed);
    }
}
