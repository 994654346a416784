//! Can pods be listed, ended and scaled?

use kana::gateway::NoCluster;
use kana::pod::{Cluster as _, Error, Phase, ScaledBy, Stop};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::pictures::png;

#[tokio::test]
async fn pods_are_listed_with_the_jobs_that_they_settled_and_hold() {
    let app = App::start().await;
    app.cluster.set_pod("pod-1", Phase::Ready);
    app.cluster.set_pod("pod-2", Phase::Starting);
    app.accept((0..5).map(|n| ("a.png", png(n))).collect()).await;
    app.work("pod-1", 3).await;
    app.claim("pod-1", 2).await;
    app.sees_settled(3).await;

    let pods = app.json("/v1/pods").await;

    let created = 1_700_000_000_000_u64;
    let first = json!({"name": "pod-1", "phase": "ready", "ready": true, "created": created, "restarts": 0, "completed": 3, "in_flight": 2});
    let second = json!({"name": "pod-2", "phase": "starting", "ready": false, "created": created, "restarts": 0, "completed": 0, "in_flight": 0});
    assert_eq!(pods, json!([first, second]));
}

#[tokio::test]
async fn the_jobs_of_every_incarnation_count_as_the_pods() {
    let app = App::start().await;
    app.cluster.set_pod("pod-1", Phase::Ready);
    app.cluster.set_pod("pod-10", Phase::Ready);
    let receipt = app.accept((0..6).map(|n| ("a.png", png(n))).collect()).await;
    app.work("pod-1~first", 1).await;
    app.claim("pod-1~first", 1).await;
    app.claim("pod-1~secnd", 2).await;
    app.claim("pod-10~first", 1).await;
    app.sees_settled(1).await;

    let pods = app.json("/v1/pods").await;
    let job = app.json(&format!("/v1/jobs/{}", receipt["jobs"][0]["id"].as_str().unwrap())).await;

    assert_eq!((&pods[0]["completed"], &pods[0]["in_flight"]), (&json!(1), &json!(3)));
    assert_eq!((&pods[1]["completed"], &pods[1]["in_flight"]), (&json!(0), &json!(1)));
    assert_eq!(job["worker"], "pod-1");
}

#[tokio::test]
async fn a_fault_is_returned_instead_of_an_empty_list_of_pods() {
    let app = App::start().await;
    app.cluster.set_failure(Some("its role lacks the verb \"list\" on \"pods\""));

    let response = app.get("/v1/pods").await;

    assert_eq!(response.status(), 502);
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["detail"], "its role lacks the verb \"list\" on \"pods\"");
}

#[tokio::test]
async fn the_end_of_a_pods_log_is_read() {
    let app = App::start().await;
    app.cluster.set_pod("pod-1", Phase::Ready);

    assert_eq!(app.get("/v1/pods/pod-1/logs").await.text().await.unwrap(), "the last 100 lines of pod-1\n");
    assert_eq!(app.get("/v1/pods/pod-1/logs?lines=7").await.text().await.unwrap(), "the last 7 lines of pod-1\n");
    assert_eq!(app.get("/v1/pods/pod-9/logs").await.status(), 404);
    for lines in ["0", "2001", "-1", "all", ""] {
        let response = app.get(&format!("/v1/pods/pod-1/logs?lines={lines}")).await;

        assert_eq!(response.status(), 422, "{lines}");
        assert!(response.text().await.unwrap().contains(&format!("lines is \\\"{lines}\\\"")), "{lines}");
    }
}

#[tokio::test]
async fn a_pod_is_ended_by_the_requested_mode() {
    let app = App::start().await;
    app.cluster.set_pod("pod-1", Phase::Ready);

    for query in ["", "?mode=delete", "?mode=evict", "?mode=kill"] {
        let response = app.request(Method::DELETE, &format!("/v1/pods/pod-1{query}")).send().await.unwrap();

        assert_eq!(response.status(), 202, "{query}");
    }
    let how: Vec<Stop> = app.cluster.stopped().into_iter().map(|(_, how)| how).collect();
    assert_eq!(how, [Stop::Delete, Stop::Delete, Stop::Evict, Stop::Kill]);
}

#[tokio::test]
async fn an_unknown_pod_or_mode_is_refused_by_name() {
    let app = App::start().await;
    app.cluster.set_pod("pod-1", Phase::Ready);

    let pod = app.request(Method::DELETE, "/v1/pods/pod-9").send().await.unwrap();
    let mode = app.request(Method::DELETE, "/v1/pods/pod-1?mode=hug").send().await.unwrap();

    assert_eq!(pod.status(), 404);
    assert!(pod.text().await.unwrap().contains("pod-9"));
    assert_eq!(mode.status(), 422);
    assert!(mode.text().await.unwrap().contains("hug"));
    assert!(app.cluster.stopped().is_empty());
}

#[tokio::test]
async fn the_range_is_read_and_set() {
    let app = App::start().await;

    let set = app.request(Method::PUT, "/v1/scale").body(r#"{"min":2,"max":6}"#).send().await.unwrap();

    assert_eq!(set.status(), 200);
    let expected = json!({"min": 2, "max": 6, "current": 1, "desired": 1, "by": "local"});
    assert_eq!(set.json::<Value>().await.unwrap(), expected);
    assert_eq!(app.json("/v1/scale").await, expected);
}

#[tokio::test]
async fn a_range_that_is_not_valid_is_refused_by_value() {
    let app = App::start().await;

    for (body, status, word) in [
        (r#"{"min":7,"max":6}"#, 422, "min is 7"),
        (r#"{"min":1}"#, 422, "max is missing"),
        (r#"{"min":1,"max":101}"#, 422, "101"),
        ("min=1", 400, "JSON"),
    ] {
        let response = app.request(Method::PUT, "/v1/scale").body(body).send().await.unwrap();

        assert_eq!(response.status(), status, "{body}");
        let problem: Value = response.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
    }
    assert_eq!(app.json("/v1/scale").await["max"], 4);
}

#[tokio::test]
async fn a_gateway_without_a_cluster_has_no_pods_and_their_number_is_fixed() {
    let cluster = NoCluster;

    assert_eq!(cluster.pods().await.unwrap(), []);
    assert_eq!(cluster.scale().await.unwrap().by, ScaledBy::Fixed);
    assert!(matches!(cluster.stop("pod-1", Stop::Kill).await, Err(Error::Unknown { .. })));
    assert!(matches!(cluster.set_range(1..=2).await, Err(Error::Refused { .. })));
}
