//! Is every change in the cluster known at once, and nothing forgotten while the API server does not answer?

use std::time::{Duration, Instant};

use hyper::Method;
use kana::cluster::kubernetes::Scaler;
use kana::pod::{Cluster, Error, Event, Phase};
use serde_json::{Value, json};

use super::{A, B, Fixture, commands, receive, receive_pod};
use crate::support::api_server::{DEPLOYMENTS, PODS};
use crate::support::eventually;
use crate::support::kubernetes_objects::{deployment, forbidden, worker};

const SELECTOR: &str = "app.kubernetes.io%2Fname%3Dkana%2Capp.kubernetes.io%2Finstance%3Da%2C\
    app.kubernetes.io%2Fcomponent%3Dworker";

fn expired() -> Value {
    json!({ "kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old" })
}

fn created_at(name: &str, second: u32) -> Value {
    let mut pod = worker(name);
    pod["metadata"]["creationTimestamp"] = json!(format!("2026-01-02T03:04:{second:02}Z"));
    pod
}

fn requests_for_pods(fixture: &Fixture, query: &str) -> usize {
    let requests = fixture.server.requests();
    requests.iter().filter(|request| request.path == PODS && request.query.contains(query)).count()
}

/// Starts a release with one pod, whose watches all work.
async fn with_one_pod() -> Fixture {
    let fixture = Fixture::prepare(Scaler::Fixed);
    fixture.server.put(DEPLOYMENTS, deployment(1));
    fixture.server.put(PODS, created_at(A, 1));
    fixture.start();
    fixture.server.until_watched(PODS).await;
    fixture.until_failure(|failure| failure.is_none()).await;
    fixture
}

#[tokio::test]
async fn pods_are_listed_oldest_first_with_the_state_of_their_records() {
    let fixture = Fixture::prepare(Scaler::Fixed);
    fixture.server.put(PODS, created_at(B, 7));
    let mut restarted = created_at(A, 5);
    restarted["status"]["containerStatuses"][0]["restartCount"] = json!(2);
    restarted["status"]["containerStatuses"][0]["lastState"] =
        json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } });
    fixture.server.put(PODS, restarted);

    fixture.start();

    fixture.until_pods(&[A, B]).await;
    let pod = fixture.cluster.pods().await.unwrap().remove(0);
    assert_eq!((pod.phase, pod.restarts, pod.node.as_deref()), (Phase::Ready, 2, Some("node-1")));
    assert_eq!(pod.created.as_millis(), 1_767_323_045_000);
    assert_eq!(pod.reason.as_deref(), Some("last ended as OOMKilled, exit code 137"));
    assert!(requests_for_pods(&fixture, SELECTOR) >= 1);
}

#[tokio::test]
async fn a_pod_is_published_when_it_is_created_changes_and_is_deleted() {
    let fixture = Fixture::prepare(Scaler::Fixed);
    let mut events = fixture.cluster.events();
    fixture.start();
    fixture.server.until_watched(PODS).await;

    let mut pod = worker(A);
    pod["status"]["conditions"] = json!([{ "type": "Ready", "status": "False" }]);
    pod["status"]["containerStatuses"][0]["state"] =
        json!({ "waiting": { "reason": "ImagePullBackOff", "message": "no such image" } });
    fixture.server.put(PODS, pod);
    let starting = receive_pod(&mut events, |pod| pod.name == A).await;
    fixture.server.put(PODS, worker(A));
    receive_pod(&mut events, |pod| pod.phase == Phase::Ready).await;
    let mut stopping = worker(A);
    stopping["metadata"]["deletionTimestamp"] = json!("2026-01-02T04:00:00Z");
    fixture.server.put(PODS, stopping);
    receive_pod(&mut events, |pod| pod.phase == Phase::Stopping).await;
    fixture.server.remove(PODS, A);
    receive_pod(&mut events, |pod| pod.phase == Phase::Gone).await;

    assert_eq!(starting.phase, Phase::Starting);
    assert_eq!(starting.reason.as_deref(), Some("ImagePullBackOff: no such image"));
    assert!(fixture.names().await.is_empty());
}

#[tokio::test]
async fn a_list_of_many_pages_is_handed_over_whole() {
    let fixture = Fixture::prepare(Scaler::Fixed);
    fixture.server.set_page_size(1);
    fixture.server.put(PODS, created_at(A, 1));
    fixture.server.put(PODS, created_at(B, 2));
    let mut events = fixture.cluster.events();

    fixture.start();

    fixture.until_pods(&[A, B]).await;
    let listed = commands(&mut events).into_iter().find(|console| console.command.contains("get pods")).unwrap();
    let labels = "app.kubernetes.io/name=kana,app.kubernetes.io/instance=a,app.kubernetes.io/component=worker";
    assert_eq!(listed.command, format!("kubectl -n ns get pods -l {labels} --watch"));
    assert_eq!(listed.output, "2 pods");
}

#[tokio::test]
async fn a_watch_that_ends_is_resumed_where_it_ended() {
    let fixture = Fixture::prepare(Scaler::Fixed);
    fixture.start();
    fixture.server.until_watched(PODS).await;
    fixture.server.put(PODS, worker(A));
    fixture.until_pods(&[A]).await;

    fixture.server.end_watches(PODS);
    fixture.server.until_watched(PODS).await;

    fixture.server.put(PODS, worker(B));
    fixture.until_pods(&[A, B]).await;
    assert_eq!(requests_for_pods(&fixture, "resourceVersion=1"), 1, "the second watch begins after the first pod");
    assert_eq!(requests_for_pods(&fixture, "limit="), 1, "nothing is listed a second time");
}

#[tokio::test]
async fn a_version_that_the_server_has_dropped_is_replaced_by_a_new_list() {
    let fixture = with_one_pod().await;
    let mut events = fixture.cluster.events();

    fixture.server.remove_silently(PODS, A);
    fixture.server.send(PODS, json!({ "type": "ERROR", "object": expired() }));

    receive_pod(&mut events, |pod| pod.name == A && pod.phase == Phase::Gone).await;
    assert_eq!(fixture.cluster.fault(), None);

    fixture.server.refuse_watches(PODS, expired(), 1);
    fixture.server.end_watches(PODS);
    fixture.server.put(PODS, created_at(B, 2));

    fixture.until_pods(&[B]).await;
    assert_eq!(fixture.cluster.fault(), None);
}

#[tokio::test]
async fn a_list_whose_version_is_dropped_halfway_starts_again_and_is_no_failure() {
    let fixture = Fixture::prepare(Scaler::Fixed);
    fixture.server.put(DEPLOYMENTS, deployment(1));
    fixture.server.set_page_size(1);
    fixture.server.put(PODS, created_at(A, 1));
    fixture.server.put(PODS, created_at(B, 2));
    fixture.server.refuse_later_pages(PODS, expired(), 1);
    let mut events = fixture.cluster.events();

    fixture.start();

    fixture.until_pods(&[A, B]).await;
    assert_eq!(requests_for_pods(&fixture, "continue="), 2);
    while let Ok(event) = events.try_recv() {
        assert!(!matches!(event, Event::Fault(_)), "{event:?}");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_a_pause_gets_it() {
    let fixture = Fixture::prepare(Scaler::Fixed);
    fixture.server.put(PODS, worker(A));
    let busy = json!({ "code": 429, "reason": "TooManyRequests", "message": "try again later",
        "details": { "retryAfterSeconds": 1 } });
    fixture.server.refuse(Method::GET, PODS, busy, 1);
    let begin = Instant::now();

    fixture.start();

    fixture.until_pods(&[A]).await;
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_watch_that_ends_as_soon_as_it_is_open_is_not_reopened_without_a_pause() {
    let fixture = Fixture::prepare(Scaler::Fixed);
    fixture.server.end_watches_at_once();
    let begin = Instant::now();

    fixture.start();

    let five = async || (requests_for_pods(&fixture, "watch=true") >= 5).then_some(());
    eventually("five watches", five).await;
    // Four waits with full jitter, of up to 250 ms, 500 ms, 1 s and 2 s: one time in a million they are shorter.
    assert!(begin.elapsed() >= Duration::from_millis(50), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn an_event_that_cannot_be_parsed_is_reported_and_its_change_is_found_by_a_new_list() {
    let fixture = Fixture::prepare(Scaler::Fixed);
    fixture.server.put(DEPLOYMENTS, deployment(1));
    fixture.start();
    fixture.server.until_watched(PODS).await;
    fixture.until_failure(|failure| failure.is_none()).await;
    let mut events = fixture.cluster.events();

    fixture.server.send(PODS, json!({ "type": "MODIFIED", "object": { "metadata": { "labels": "none" } } }));
    let failure = receive(&mut events, |event| match event {
        Event::Fault(reason) => Some(reason.clone()),
        _ => None,
    });
    assert!(failure.await.is_some());
    fixture.server.put(PODS, worker(A));

    fixture.until_pods(&[A]).await;
    fixture.until_failure(|failure| failure.is_none()).await;
}

#[tokio::test]
async fn a_right_that_is_revoked_is_named_until_it_is_granted_again() {
    let fixture = with_one_pod().await;

    fixture.server.refuse_watches(PODS, forbidden("watch", "pods"), usize::MAX);
    fixture.server.end_watches(PODS);

    fixture
        .until_failure(|failure| failure.is_some_and(|reason| reason.contains("the verb \"watch\" on \"pods\"")))
        .await;
    assert!(matches!(fixture.cluster.pods().await, Err(Error::Misconfigured { .. })));

    fixture.server.clear_refusals();
    fixture.server.put(PODS, created_at(B, 2));

    fixture.until_pods(&[A, B]).await;
    fixture.until_failure(|failure| failure.is_none()).await;
}

#[tokio::test]
async fn an_outage_removes_no_pod_from_the_list_and_is_reported_until_it_is_over() {
    let fixture = with_one_pod().await;

    fixture.server.go_down();

    fixture.until_failure(|failure| failure.is_some_and(|reason| reason.contains("does not answer"))).await;
    assert_eq!(fixture.names().await, [A]);
    assert!(fixture.cluster.scale().await.is_ok());

    fixture.server.come_back();
    fixture.server.put(PODS, created_at(B, 2));

    fixture.until_pods(&[A, B]).await;
    fixture.until_failure(|failure| failure.is_none()).await;
}

#[tokio::test]
async fn a_server_that_never_answered_makes_no_empty_list() {
    let fixture = Fixture::prepare(Scaler::Fixed);
    fixture.server.go_down();

    fixture.start();

    fixture.until_failure(|failure| failure.is_some()).await;
    assert!(matches!(fixture.cluster.pods().await, Err(Error::Unavailable { .. })));
    assert!(matches!(fixture.cluster.scale().await, Err(Error::Unavailable { .. })));
}

#[tokio::test]
async fn a_missing_right_to_list_is_named_instead_of_an_empty_list_until_it_is_granted() {
    let fixture = Fixture::prepare(Scaler::Fixed);
    fixture.server.put(PODS, worker(A));
    fixture.server.refuse(Method::GET, PODS, forbidden("list", "pods"), usize::MAX);
    let mut events = fixture.cluster.events();
    fixture.start();

    let failure = receive(&mut events, |event| match event {
        Event::Fault(Some(reason)) if reason.contains("pods") => Some(reason.clone()),
        _ => None,
    })
    .await;

    let message = "this service may not list pods in namespace ns: its role lacks the verb \"list\" on \"pods\"";
    assert_eq!(failure, message);
    assert_eq!(fixture.cluster.pods().await.unwrap_err().to_string(), message);
    let output = receive(&mut events, |event| match event {
        Event::Console(console) if console.command.contains("get pods") => Some(console.output.clone()),
        _ => None,
    })
    .await;
    assert_eq!(output, format!("error: {message}"));

    fixture.server.clear_refusals();

    fixture.until_pods(&[A]).await;
}

#[tokio::test]
async fn a_missing_right_to_watch_is_named_too() {
    let fixture = Fixture::prepare(Scaler::Fixed);
    fixture.server.refuse_watches(PODS, forbidden("watch", "pods"), usize::MAX);

    fixture.start();

    fixture
        .until_failure(|failure| failure.is_some_and(|reason| reason.contains("the verb \"watch\" on \"pods\"")))
        .await;
}

#[tokio::test]
async fn credentials_that_the_server_does_not_accept_are_reported_as_such() {
    let fixture = Fixture::prepare(Scaler::Fixed);
    fixture.server.refuse(Method::GET, PODS, json!({ "code": 401, "reason": "Unauthorized" }), usize::MAX);

    fixture.start();

    fixture.until_failure(|failure| failure.is_some_and(|reason| reason.contains("credentials"))).await;
}

#[tokio::test]
async fn a_pod_that_only_has_the_labels_is_not_listed() {
    let fixture = Fixture::prepare(Scaler::Fixed);
    let mut foreign = created_at(A, 1);
    foreign["metadata"]["ownerReferences"] = json!([]);
    fixture.server.put(PODS, foreign);
    fixture.server.put(PODS, created_at(B, 2));

    fixture.start();

    fixture.until_pods(&[B]).await;
}

#[tokio::test]
async fn a_failed_pod_is_gone_while_its_record_still_exists() {
    let fixture = Fixture::prepare(Scaler::Fixed);
    fixture.server.put(PODS, worker(A));
    fixture.start();
    fixture.server.until_watched(PODS).await;
    fixture.until_pods(&[A]).await;
    let mut events = fixture.cluster.events();

    let mut failed = worker(A);
    failed["status"]["phase"] = json!("Failed");
    failed["status"]["reason"] = json!("Evicted");
    fixture.server.put(PODS, failed);

    let pod = receive_pod(&mut events, |pod| pod.phase == Phase::Gone).await;
    assert_eq!(pod.reason.as_deref(), Some("Evicted"));
    assert!(fixture.names().await.is_empty());
}

#[tokio::test]
async fn nothing_is_watched_once_the_shutdown_has_begun() {
    let fixture = Fixture::prepare(Scaler::Fixed);
    fixture.start();
    fixture.server.until_watched(PODS).await;

    fixture.shutdown.begin();

    let ended = fixture.shutdown.finished(super::PATIENCE).await;
    assert!(ended);
    eventually("the watches to end", async || fixture.server.is_unwatched().then_some(())).await;
}
