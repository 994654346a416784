//! What can one token do to another, and does a changed file of tokens count at once?

use kana::gateway::{Tokens, read_tokens};
use reqwest::Method;
use serde_json::Value;

use super::logs::Log;
use crate::support::app::App;
use crate::support::eventually;
use crate::support::pictures::png;

const TOKENS: &str = "submit a alice\nsubmit b\nsubmit,operate boss carol";

async fn with_tokens() -> App {
    App::with(|config| config.tokens = Tokens::parse(TOKENS).unwrap()).await
}

async fn submit(app: &App, token: &str, key: &str, file: u8) -> (u16, Value) {
    let request = app.upload("/v1/jobs", vec![("a.png", png(file))]).bearer_auth(token).header("Idempotency-Key", key);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn status(app: &App, token: &str) -> u16 {
    app.request(Method::GET, "/v1/status").bearer_auth(token).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn the_same_key_of_another_token_is_another_key() {
    let app = with_tokens().await;

    let (_, first) = submit(&app, "a", "k", 1).await;
    let same = submit(&app, "b", "k", 1).await;
    let other = submit(&app, "boss", "k", 2).await;

    assert_eq!((same.0, other.0), (202, 202));
    assert_ne!(first["batch"], same.1["batch"]);
    assert_eq!(submit(&app, "a", "k", 1).await.1["batch"], first["batch"], "its own is repeated");
    let (reused, problem) = submit(&app, "a", "k", 2).await;
    assert_eq!(reused, 422);
    assert!(problem["detail"].as_str().unwrap().contains("\"k\""), "{problem}");
}

#[tokio::test]
async fn a_missing_scope_is_named_as_rfc_6750_asks() {
    let app = with_tokens().await;

    let response = app.request(Method::DELETE, "/v1/pods/x").bearer_auth("a").send().await.unwrap();

    assert_eq!(response.status(), 403);
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("error=\"insufficient_scope\", scope=\"operate\""), "{challenge}");
}

#[tokio::test]
async fn a_changed_file_counts_without_a_restart_and_a_broken_one_changes_nothing() {
    let (log, _guard) = Log::record();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    std::fs::write(&file, "submit a\n").unwrap();
    let app = App::with(|config| {
        config.tokens = read_tokens(&file).unwrap();
        config.tokens_file = Some(file.clone());
    })
    .await;
    let (_, before) = submit(&app, "a", "k", 1).await;

    // As a Kubernetes Secret: the content is behind a link that is swapped.
    std::fs::write(folder.path().join("new"), "\u{feff}submit a alice\r\nread b\r\n").unwrap();
    std::os::unix::fs::symlink(folder.path().join("new"), folder.path().join("link")).unwrap();
    std::fs::rename(folder.path().join("link"), &file).unwrap();
    eventually("the new token", async || (status(&app, "b").await == 200).then_some(())).await;
    assert_eq!(submit(&app, "a", "k", 1).await.1["batch"], before["batch"], "an unchanged token keeps its keys");

    std::fs::write(&file, "read b\nhunter2\n").unwrap();
    let line = log.line("could not use").await.to_string();
    assert!(line.contains("line 2") && !line.contains("hunter2"), "{line}");
    std::fs::write(&file, "").unwrap();
    log.line_with("have no line with a token").await;
    assert_eq!(
        (status(&app, "a").await, status(&app, "b").await, app.get("/v1/status").await.status().as_u16()),
        (200, 200, 401)
    );

    std::fs::write(&file, "read b\n").unwrap();
    eventually("the end of a token", async || (status(&app, "a").await == 401).then_some(())).await;
}

#[tokio::test]
async fn the_events_of_a_token_end_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    std::fs::write(&file, "read a\nread b\n").unwrap();
    let app = App::with(|config| {
        config.tokens = read_tokens(&file).unwrap();
        config.tokens_file = Some(file.clone());
    })
    .await;
    let stream = app.request(Method::GET, "/v1/events").bearer_auth("a").send().await.unwrap();

    std::fs::write(&file, "read b\n").unwrap();

    let text = tokio::time::timeout(std::time::Duration::from_secs(20), stream.text()).await.expect("an end");
    assert!(text.is_ok());
}

#[tokio::test]
async fn a_token_beyond_its_rate_gets_429_and_others_do_not() {
    let app = App::with(|config| {
        config.tokens = Tokens::parse(TOKENS).unwrap();
        config.rate_limit = Some(0.01);
    })
    .await;
    let files = vec![("a.png", png(1)), ("b.png", png(2))];

    let first = app.upload("/v1/jobs", files.clone()).bearer_auth("a").send().await.unwrap();
    let second = app.upload("/v1/jobs", files).bearer_auth("a").send().await.unwrap();
    let other = app.request(Method::POST, "/v1/classify?wait=0").bearer_auth("b").body(png(1)).send().await.unwrap();

    assert_eq!((first.status().as_u16(), second.status().as_u16(), other.status().as_u16()), (202, 429, 202));
    let wait: u64 = second.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((190..=200).contains(&wait), "two images cost twice as much: {wait}");
}

#[tokio::test]
async fn an_act_is_logged_with_who_from_where_and_its_result() {
    let (log, _guard) = Log::record();
    let app = with_tokens().await;
    let act = async |method: Method, path: &str, token: &str| {
        let request = app.request(method, path).bearer_auth(token).header("X-Forwarded-For", "192.0.2.7");
        request.send().await.unwrap()
    };

    act(Method::DELETE, "/v1/pods/nobody?mode=kill", "boss").await;
    act(Method::DELETE, "/v1/pods/x", "a").await;
    act(Method::GET, "/v1/pods/y/logs", "boss").await;
    let range = app.request(Method::PUT, "/v1/scale").bearer_auth("boss").body(r#"{"min":1,"max":2}"#);
    range.send().await.unwrap();

    let killed = log.line("audit: token carol at 127.0.0.1:").await;
    let fields = &killed["fields"];
    assert_eq!((fields["token"].as_str(), fields["pod"].as_str()), (Some("carol"), Some("nobody")));
    assert_eq!(fields["forwarded_for"], "192.0.2.7");
    assert_eq!(fields["act"], "stop pod nobody by kill");
    assert!(fields["result"].as_str().unwrap().starts_with("status 404"), "{fields}");
    let refused = log.line("audit: token alice").await;
    assert!(refused["fields"]["result"].as_str().unwrap().starts_with("status 403"), "{refused}");
    log.line_with("read the log of pod y").await;
    log.line_with("set the scale to 1 to 2 pods").await;
}
