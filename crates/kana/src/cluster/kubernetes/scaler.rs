//! Which object scales the workers, and within which range?
//!
//! At most one: a HorizontalPodAutoscaler, or a KEDA ScaledObject, which creates a HorizontalPodAutoscaler of its own
//! and would overwrite what is written into that one. Without either, the Deployment's own number is fixed until a
//! person changes it.

use std::ops::RangeInclusive;

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use serde_json::json;

use super::api_error::{self, Access};
use super::cache::Replicas;
use super::release::Release;
use crate::pod::{Error, Paused, ScaledBy};

/// The name under which each object's `managedFields` list changes made here.
pub const FIELD_MANAGER: &str = "kana";

/// The kind of object that a [`ScalerObject`] must scale.
const DEPLOYMENT: &str = "Deployment";

/// The annotations that make KEDA pause a ScaledObject.
const PAUSED: [&str; 2] = ["autoscaling.keda.sh/paused", "autoscaling.keda.sh/paused-replicas"];

/// Scaler of the Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scaler {
    /// No scaler: the number is fixed.
    Fixed,
    /// The HorizontalPodAutoscaler of this name.
    Hpa(String),
    /// The ScaledObject of this name.
    Keda(String),
}

/// An object that holds the range, and how to read and write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalerObject {
    /// The object's kind.
    pub kind: ApiResource,
    /// The object's name.
    pub name: String,
    /// The object's kind, as `kubectl` takes it.
    kubectl_kind: &'static str,
    min: Bound,
    max: Bound,
}

/// One end of the range, as a field of an object's `spec`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound {
    field: &'static str,
    /// The value that Kubernetes assumes where the field is absent.
    default: u32,
}

impl Scaler {
    /// Returns the kind of the scaler, as the HTTP API names it.
    pub fn by(&self) -> ScaledBy {
        match self {
            Self::Fixed => ScaledBy::Fixed,
            Self::Hpa(_) => ScaledBy::Hpa,
            Self::Keda(_) => ScaledBy::Keda,
        }
    }

    /// Returns the kind of the scaler, as the chart's `autoscaling.mode` names it.
    pub fn mode(&self) -> &'static str {
        match self {
            Self::Fixed => "none",
            Self::Hpa(_) => "hpa",
            Self::Keda(_) => "keda",
        }
    }

    /// Returns the object that holds the range, where there is one.
    pub fn object(&self) -> Option<ScalerObject> {
        match self {
            Self::Fixed => None,
            Self::Hpa(name) => Some(ScalerObject {
                kind: resource(
                    &GroupVersionKind::gvk("autoscaling", "v2", "HorizontalPodAutoscaler"),
                    "horizontalpodautoscalers",
                ),
                name: name.clone(),
                kubectl_kind: "hpa",
                min: Bound { field: "minReplicas", default: 1 },
                max: Bound { field: "maxReplicas", default: 1 },
            }),
            Self::Keda(name) => Some(ScalerObject {
                kind: resource(&GroupVersionKind::gvk("keda.sh", "v1alpha1", "ScaledObject"), "scaledobjects"),
                name: name.clone(),
                kubectl_kind: "scaledobject",
                min: Bound { field: "minReplicaCount", default: 0 },
                max: Bound { field: "maxReplicaCount", default: 100 },
            }),
        }
    }
}

/// Returns the kind of the object that owns the workers.
pub fn deployments() -> ApiResource {
    resource(&GroupVersionKind::gvk("apps", "v1", DEPLOYMENT), "deployments")
}

fn resource(kind: &GroupVersionKind, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(kind, plural)
}

/// Returns the name of a kind in roles.
pub fn rbac_name(kind: &ApiResource) -> String {
    format!("{}.{}", kind.plural, kind.group)
}

/// Reads how many pods a Deployment should have, and has.
pub fn replicas(deployment: &DynamicObject) -> Replicas {
    // Kubernetes assumes 1 where the desired number is absent, and omits a count of 0.
    Replicas {
        desired: number(deployment, "/spec/replicas").unwrap_or(1),
        current: number(deployment, "/status/replicas").unwrap_or(0),
    }
}

fn number(object: &DynamicObject, pointer: &str) -> Option<u32> {
    object.data.pointer(pointer)?.as_u64().and_then(|number| u32::try_from(number).ok())
}

/// Returns whether, and how, somebody has paused KEDA.
pub fn paused(object: &DynamicObject) -> Option<Paused> {
    let annotations = object.metadata.annotations.as_ref()?;
    let is_on = |name: &&str| annotations.get(*name).is_some_and(|value| value != "false");
    PAUSED.into_iter().find(is_on).map(Paused::Annotation)
}

impl ScalerObject {
    /// Reads the range that this object holds.
    pub fn range(&self, object: &DynamicObject) -> RangeInclusive<u32> {
        let read = |bound: &Bound| number(object, &format!("/spec/{}", bound.field)).unwrap_or(bound.default);
        read(&self.min)..=read(&self.max)
    }

    /// Returns the reason why this object's range is not that of the workers; `None` if it scales them.
    pub fn foreign_target(&self, object: &DynamicObject, workers: &str) -> Option<String> {
        let target = |part: &str| object.data.pointer(&format!("/spec/scaleTargetRef/{part}"))?.as_str();
        // A ScaledObject need not name the kind Deployment.
        let (kind, name) = (target("kind").unwrap_or(DEPLOYMENT), target("name").unwrap_or(workers));
        let is_foreign = (kind, name) != (DEPLOYMENT, workers);
        is_foreign.then(|| {
            format!("the {} {} scales the {kind} {name}, not the {DEPLOYMENT} {workers}", self.kind.kind, self.name)
        })
    }

    /// Returns the reason why the number does not change; `None` unless somebody has paused the scaler.
    pub fn pause_reason(&self, object: &DynamicObject) -> Option<String> {
        let Paused::Annotation(annotation) = paused(object)? else { return None };
        let (kind, name) = (&self.kind.kind, &self.name);
        Some(format!(
            "the {kind} {name} is paused: the number stays as it is until the annotation {annotation} is removed"
        ))
    }

    /// Returns the names of the fields of `spec` that hold the range.
    pub fn fields(&self) -> [&'static str; 2] {
        [self.min.field, self.max.field]
    }

    /// Returns the change of the object that sets the range.
    pub fn patch(&self, range: &RangeInclusive<u32>) -> serde_json::Value {
        json!({ "spec": { self.min.field: range.start(), self.max.field: range.end() } })
    }

    /// Writes the range, and returns the one that holds then.
    ///
    /// # Errors
    /// [`Error::Refused`] where Kubernetes rejects the range, [`Error::Misconfigured`] where a right or the object is
    /// missing, [`Error::Unavailable`] where the server does not answer.
    pub async fn set_range(
        &self,
        client: Client,
        release: &Release,
        range: &RangeInclusive<u32>,
    ) -> Result<RangeInclusive<u32>, Error> {
        let api: Api<DynamicObject> = Api::namespaced_with(client, &release.namespace, &self.kind);
        let patched = api.patch(&self.name, &params(), &Patch::Merge(self.patch(range))).await;
        let access = Access { verb: "patch", resource: &rbac_name(&self.kind), namespace: &release.namespace };
        patched.map(|object| self.range(&object)).map_err(|error| api_error::translate(error, access))
    }

    /// Returns the command line with which a person can write the range.
    pub fn patch_command(&self, release: &Release, range: &RangeInclusive<u32>) -> String {
        format!(
            "kubectl -n {} patch {} {} --type merge --field-manager {FIELD_MANAGER} -p '{}'",
            release.namespace,
            self.kubectl_kind,
            self.name,
            self.patch(range)
        )
    }

    /// Returns the arguments of `kubectl`, after the namespace, with which a person can show the object.
    pub fn get_command(&self) -> String {
        format!("get {} {} --watch", self.kubectl_kind, self.name)
    }
}

/// Sets the Deployment's own number, where nothing scales it, and returns the number that holds then. Where a `version`
/// of the Deployment is given, no other one is changed.
///
/// # Errors
/// Those of [`ScalerObject::set_range`].
pub async fn set_replicas(
    client: Client,
    release: &Release,
    replicas: u32,
    version: Option<&str>,
) -> Result<u32, Error> {
    let api: Api<DynamicObject> = Api::namespaced_with(client, &release.namespace, &deployments());
    let mut change = json!({ "spec": { "replicas": replicas } });
    if let Some(version) = version {
        change["metadata"] = json!({ "resourceVersion": version });
    }
    let change = Patch::Merge(change);
    let scaled = api.patch_scale(&release.workers, &params(), &change).await;
    let access = Access { verb: "patch", resource: "deployments.apps/scale", namespace: &release.namespace };
    let scaled = scaled.map_err(|error| api_error::translate(error, access))?;
    let number = scaled.spec.and_then(|spec| spec.replicas).and_then(|number| u32::try_from(number).ok());
    Ok(number.unwrap_or(replicas))
}

/// Reads the Deployment's own number from the server.
///
/// # Errors
/// Those of [`ScalerObject::set_range`].
pub async fn read_replicas(client: Client, release: &Release) -> Result<u32, Error> {
    let api: Api<DynamicObject> = Api::namespaced_with(client, &release.namespace, &deployments());
    let access = Access { verb: "get", resource: "deployments.apps/scale", namespace: &release.namespace };
    let scale = api.get_scale(&release.workers).await.map_err(|error| api_error::translate(error, access))?;
    // Kubernetes omits a number of 0.
    let number = scale.spec.and_then(|spec| spec.replicas).and_then(|number| u32::try_from(number).ok());
    Ok(number.unwrap_or_default())
}

/// Returns the command line with which a person can set the Deployment's number.
pub fn scale_command(release: &Release, replicas: u32) -> String {
    format!("kubectl -n {} scale deployment {} --replicas {replicas}", release.namespace, release.workers)
}

/// Returns the parameters of every change that a gateway makes.
pub fn params() -> PatchParams {
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
    fn bounds_that_are_absent_are_those_that_kubernetes_assumes() {
        let empty = object(json!({ "metadata": {}, "spec": {} }));

        assert_eq!(Scaler::Hpa("a".into()).object().unwrap().range(&empty), 1..=1);
        assert_eq!(Scaler::Keda("a".into()).object().unwrap().range(&empty), 0..=100);
        assert_eq!(replicas(&empty), Replicas { desired: 1, current: 0 });
    }

    #[test]
    fn each_scaler_has_its_bounds_in_fields_of_its_own() {
        let hpa = object(json!({ "metadata": {}, "spec": { "minReplicas": 2, "maxReplicas": 7 } }));
        let keda = object(json!({ "metadata": {}, "spec": { "minReplicaCount": 0, "maxReplicaCount": 9 } }));

        assert_eq!(Scaler::Hpa("a".into()).object().unwrap().range(&hpa), 2..=7);
        assert_eq!(Scaler::Keda("a".into()).object().unwrap().range(&keda), 0..=9);
    }

    #[test]
    fn an_object_that_scales_something_else_has_a_foreign_target() {
        let keda = Scaler::Keda("a".into()).object().unwrap();
        let scales = |target: Value| {
            let object = object(json!({ "metadata": {}, "spec": { "scaleTargetRef": target } }));
            keda.foreign_target(&object, "kana-worker")
        };

        assert_eq!(scales(json!({ "name": "kana-worker" })), None);
        assert_eq!(scales(json!({ "kind": "Deployment", "name": "kana-worker" })), None);
        let other = "the ScaledObject a scales the Deployment shop, not the Deployment kana-worker";
        assert_eq!(scales(json!({ "name": "shop" })).as_deref(), Some(other));
        assert!(scales(json!({ "kind": "StatefulSet", "name": "kana-worker" })).is_some());
    }

    #[test]
    fn a_scaled_object_is_paused_by_either_annotation() {
        let keda = Scaler::Keda("a".into()).object().unwrap();
        let paused =
            |annotations: Value| keda.pause_reason(&object(json!({ "metadata": { "annotations": annotations } })));

        assert!(paused(json!({ "autoscaling.keda.sh/paused": "true" })).is_some());
        assert!(paused(json!({ "autoscaling.keda.sh/paused-replicas": "0" })).is_some());
        assert_eq!(paused(json!({ "autoscaling.keda.sh/paused": "false" })), None);
        assert_eq!(paused(json!({})), None);
    }

    #[test]
    fn without_a_scaler_there_is_no_range() {
        assert_eq!(Scaler::Fixed.object(), None);
        assert_eq!(Scaler::Fixed.by(), ScaledBy::Fixed);
    }
}
