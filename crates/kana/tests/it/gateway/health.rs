//! Does the gateway report its health, and recover from a queue that does not answer?

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::eventually;
use crate::support::pictures::png;

#[tokio::test]
async fn a_gateway_whose_queue_answers_is_alive_and_ready() {
    let app = App::start().await;

    assert_eq!(app.get("/livez").await.status(), 200);
    eventually("ready", async || (app.get("/readyz").await.status() == 200).then_some(())).await;
}

#[tokio::test]
async fn without_its_queue_a_gateway_is_alive_and_not_ready() {
    let app = App::start().await;

    app.queue.fail();
    let not_ready = eventually("not ready", async || {
        let answer = app.get("/readyz").await;
        (answer.status() == 503).then_some(answer)
    });
    let not_ready = not_ready.await;
    let alive = app.get("/livez").await;
    app.queue.mend();

    assert_eq!(not_ready.status(), 503);
    assert!(not_ready.json::<Value>().await.unwrap()["detail"].as_str().unwrap().contains("queue"));
    assert_eq!(alive.status(), 200);
    eventually("ready again", async || (app.get("/readyz").await.status() == 200).then_some(())).await;
}

#[tokio::test]
async fn a_queue_that_does_not_answer_is_a_503_without_its_cause() {
    let app = App::start().await;
    app.queue.fail();

    let upload = app.upload("/v1/jobs", vec![("a.png", png(1))]).send().await.unwrap();

    assert_eq!(upload.status(), 503);
    assert!(upload.headers().contains_key("retry-after"));
    assert!(!upload.text().await.unwrap().contains("secret"));
    let nobody = "0198b6a8-0000-7000-8000-000000000000";
    for path in ["/v1/status", "/v1/pods", "/v1/dead", &format!("/v1/jobs/{nobody}"), &format!("/v1/batches/{nobody}")]
    {
        assert_eq!(app.get(path).await.status(), 503, "{path}");
    }
}

#[tokio::test]
async fn a_handler_that_panics_fails_its_request_and_nothing_else() {
    let app = App::start().await;
    let path = "/v1/batches/0198b6a8-0000-7000-8000-000000000000";

    app.queue.curse();
    let broken = app.get(path).await;

    assert_eq!(broken.status(), 500);
    assert_eq!(broken.headers()["content-type"], "application/problem+json");
    assert!(!broken.text().await.unwrap().contains("as asked for"));
    assert_eq!(app.get(path).await.status(), 404);
}

#[tokio::test]
async fn a_request_that_waits_through_an_outage_gets_its_answer() {
    let app = App::start().await;

    let sent = app.upload("/v1/jobs?wait=30s", vec![("a.png", png(1))]).send();
    let outage = async {
        let claims = app.claim("pod-1", 1).await;
        app.queue.fail();
        let settled = claims.into_iter().map(crate::support::app::done).collect();
        app.queue.behind_the_scenes().settle(settled).await.unwrap();
        eventually("not ready", async || (app.get("/readyz").await.status() == 503).then_some(())).await;
        app.queue.mend();
    };
    let (response, ()) = tokio::join!(sent, outage);

    let response = response.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.json::<Value>().await.unwrap()["jobs"][0]["state"], "done");
}

#[tokio::test]
async fn a_wait_that_ends_in_an_outage_still_says_that_the_jobs_are_safe() {
    let app = App::start().await;

    let sent = app.upload("/v1/jobs?wait=1s", vec![("a.png", png(1))]).send();
    let outage = async {
        app.claim("pod-1", 1).await;
        app.queue.fail();
    };
    let (response, ()) = tokio::join!(sent, outage);

    assert_eq!(response.unwrap().status(), 202);
}

#[tokio::test]
async fn the_status_has_queue_model_and_version() {
    let app = App::start().await;
    app.accept(vec![("a.png", png(1)), ("b.png", png(2)), ("c.png", png(3))]).await;
    app.work("pod-1", 1).await;
    app.claim("pod-1", 1).await;
    app.sees_settled(1).await;

    let status = app.json("/v1/status").await;

    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    let queue = &status["queue"];
    let counts = ["waiting", "running", "dead", "accepted", "done", "failed"].map(|name| queue[name].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 0, 3, 1, 0]);
    assert!(queue["oldest_ms"].is_u64() && queue["per_second"].is_number());
    assert_eq!(status["model"]["labels"][0], "お");
    assert!(status["model"].get("self_test").is_none());
}

#[tokio::test]
async fn requests_jobs_and_files_are_counted() {
    let app = App::start().await;
    app.accept(vec![("a.png", png(1)), ("b.png", png(2)), ("text.png", b"none".to_vec())]).await;
    app.work("pod-1", 1).await;
    let id = app.claim("pod-1", 1).await[0].job.id;
    app.sees_settled(1).await;
    assert_eq!(app.request(Method::DELETE, &format!("/v1/jobs/{id}")).send().await.unwrap().status(), 409);

    let wanted = [
        "kana_build_info{version=\"0.1.0\"} 1",
        "kana_jobs_accepted_total 2",
        "kana_files_rejected_total 1",
        "kana_jobs_settled_total{verdict=\"done\"} 1",
        "kana_queue_jobs{stage=\"running\"} 1",
        "kana_http_request_duration_seconds_count{route=\"/v1/jobs/{id}\",answer=\"refused\"} 1",
        "kana_http_request_duration_seconds_count{route=\"/v1/classify\",answer=\"failed\"} 0",
        "kana_upload_phase_seconds_count{phase=\"receive\"} 1",
        "kana_upload_phase_seconds_count{phase=\"decode\"} 1",
        "kana_upload_phase_seconds_count{phase=\"submit\"} 1",
        "kana_job_phase_seconds_count{phase=\"whole\"} 1",
        "kana_answer_confidence_count 1",
        "kana_dead_letters_total{cause=\"worker_lost\"} 0",
        "kana_model_info{name=\"",
    ];
    let missing = eventually("everything is counted", async || {
        let text = app.get("/metrics").await.text().await.unwrap();
        wanted.iter().all(|line| text.contains(line)).then_some(json!([]))
    });
    assert_eq!(missing.await, json!([]));
}

#[tokio::test]
async fn metrics_are_open_metrics_for_who_asks_for_that() {
    let app = App::start().await;

    let request = app.request(Method::GET, "/metrics").header("accept", "application/openmetrics-text;version=1.0.0");
    let response = request.send().await.unwrap();

    assert_eq!(response.headers()["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(response.text().await.unwrap().ends_with("# EOF\n"));
}
