//! Which requests are let through?

use std::net::SocketAddr;

use kana::gateway::{Config, Gateway, Tokens};
use reqwest::Method;

use super::raw::Raw;
use crate::support::app::{App, parts};
use crate::support::pictures::png;

const TOKENS: &str = "read looker\nsubmit sender\noperate boss\nsubmit,operate both";

async fn with_tokens() -> App {
    App::with(|config| config.tokens = Tokens::parse(TOKENS).unwrap()).await
}

async fn asked(app: &App, method: Method, path: &str, token: Option<&str>) -> u16 {
    let request = app.request(method, path);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_foreign_host_is_refused_on_loopback() {
    let app = App::start().await;

    for host in ["evil.example", "evil.example:8080", "kana.internal"] {
        let mut client = Raw::to(app.address).await;
        client.send(format!("GET /v1/status HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;

        assert!(client.head().await.starts_with("HTTP/1.1 403 "), "{host}");
    }
}

#[tokio::test]
async fn a_foreign_page_can_neither_read_nor_write_on_loopback() {
    let app = App::start().await;

    for origin in ["http://evil.example", "https://localhost.evil.example", "null", "http://localhost:1"] {
        let upload = app.upload("/v1/jobs", vec![("a.png", png(1))]).header("Origin", origin).send().await.unwrap();
        let read = app.request(Method::GET, "/v1/status").header("Origin", origin).send().await.unwrap();

        assert_eq!((upload.status().as_u16(), read.status().as_u16()), (403, 403), "{origin}");
        assert!(!read.headers().contains_key("access-control-allow-origin"));
    }
    assert_eq!(app.json("/v1/status").await["queue"]["accepted"], 0);
}

#[tokio::test]
async fn a_foreign_image_tag_cannot_reach_the_service() {
    let app = App::start().await;
    let request = app.request(Method::GET, "/v1/status").header("Sec-Fetch-Site", "cross-site");

    let response = request.header("Sec-Fetch-Mode", "no-cors").send().await.unwrap();

    assert_eq!(response.status(), 403);
}

#[tokio::test]
async fn the_services_own_page_may_do_everything() {
    let app = App::start().await;
    let origin = format!("http://{}", app.address);

    let upload = app.upload("/v1/jobs", vec![("a.png", png(1))]).header("Origin", origin);

    assert_eq!(upload.header("Sec-Fetch-Site", "same-origin").send().await.unwrap().status(), 202);
}

#[tokio::test]
async fn a_request_without_a_known_token_is_refused_where_there_are_tokens() {
    let app = with_tokens().await;

    let response = app.get("/v1/status").await;

    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"kana\"");
    assert_eq!(asked(&app, Method::GET, "/v1/status", Some("nobody")).await, 401);
    assert_eq!(asked(&app, Method::POST, "/v1/jobs", None).await, 401);
}

#[tokio::test]
async fn every_token_may_read() {
    let app = with_tokens().await;

    for token in ["looker", "sender", "boss", "both"] {
        assert_eq!(asked(&app, Method::GET, "/v1/pods", Some(token)).await, 200, "{token}");
    }
}

#[tokio::test]
async fn only_the_scope_submit_may_submit_and_cancel() {
    let app = with_tokens().await;
    let upload = async |token| {
        let request = app.upload("/v1/jobs", vec![("a.png", png(1))]).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    };

    assert_eq!([upload("sender").await, upload("both").await], [202, 202]);
    assert_eq!([upload("looker").await, upload("boss").await], [403, 403]);
    assert_eq!(asked(&app, Method::POST, "/v1/classify", Some("boss")).await, 403);
    assert_eq!(asked(&app, Method::DELETE, "/v1/jobs/x", Some("boss")).await, 403);
    assert_eq!(asked(&app, Method::DELETE, "/v1/jobs/x", Some("sender")).await, 404);
}

#[tokio::test]
async fn only_the_scope_operate_may_change_pods_scale_and_dead_letters() {
    let app = with_tokens().await;
    let routes = [
        (Method::DELETE, "/v1/pods/x", 404),
        (Method::GET, "/v1/pods/x/logs", 404),
        (Method::PUT, "/v1/scale", 400),
        (Method::POST, "/v1/dead/x/replay", 404),
        (Method::DELETE, "/v1/dead/x", 404),
    ];

    for (method, path, expected) in routes {
        assert_eq!(asked(&app, method.clone(), path, Some("sender")).await, 403, "{path}");
        assert_eq!(asked(&app, method, path, Some("boss")).await, expected, "{path}");
    }
}

#[tokio::test]
async fn probes_page_and_description_need_no_token() {
    let app = with_tokens().await;

    for path in ["/", "/livez", "/readyz", "/metrics", "/openapi.json", "/docs/"] {
        assert_eq!(asked(&app, Method::GET, path, None).await, 200, "{path}");
    }
}

#[tokio::test]
async fn an_address_that_other_machines_can_reach_is_refused_without_tokens() {
    let open = SocketAddr::from(([0, 0, 0, 0], 0));

    let refused = Gateway::bind(Config::new(open), parts()).await.map(|_| ()).unwrap_err().to_string();

    assert!(refused.contains("--insecure") && refused.contains("token"), "{refused}");
}
