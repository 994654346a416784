//! Does the gateway end without breaking off running requests?

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::raw::Raw;
use crate::support::app::App;
use crate::support::eventually;
use crate::support::pictures::png;

#[tokio::test]
async fn a_request_that_waits_is_answered_when_the_gateway_ends() {
    let app = App::start().await;
    let sent = tokio::spawn(app.upload("/v1/jobs?wait=1m", vec![("a.png", png(1))]).send());
    app.claim("pod-1", 1).await;

    app.end().await;

    let response = sent.await.unwrap().unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(response.json::<Value>().await.unwrap()["jobs"][0]["state"], "running");
}

#[tokio::test]
async fn a_request_whose_jobs_are_done_soon_is_answered_with_them_when_the_gateway_ends() {
    let app = App::start().await;
    let sent = tokio::spawn(app.upload("/v1/jobs?wait=1m", vec![("a.png", png(1))]).send());
    let claims = app.claim("pod-1", 1).await;

    app.shutdown.begin();
    eventually("no more connections", async || app.request(Method::GET, "/livez").send().await.is_err().then_some(()))
        .await;
    app.settle(claims).await;

    let response = sent.await.unwrap().unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.json::<Value>().await.unwrap()["jobs"][0]["state"], "done");
}

#[tokio::test]
async fn an_event_stream_ends_with_the_gateway() {
    let app = App::start().await;
    let stream = app.get("/v1/events").await;

    app.end().await;

    assert!(stream.text().await.is_ok(), "the stream is closed in order");
}

#[tokio::test]
async fn a_gateway_that_drains_is_not_ready_and_still_serves() {
    let app = App::with(|config| config.drain_delay = Duration::from_secs(5)).await;

    app.shutdown.begin();

    eventually("no longer ready", async || (app.get("/readyz").await.status() == 503).then_some(())).await;
    app.accept(vec![("a.png", png(1))]).await;
}

#[tokio::test]
async fn idle_connections_do_not_delay_the_end() {
    let app = App::start().await;
    let mut idle = Raw::to(app.address).await;
    idle.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    idle.head().await;
    let silent = Raw::to(app.address).await;

    let ended = tokio::time::timeout(Duration::from_secs(4), app.end()).await;

    assert!(ended.is_ok());
    drop((idle, silent));
}
