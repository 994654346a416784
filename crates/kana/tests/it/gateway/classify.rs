//! Is one image classified in one request?

use reqwest::Method;
use serde_json::Value;

use crate::support::app::App;
use crate::support::pictures::png;

#[tokio::test]
async fn one_image_is_answered_with_its_finished_job() {
    let app = App::start().await;
    app.spawn_worker("pod-1");

    let request = app.request(Method::POST, "/v1/classify?filename=o.png").header("content-type", "image/png");
    let response = request.body(png(1)).send().await.unwrap();

    assert_eq!(response.status(), 200);
    let job: Value = response.json().await.unwrap();
    assert_eq!((job["state"].as_str(), job["filename"].as_str()), (Some("done"), Some("o.png")));
    assert_eq!(app.json(&format!("/v1/jobs/{}", job["id"].as_str().unwrap())).await, job);
}

#[tokio::test]
async fn an_image_is_accepted_with_any_content_type() {
    let app = App::start().await;
    app.spawn_worker("pod-1");

    for kind in ["application/octet-stream", "application/x-www-form-urlencoded", "image/jpeg"] {
        let request = app.request(Method::POST, "/v1/classify").header("content-type", kind);

        assert_eq!(request.body(png(1)).send().await.unwrap().status(), 200, "{kind}");
    }
}

#[tokio::test]
async fn a_form_is_refused_and_told_where_forms_go() {
    let app = App::start().await;

    let form = reqwest::multipart::Form::new().part("images", reqwest::multipart::Part::bytes(png(1)));
    let response = app.request(Method::POST, "/v1/classify").multipart(form).send().await.unwrap();

    assert_eq!(response.status(), 415);
    let detail = response.json::<Value>().await.unwrap()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("--data-binary") && detail.contains("/v1/jobs"), "{detail}");
}

#[tokio::test]
async fn an_image_that_takes_longer_is_answered_with_its_job() {
    let app = App::start().await;

    let response = app.request(Method::POST, "/v1/classify?wait=50ms").body(png(1)).send().await.unwrap();

    assert_eq!(response.status(), 202);
    let job: Value = response.json().await.unwrap();
    assert_eq!((job["state"].as_str(), job["filename"].as_str()), (Some("queued"), Some("image-1")));
}

#[tokio::test]
async fn a_body_that_is_not_an_image_is_refused_with_the_reason() {
    let app = App::start().await;

    for body in [Vec::new(), b"hello".to_vec(), png(1)[..40].to_vec()] {
        let response = app.request(Method::POST, "/v1/classify").body(body).send().await.unwrap();

        assert_eq!(response.status(), 422);
        assert!(!response.json::<Value>().await.unwrap()["detail"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_image_over_the_limit_is_a_413() {
    let app = App::with(|config| config.limits.file_bytes_max = 1_000).await;

    let response = app.request(Method::POST, "/v1/classify").body(vec![7; 1_001]).send().await.unwrap();

    assert_eq!(response.status(), 413);
}

#[tokio::test]
async fn samples_are_images_that_can_be_classified() {
    let app = App::start().await;
    app.spawn_worker("pod-1");

    let sample = app.get("/v1/samples/3").await;
    let kind = sample.headers()["content-type"].clone();
    let picture = sample.bytes().await.unwrap();
    let answer = app.request(Method::POST, "/v1/classify").body(picture).send().await.unwrap();

    assert_eq!((kind.to_str().unwrap(), answer.status().as_u16()), ("image/png", 200));
    for missing in ["1000", "-1", "cat"] {
        assert_eq!(app.get(&format!("/v1/samples/{missing}")).await.status(), 404, "{missing}");
    }
}
