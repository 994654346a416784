//! Is what happens in the cluster known at once, and never forgotten while the API server is away?

use std::time::{Duration, Instant};

use hyper::Method;
use kana::cluster::kubernetes::Scaler;
use kana::pod::{Cluster, Error, Event, Phase};
use serde_json::{Value, json};

use super::{A, B, Stand, heard, heard_of, shown};
use crate::support::api_server::{DEPLOYMENTS, PODS, deployment, forbidden, worker};
use crate::support::eventually;

const SELECTOR: &str = "app.kubernetes.io%2Fname%3Dkana%2Capp.kubernetes.io%2Finstance%3Da%2C\
    app.kubernetes.io%2Fcomponent%3Dworker";

fn gone() -> Value {
    json!({ "kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old" })
}

fn born(name: &str, second: u32) -> Value {
    let mut pod = worker(name);
    pod["metadata"]["creationTimestamp"] = json!(format!("2026-01-02T03:04:{second:02}Z"));
    pod
}

fn asked_of_pods(stand: &Stand, query: &str) -> usize {
    let asked = stand.server.asked();
    asked.iter().filter(|asked| asked.path == PODS && asked.query.contains(query)).count()
}

/// All is well, and there is one pod.
async fn at_ease() -> Stand {
    let stand = Stand::prepare(Scaler::Nobody);
    stand.server.put(DEPLOYMENTS, deployment(1));
    stand.server.put(PODS, born(A, 1));
    stand.start();
    stand.server.watched(PODS).await;
    stand.has_trouble(|trouble| trouble.is_none()).await;
    stand
}

#[tokio::test]
async fn pods_are_listed_oldest_first_with_what_their_records_say() {
    let stand = Stand::prepare(Scaler::Nobody);
    stand.server.put(PODS, born(B, 7));
    let mut restarted = born(A, 5);
    restarted["status"]["containerStatuses"][0]["restartCount"] = json!(2);
    restarted["status"]["containerStatuses"][0]["lastState"] =
        json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } });
    stand.server.put(PODS, restarted);

    stand.start();

    stand.knows(&[A, B]).await;
    let pod = stand.cluster.pods().await.unwrap().remove(0);
    assert_eq!((pod.phase, pod.restarts, pod.node.as_deref()), (Phase::Ready, 2, Some("node-1")));
    assert_eq!(pod.created.as_millis(), 1_767_323_045_000);
    assert_eq!(pod.reason.as_deref(), Some("last ended as OOMKilled, exit code 137"));
    assert!(asked_of_pods(&stand, SELECTOR) >= 1);
}

#[tokio::test]
async fn a_pod_is_told_of_when_it_appears_changes_and_goes() {
    let stand = Stand::prepare(Scaler::Nobody);
    let mut events = stand.cluster.events();
    stand.start();
    stand.server.watched(PODS).await;

    let mut pod = worker(A);
    pod["status"]["conditions"] = json!([{ "type": "Ready", "status": "False" }]);
    pod["status"]["containerStatuses"][0]["state"] =
        json!({ "waiting": { "reason": "ImagePullBackOff", "message": "no such image" } });
    stand.server.put(PODS, pod);
    let starting = heard_of(&mut events, |pod| pod.name == A).await;
    stand.server.put(PODS, worker(A));
    heard_of(&mut events, |pod| pod.phase == Phase::Ready).await;
    let mut ending = worker(A);
    ending["metadata"]["deletionTimestamp"] = json!("2026-01-02T04:00:00Z");
    stand.server.put(PODS, ending);
    heard_of(&mut events, |pod| pod.phase == Phase::Stopping).await;
    stand.server.remove(PODS, A, true);
    heard_of(&mut events, |pod| pod.phase == Phase::Gone).await;

    assert_eq!(starting.phase, Phase::Starting);
    assert_eq!(starting.reason.as_deref(), Some("ImagePullBackOff: no such image"));
    assert!(stand.names().await.is_empty());
}

#[tokio::test]
async fn a_list_of_many_pages_is_handed_over_whole() {
    let stand = Stand::prepare(Scaler::Nobody);
    stand.server.page(1);
    stand.server.put(PODS, born(A, 1));
    stand.server.put(PODS, born(B, 2));
    let mut events = stand.cluster.events();

    stand.start();

    stand.knows(&[A, B]).await;
    let listed = shown(&mut events).into_iter().find(|console| console.command.contains("get pods")).unwrap();
    let labels = "app.kubernetes.io/name=kana,app.kubernetes.io/instance=a,app.kubernetes.io/component=worker";
    assert_eq!(listed.command, format!("kubectl -n ns get pods -l {labels} --watch"));
    assert_eq!(listed.output, "2 pods");
}

#[tokio::test]
async fn a_watch_that_ends_goes_on_where_it_ended() {
    let stand = Stand::prepare(Scaler::Nobody);
    stand.start();
    stand.server.watched(PODS).await;
    stand.server.put(PODS, worker(A));
    stand.knows(&[A]).await;

    stand.server.end_watches(PODS);
    stand.server.watched(PODS).await;

    stand.server.put(PODS, worker(B));
    stand.knows(&[A, B]).await;
    assert_eq!(asked_of_pods(&stand, "resourceVersion=1"), 1, "the second watch begins behind the first pod");
    assert_eq!(asked_of_pods(&stand, "limit="), 1, "nothing is listed a second time");
}

#[tokio::test]
async fn a_place_that_the_server_has_forgotten_is_found_again_by_a_new_list() {
    let stand = at_ease().await;
    let mut events = stand.cluster.events();

    stand.server.remove(PODS, A, false);
    stand.server.say(PODS, json!({ "type": "ERROR", "object": gone() }));

    heard_of(&mut events, |pod| pod.name == A && pod.phase == Phase::Gone).await;
    assert_eq!(stand.cluster.fault(), None);

    stand.server.refuse_watches(PODS, gone(), 1);
    stand.server.end_watches(PODS);
    stand.server.put(PODS, born(B, 2));

    stand.knows(&[B]).await;
    assert_eq!(stand.cluster.fault(), None);
}

#[tokio::test]
async fn a_list_that_the_server_forgets_halfway_begins_anew_and_is_no_trouble() {
    let stand = Stand::prepare(Scaler::Nobody);
    stand.server.put(DEPLOYMENTS, deployment(1));
    stand.server.page(1);
    stand.server.put(PODS, born(A, 1));
    stand.server.put(PODS, born(B, 2));
    stand.server.refuse_later_pages(PODS, gone(), 1);
    let mut events = stand.cluster.events();

    stand.start();

    stand.knows(&[A, B]).await;
    assert_eq!(asked_of_pods(&stand, "continue="), 2);
    while let Ok(event) = events.try_recv() {
        assert!(!matches!(event, Event::Fault(_)), "{event:?}");
    }
}

#[tokio::test]
async fn a_server_that_asks_to_be_left_alone_for_a_while_is() {
    let stand = Stand::prepare(Scaler::Nobody);
    stand.server.put(PODS, worker(A));
    let busy = json!({ "code": 429, "reason": "TooManyRequests", "message": "try again later",
        "details": { "retryAfterSeconds": 1 } });
    stand.server.refuse(Method::GET, PODS, busy, 1);
    let begin = Instant::now();

    stand.start();

    stand.knows(&[A]).await;
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_told_and_what_it_hid_is_found_by_a_new_list() {
    let stand = Stand::prepare(Scaler::Nobody);
    stand.server.put(DEPLOYMENTS, deployment(1));
    stand.start();
    stand.server.watched(PODS).await;
    stand.has_trouble(|trouble| trouble.is_none()).await;
    let mut events = stand.cluster.events();

    stand.server.say(PODS, json!({ "type": "MODIFIED", "object": { "metadata": { "labels": "none" } } }));
    let told = heard(&mut events, |event| match event {
        Event::Fault(reason) => Some(reason.clone()),
        _ => None,
    });
    assert!(told.await.is_some());
    stand.server.put(PODS, worker(A));

    stand.knows(&[A]).await;
    stand.has_trouble(|trouble| trouble.is_none()).await;
}

#[tokio::test]
async fn a_right_that_is_taken_away_later_is_named_until_it_is_granted_again() {
    let stand = at_ease().await;

    stand.server.refuse_watches(PODS, forbidden("watch", "pods"), usize::MAX);
    stand.server.end_watches(PODS);

    stand.has_trouble(|trouble| trouble.is_some_and(|reason| reason.contains("the verb \"watch\" on \"pods\""))).await;
    assert!(matches!(stand.cluster.pods().await, Err(Error::Misconfigured { .. })));

    stand.server.relent();
    stand.server.put(PODS, born(B, 2));

    stand.knows(&[A, B]).await;
    stand.has_trouble(|trouble| trouble.is_none()).await;
}

#[tokio::test]
async fn an_outage_takes_no_pod_off_the_list_and_is_told_until_it_is_over() {
    let stand = at_ease().await;

    stand.server.go_down();

    stand.has_trouble(|trouble| trouble.is_some_and(|reason| reason.contains("does not answer"))).await;
    assert_eq!(stand.names().await, [A]);
    assert!(stand.cluster.scale().await.is_ok());

    stand.server.come_back();
    stand.server.put(PODS, born(B, 2));

    stand.knows(&[A, B]).await;
    stand.has_trouble(|trouble| trouble.is_none()).await;
}

#[tokio::test]
async fn a_server_that_never_answered_leaves_no_empty_list_behind() {
    let stand = Stand::prepare(Scaler::Nobody);
    stand.server.go_down();

    stand.start();

    stand.has_trouble(|trouble| trouble.is_some()).await;
    assert!(matches!(stand.cluster.pods().await, Err(Error::Unavailable { .. })));
    assert!(matches!(stand.cluster.scale().await, Err(Error::Unavailable { .. })));
}

#[tokio::test]
async fn a_missing_right_to_list_is_named_instead_of_an_empty_list_until_it_is_granted() {
    let stand = Stand::prepare(Scaler::Nobody);
    stand.server.put(PODS, worker(A));
    stand.server.refuse(Method::GET, PODS, forbidden("list", "pods"), usize::MAX);
    let mut events = stand.cluster.events();
    stand.start();

    let told = heard(&mut events, |event| match event {
        Event::Fault(Some(reason)) if reason.contains("pods") => Some(reason.clone()),
        _ => None,
    })
    .await;

    let named = "this service may not list pods in namespace ns: its role lacks the verb \"list\" on \"pods\"";
    assert_eq!(told, named);
    assert_eq!(stand.cluster.pods().await.unwrap_err().to_string(), named);
    let shown = heard(&mut events, |event| match event {
        Event::Console(console) if console.command.contains("get pods") => Some(console.output.clone()),
        _ => None,
    })
    .await;
    assert_eq!(shown, format!("error: {named}"));

    stand.server.relent();

    stand.knows(&[A]).await;
}

#[tokio::test]
async fn a_missing_right_to_watch_is_named_too() {
    let stand = Stand::prepare(Scaler::Nobody);
    stand.server.refuse_watches(PODS, forbidden("watch", "pods"), usize::MAX);

    stand.start();

    stand.has_trouble(|trouble| trouble.is_some_and(|reason| reason.contains("the verb \"watch\" on \"pods\""))).await;
}

#[tokio::test]
async fn credentials_that_the_server_does_not_accept_are_a_trouble_of_their_own() {
    let stand = Stand::prepare(Scaler::Nobody);
    stand.server.refuse(Method::GET, PODS, json!({ "code": 401, "reason": "Unauthorized" }), usize::MAX);

    stand.start();

    stand.has_trouble(|trouble| trouble.is_some_and(|reason| reason.contains("credentials"))).await;
}

#[tokio::test]
async fn a_pod_that_only_bears_the_labels_is_not_listed() {
    let stand = Stand::prepare(Scaler::Nobody);
    let mut foreign = born(A, 1);
    foreign["metadata"]["ownerReferences"] = json!([]);
    stand.server.put(PODS, foreign);
    stand.server.put(PODS, born(B, 2));

    stand.start();

    stand.knows(&[B]).await;
}

#[tokio::test]
async fn a_pod_that_failed_is_gone_though_its_record_is_still_there() {
    let stand = Stand::prepare(Scaler::Nobody);
    stand.server.put(PODS, worker(A));
    stand.start();
    stand.server.watched(PODS).await;
    stand.knows(&[A]).await;
    let mut events = stand.cluster.events();

    let mut failed = worker(A);
    failed["status"]["phase"] = json!("Failed");
    failed["status"]["reason"] = json!("Evicted");
    stand.server.put(PODS, failed);

    let pod = heard_of(&mut events, |pod| pod.phase == Phase::Gone).await;
    assert_eq!(pod.reason.as_deref(), Some("Evicted"));
    assert!(stand.names().await.is_empty());
}

#[tokio::test]
async fn nothing_is_watched_once_the_end_has_begun() {
    let stand = Stand::prepare(Scaler::Nobody);
    stand.start();
    stand.server.watched(PODS).await;

    stand.shutdown.begin();

    let ended = stand.shutdown.finished(super::PATIENCE).await;
    assert!(ended);
    eventually("the watches to end", async || stand.server.is_unwatched().then_some(())).await;
}
