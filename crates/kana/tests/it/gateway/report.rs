//! Does a model's report reach its readers, and can it do nothing but be read?

use reqwest::header::{ACCEPT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use serde_json::Value;

use crate::support::app::App;

const PAGE: &str = "<!doctype html><title>kana: a report</title>";

#[tokio::test]
async fn a_report_is_served_as_a_page_that_runs_and_loads_nothing() {
    let app = App::reporting(PAGE).await;

    let answer = app.get("/v1/model/report").await;

    assert_eq!(
        (answer.status().as_u16(), &answer.headers()[CONTENT_TYPE]),
        (200, &"text/html; charset=utf-8".parse().unwrap())
    );
    let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none';") && policy.ends_with("sandbox"), "{policy}");
    let tag = answer.headers()[ETAG].clone();
    assert_eq!(answer.text().await.unwrap(), PAGE);
    let again = app.request(reqwest::Method::GET, "/v1/model/report").header(IF_NONE_MATCH, tag);
    assert_eq!(again.header(ACCEPT_ENCODING, "identity").send().await.unwrap().status(), 304);
    let status: Value = app.get("/v1/status").await.json().await.unwrap();
    assert_eq!(status["model"]["has_report"], true);
}

#[tokio::test]
async fn a_model_without_a_report_says_so() {
    let app = App::start().await;

    let answer = app.get("/v1/model/report").await;

    assert_eq!(answer.status(), 404);
    let problem: Value = answer.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("has no report"), "{problem}");
    let status: Value = app.get("/v1/status").await.json().await.unwrap();
    assert_eq!(status["model"]["has_report"], false);
}
