//! Is the range read from and written to the object that scales the Deployment?

use hyper::Method;
use kana::cluster::kubernetes::Scaler;
use kana::pod::{Cluster, Error, Event, Scale, ScaledBy};
use serde_json::{Value, json};

use super::{A, Fixture, commands, receive};
use crate::support::api_server::{DEPLOYMENTS, HPAS, PODS, SCALED_OBJECTS};
use crate::support::eventually;
use crate::support::kubernetes_objects::{deployment, forbidden, worker};

fn hpa(min: u32, max: u32) -> Value {
    json!({ "metadata": { "name": "kana-worker", "namespace": "ns" },
        "spec": { "minReplicas": min, "maxReplicas": max } })
}

fn scaled_object(min: u32, max: u32) -> Value {
    json!({ "metadata": { "name": "kana-worker", "namespace": "ns" },
        "spec": { "minReplicaCount": min, "maxReplicaCount": max } })
}

/// Prepares a release with one pod, of which `desired` are desired.
fn prepared(scaler: Scaler, desired: u32) -> Fixture {
    let fixture = Fixture::prepare(scaler);
    fixture.server.put(PODS, worker(A));
    fixture.server.put(DEPLOYMENTS, deployment(desired));
    fixture
}

async fn scale(fixture: &Fixture) -> Scale {
    fixture.until_pods(&[A]).await;
    eventually("the scale", async || fixture.cluster.scale().await.ok()).await
}

#[tokio::test]
async fn the_range_of_a_horizontal_pod_autoscaler_is_read_and_patched() {
    let fixture = prepared(Scaler::Hpa("kana-worker".into()), 3);
    fixture.server.put(HPAS, hpa(2, 5));
    fixture.start();
    assert_eq!(
        scale(&fixture).await,
        Scale { min: 2, max: 5, current: 1, desired: 3, by: ScaledBy::Hpa, paused: None }
    );
    let mut events = fixture.cluster.events();

    let after = fixture.cluster.set_range(1..=8).await.unwrap();

    assert_eq!((after.min, after.max), (1, 8));
    let request = fixture.server.requests_with(Method::PATCH).remove(0);
    assert_eq!(request.path, format!("{HPAS}/kana-worker"));
    assert!(request.query.contains("fieldManager=kana"), "{}", request.query);
    assert_eq!(request.body, json!({ "spec": { "minReplicas": 1, "maxReplicas": 8 } }));
    let patch = "--type merge --field-manager kana -p '{\"spec\":{\"maxReplicas\":8,\"minReplicas\":1}}'";
    let console = commands(&mut events).remove(0);
    assert_eq!(console.command, format!("kubectl -n ns patch hpa kana-worker {patch}"));
    assert_eq!(console.output, "1 to 8");
}

#[tokio::test]
async fn the_range_of_a_scaled_object_is_read_and_patched() {
    let fixture = prepared(Scaler::Keda("kana-worker".into()), 1);
    fixture.server.put(SCALED_OBJECTS, scaled_object(0, 9));
    fixture.start();
    assert_eq!(
        scale(&fixture).await,
        Scale { min: 0, max: 9, current: 1, desired: 1, by: ScaledBy::Keda, paused: None }
    );
    let mut events = fixture.cluster.events();

    let after = fixture.cluster.set_range(0..=3).await.unwrap();

    assert_eq!((after.min, after.max), (0, 3));
    let request = fixture.server.requests_with(Method::PATCH).remove(0);
    assert_eq!(request.path, format!("{SCALED_OBJECTS}/kana-worker"));
    assert!(request.query.contains("fieldManager=kana"), "{}", request.query);
    assert_eq!(request.body, json!({ "spec": { "minReplicaCount": 0, "maxReplicaCount": 3 } }));
    let command = commands(&mut events).remove(0).command;
    assert!(command.starts_with("kubectl -n ns patch scaledobject kana-worker --type merge"), "{command}");
}

#[tokio::test]
async fn the_number_of_a_deployment_without_a_scaler_is_patched() {
    let fixture = prepared(Scaler::Fixed, 1);
    fixture.start();
    assert_eq!(
        scale(&fixture).await,
        Scale { min: 1, max: 1, current: 1, desired: 1, by: ScaledBy::Fixed, paused: None }
    );
    let mut events = fixture.cluster.events();

    let after = fixture.cluster.set_range(4..=4).await.unwrap();

    assert_eq!((after.min, after.max, after.desired), (4, 4, 4));
    let request = fixture.server.requests_with(Method::PATCH).remove(0);
    assert_eq!(request.path, format!("{DEPLOYMENTS}/kana-worker/scale"));
    assert!(request.query.contains("fieldManager=kana"), "{}", request.query);
    assert_eq!(request.body, json!({ "spec": { "replicas": 4 } }));
    assert_eq!(commands(&mut events).remove(0).command, "kubectl -n ns scale deployment kana-worker --replicas 4");
}

#[tokio::test]
async fn a_range_is_refused_where_nothing_scales_within_it() {
    let fixture = prepared(Scaler::Fixed, 1);
    fixture.start();
    scale(&fixture).await;

    let error = fixture.cluster.set_range(1..=4).await.unwrap_err();

    assert!(matches!(&error, Error::Refused { reason } if reason.contains("min is 1 and max is 4")), "{error:?}");
    assert!(fixture.server.requests_with(Method::PATCH).is_empty());
}

#[tokio::test]
async fn a_change_by_somebody_else_is_published() {
    let fixture = prepared(Scaler::Hpa("kana-worker".into()), 2);
    fixture.server.put(HPAS, hpa(1, 5));
    fixture.start();
    scale(&fixture).await;
    fixture.server.until_watched(HPAS).await;
    fixture.server.until_watched(DEPLOYMENTS).await;
    let mut events = fixture.cluster.events();

    fixture.server.put(HPAS, hpa(1, 7));
    fixture.server.put(DEPLOYMENTS, deployment(6));

    let published = receive(&mut events, |event| match event {
        Event::Scale(scale) if scale.desired == 6 => Some(*scale),
        _ => None,
    });
    assert_eq!(published.await, Scale { min: 1, max: 7, current: 1, desired: 6, by: ScaledBy::Hpa, paused: None });
}

#[tokio::test]
async fn single_objects_are_requested_by_name_alone() {
    let fixture = prepared(Scaler::Keda("kana-scaler".into()), 1);
    fixture.start();
    fixture.server.until_watched(SCALED_OBJECTS).await;
    fixture.server.until_watched(DEPLOYMENTS).await;

    let requests = fixture.server.requests();

    for (collection, name) in [(SCALED_OBJECTS, "kana-scaler"), (DEPLOYMENTS, "kana-worker")] {
        let of = format!("fieldSelector=metadata.name%3D{name}");
        let (mut by_name, others): (Vec<_>, Vec<_>) = requests
            .iter()
            .filter(|request| request.path == collection)
            .partition(|request| request.query.contains(&of));
        assert!(others.is_empty(), "{others:?}");
        assert!(by_name.pop().is_some_and(|request| request.query.contains("watch=true")));
    }
}

#[tokio::test]
async fn a_missing_right_to_patch_is_named() {
    for (scaler, path, resource) in [
        (Scaler::Hpa("kana-worker".into()), format!("{HPAS}/kana-worker"), "horizontalpodautoscalers.autoscaling"),
        (Scaler::Keda("kana-worker".into()), format!("{SCALED_OBJECTS}/kana-worker"), "scaledobjects.keda.sh"),
        (Scaler::Fixed, format!("{DEPLOYMENTS}/kana-worker/scale"), "deployments.apps/scale"),
    ] {
        let fixture = prepared(scaler, 1);
        fixture.server.refuse(Method::PATCH, &path, forbidden("patch", resource), 1);

        let error = fixture.cluster.set_range(2..=2).await.unwrap_err();

        assert!(matches!(error, Error::Misconfigured { .. }), "{error:?}");
        assert!(error.to_string().contains(&format!("the verb \"patch\" on {resource:?}")), "{error}");
    }
}

#[tokio::test]
async fn without_the_right_to_read_the_scaler_the_pods_are_still_listed() {
    let fixture = prepared(Scaler::Hpa("kana-worker".into()), 1);
    fixture.server.refuse(Method::GET, HPAS, forbidden("list", "horizontalpodautoscalers"), usize::MAX);

    fixture.start();

    fixture.until_pods(&[A]).await;
    fixture.until_failure(|failure| failure.is_some_and(|reason| reason.contains("horizontalpodautoscalers"))).await;
    let error = fixture.cluster.scale().await.unwrap_err();
    assert!(error.to_string().contains("the verb \"list\""), "{error}");
}

#[tokio::test]
async fn an_object_that_does_not_exist_is_named_until_it_is_created() {
    let fixture = prepared(Scaler::Hpa("kana-worker".into()), 1);
    fixture.start();
    let message = "there is no horizontalpodautoscalers.autoscaling kana-worker in namespace ns";
    fixture.until_failure(|failure| failure == Some(message)).await;
    fixture.server.until_watched(HPAS).await;

    fixture.server.put(HPAS, hpa(1, 5));

    assert_eq!(scale(&fixture).await.max, 5);
    fixture.until_failure(|failure| failure.is_none()).await;

    fixture.server.remove(HPAS, "kana-worker");

    fixture.until_failure(|failure| failure == Some(message)).await;
    fixture.server.end_watches(HPAS);
    fixture.server.until_watched(HPAS).await;
    assert_eq!(
        fixture.cluster.fault().as_deref(),
        Some(message),
        "a watch that works does not make up for a missing object"
    );
}

#[tokio::test]
async fn an_object_that_scales_something_else_is_named_and_never_changed() {
    let fixture = prepared(Scaler::Hpa("kana-worker".into()), 1);
    let mut foreign = hpa(1, 5);
    foreign["spec"]["scaleTargetRef"] = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "shop" });
    fixture.server.put(HPAS, foreign);
    fixture.start();
    let message = "the HorizontalPodAutoscaler kana-worker scales the Deployment shop, not the Deployment kana-worker";
    fixture.until_failure(|failure| failure == Some(message)).await;

    let error = fixture.cluster.set_range(0..=1).await.unwrap_err();

    assert!(matches!(&error, Error::Misconfigured { reason } if reason == message), "{error:?}");
    assert_eq!(fixture.cluster.scale().await.unwrap_err().to_string(), message);
    assert!(fixture.server.requests_with(Method::PATCH).is_empty());
}

#[tokio::test]
async fn a_paused_scaled_object_is_reported_until_it_resumes_and_its_range_can_be_set() {
    let fixture = prepared(Scaler::Keda("kana-worker".into()), 1);
    let mut paused = scaled_object(0, 9);
    paused["metadata"]["annotations"] = json!({ "autoscaling.keda.sh/paused-replicas": "1" });
    fixture.server.put(SCALED_OBJECTS, paused);
    fixture.start();
    fixture.until_failure(|failure| failure.is_some_and(|reason| reason.contains("kana-worker is paused"))).await;

    let after = fixture.cluster.set_range(0..=3).await.unwrap();

    assert_eq!((after.min, after.max, after.current, after.desired), (0, 3, 1, 1));
    fixture.server.until_watched(SCALED_OBJECTS).await;
    fixture.server.put(SCALED_OBJECTS, scaled_object(0, 3));
    fixture.until_failure(|failure| failure.is_none()).await;
}

#[tokio::test]
async fn a_conflicting_change_is_unavailable_and_works_the_second_time() {
    let fixture = prepared(Scaler::Hpa("kana-worker".into()), 1);
    fixture.server.put(HPAS, hpa(1, 5));
    fixture.start();
    scale(&fixture).await;
    let message = "Operation cannot be fulfilled on horizontalpodautoscalers: the object has been modified";
    let status = json!({ "code": 409, "reason": "Conflict", "message": message });
    fixture.server.refuse(Method::PATCH, &format!("{HPAS}/kana-worker"), status, 1);

    let error = fixture.cluster.set_range(1..=6).await.unwrap_err();

    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert_eq!(fixture.cluster.set_range(1..=6).await.unwrap().max, 6, "accepted the second time");
}

#[tokio::test]
async fn a_cluster_without_keda_is_distinguished_from_a_scaler_that_does_not_exist() {
    let fixture = prepared(Scaler::Keda("kana-worker".into()), 1);
    let message = "the server could not find the requested resource";
    let status = json!({ "code": 404, "reason": "NotFound", "message": message, "details": {} });
    fixture.server.refuse(Method::GET, SCALED_OBJECTS, status, usize::MAX);

    fixture.start();

    fixture
        .until_failure(|failure| failure.is_some_and(|reason| reason.contains("knows no scaledobjects.keda.sh")))
        .await;
}

#[tokio::test]
async fn bounds_that_kubernetes_rejects_are_refused_with_its_message() {
    let fixture = prepared(Scaler::Hpa("kana-worker".into()), 1);
    fixture.server.put(HPAS, hpa(1, 5));
    let message = "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1";
    let status = json!({ "code": 422, "reason": "Invalid", "message": message });
    fixture.server.refuse(Method::PATCH, &format!("{HPAS}/kana-worker"), status, 1);

    let error = fixture.cluster.set_range(0..=5).await.unwrap_err();

    assert!(matches!(&error, Error::Refused { reason } if reason == message), "{error:?}");
}
