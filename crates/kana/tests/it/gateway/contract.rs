//! Does the description match the code, and does every response look as it should?

use reqwest::Method;
use serde_json::Value;

use super::raw::Raw;
use crate::support::app::App;

#[test]
fn the_committed_openapi_file_is_the_generated_one() {
    let path = crate::support::project().join("ui/openapi.json");
    let generated = kana::gateway::openapi_text().unwrap();
    if std::env::var_os("KANA_UPDATE").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }

    let committed = std::fs::read_to_string(&path).unwrap();

    assert!(committed == generated, "ui/openapi.json is old: run the tests with KANA_UPDATE=1");
}

#[tokio::test]
async fn the_gateway_serves_the_description_of_its_api() {
    let app = App::start().await;

    let response = app.get("/openapi.json").await;

    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    let described: Value = response.json().await.unwrap();
    assert_eq!(described, serde_json::from_str::<Value>(&kana::gateway::openapi_text().unwrap()).unwrap());
}

#[tokio::test]
async fn an_unknown_address_is_a_404_problem_for_every_method() {
    let app = App::start().await;

    for method in [Method::GET, Method::POST, Method::DELETE] {
        let response = app.request(method, "/nowhere").send().await.unwrap();

        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let problem: Value = response.json().await.unwrap();
        assert_eq!((problem["type"].as_str(), problem["status"].as_u64()), (Some("about:blank"), Some(404)));
    }
}

#[tokio::test]
async fn a_method_that_is_not_answered_is_a_405_problem_that_names_those_that_are() {
    let app = App::start().await;

    let response = app.request(Method::PATCH, "/v1/scale").send().await.unwrap();

    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let allowed = response.headers()["allow"].to_str().unwrap();
    assert!(allowed.contains("GET") && allowed.contains("PUT"), "{allowed}");
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_a_problem() {
    let app = App::start().await;

    let response = app.get("/v1/dead?limit=1&limit=2").await;

    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn every_response_has_security_headers() {
    let app = App::start().await;

    for path in ["/", "/v1/status", "/nowhere", "/docs/"] {
        let response = app.get(path).await;

        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        assert!(header("content-security-policy").contains("default-src 'self'"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
    }
}

#[tokio::test]
async fn the_pages_or_a_hint_are_at_the_root_and_at_docs_and_load_nothing_from_elsewhere() {
    let app = App::start().await;

    for path in ["/", "/docs/"] {
        let response = app.get(path).await;

        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8", "{path}");
        assert_eq!(response.headers()["cache-control"], "no-cache", "{path}");
        let html = response.text().await.unwrap();
        assert!(html.contains("<title>kana") && !html.contains("://"), "{path}: {html}");
    }
}

#[tokio::test]
async fn docs_without_a_slash_leads_to_the_page_of_the_api() {
    let app = App::start().await;

    let response = app.get("/docs").await;

    assert_eq!((response.status().as_u16(), response.url().path()), (200, "/docs/"));
}

#[tokio::test]
async fn long_responses_are_compressed_where_the_client_accepts_it() {
    let app = App::start().await;
    let asked = async |path: &str| {
        let mut client = Raw::to(app.address).await;
        client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n")).await;
        client.head().await.to_ascii_lowercase()
    };

    assert!(asked("/openapi.json").await.contains("content-encoding: gzip"));
    assert!(!asked("/v1/scale").await.contains("content-encoding"));
    assert!(!asked("/v1/events").await.contains("content-encoding"));
}
