//! What can a caller do about an error of the Kubernetes API?
//!
//! The server's messages address the author of the request, not the user of kana. So the message for a missing right
//! names the verb and the resource that the role lacks, and the message for a forbidden eviction names the disruption
//! budget. Failures that end by themselves ([`Error::Unavailable`]) are distinguished from those that a person must
//! repair ([`Error::Misconfigured`]).

use kube::core::Status;

use crate::pod::Error;

/// The access that a call needs, as roles name it.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    /// The verb, such as `delete`.
    pub verb: &'a str,
    /// The resource, such as `pods/eviction`.
    pub resource: &'a str,
    /// The namespace.
    pub namespace: &'a str,
}

/// Translates the error of a call that needed this access.
pub fn translate(error: kube::Error, access: Access<'_>) -> Error {
    let Access { verb, resource, namespace } = access;
    let unavailable = |source: kube::Error| Error::Unavailable {
        action: format!("{verb} {resource} in namespace {namespace}"),
        source: Box::new(source),
    };
    let status = match error {
        kube::Error::Api(status) => status,
        error => return unavailable(error),
    };
    match status.code {
        401 => Error::Misconfigured { reason: "the Kubernetes API does not accept this service's credentials".into() },
        403 if is_missing_right(&status) => Error::Misconfigured {
            reason: format!(
                "this service may not {verb} {resource} in namespace {namespace}: its role lacks the verb {verb:?} on \
                 {resource:?}"
            ),
        },
        404 if status.details.as_ref().is_none_or(|details| details.name.is_empty()) => Error::Misconfigured {
            reason: format!("this cluster knows no {resource}: what defines them is not installed"),
        },
        404 => Error::Misconfigured { reason: status.message },
        429 => match budget_message(&status) {
            Some(reason) => Error::Refused { reason },
            None => unavailable(kube::Error::Api(status)),
        },
        500 if has_several_budgets(&status) => Error::Refused { reason: status.message },
        400 | 403 | 422 => Error::Refused { reason: status.message },
        _ => unavailable(kube::Error::Api(status)),
    }
}

/// Whether the role lacks a right. Admission controllers answer `forbidden` too, with messages of their own, and then
/// no role would help; only the authoriser names the user.
fn is_missing_right(status: &Status) -> bool {
    let denial = status.message.split_once("is forbidden: User ");
    denial.is_some_and(|(_, denial)| denial.contains(" cannot "))
}

/// Whether several budgets cover one pod, which Kubernetes reports as an internal error: it stays until one is removed.
fn has_several_budgets(status: &Status) -> bool {
    status.message.contains("more than one PodDisruptionBudget")
}

/// Returns the message that names the disruption budget which forbids an eviction; `None` for another failure.
fn budget_message(status: &Status) -> Option<String> {
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    let cause = causes.find(|cause| cause.reason == "DisruptionBudget")?;
    Some(if cause.message.is_empty() { status.message.clone() } else { cause.message.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const ACCESS: Access<'_> = Access { verb: "delete", resource: "pods", namespace: "ns" };

    fn translated(status: Value) -> Error {
        translate(kube::Error::Api(serde_json::from_value(status).unwrap()), ACCESS)
    }

    #[test]
    fn a_missing_right_is_named_by_its_verb_and_resource() {
        let user = "User \"system:serviceaccount:ns:a\"";
        let message = format!("pods \"x\" is forbidden: {user} cannot delete resource \"pods\" in API group \"\"");

        let error = translated(json!({ "code": 403, "reason": "Forbidden", "message": message }));

        assert!(matches!(error, Error::Misconfigured { .. }), "{error:?}");
        assert_eq!(
            error.to_string(),
            "this service may not delete pods in namespace ns: its role lacks the verb \"delete\" on \"pods\""
        );
    }

    #[test]
    fn what_admission_forbids_keeps_its_own_message() {
        let message = "admission webhook \"v.keda.sh\" denied the request: max below min";

        let error = translated(json!({ "code": 403, "reason": "Forbidden", "message": message }));

        assert!(matches!(error, Error::Refused { reason } if reason == message));
    }

    #[test]
    fn a_cannot_in_the_words_of_admission_is_no_missing_right() {
        let message = "admission webhook \"limits.example\" denied the request: maxReplicas cannot be more than 8";

        let error = translated(json!({ "code": 403, "reason": "Forbidden", "message": message }));

        assert!(matches!(&error, Error::Refused { reason } if reason == message), "{error:?}");
    }

    #[test]
    fn a_pod_that_two_budgets_cover_is_refused_and_not_unavailable() {
        let message =
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";

        let error = translated(json!({ "code": 500, "status": "Failure", "message": message }));

        assert!(matches!(&error, Error::Refused { reason } if reason == message), "{error:?}");
    }

    #[test]
    fn an_eviction_that_a_budget_forbids_names_the_budget() {
        let needs = "The disruption budget kana-worker needs 3 healthy pods and has 3 currently";
        let causes = json!([{ "reason": "DisruptionBudget", "message": needs }]);

        let error = translated(json!({ "code": 429, "message": "Cannot evict pod", "details": { "causes": causes } }));

        assert!(matches!(error, Error::Refused { reason } if reason == needs));
    }

    #[test]
    fn an_overloaded_server_is_unavailable_and_refuses_nothing() {
        let error = translated(json!({ "code": 429, "message": "too many requests" }));

        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    }

    #[test]
    fn a_kind_that_the_cluster_does_not_know_is_distinguished_from_an_object_that_does_not_exist() {
        let kind = translated(json!({ "code": 404, "message": "the server could not find the requested resource" }));
        let object = translated(json!({ "code": 404, "message": "hpa \"a\" not found", "details": { "name": "a" } }));

        assert_eq!(kind.to_string(), "this cluster knows no pods: what defines them is not installed");
        assert_eq!(object.to_string(), "hpa \"a\" not found");
    }

    #[test]
    fn a_server_that_fails_is_unavailable() {
        assert!(matches!(translated(json!({ "code": 500, "message": "etcd" })), Error::Unavailable { .. }));
        let broken = translate(kube::Error::Service("refused".into()), ACCESS);
        assert!(matches!(broken, Error::Unavailable { .. }));
    }

    #[test]
    fn a_value_that_the_server_rejects_is_refused_with_its_message() {
        let error = translated(json!({ "code": 422, "reason": "Invalid", "message": "minReplicas: must be less" }));

        assert!(matches!(error, Error::Refused { reason } if reason == "minReplicas: must be less"));
    }
}
