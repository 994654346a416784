//! Is the range read from and written into whatever owns the Deployment's number?

use hyper::Method;
use kana::cluster::kubernetes::Scaler;
use kana::pod::{Cluster, Error, Event, Scale, ScaledBy};
use serde_json::{Value, json};

use super::{A, Stand, heard, shown};
use crate::support::api_server::{DEPLOYMENTS, HPAS, PODS, SCALED_OBJECTS, deployment, forbidden, worker};
use crate::support::eventually;

fn hpa(min: u32, max: u32) -> Value {
    json!({ "metadata": { "name": "kana-worker", "namespace": "ns" },
        "spec": { "minReplicas": min, "maxReplicas": max } })
}

fn scaled_object(min: u32, max: u32) -> Value {
    json!({ "metadata": { "name": "kana-worker", "namespace": "ns" },
        "spec": { "minReplicaCount": min, "maxReplicaCount": max } })
}

/// One pod runs, and so many are wanted.
fn prepared(scaler: Scaler, desired: u32) -> Stand {
    let stand = Stand::prepare(scaler);
    stand.server.put(PODS, worker(A));
    stand.server.put(DEPLOYMENTS, deployment(desired));
    stand
}

async fn scale(stand: &Stand) -> Scale {
    stand.knows(&[A]).await;
    eventually("the scale", async || stand.cluster.scale().await.ok()).await
}

#[tokio::test]
async fn the_range_of_a_horizontal_pod_autoscaler_is_read_and_patched() {
    let stand = prepared(Scaler::Hpa("kana-worker".into()), 3);
    stand.server.put(HPAS, hpa(2, 5));
    stand.start();
    assert_eq!(scale(&stand).await, Scale { min: 2, max: 5, current: 1, desired: 3, by: ScaledBy::Hpa });
    let mut events = stand.cluster.events();

    let after = stand.cluster.set_range(1..=8).await.unwrap();

    assert_eq!((after.min, after.max), (1, 8));
    let asked = stand.server.asked_to(Method::PATCH).remove(0);
    assert_eq!(asked.path, format!("{HPAS}/kana-worker"));
    assert!(asked.query.contains("fieldManager=kana"), "{}", asked.query);
    assert_eq!(asked.body, json!({ "spec": { "minReplicas": 1, "maxReplicas": 8 } }));
    let patch = "--type merge --field-manager kana -p '{\"spec\":{\"maxReplicas\":8,\"minReplicas\":1}}'";
    let shown = shown(&mut events).remove(0);
    assert_eq!(shown.command, format!("kubectl -n ns patch hpa kana-worker {patch}"));
    assert_eq!(shown.output, "1 to 8");
}

#[tokio::test]
async fn the_range_of_a_scaled_object_is_read_and_patched() {
    let stand = prepared(Scaler::Keda("kana-worker".into()), 1);
    stand.server.put(SCALED_OBJECTS, scaled_object(0, 9));
    stand.start();
    assert_eq!(scale(&stand).await, Scale { min: 0, max: 9, current: 1, desired: 1, by: ScaledBy::Keda });
    let mut events = stand.cluster.events();

    let after = stand.cluster.set_range(0..=3).await.unwrap();

    assert_eq!((after.min, after.max), (0, 3));
    let asked = stand.server.asked_to(Method::PATCH).remove(0);
    assert_eq!(asked.path, format!("{SCALED_OBJECTS}/kana-worker"));
    assert!(asked.query.contains("fieldManager=kana"), "{}", asked.query);
    assert_eq!(asked.body, json!({ "spec": { "minReplicaCount": 0, "maxReplicaCount": 3 } }));
    let command = shown(&mut events).remove(0).command;
    assert!(command.starts_with("kubectl -n ns patch scaledobject kana-worker --type merge"), "{command}");
}

#[tokio::test]
async fn a_deployment_that_nobody_scales_is_given_its_number() {
    let stand = prepared(Scaler::Nobody, 1);
    stand.start();
    assert_eq!(scale(&stand).await, Scale { min: 1, max: 1, current: 1, desired: 1, by: ScaledBy::Fixed });
    let mut events = stand.cluster.events();

    let after = stand.cluster.set_range(4..=4).await.unwrap();

    assert_eq!((after.min, after.max, after.desired), (4, 4, 4));
    let asked = stand.server.asked_to(Method::PATCH).remove(0);
    assert_eq!(asked.path, format!("{DEPLOYMENTS}/kana-worker/scale"));
    assert!(asked.query.contains("fieldManager=kana"), "{}", asked.query);
    assert_eq!(asked.body, json!({ "spec": { "replicas": 4 } }));
    assert_eq!(shown(&mut events).remove(0).command, "kubectl -n ns scale deployment kana-worker --replicas 4");
}

#[tokio::test]
async fn a_range_is_refused_where_nothing_moves_the_number_within_it() {
    let stand = prepared(Scaler::Nobody, 1);
    stand.start();
    scale(&stand).await;

    let error = stand.cluster.set_range(1..=4).await.unwrap_err();

    assert!(matches!(&error, Error::Refused { reason } if reason.contains("min is 1 and max is 4")), "{error:?}");
    assert!(stand.server.asked_to(Method::PATCH).is_empty());
}

#[tokio::test]
async fn what_somebody_else_changes_is_told() {
    let stand = prepared(Scaler::Hpa("kana-worker".into()), 2);
    stand.server.put(HPAS, hpa(1, 5));
    stand.start();
    scale(&stand).await;
    stand.server.watched(HPAS).await;
    stand.server.watched(DEPLOYMENTS).await;
    let mut events = stand.cluster.events();

    stand.server.put(HPAS, hpa(1, 7));
    stand.server.put(DEPLOYMENTS, deployment(6));

    let told = heard(&mut events, |event| match event {
        Event::Scale(scale) if scale.desired == 6 => Some(*scale),
        _ => None,
    });
    assert_eq!(told.await, Scale { min: 1, max: 7, current: 1, desired: 6, by: ScaledBy::Hpa });
}

#[tokio::test]
async fn single_objects_are_asked_for_by_name_alone() {
    let stand = prepared(Scaler::Keda("kana-scaler".into()), 1);
    stand.start();
    stand.server.watched(SCALED_OBJECTS).await;
    stand.server.watched(DEPLOYMENTS).await;

    let asked = stand.server.asked();

    for (collection, name) in [(SCALED_OBJECTS, "kana-scaler"), (DEPLOYMENTS, "kana-worker")] {
        let of = format!("fieldSelector=metadata.name%3D{name}");
        let (mut meant, others): (Vec<_>, Vec<_>) =
            asked.iter().filter(|asked| asked.path == collection).partition(|asked| asked.query.contains(&of));
        assert!(others.is_empty(), "{others:?}");
        assert!(meant.pop().is_some_and(|asked| asked.query.contains("watch=true")));
    }
}

#[tokio::test]
async fn a_missing_right_is_named_where_it_is_missed() {
    for (scaler, path, resource) in [
        (Scaler::Hpa("kana-worker".into()), format!("{HPAS}/kana-worker"), "horizontalpodautoscalers.autoscaling"),
        (Scaler::Keda("kana-worker".into()), format!("{SCALED_OBJECTS}/kana-worker"), "scaledobjects.keda.sh"),
        (Scaler::Nobody, format!("{DEPLOYMENTS}/kana-worker/scale"), "deployments.apps/scale"),
    ] {
        let stand = prepared(scaler, 1);
        stand.server.refuse(Method::PATCH, &path, forbidden("patch", resource), 1);

        let error = stand.cluster.set_range(2..=2).await.unwrap_err();

        assert!(matches!(error, Error::Misconfigured { .. }), "{error:?}");
        assert!(error.to_string().contains(&format!("the verb \"patch\" on {resource:?}")), "{error}");
    }
}

#[tokio::test]
async fn a_missing_right_to_read_the_scaler_leaves_the_pods_to_be_seen() {
    let stand = prepared(Scaler::Hpa("kana-worker".into()), 1);
    stand.server.refuse(Method::GET, HPAS, forbidden("list", "horizontalpodautoscalers"), usize::MAX);

    stand.start();

    stand.knows(&[A]).await;
    stand.has_trouble(|trouble| trouble.is_some_and(|reason| reason.contains("horizontalpodautoscalers"))).await;
    let error = stand.cluster.scale().await.unwrap_err();
    assert!(error.to_string().contains("the verb \"list\""), "{error}");
}

#[tokio::test]
async fn an_object_that_is_not_there_is_named_and_found_when_it_comes() {
    let stand = prepared(Scaler::Hpa("kana-worker".into()), 1);
    stand.start();
    let named = "there is no horizontalpodautoscalers.autoscaling kana-worker in namespace ns";
    stand.has_trouble(|trouble| trouble == Some(named)).await;
    stand.server.watched(HPAS).await;

    stand.server.put(HPAS, hpa(1, 5));

    assert_eq!(scale(&stand).await.max, 5);
    stand.has_trouble(|trouble| trouble.is_none()).await;

    stand.server.remove(HPAS, "kana-worker", true);

    stand.has_trouble(|trouble| trouble == Some(named)).await;
    stand.server.end_watches(HPAS);
    stand.server.watched(HPAS).await;
    assert_eq!(stand.cluster.fault().as_deref(), Some(named), "that it can be watched is no comfort");
}

#[tokio::test]
async fn an_object_that_scales_something_else_is_named_and_never_changed() {
    let stand = prepared(Scaler::Hpa("kana-worker".into()), 1);
    let mut foreign = hpa(1, 5);
    foreign["spec"]["scaleTargetRef"] = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "shop" });
    stand.server.put(HPAS, foreign);
    stand.start();
    let named = "the HorizontalPodAutoscaler kana-worker scales the Deployment shop, not the Deployment kana-worker";
    stand.has_trouble(|trouble| trouble == Some(named)).await;

    let error = stand.cluster.set_range(0..=1).await.unwrap_err();

    assert!(matches!(&error, Error::Misconfigured { reason } if reason == named), "{error:?}");
    assert_eq!(stand.cluster.scale().await.unwrap_err().to_string(), named);
    assert!(stand.server.asked_to(Method::PATCH).is_empty());
}

#[tokio::test]
async fn a_scaled_object_that_is_paused_is_told_until_it_is_not_and_its_range_can_be_set() {
    let stand = prepared(Scaler::Keda("kana-worker".into()), 1);
    let mut paused = scaled_object(0, 9);
    paused["metadata"]["annotations"] = json!({ "autoscaling.keda.sh/paused-replicas": "1" });
    stand.server.put(SCALED_OBJECTS, paused);
    stand.start();
    stand.has_trouble(|trouble| trouble.is_some_and(|reason| reason.contains("kana-worker is paused"))).await;

    let after = stand.cluster.set_range(0..=3).await.unwrap();

    assert_eq!((after.min, after.max, after.current, after.desired), (0, 3, 1, 1));
    stand.server.watched(SCALED_OBJECTS).await;
    stand.server.put(SCALED_OBJECTS, scaled_object(0, 3));
    stand.has_trouble(|trouble| trouble.is_none()).await;
}

#[tokio::test]
async fn a_change_that_meets_another_is_no_refusal() {
    let stand = prepared(Scaler::Hpa("kana-worker".into()), 1);
    stand.server.put(HPAS, hpa(1, 5));
    stand.start();
    scale(&stand).await;
    let message = "Operation cannot be fulfilled on horizontalpodautoscalers: the object has been modified";
    let status = json!({ "code": 409, "reason": "Conflict", "message": message });
    stand.server.refuse(Method::PATCH, &format!("{HPAS}/kana-worker"), status, 1);

    let error = stand.cluster.set_range(1..=6).await.unwrap_err();

    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert_eq!(stand.cluster.set_range(1..=6).await.unwrap().max, 6, "taken the second time");
}

#[tokio::test]
async fn a_cluster_without_keda_is_told_apart_from_a_scaler_that_is_not_there() {
    let stand = prepared(Scaler::Keda("kana-worker".into()), 1);
    let message = "the server could not find the requested resource";
    let status = json!({ "code": 404, "reason": "NotFound", "message": message, "details": {} });
    stand.server.refuse(Method::GET, SCALED_OBJECTS, status, usize::MAX);

    stand.start();

    stand.has_trouble(|trouble| trouble.is_some_and(|reason| reason.contains("knows no scaledobjects.keda.sh"))).await;
}

#[tokio::test]
async fn bounds_that_kubernetes_finds_wrong_are_refused_in_its_words() {
    let stand = prepared(Scaler::Hpa("kana-worker".into()), 1);
    stand.server.put(HPAS, hpa(1, 5));
    let message = "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1";
    let status = json!({ "code": 422, "reason": "Invalid", "message": message });
    stand.server.refuse(Method::PATCH, &format!("{HPAS}/kana-worker"), status, 1);

    let error = stand.cluster.set_range(0..=5).await.unwrap_err();

    assert!(matches!(&error, Error::Refused { reason } if reason == message), "{error:?}");
}
