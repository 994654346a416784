//! Can jobs be submitted, waited for, read and cancelled?

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{App, JOBS_MAX};
use crate::support::pictures::png;

fn id(receipt: &Value, index: usize) -> String {
    receipt["jobs"][index]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn an_upload_is_accepted_as_queued_jobs() {
    let app = App::start().await;

    let receipt = app.accept(vec![("a.png", png(1)), ("b.png", png(2))]).await;

    let batch = &receipt["batch"];
    let submitted = receipt["jobs"][0]["submitted"].as_u64().expect("a time");
    let queued = |index: usize, name| {
        json!({"id": id(&receipt, index), "batch": batch, "filename": name, "state": "queued", "attempts": 0,
            "submitted": submitted})
    };
    assert_eq!(receipt["jobs"], json!([queued(0, "a.png"), queued(1, "b.png")]));
    assert_eq!(receipt["rejected"], json!([]));
}

#[tokio::test]
async fn a_job_is_followed_from_queued_through_running_to_done() {
    let app = App::start().await;
    let receipt = app.accept(vec![("a.png", png(1))]).await;
    let path = format!("/v1/jobs/{}", id(&receipt, 0));

    assert_eq!(app.json(&path).await["state"], "queued");

    let claims = app.claim("pod-1", 1).await;
    let running = app.json(&path).await;
    assert_eq!(
        (&running["state"], &running["worker"], &running["attempts"]),
        (&json!("running"), &json!("pod-1"), &json!(1))
    );
    assert!(running.get("label").is_none() && running.get("queued_ms").is_none(), "{running}");

    app.settle(claims).await;
    let done = app.json(&path).await;
    assert_eq!(done["state"], "done");
    assert_eq!(done["worker"], "pod-1");
    assert_eq!(done["inference_ms"], 1.25);
    assert_eq!(done["confidence"], 0.91);
    assert_eq!(done["probabilities"].as_array().map(Vec::len), Some(10));
    assert!(done["label"].is_string() && done["class"].is_u64() && done["queued_ms"].is_number());
    assert!(done.get("error").is_none());
}

#[tokio::test]
async fn a_request_that_waits_gets_finished_jobs() {
    let app = App::start().await;
    app.spawn_worker("pod-1");

    let response = app.upload("/v1/jobs?wait=30s", vec![("a.png", png(1)), ("b.png", png(2))]).send().await.unwrap();

    assert_eq!(response.status(), 200);
    let receipt: Value = response.json().await.unwrap();
    assert!(receipt["jobs"].as_array().unwrap().iter().all(|job| job["state"] == "done"), "{receipt}");
    assert_eq!(receipt["jobs"][1]["filename"], "b.png");
}

#[tokio::test]
async fn a_request_that_waited_too_long_gets_what_is_known() {
    let app = App::start().await;

    let sent = app.upload("/v1/jobs?wait=1.5", vec![("a.png", png(1)), ("b.png", png(2))]).send();
    let (response, settled) = tokio::join!(sent, app.work("pod-1", 1));

    assert_eq!(settled.len(), 1);
    let response = response.unwrap();
    assert_eq!(response.status(), 202);
    let receipt: Value = response.json().await.unwrap();
    assert_eq!((&receipt["jobs"][0]["state"], &receipt["jobs"][1]["state"]), (&json!("done"), &json!("queued")));
}

#[tokio::test]
async fn a_wait_that_is_not_a_duration_is_refused_by_name_before_anything_is_accepted() {
    let app = App::start().await;

    for wait in ["soon", "-1", "6m", ""] {
        let response = app.upload(&format!("/v1/jobs?wait={wait}"), vec![("a.png", png(1))]).send().await.unwrap();

        assert_eq!(response.status(), 422, "{wait}");
        let problem: Value = response.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(&format!("{wait:?}")), "{problem}");
    }
    assert_eq!(app.json("/v1/status").await["queue"]["accepted"], 0);
}

#[tokio::test]
async fn a_full_queue_accepts_nothing_and_says_when_to_retry() {
    let app = App::start().await;
    app.accept((0..JOBS_MAX - 1).map(|n| ("a.png", png(n as u8))).collect()).await;

    let response = app.upload("/v1/jobs", vec![("a.png", png(1)), ("b.png", png(2))]).send().await.unwrap();

    assert_eq!(response.status(), 429);
    let seconds: u32 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
    app.accept(vec![("a.png", png(1))]).await;
}

#[tokio::test]
async fn more_images_than_the_queue_can_hold_are_refused_without_a_retry() {
    let app = App::start().await;
    let images = (0..=JOBS_MAX).map(|n| ("a.png", png(n as u8))).collect();

    let response = app.upload("/v1/jobs", images).send().await.unwrap();

    assert_eq!(response.status(), 413);
    assert!(response.headers().get("retry-after").is_none());
}

#[tokio::test]
async fn a_batch_counts_its_jobs_by_state() {
    let app = App::start().await;
    let receipt = app.accept(vec![("a.png", png(1)), ("b.png", png(2)), ("c.png", png(3))]).await;
    app.work("pod-1", 1).await;
    let held = app.claim("pod-2", 1).await;
    app.reclaim("pod-2").await;
    assert_eq!(app.claim("pod-3", 1).await.len(), held.len());

    let batch = app.json(&format!("/v1/batches/{}", receipt["batch"].as_str().unwrap())).await;

    assert_eq!(batch["batch"], receipt["batch"]);
    assert_eq!(batch["counts"], json!({"queued": 1, "running": 1, "done": 1, "failed": 0}));
    assert_eq!((&batch["accepted"], &batch["redelivered"]), (&json!(3), &json!(1)));
    let names: Vec<_> = batch["jobs"].as_array().unwrap().iter().map(|job| job["filename"].clone()).collect();
    assert_eq!(names, ["a.png", "b.png", "c.png"]);
}

#[tokio::test]
async fn an_unknown_job_or_batch_is_a_404_problem() {
    let app = App::start().await;
    let nobody = "0198b6a8-0000-7000-8000-000000000000";

    for path in
        [format!("/v1/jobs/{nobody}"), "/v1/jobs/x".into(), format!("/v1/batches/{nobody}"), "/v1/batches/x".into()]
    {
        let response = app.get(&path).await;

        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
    let cancelled = app.request(Method::DELETE, &format!("/v1/jobs/{nobody}")).send().await.unwrap();
    assert_eq!(cancelled.status(), 404);
}

#[tokio::test]
async fn a_job_that_has_not_started_can_be_cancelled() {
    let app = App::start().await;
    let receipt = app.accept(vec![("a.png", png(1))]).await;
    let path = format!("/v1/jobs/{}", id(&receipt, 0));

    let response = app.request(Method::DELETE, &path).send().await.unwrap();

    assert_eq!(response.status(), 200);
    let job: Value = response.json().await.unwrap();
    assert_eq!((&job["state"], &job["error"]), (&json!("failed"), &json!("cancelled")));
    assert_eq!(app.json(&path).await, job);
}

#[tokio::test]
async fn a_job_that_started_or_is_settled_cannot_be_cancelled() {
    let app = App::start().await;
    let receipt = app.accept(vec![("a.png", png(1))]).await;
    let path = format!("/v1/jobs/{}", id(&receipt, 0));
    let claims = app.claim("pod-1", 1).await;

    assert_eq!(app.request(Method::DELETE, &path).send().await.unwrap().status(), 409);
    app.settle(claims).await;
    assert_eq!(app.request(Method::DELETE, &path).send().await.unwrap().status(), 409);
    assert_eq!(app.json(&path).await["state"], "done");
}

#[tokio::test]
async fn a_job_that_every_attempt_failed_says_why() {
    let app = App::start().await;
    let receipt = app.accept(vec![("a.png", png(1))]).await;

    app.dead_letter("pod-1", "it is broken").await;

    let job = app.json(&format!("/v1/jobs/{}", id(&receipt, 0))).await;
    assert_eq!(job["state"], "failed");
    assert!(job["error"].as_str().unwrap().contains("it is broken"), "{job}");
}

#[tokio::test]
async fn a_client_that_disconnects_leaves_its_jobs_in_the_queue() {
    let app = App::start().await;

    let sent = app.upload("/v1/jobs?wait=1m", vec![("a.png", png(1))]).send();
    let claims = tokio::select! {
        _ = sent => panic!("nobody has answered yet"),
        claims = app.claim("pod-1", 1) => claims,
    };

    app.settle(claims).await;
    app.sees_settled(1).await;
}
