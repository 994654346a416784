//! What does it mean for us when the API server says no?
//!
//! Its own words are for whoever wrote the request. A missing right is told as the verb and the resource that the role
//! lacks, a disruption budget by its name; what only time can mend stays apart from what a person must.

use kube::core::Status;

use crate::pod::Error;

/// What was asked of the API server.
#[derive(Clone, Copy, Debug)]
pub struct Act<'a> {
    /// The right that it needs, as roles name it: `delete`.
    pub verb: &'a str,
    /// On what, as roles name it: `pods/eviction`.
    pub resource: &'a str,
    /// Where.
    pub namespace: &'a str,
}

/// Why it was not done.
pub fn refusal(error: kube::Error, act: Act<'_>) -> Error {
    let Act { verb, resource, namespace } = act;
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
        429 => match budget(&status) {
            Some(reason) => Error::Refused { reason },
            None => unavailable(kube::Error::Api(status)),
        },
        500 if is_torn_between_budgets(&status) => Error::Refused { reason: status.message },
        400 | 403 | 422 => Error::Refused { reason: status.message },
        _ => unavailable(kube::Error::Api(status)),
    }
}

/// Whether a role would help. Admission says `forbidden` too, of what no role allows, and in whatever words it likes;
/// only the authoriser names the user.
fn is_missing_right(status: &Status) -> bool {
    let denial = status.message.split_once("is forbidden: User ");
    denial.is_some_and(|(_, denial)| denial.contains(" cannot "))
}

/// Whether several budgets cover one pod, which Kubernetes calls an error of its own: it stays until one is taken away.
fn is_torn_between_budgets(status: &Status) -> bool {
    status.message.contains("more than one PodDisruptionBudget")
}

/// The disruption budget that stands in the way, in Kubernetes' words.
fn budget(status: &Status) -> Option<String> {
    let mut causes = status.details.iter().flat_map(|details| &details.causes);
    let cause = causes.find(|cause| cause.reason == "DisruptionBudget")?;
    Some(if cause.message.is_empty() { status.message.clone() } else { cause.message.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const ACT: Act<'_> = Act { verb: "delete", resource: "pods", namespace: "ns" };

    fn refused(status: Value) -> Error {
        refusal(kube::Error::Api(serde_json::from_value(status).unwrap()), ACT)
    }

    #[test]
    fn a_missing_right_is_told_as_the_verb_and_the_resource() {
        let user = "User \"system:serviceaccount:ns:a\"";
        let message = format!("pods \"x\" is forbidden: {user} cannot delete resource \"pods\" in API group \"\"");

        let error = refused(json!({ "code": 403, "reason": "Forbidden", "message": message }));

        assert!(matches!(error, Error::Misconfigured { .. }), "{error:?}");
        assert_eq!(
            error.to_string(),
            "this service may not delete pods in namespace ns: its role lacks the verb \"delete\" on \"pods\""
        );
    }

    #[test]
    fn what_admission_forbids_is_told_in_its_own_words() {
        let message = "admission webhook \"v.keda.sh\" denied the request: max below min";

        let error = refused(json!({ "code": 403, "reason": "Forbidden", "message": message }));

        assert!(matches!(error, Error::Refused { reason } if reason == message));
    }

    #[test]
    fn what_admission_says_cannot_be_is_no_missing_right() {
        let message = "admission webhook \"limits.example\" denied the request: maxReplicas cannot be more than 8";

        let error = refused(json!({ "code": 403, "reason": "Forbidden", "message": message }));

        assert!(matches!(&error, Error::Refused { reason } if reason == message), "{error:?}");
    }

    #[test]
    fn a_pod_that_two_budgets_cover_is_no_passing_failure() {
        let message =
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";

        let error = refused(json!({ "code": 500, "status": "Failure", "message": message }));

        assert!(matches!(&error, Error::Refused { reason } if reason == message), "{error:?}");
    }

    #[test]
    fn an_eviction_that_a_budget_forbids_names_the_budget() {
        let needs = "The disruption budget kana-worker needs 3 healthy pods and has 3 currently";
        let causes = json!([{ "reason": "DisruptionBudget", "message": needs }]);

        let error = refused(json!({ "code": 429, "message": "Cannot evict pod", "details": { "causes": causes } }));

        assert!(matches!(error, Error::Refused { reason } if reason == needs));
    }

    #[test]
    fn an_overloaded_server_is_no_refusal() {
        let error = refused(json!({ "code": 429, "message": "too many requests" }));

        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    }

    #[test]
    fn a_kind_that_the_cluster_does_not_know_is_told_apart_from_an_object_that_is_not_there() {
        let kind = refused(json!({ "code": 404, "message": "the server could not find the requested resource" }));
        let object = refused(json!({ "code": 404, "message": "hpa \"a\" not found", "details": { "name": "a" } }));

        assert_eq!(kind.to_string(), "this cluster knows no pods: what defines them is not installed");
        assert_eq!(object.to_string(), "hpa \"a\" not found");
    }

    #[test]
    fn a_server_that_fails_is_unavailable() {
        assert!(matches!(refused(json!({ "code": 500, "message": "etcd" })), Error::Unavailable { .. }));
        let broken = refusal(kube::Error::Service("refused".into()), ACT);
        assert!(matches!(broken, Error::Unavailable { .. }));
    }

    #[test]
    fn a_value_that_the_server_finds_wrong_is_refused_in_its_words() {
        let error = refused(json!({ "code": 422, "reason": "Invalid", "message": "minReplicas: must be less" }));

        assert!(matches!(error, Error::Refused { reason } if reason == "minReplicas: must be less"));
    }
}
