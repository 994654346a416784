//! Is a pod ended as it was asked for, and only one of this release?

use hyper::Method;
use kana::cluster::kubernetes::{OwnPod, Scaler};
use kana::pod::{Cluster, Error, Event, Phase, Stop};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{A, B, Stand, heard, shown};
use crate::support::api_server::{ApiServer, Asked, PODS, forbidden, worker};
use crate::support::eventually;

async fn with_one_pod() -> Stand {
    let stand = Stand::prepare(Scaler::Nobody);
    stand.server.put(PODS, worker(A));
    stand.start();
    stand.server.watched(PODS).await;
    stand.knows(&[A]).await;
    stand
}

fn the(mut asked: Vec<Asked>) -> Asked {
    assert_eq!(asked.len(), 1, "{asked:?}");
    asked.remove(0)
}

fn eviction() -> String {
    format!("{PODS}/{A}/eviction")
}

#[tokio::test]
async fn a_pod_is_deleted_by_its_uid_and_the_command_is_shown() {
    let stand = with_one_pod().await;
    let mut events = stand.cluster.events();

    stand.cluster.stop(A, Stop::Delete).await.unwrap();

    let asked = the(stand.server.asked_to(Method::DELETE));
    assert_eq!(asked.path, format!("{PODS}/{A}"));
    assert_eq!(asked.body, json!({ "preconditions": { "uid": format!("uid-{A}") } }));
    let shown = heard(&mut events, |event| match event {
        Event::Console(console) => Some(console.clone()),
        _ => None,
    })
    .await;
    assert_eq!(shown.command, format!("kubectl -n ns delete pod {A} --wait=false"));
    assert_eq!(shown.output, "asked to end");
}

#[tokio::test]
async fn a_pod_is_killed_without_any_grace() {
    let stand = with_one_pod().await;
    let mut events = stand.cluster.events();

    stand.cluster.stop(A, Stop::Kill).await.unwrap();

    assert_eq!(the(stand.server.asked_to(Method::DELETE)).body["gracePeriodSeconds"], 0);
    stand.knows(&[]).await;
    let shown = shown(&mut events).remove(0);
    assert_eq!(shown.command, format!("kubectl -n ns delete pod {A} --grace-period=0 --force"));
}

#[tokio::test]
async fn a_pod_is_evicted_so_that_budgets_are_honoured() {
    let stand = with_one_pod().await;
    let mut events = stand.cluster.events();

    stand.cluster.stop(A, Stop::Evict).await.unwrap();

    let asked = the(stand.server.asked_to(Method::POST));
    assert_eq!(asked.path, eviction());
    assert_eq!(asked.body["metadata"]["name"], A);
    assert_eq!(asked.body["deleteOptions"]["preconditions"]["uid"], format!("uid-{A}"));
    let shown = shown(&mut events).remove(0);
    assert!(shown.command.ends_with(&format!("kubectl create --raw {PODS}/{A}/eviction -f -")), "{}", shown.command);
}

#[tokio::test]
async fn an_eviction_that_a_budget_forbids_is_refused_by_the_budgets_name() {
    let stand = with_one_pod().await;
    let needs = "The disruption budget kana-worker needs 1 healthy pods and has 1 currently";
    let details = json!({ "causes": [{ "reason": "DisruptionBudget", "message": needs }] });
    let status = json!({ "code": 429, "reason": "TooManyRequests", "message": "no", "details": details });
    stand.server.refuse(Method::POST, &eviction(), status, 1);
    let mut events = stand.cluster.events();

    let error = stand.cluster.stop(A, Stop::Evict).await.unwrap_err();

    assert!(matches!(&error, Error::Refused { reason } if reason == needs), "{error:?}");
    assert_eq!(shown(&mut events)[0].output, format!("error: {needs}"));
    assert_eq!(stand.server.asked_to(Method::POST).len(), 1, "asked once and not again");
}

#[tokio::test]
async fn a_missing_right_to_end_pods_is_named() {
    for (how, method, path, named) in [
        (Stop::Delete, Method::DELETE, format!("{PODS}/{A}"), "the verb \"delete\" on \"pods\""),
        (Stop::Kill, Method::DELETE, format!("{PODS}/{A}"), "the verb \"delete\" on \"pods\""),
        (Stop::Evict, Method::POST, eviction(), "the verb \"create\" on \"pods/eviction\""),
    ] {
        let stand = with_one_pod().await;
        stand.server.refuse(method, &path, forbidden("delete", "pods"), 1);

        let error = stand.cluster.stop(A, how).await.unwrap_err();

        assert!(matches!(error, Error::Misconfigured { .. }), "{error:?}");
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[tokio::test]
async fn a_pod_of_somebody_else_is_unknown_and_left_alone() {
    let stand = Stand::prepare(Scaler::Nobody);
    let mut foreign = worker(B);
    foreign["metadata"]["ownerReferences"][0]["name"] = json!("other-5d4f8");
    stand.server.put(PODS, foreign);
    stand.server.put(PODS, worker(A));
    stand.start();
    stand.knows(&[A]).await;

    for how in [Stop::Delete, Stop::Evict, Stop::Kill] {
        let error = stand.cluster.stop(B, how).await.unwrap_err();

        assert!(matches!(&error, Error::Unknown { name } if name == B), "{error:?}");
    }
    assert!(matches!(stand.cluster.logs(B, 10).await, Err(Error::Unknown { .. })));
    assert!(stand.server.asked_to(Method::DELETE).is_empty());
    assert!(stand.server.asked_to(Method::POST).is_empty());
}

#[tokio::test]
async fn a_pod_that_was_taken_out_of_the_release_a_moment_ago_is_left_alone() {
    let stand = with_one_pod().await;
    stand.server.end_watches(PODS);
    stand.server.refuse_watches(PODS, json!({ "code": 500, "message": "later" }), usize::MAX);
    let mut orphan = worker(A);
    orphan["metadata"]["ownerReferences"] = json!([]);
    stand.server.put(PODS, orphan);

    let error = stand.cluster.stop(A, Stop::Kill).await.unwrap_err();

    assert!(matches!(error, Error::Unknown { .. }), "{error:?}");
    assert!(stand.server.asked_to(Method::DELETE).is_empty());
}

#[tokio::test]
async fn a_name_is_never_part_of_an_address_unless_it_is_a_pods() {
    let stand = with_one_pod().await;
    let before = stand.server.asked().len();

    for name in ["", "..", "../secrets/token", "a/b", &format!("{A}/eviction"), &format!("{A}?x=y")] {
        let error = stand.cluster.stop(name, Stop::Delete).await.unwrap_err();

        assert!(matches!(error, Error::Unknown { .. }), "{name}: {error:?}");
    }
    assert_eq!(stand.server.asked().len(), before, "nobody was asked");
}

#[tokio::test]
async fn a_pod_that_is_gone_or_replaced_is_unknown() {
    let uid = "Operation cannot be fulfilled on Pod: the UID in the precondition (a) does not match the UID in record";
    for status in [
        json!({ "code": 404, "reason": "NotFound", "message": "not found", "details": { "name": A } }),
        json!({ "code": 409, "reason": "Conflict", "message": uid }),
    ] {
        let stand = with_one_pod().await;
        stand.server.refuse(Method::DELETE, &format!("{PODS}/{A}"), status, 1);

        let error = stand.cluster.stop(A, Stop::Delete).await.unwrap_err();

        assert!(matches!(error, Error::Unknown { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_no_refusal() {
    let stand = with_one_pod().await;
    stand.server.go_down();

    let error = stand.cluster.stop(A, Stop::Delete).await.unwrap_err();

    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn the_end_of_a_pods_log_is_read_from_its_first_container() {
    let stand = with_one_pod().await;
    stand.server.log("one\ntwo\n");

    let log = stand.cluster.logs(A, 2).await.unwrap();

    assert_eq!(log, "one\ntwo\n");
    let asked = stand.server.asked().into_iter().find(|asked| asked.path.ends_with("/log")).unwrap();
    assert!(asked.query.contains("container=worker") && asked.query.contains("tailLines=2"), "{}", asked.query);
}

#[tokio::test]
async fn the_log_of_a_pod_in_a_mesh_is_the_workers_own() {
    let stand = with_one_pod().await;
    let mut meshed = worker(A);
    meshed["spec"]["containers"] = json!([{ "name": "mesh-proxy" }, { "name": "worker" }]);
    stand.server.put(PODS, meshed);
    let mut events = stand.cluster.events();

    stand.cluster.logs(A, 2).await.unwrap();

    let asked = stand.server.asked().into_iter().find(|asked| asked.path.ends_with("/log")).unwrap();
    assert!(asked.query.contains("container=worker"), "{}", asked.query);
    let shown = shown(&mut events).pop().unwrap();
    assert_eq!(shown.command, format!("kubectl -n ns logs {A} -c worker --tail 2"));
}

#[tokio::test]
async fn a_pod_that_is_ending_already_can_still_be_killed() {
    let stand = with_one_pod().await;
    stand.cluster.stop(A, Stop::Delete).await.unwrap();
    let is_ending = async || (stand.cluster.pods().await.ok()?[0].phase == Phase::Stopping).then_some(());
    eventually("the pod to be ending", is_ending).await;

    stand.cluster.stop(A, Stop::Kill).await.unwrap();

    stand.knows(&[]).await;
}

#[tokio::test]
async fn a_missing_right_to_read_logs_is_named() {
    let stand = with_one_pod().await;
    stand.server.refuse(Method::GET, &format!("{PODS}/{A}/log"), forbidden("get", "pods/log"), 1);

    let error = stand.cluster.logs(A, 2).await.unwrap_err();

    assert!(error.to_string().contains("the verb \"get\" on \"pods/log\""), "{error}");
}

fn noted(server: &ApiServer) -> Vec<Value> {
    let annotation = "controller.kubernetes.io/pod-deletion-cost";
    let patches = server.asked_to(Method::PATCH);
    patches.into_iter().map(|asked| asked.body["metadata"]["annotations"][annotation].clone()).collect()
}

#[tokio::test]
async fn a_worker_notes_on_its_own_pod_that_it_is_busy_and_leaves_the_rest_alone() {
    let (server, client) = ApiServer::start();
    server.put(PODS, worker(A));
    let (busy, heard) = watch::channel(false);
    let noting = tokio::spawn(OwnPod::with_client(client, A, None).note_work(heard));

    busy.send_replace(true);

    eventually("a note", async || (!noted(&server).is_empty()).then_some(())).await;
    assert_eq!(noted(&server), ["100"]);
    let asked = the(server.asked_to(Method::PATCH));
    assert_eq!((asked.path.as_str(), asked.body.as_object().unwrap().len()), (format!("{PODS}/{A}").as_str(), 1));
    drop(busy);
    noting.await.expect("it ends with its worker");
}

#[tokio::test]
async fn what_the_container_before_noted_is_taken_away_by_an_idle_one() {
    let (server, client) = ApiServer::start();
    server.put(PODS, worker(A));
    let (_busy, heard) = watch::channel(false);
    let noting = tokio::spawn(OwnPod::with_client(client, A, None).note_work(heard));

    eventually("a note", async || (!noted(&server).is_empty()).then_some(())).await;

    assert_eq!(noted(&server), [Value::Null]);
    noting.abort();
}

#[tokio::test]
async fn a_worker_without_the_right_to_note_works_all_the_same() {
    let (server, client) = ApiServer::start();
    server.refuse(Method::PATCH, &format!("{PODS}/{A}"), forbidden("patch", "pods"), usize::MAX);
    let (busy, heard) = watch::channel(true);
    let noting = tokio::spawn(OwnPod::with_client(client, A, None).note_work(heard));

    eventually("an attempt", async || (!noted(&server).is_empty()).then_some(())).await;

    assert!(!noting.is_finished());
    drop(busy);
    noting.await.expect("it ends with its worker");
}
