//! Is a pod stopped in the way that was asked for, and only a pod of this release?

use hyper::Method;
use kana::cluster::kubernetes::{OwnPod, Scaler};
use kana::pod::{Cluster, Error, Event, Phase, Stop};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{A, B, Fixture, commands, receive};
use crate::support::api_server::{ApiServer, EVENTS, PODS, Received};
use crate::support::eventually;
use crate::support::kubernetes_objects::{forbidden, worker};

async fn with_one_pod() -> Fixture {
    let fixture = Fixture::prepare(Scaler::Fixed);
    fixture.server.put(PODS, worker(A));
    fixture.start();
    fixture.server.until_watched(PODS).await;
    fixture.until_pods(&[A]).await;
    fixture
}

fn only(mut requests: Vec<Received>) -> Received {
    assert_eq!(requests.len(), 1, "{requests:?}");
    requests.remove(0)
}

fn eviction() -> String {
    format!("{PODS}/{A}/eviction")
}

#[tokio::test]
async fn a_pod_is_deleted_by_its_uid_and_the_command_is_published() {
    let fixture = with_one_pod().await;
    let mut events = fixture.cluster.events();

    fixture.cluster.stop(A, Stop::Delete).await.unwrap();

    let request = only(fixture.server.requests_with(Method::DELETE));
    assert_eq!(request.path, format!("{PODS}/{A}"));
    assert_eq!(request.body, json!({ "preconditions": { "uid": format!("uid-{A}") } }));
    let console = receive(&mut events, |event| match event {
        Event::Console(console) => Some(console.clone()),
        _ => None,
    })
    .await;
    assert_eq!(console.command, format!("kubectl -n ns delete pod {A} --wait=false"));
    assert_eq!(console.output, "asked to end");
}

#[tokio::test]
async fn a_pod_is_killed_without_any_grace() {
    let fixture = with_one_pod().await;
    let mut events = fixture.cluster.events();

    fixture.cluster.stop(A, Stop::Kill).await.unwrap();

    assert_eq!(only(fixture.server.requests_with(Method::DELETE)).body["gracePeriodSeconds"], 0);
    fixture.until_pods(&[]).await;
    let console = commands(&mut events).remove(0);
    assert_eq!(console.command, format!("kubectl -n ns delete pod {A} --grace-period=0 --force"));
}

#[tokio::test]
async fn a_pod_is_evicted_so_that_budgets_are_honoured() {
    let fixture = with_one_pod().await;
    let mut events = fixture.cluster.events();

    fixture.cluster.stop(A, Stop::Evict).await.unwrap();

    let mut requests = fixture.server.requests_with(Method::POST);
    let event = requests.pop().unwrap();
    assert_eq!((event.path.as_str(), &event.body["reason"]), (EVENTS, &json!("Stopped")));
    assert_eq!(event.body["involvedObject"]["uid"], format!("uid-{A}"));
    let request = only(requests);
    assert_eq!(request.path, eviction());
    assert_eq!(request.body["metadata"]["name"], A);
    assert_eq!(request.body["deleteOptions"]["preconditions"]["uid"], format!("uid-{A}"));
    let console = commands(&mut events).remove(0);
    assert!(
        console.command.ends_with(&format!("kubectl create --raw {PODS}/{A}/eviction -f -")),
        "{}",
        console.command
    );
}

#[tokio::test]
async fn an_eviction_that_a_budget_forbids_is_refused_with_the_budgets_name() {
    let fixture = with_one_pod().await;
    let needs = "The disruption budget kana-worker needs 1 healthy pods and has 1 currently";
    let details = json!({ "causes": [{ "reason": "DisruptionBudget", "message": needs }] });
    let status = json!({ "code": 429, "reason": "TooManyRequests", "message": "no", "details": details });
    fixture.server.refuse(Method::POST, &eviction(), status, 1);
    let mut events = fixture.cluster.events();

    let error = fixture.cluster.stop(A, Stop::Evict).await.unwrap_err();

    assert!(matches!(&error, Error::Refused { reason } if reason == needs), "{error:?}");
    assert_eq!(commands(&mut events)[0].output, format!("error: {needs}"));
    assert_eq!(fixture.server.requests_with(Method::POST).len(), 1, "requested once and not again");
}

#[tokio::test]
async fn a_missing_right_to_end_pods_is_named() {
    for (how, method, path, message) in [
        (Stop::Delete, Method::DELETE, format!("{PODS}/{A}"), "the verb \"delete\" on \"pods\""),
        (Stop::Kill, Method::DELETE, format!("{PODS}/{A}"), "the verb \"delete\" on \"pods\""),
        (Stop::Evict, Method::POST, eviction(), "the verb \"create\" on \"pods/eviction\""),
    ] {
        let fixture = with_one_pod().await;
        fixture.server.refuse(method, &path, forbidden("delete", "pods"), 1);

        let error = fixture.cluster.stop(A, how).await.unwrap_err();

        assert!(matches!(error, Error::Misconfigured { .. }), "{error:?}");
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[tokio::test]
async fn a_pod_of_another_release_is_unknown_and_never_touched() {
    let fixture = Fixture::prepare(Scaler::Fixed);
    let mut foreign = worker(B);
    foreign["metadata"]["ownerReferences"][0]["name"] = json!("other-5d4f8");
    fixture.server.put(PODS, foreign);
    fixture.server.put(PODS, worker(A));
    fixture.start();
    fixture.until_pods(&[A]).await;

    for how in [Stop::Delete, Stop::Evict, Stop::Kill] {
        let error = fixture.cluster.stop(B, how).await.unwrap_err();

        assert!(matches!(&error, Error::Unknown { name } if name == B), "{error:?}");
    }
    assert!(matches!(fixture.cluster.logs(B, 10).await, Err(Error::Unknown { .. })));
    assert!(fixture.server.requests_with(Method::DELETE).is_empty());
    assert!(fixture.server.requests_with(Method::POST).is_empty());
}

#[tokio::test]
async fn a_pod_that_was_just_taken_out_of_the_release_is_never_touched() {
    let fixture = with_one_pod().await;
    fixture.server.end_watches(PODS);
    fixture.server.refuse_watches(PODS, json!({ "code": 500, "message": "later" }), usize::MAX);
    let mut unowned = worker(A);
    unowned["metadata"]["ownerReferences"] = json!([]);
    fixture.server.put(PODS, unowned);

    let error = fixture.cluster.stop(A, Stop::Kill).await.unwrap_err();

    assert!(matches!(error, Error::Unknown { .. }), "{error:?}");
    assert!(fixture.server.requests_with(Method::DELETE).is_empty());
}

#[tokio::test]
async fn a_name_is_never_part_of_a_url_unless_a_pod_has_it() {
    let fixture = with_one_pod().await;
    let before = fixture.server.requests().len();

    for name in ["", "..", "../secrets/token", "a/b", &format!("{A}/eviction"), &format!("{A}?x=y")] {
        let error = fixture.cluster.stop(name, Stop::Delete).await.unwrap_err();

        assert!(matches!(error, Error::Unknown { .. }), "{name}: {error:?}");
    }
    assert_eq!(fixture.server.requests().len(), before, "no request was sent");
}

#[tokio::test]
async fn a_pod_that_is_gone_or_replaced_is_unknown() {
    let uid = "Operation cannot be fulfilled on Pod: the UID in the precondition (a) does not match the UID in record";
    for status in [
        json!({ "code": 404, "reason": "NotFound", "message": "not found", "details": { "name": A } }),
        json!({ "code": 409, "reason": "Conflict", "message": uid }),
    ] {
        let fixture = with_one_pod().await;
        fixture.server.refuse(Method::DELETE, &format!("{PODS}/{A}"), status, 1);

        let error = fixture.cluster.stop(A, Stop::Delete).await.unwrap_err();

        assert!(matches!(error, Error::Unknown { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_makes_stopping_unavailable() {
    let fixture = with_one_pod().await;
    fixture.server.go_down();

    let error = fixture.cluster.stop(A, Stop::Delete).await.unwrap_err();

    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn the_end_of_a_log_is_read_from_the_workers_container() {
    let fixture = with_one_pod().await;
    fixture.server.add_log("one\ntwo\n");

    let log = fixture.cluster.logs(A, 2).await.unwrap();

    assert_eq!(log, "one\ntwo\n");
    let request = fixture.server.requests().into_iter().find(|request| request.path.ends_with("/log")).unwrap();
    assert!(request.query.contains("container=worker") && request.query.contains("tailLines=2"), "{}", request.query);
}

#[tokio::test]
async fn the_log_of_a_pod_in_a_mesh_is_that_of_the_worker() {
    let fixture = with_one_pod().await;
    let mut meshed = worker(A);
    meshed["spec"]["containers"] = json!([{ "name": "mesh-proxy" }, { "name": "worker" }]);
    fixture.server.put(PODS, meshed);
    let mut events = fixture.cluster.events();

    fixture.cluster.logs(A, 2).await.unwrap();

    let request = fixture.server.requests().into_iter().find(|request| request.path.ends_with("/log")).unwrap();
    assert!(request.query.contains("container=worker"), "{}", request.query);
    let console = commands(&mut events).pop().unwrap();
    assert_eq!(console.command, format!("kubectl -n ns logs {A} -c worker --tail 2"));
}

#[tokio::test]
async fn a_pod_that_is_stopping_can_still_be_killed() {
    let fixture = with_one_pod().await;
    fixture.cluster.stop(A, Stop::Delete).await.unwrap();
    let is_stopping = async || (fixture.cluster.pods().await.ok()?[0].phase == Phase::Stopping).then_some(());
    eventually("the pod to be stopping", is_stopping).await;

    fixture.cluster.stop(A, Stop::Kill).await.unwrap();

    fixture.until_pods(&[]).await;
}

#[tokio::test]
async fn a_missing_right_to_read_logs_is_named() {
    let fixture = with_one_pod().await;
    fixture.server.refuse(Method::GET, &format!("{PODS}/{A}/log"), forbidden("get", "pods/log"), 1);

    let error = fixture.cluster.logs(A, 2).await.unwrap_err();

    assert!(error.to_string().contains("the verb \"get\" on \"pods/log\""), "{error}");
}

fn written_costs(server: &ApiServer) -> Vec<Value> {
    let annotation = "controller.kubernetes.io/pod-deletion-cost";
    let patches = server.requests_with(Method::PATCH);
    patches.into_iter().map(|request| request.body["metadata"]["annotations"][annotation].clone()).collect()
}

#[tokio::test]
async fn a_busy_worker_writes_a_deletion_cost_on_its_own_pod_and_nothing_else() {
    let (server, client) = ApiServer::start();
    server.put(PODS, worker(A));
    let (busy, activity) = watch::channel(false);
    let updating = tokio::spawn(OwnPod::with_client(client, A, None).update_deletion_cost(activity));

    busy.send_replace(true);

    eventually("a write", async || (!written_costs(&server).is_empty()).then_some(())).await;
    assert_eq!(written_costs(&server), ["100"]);
    let request = only(server.requests_with(Method::PATCH));
    assert_eq!((request.path.as_str(), request.body.as_object().unwrap().len()), (format!("{PODS}/{A}").as_str(), 1));
    drop(busy);
    updating.await.expect("it ends with its worker");
}

#[tokio::test]
async fn an_idle_worker_removes_the_cost_that_the_container_before_it_wrote() {
    let (server, client) = ApiServer::start();
    server.put(PODS, worker(A));
    let (_busy, activity) = watch::channel(false);
    let updating = tokio::spawn(OwnPod::with_client(client, A, None).update_deletion_cost(activity));

    eventually("a write", async || (!written_costs(&server).is_empty()).then_some(())).await;

    assert_eq!(written_costs(&server), [Value::Null]);
    updating.abort();
}

#[tokio::test]
async fn a_worker_without_the_right_to_write_a_cost_keeps_working() {
    let (server, client) = ApiServer::start();
    server.refuse(Method::PATCH, &format!("{PODS}/{A}"), forbidden("patch", "pods"), usize::MAX);
    let (busy, activity) = watch::channel(true);
    let updating = tokio::spawn(OwnPod::with_client(client, A, None).update_deletion_cost(activity));

    eventually("an attempt", async || (!written_costs(&server).is_empty()).then_some(())).await;

    assert!(!updating.is_finished());
    drop(busy);
    updating.await.expect("it ends with its worker");
}
