//! What can be done with dead letters?

use reqwest::Method;
use serde_json::json;

use crate::support::app::App;
use crate::support::pictures::png;

#[tokio::test]
async fn a_dead_letter_is_listed_with_its_reason() {
    let app = App::start().await;
    let receipt = app.accept(vec![("a.png", png(1))]).await;

    app.dead_letter("pod-1", "it is broken").await;

    let letters = app.json("/v1/dead").await;
    let letter = &letters[0];
    assert_eq!(letters.as_array().unwrap().len(), 1);
    assert_eq!(letter["id"], receipt["jobs"][0]["id"]);
    assert!(letter["reason"].as_str().unwrap().contains("it is broken"), "{letter}");
    assert_eq!((&letter["attempts"], &letter["worker"]), (&json!(3), &json!("pod-1")));
    assert!(letter["died"].as_u64() >= letter["submitted"].as_u64());
}

#[tokio::test]
async fn no_more_dead_letters_are_listed_than_the_limit() {
    let app = App::start().await;
    app.accept(vec![("a.png", png(1)), ("b.png", png(2))]).await;
    app.dead_letter("pod-1", "x").await;
    app.dead_letter("pod-1", "x").await;

    assert_eq!(app.json("/v1/dead?limit=1").await.as_array().unwrap().len(), 1);
    for limit in ["0", "1001", "many", "-1"] {
        let response = app.get(&format!("/v1/dead?limit={limit}")).await;

        assert_eq!(response.status(), 422, "{limit}");
        assert!(response.text().await.unwrap().contains(limit));
    }
}

#[tokio::test]
async fn a_replayed_dead_letter_can_still_be_done() {
    let app = App::start().await;
    let receipt = app.accept(vec![("a.png", png(1))]).await;
    let id = receipt["jobs"][0]["id"].as_str().unwrap();
    app.dead_letter("pod-1", "x").await;

    let replayed = app.request(Method::POST, &format!("/v1/dead/{id}/replay")).send().await.unwrap();
    app.work("pod-2", 1).await;

    assert_eq!(replayed.status(), 202);
    assert_eq!(app.json(&format!("/v1/jobs/{id}")).await["state"], "done");
    assert_eq!(app.json("/v1/dead").await, json!([]));
}

#[tokio::test]
async fn a_dead_letter_can_be_discarded_once() {
    let app = App::start().await;
    let receipt = app.accept(vec![("a.png", png(1))]).await;
    let path = format!("/v1/dead/{}", receipt["jobs"][0]["id"].as_str().unwrap());
    app.dead_letter("pod-1", "x").await;

    let first = app.request(Method::DELETE, &path).send().await.unwrap();
    let second = app.request(Method::DELETE, &path).send().await.unwrap();
    let replayed = app.request(Method::POST, &format!("{path}/replay")).send().await.unwrap();

    assert_eq!((first.status().as_u16(), second.status().as_u16(), replayed.status().as_u16()), (204, 404, 404));
}
