//! Can a run be found again, with its story and its pictures?

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::pictures::png;
use kana_engine::image::decode::decode;

async fn submit(app: &App, query: &str, name: &str) -> Value {
    let response =
        app.upload(&format!("/v1/jobs{query}"), vec![(name, png(1)), ("b.png", png(2))]).send().await.unwrap();
    assert_eq!(response.status(), 202);
    response.json().await.unwrap()
}

fn batches(listed: &Value) -> Vec<&str> {
    listed.as_array().expect("a list").iter().map(|run| run["batch"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn batches_are_listed_newest_first_page_by_page_with_names_and_counts() {
    let app = App::start().await;
    let first = submit(&app, "?name=Monday%27s%20letters", "a.png").await;
    let second = submit(&app, "", "a.png").await;
    app.request(Method::POST, "/v1/classify?wait=0").body(png(3)).send().await.unwrap();
    app.work("pod-1", 3).await;

    let all = app.json("/v1/batches").await;
    let page = app.json("/v1/batches?limit=1").await;
    let older = app.json(&format!("/v1/batches?before={}", second["batch"].as_str().unwrap())).await;

    assert_eq!(batches(&all), [second["batch"].as_str().unwrap(), first["batch"].as_str().unwrap()]);
    assert_eq!((batches(&page), batches(&older)), (vec![batches(&all)[0]], vec![batches(&all)[1]]));
    let run = &all[1];
    assert_eq!(
        (&run["name"], &run["accepted"], &run["workers"]),
        (&json!("Monday's letters"), &json!(2), &json!(["pod-1"]))
    );
    assert_eq!(run["counts"], json!({"queued": 0, "running": 0, "done": 2, "failed": 0}));
    assert!(run["submitted"].is_u64() && run["elapsed_ms"].is_number(), "{run}");
    assert!(all[0].get("name").is_none(), "{all}");
}

#[tokio::test]
async fn an_upload_of_several_requests_is_one_batch() {
    let app = App::start().await;
    let first = submit(&app, "?name=one", "a.png").await;
    let batch = first["batch"].as_str().unwrap();

    let second = submit(&app, &format!("?batch={batch}&name=two"), "c.png").await;

    assert_eq!(second["batch"], batch);
    let listed = app.json("/v1/batches").await;
    assert_eq!((batches(&listed), &listed[0]["name"], &listed[0]["accepted"]), (vec![batch], &json!("one"), &json!(4)));
    let jobs = &app.json(&format!("/v1/batches/{batch}")).await["jobs"];
    assert_eq!((&jobs[0]["filename"], &jobs[2]["filename"]), (&json!("a.png"), &json!("c.png")));
}

#[tokio::test]
async fn a_batch_that_is_unknown_and_a_name_that_is_too_long_are_refused_by_name() {
    let app = App::start().await;
    let unknown = kana_queue::job::BatchId::new();
    let long = "お".repeat(101);

    for (query, status, says) in [
        (format!("?batch={unknown}"), 404, unknown.to_string()),
        ("?batch=mine".to_owned(), 404, "mine".to_owned()),
        (format!("?name={long}"), 422, "101 characters".to_owned()),
    ] {
        let response = app.upload(&format!("/v1/jobs{query}"), vec![("a.png", png(1))]).send().await.unwrap();

        assert_eq!(response.status(), status, "{query}");
        let problem: Value = response.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(&says), "{problem}");
    }
    for (query, says) in [("limit=51", "\"51\""), ("limit=0", "\"0\""), ("before=yesterday", "\"yesterday\"")] {
        let problem = app.get(&format!("/v1/batches?{query}")).await;
        assert_eq!(problem.status(), 422, "{query}");
        assert!(problem.text().await.unwrap().contains(&says.replace('"', "\\\"")), "{query}");
    }
    assert_eq!(app.json("/v1/batches").await, json!([]));
}

#[tokio::test]
async fn a_job_tells_which_attempts_were_lost_and_how() {
    let app = App::start().await;
    let receipt = submit(&app, "", "a.png").await;
    let (job, batch) = (receipt["jobs"][0]["id"].as_str().unwrap(), receipt["batch"].as_str().unwrap());
    app.claim("pod-1", 1).await;
    app.reclaim("pod-1").await;
    app.work("pod-2", 1).await;
    app.work("pod-2", 1).await;

    let told = app.json(&format!("/v1/jobs/{job}")).await;
    let jobs = &app.json(&format!("/v1/batches/{batch}")).await["jobs"];

    assert_eq!((&told["state"], &told["worker"], &told["attempts"]), (&json!("done"), &json!("pod-2"), &json!(2)));
    let lost = &told["lost"][0];
    assert_eq!((&lost["worker"], &lost["cause"]), (&json!("pod-1"), &json!("stopped")));
    assert!(
        lost["began"].as_u64() <= lost["ended"].as_u64() && lost["began"].as_u64() >= told["submitted"].as_u64(),
        "{told}"
    );
    assert!(told["settled"].as_u64() >= lost["ended"].as_u64(), "{told}");
    assert_eq!(jobs[0], told);
    assert!(jobs[1].get("lost").is_none(), "{jobs}");
}

#[tokio::test]
async fn the_image_that_the_model_sees_is_shown_before_and_after_the_answer() {
    let app = App::start().await;
    let receipt = app.accept(vec![("a.png", png(1))]).await;
    let path = format!("/v1/jobs/{}/image", receipt["jobs"][0]["id"].as_str().unwrap());

    let before = app.get(&path).await;
    app.work("pod-1", 1).await;
    let after = app.get(&path).await;
    let unknown = app.get(&format!("/v1/jobs/{}/image", kana_queue::job::JobId::new())).await;

    assert_eq!((before.status().as_u16(), after.status().as_u16(), unknown.status().as_u16()), (200, 200, 404));
    assert_eq!(before.headers()["content-type"], "image/png");
    let (before, after) = (before.bytes().await.unwrap(), after.bytes().await.unwrap());
    assert_eq!(before, after);
    let picture = decode(&before).expect("a picture");
    assert_eq!((picture.width(), picture.height()), (28, 28));
}
