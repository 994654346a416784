//! Is a request that is sent twice accepted once?

use reqwest::Method;
use serde_json::Value;

use crate::support::app::{App, JOBS_MAX};
use crate::support::pictures::png;

async fn send(app: &App, path: &str, key: &str, files: Vec<(&str, Vec<u8>)>) -> (u16, Value) {
    let response = app.upload(path, files).header("Idempotency-Key", key).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn the_same_request_again_gets_the_same_answer() {
    let app = App::start().await;
    let files = || vec![("a.png", png(1)), ("text.png", b"not an image".to_vec()), ("b.png", png(2))];

    let first = send(&app, "/v1/jobs", "k", files()).await;
    let again = send(&app, "/v1/jobs", "k", files()).await;

    assert_eq!(first.0, 202);
    assert_eq!(first, again);
    assert_eq!(app.json("/v1/status").await["queue"]["accepted"], 2);
}

#[tokio::test]
async fn a_repetition_shows_the_states_of_now() {
    let app = App::start().await;
    let files = || vec![("a.png", png(1))];
    let (_, first) = send(&app, "/v1/jobs", "k", files()).await;
    app.work("pod-1", 1).await;

    let (status, again) = send(&app, "/v1/jobs", "k", files()).await;
    let (waited, finished) = send(&app, "/v1/jobs?wait=30s", "k", files()).await;

    assert_eq!(status, 202);
    assert_eq!((&again["batch"], &again["jobs"][0]["id"]), (&first["batch"], &first["jobs"][0]["id"]));
    assert_eq!(again["jobs"][0]["state"], "done");
    assert_eq!((waited, finished), (200, again));
}

#[tokio::test]
async fn a_repetition_can_wait_for_the_first_ones_jobs() {
    let app = App::start().await;
    let files = || vec![("a.png", png(1))];
    let (_, first) = send(&app, "/v1/jobs", "k", files()).await;

    let repeated = send(&app, "/v1/jobs?wait=30s", "k", files());
    let worked = async {
        tokio::task::yield_now().await;
        app.work("pod-1", 1).await
    };
    let ((status, again), _) = tokio::join!(repeated, worked);

    assert_eq!((status, &again["jobs"][0]["id"]), (200, &first["jobs"][0]["id"]));
}

#[tokio::test]
async fn a_key_used_with_another_body_is_refused() {
    let app = App::start().await;
    send(&app, "/v1/jobs", "k", vec![("a.png", png(1))]).await;

    for files in [vec![("a.png", png(2))], vec![("b.png", png(1))], vec![("a.png", png(1)); 2]] {
        let (status, problem) = send(&app, "/v1/jobs", "k", files).await;

        assert_eq!(status, 422);
        assert!(problem["detail"].as_str().unwrap().contains("\"k\""), "{problem}");
    }
}

#[tokio::test]
async fn of_simultaneous_requests_one_is_accepted_and_the_others_repeat_it() {
    let app = App::start().await;

    let sent = (0..8).map(|_| send(&app, "/v1/jobs", "k", vec![("a.png", png(1)), ("b.png", png(2))]));
    let answers = futures::future::join_all(sent).await;

    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
    assert_eq!(app.json("/v1/status").await["queue"]["accepted"], 2);
}

#[tokio::test]
async fn a_repetition_is_answered_although_the_queue_is_full() {
    let app = App::start().await;
    let files: Vec<_> = (0..JOBS_MAX).map(|n| ("a.png", png(n as u8))).collect();
    let (_, first) = send(&app, "/v1/jobs", "k", files.clone()).await;

    let (status, again) = send(&app, "/v1/jobs", "k", files).await;

    assert_eq!((status, &again["batch"]), (202, &first["batch"]));
}

#[tokio::test]
async fn one_image_can_be_repeated_too() {
    let app = App::start().await;
    app.spawn_worker("pod-1");
    let classify = async || {
        let request = app.request(Method::POST, "/v1/classify").header("Idempotency-Key", "k");
        request.body(png(1)).send().await.unwrap().json::<Value>().await.unwrap()
    };

    assert_eq!(classify().await, classify().await);
    let (status, _) = send(&app, "/v1/jobs", "k", vec![("image-1", png(1))]).await;
    assert_eq!(status, 422, "another route is another request");
}

#[tokio::test]
async fn a_key_that_is_too_long_is_refused() {
    let app = App::start().await;

    let (status, _) = send(&app, "/v1/jobs", &"k".repeat(256), vec![("a.png", png(1))]).await;

    assert_eq!(status, 422);
}
