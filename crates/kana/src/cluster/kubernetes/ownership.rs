//! Who counts as the owner of an object's bounds, and how does it stop to?
//!
//! Kubernetes records in `metadata.managedFields` who wrote which field. Helm 4 applies what it renders, and stops where
//! another has written a different value: an upgrade or a rollback after anybody moved the range would end there. So
//! gateways take the bounds out of the entries of all who *updated* them, which are their own, `kubectl edit` and `patch`,
//! and older Helms. Entries of those who *applied* them stay: these asked to be told of conflicts.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use serde_json::Value;

use super::range_record::Setter;

/// The operation of an entry whose writer asks for no conflicts.
const UPDATE: &str = "Update";

/// The subresource that the page and `kubectl scale` write.
const SCALE: &str = "scale";

/// How the names begin under which Helm and what embeds it write: Helm takes that of its own program.
const HELM: &str = "helm";

/// Returns the entries without the ownership that updates of these fields of `spec` left; `None` where there is none.
pub fn without_updates(entries: &[ManagedFieldsEntry], fields: &[&str]) -> Option<Vec<ManagedFieldsEntry>> {
    let mut rest = Vec::with_capacity(entries.len());
    let mut is_changed = false;
    for entry in entries {
        let mut entry = entry.clone();
        if entry.operation.as_deref() == Some(UPDATE) && entry.subresource.as_deref().unwrap_or_default().is_empty() {
            let removed = entry.fields_v1.as_mut().map_or(0, |FieldsV1(owned)| remove(owned, fields));
            is_changed |= removed > 0;
            if removed > 0 && entry.fields_v1.as_ref().is_some_and(|FieldsV1(owned)| is_empty(owned)) {
                continue;
            }
        }
        rest.push(entry);
    }
    // An empty list would be taken as none at all, and change nothing; one empty entry resets the list.
    if rest.is_empty() {
        rest.push(ManagedFieldsEntry::default());
    }
    is_changed.then_some(rest)
}

/// Returns who set these fields of `spec`, as far as their owners show.
pub fn setter(entries: &[ManagedFieldsEntry], fields: &[&str]) -> Setter {
    let owns = |entry: &&ManagedFieldsEntry| {
        let owned = entry.fields_v1.as_ref().and_then(|FieldsV1(owned)| owned.get("f:spec"));
        owned.is_some_and(|spec| fields.iter().any(|field| spec.get(format!("f:{field}")).is_some()))
    };
    let owners: Vec<_> = entries.iter().filter(owns).collect();
    let is_helm = |entry: &&ManagedFieldsEntry| entry.manager.as_ref().is_some_and(|name| name.starts_with(HELM));
    if owners.iter().any(|entry| entry.subresource.as_deref() == Some(SCALE)) {
        Setter::Person
    } else if !owners.is_empty() && owners.iter().all(is_helm) {
        Setter::Helm
    } else {
        Setter::Unknown
    }
}

/// Removes fields of `spec`, and returns how many there were.
fn remove(owned: &mut Value, fields: &[&str]) -> usize {
    let Some(spec) = owned.get_mut("f:spec").and_then(Value::as_object_mut) else { return 0 };
    let removed = fields.iter().filter(|field| spec.remove(&format!("f:{field}")).is_some()).count();
    if removed > 0
        && spec.keys().all(|key| key == ".")
        && let Some(owned) = owned.as_object_mut()
    {
        owned.remove("f:spec");
    }
    removed
}

fn is_empty(owned: &Value) -> bool {
    owned.as_object().is_none_or(serde_json::Map::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const BOUNDS: [&str; 2] = ["minReplicas", "maxReplicas"];

    fn entry(manager: &str, operation: &str, fields: Value) -> ManagedFieldsEntry {
        serde_json::from_value(json!({ "manager": manager, "operation": operation, "fieldsV1": fields })).unwrap()
    }

    #[test]
    fn the_bounds_leave_the_entries_of_those_who_updated_them_and_nothing_else_does() {
        let bounds = json!({ "f:spec": { "f:minReplicas": {}, "f:maxReplicas": {} } });
        let helm = entry("helm", "Apply", bounds.clone());
        let edited = json!({ "f:metadata": { "f:annotations": { "f:x": {} } }, "f:spec": { "f:maxReplicas": {} } });

        let rest = without_updates(
            &[helm.clone(), entry("kana", "Update", bounds), entry("kubectl-edit", "Update", edited)],
            &BOUNDS,
        );

        let left = entry("kubectl-edit", "Update", json!({ "f:metadata": { "f:annotations": { "f:x": {} } } }));
        assert_eq!(rest, Some(vec![helm, left]));
    }

    #[test]
    fn where_nobody_updated_the_bounds_nothing_changes() {
        let status = json!({ "f:status": { "f:currentReplicas": {} } });
        let entries =
            [entry("helm", "Apply", json!({ "f:spec": { "f:maxReplicas": {} } })), entry("x", "Update", status)];

        assert_eq!(without_updates(&entries, &BOUNDS), None);
    }

    #[test]
    fn the_last_entry_leaves_one_that_resets_the_list() {
        let only = entry("kana", "Update", json!({ "f:spec": { ".": {}, "f:maxReplicas": {} } }));

        assert_eq!(without_updates(&[only], &BOUNDS), Some(vec![ManagedFieldsEntry::default()]));
    }

    #[test]
    fn who_set_a_field_is_known_where_helm_alone_owns_it_or_where_a_scale_was_written() {
        let replicas = json!({ "f:spec": { "f:replicas": {} } });
        let helm = entry("helm", "Apply", replicas.clone());
        let mut scaled = entry("kubectl", "Update", replicas.clone());
        scaled.subresource = Some(SCALE.into());
        let of = |entries: &[ManagedFieldsEntry]| setter(entries, &["replicas"]);

        assert_eq!(of(&[entry("helm", "Apply", json!({})), scaled]), Setter::Person);
        assert_eq!(of(std::slice::from_ref(&helm)), Setter::Helm);
        assert_eq!(of(&[entry("helm3", "Update", replicas.clone())]), Setter::Helm);
        assert_eq!(of(&[helm, entry("kubectl-edit", "Update", replicas)]), Setter::Unknown);
        assert_eq!(of(&[]), Setter::Unknown);
    }
}
