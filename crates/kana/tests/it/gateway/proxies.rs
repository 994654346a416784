//! Does everything work behind a proxy, and nothing for a foreign page?

use std::time::Duration;

use futures::StreamExt as _;
use kana::client::{Target, submit};
use reqwest::Method;
use serde_json::Value;

use super::raw::Raw;
use crate::support::app::{App, form};
use crate::support::nginx::Nginx;
use crate::support::pictures::png;

/// Far less than the time after which a keep-alive comment would flush a buffer.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Reads a stream until it contains `wanted`.
async fn read_until(response: reqwest::Response, wanted: &str) -> String {
    let (mut body, mut text) = (response.bytes_stream(), String::new());
    while !text.contains(wanted) {
        text += std::str::from_utf8(&body.next().await.expect("more").expect("bytes")).expect("text");
    }
    text
}

#[tokio::test]
async fn an_event_passes_a_plain_nginx_at_once() {
    let app = App::start().await;
    let nginx = Nginx::start(&format!("location / {{ proxy_pass http://{}; }}", app.address)).await;

    let response = tokio::time::timeout(AT_ONCE, app.http.get(nginx.url("/v1/events")).send()).await.unwrap().unwrap();
    let read = read_until(response, "\"state\":\"queued\"");
    let sent = async { app.accept(vec![("a.png", png(1))]).await };

    let (seen, _) = tokio::join!(tokio::time::timeout(AT_ONCE, read), sent);
    assert!(seen.expect("the event in time").contains("event: job"));
}

#[tokio::test]
async fn events_ask_proxies_not_to_buffer_or_transform_them() {
    let app = App::start().await;

    let response = app.get("/v1/events").await;

    assert_eq!(response.headers()["x-accel-buffering"], "no");
    assert_eq!(response.headers()["cache-control"], "no-cache, no-transform");
}

#[tokio::test]
async fn a_loopback_gateway_behind_a_proxy_serves_its_allowed_host() {
    let app = App::with(|config| config.allowed_hosts = vec!["kana.example".parse().unwrap()]).await;
    let upstream = format!("proxy_pass http://{};", app.address);
    let nginx = Nginx::start(&format!("location / {{ {upstream} proxy_set_header Host $host; }}")).await;
    let sent = async |host: &str, origin: &str| {
        let request = app.http.post(nginx.url("/v1/jobs")).header("Host", host).header("Origin", origin);
        request.multipart(form(vec![("a.png", png(1))])).send().await.unwrap().status().as_u16()
    };

    assert_eq!(sent("kana.example", "https://kana.example").await, 202);
    assert_eq!(sent("KANA.example:8443", "https://kana.example:8443").await, 202);
    assert_eq!(sent("kana.example", "https://evil.example").await, 403);
    assert_eq!(sent("evil.example", "https://evil.example").await, 403);
}

#[tokio::test]
async fn an_open_gateway_on_the_network_is_closed_to_foreign_pages_and_rebound_names() {
    let app = App::with(|config| {
        config.listen = ([0, 0, 0, 0], 0).into();
        config.insecure = true;
        config.allowed_hosts = vec!["kana.kana.svc".parse().unwrap()];
    })
    .await;
    let port = app.address.port();
    let sent = async |host: &str, origin: &str| {
        let mut client = Raw::to(([127, 0, 0, 1], port).into()).await;
        let head = format!("DELETE /v1/pods/x HTTP/1.1\r\nHost: {host}\r\n{origin}\r\n");
        client.send(head).await;
        client.head().await.split(' ').nth(1).unwrap().to_owned()
    };

    for host in ["127.0.0.1", "192.0.2.7:8080", "localhost:8080", "KANA.kana.svc", "[2001:db8::1]"] {
        assert_eq!(sent(host, "").await, "404", "{host}");
    }
    assert_eq!(sent("evil.example", "").await, "403", "a rebound name");
    assert_eq!(sent("evil.example", "Origin: http://evil.example\r\n").await, "403");
    assert_eq!(sent("192.0.2.7", "Origin: http://evil.example\r\n").await, "403", "a foreign page");
    assert_eq!(sent("192.0.2.7", "Origin: http://192.0.2.7\r\n").await, "404", "its own page");
}

#[tokio::test]
async fn pages_and_commands_work_under_a_path_of_a_proxy() {
    let app = App::start().await;
    app.spawn_worker("pod-1");
    let nginx = Nginx::start(&format!("location /kana/ {{ proxy_pass http://{}/; }}", app.address)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.png");
    std::fs::write(&file, png(1)).unwrap();

    let docs = app.http.get(nginx.url("/kana/docs")).send().await.unwrap();
    assert_eq!((docs.status().as_u16(), docs.url().path()), (200, "/kana/docs/"));
    for page in ["/kana/", "/kana/docs/"] {
        let html = app.http.get(nginx.url(page)).send().await.unwrap().text().await.unwrap();
        assert!(!html.contains("\"/"), "{page} has an address at the root of the host: {html}");
    }
    for server in ["/kana", "/kana/"] {
        let target = Target { server: nginx.url(server), token: None };
        let mut lines = Vec::new();
        let summary = submit::run(&submit::Config::new(target, vec![file.clone()]), &mut lines).await.unwrap();
        assert_eq!(summary.done, 1, "{server}");
    }
    let status: Value = app.http.get(nginx.url("/kana/v1/status")).send().await.unwrap().json().await.unwrap();
    assert_eq!(status["queue"]["accepted"], 2);
}

#[tokio::test]
async fn a_body_with_a_content_encoding_is_refused_by_its_name() {
    let app = App::start().await;
    let sent = async |encoding: &'static str| {
        let request = app.request(Method::POST, "/v1/classify?wait=0").header("Content-Encoding", encoding);
        request.body(png(1)).send().await.unwrap()
    };

    for encoding in ["gzip", "br", "identity, deflate"] {
        let refused = sent(encoding).await;
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["accept-encoding"]),
            (415, &"identity".parse().unwrap())
        );
    }
    assert_eq!(sent("identity").await.status(), 202);
}
