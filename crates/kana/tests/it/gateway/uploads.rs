//! What happens to files that are not images, and to malformed uploads?

use image::ImageFormat;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::raw::{HALF, Raw, upload_head};
use crate::support::app::App;
use crate::support::pictures::{blank_page, broken, file, png};

async fn accepted(app: &App) -> u64 {
    app.json("/v1/status").await["queue"]["accepted"].as_u64().unwrap()
}

#[tokio::test]
async fn fifteen_kinds_of_broken_file_do_not_stop_the_good_ones() {
    let app = App::start().await;
    let broken = broken();
    assert_eq!(broken.len(), 15);
    let names: Vec<&str> = broken.iter().map(|(name, _)| *name).collect();
    let mut files = vec![("first.png", png(1))];
    files.extend(broken.clone());
    files.push(("last.png", png(2)));

    let receipt = app.accept(files).await;

    let accepted_names: Vec<_> =
        receipt["jobs"].as_array().unwrap().iter().map(|job| job["filename"].clone()).collect();
    assert_eq!(accepted_names, ["first.png", "last.png"]);
    let refused = receipt["rejected"].as_array().unwrap();
    assert_eq!(refused.iter().map(|file| file["filename"].as_str().unwrap()).collect::<Vec<_>>(), names);
    assert!(refused.iter().all(|file| !file["error"].as_str().unwrap().is_empty()));
}

/// Uploads one part with this disposition, and returns the status and the filename of its job.
async fn named(app: &App, disposition: &str) -> (u16, Value) {
    let mut body = format!("--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").into_bytes();
    body.extend(png(1));
    body.extend(b"\r\n--b--\r\n");
    let request = app.request(Method::POST, "/v1/jobs").header("Content-Type", "multipart/form-data; boundary=b");
    let response = request.body(body).send().await.unwrap();
    let status = response.status().as_u16();
    let answer: Value = response.json().await.unwrap();
    (status, if status == 202 { answer["jobs"][0]["filename"].clone() } else { answer["detail"].clone() })
}

#[tokio::test]
async fn the_name_of_a_part_and_of_its_file_are_read_as_the_client_meant_them() {
    let app = App::start().await;

    for (disposition, wanted) in [
        (r#"filename="a; name=other"; name="images""#, "a; name=other"),
        (r#"name="images"; filename="x\"; name=\"other""#, "x\"; name=\"other"),
        (r#"name="images"; filename="a%22b.png""#, "a\"b.png"),
        ("name=images; filename=o.png; filename*=UTF-8''%E3%81%8A.png", "お.png"),
        ("name=images; filename*=utf-8'ja'%E3%81%8A.png", "お.png"),
    ] {
        assert_eq!(named(&app, disposition).await, (202, json!(wanted)), "{disposition}");
    }
    let (status, detail) = named(&app, "name=images; filename*=klingon''o.png").await;
    assert_eq!(status, 400);
    assert!(detail.as_str().unwrap().contains("klingon"), "{detail}");
}

#[tokio::test]
async fn every_supported_format_is_accepted() {
    let app = App::start().await;
    let formats = [
        ("a.png", ImageFormat::Png),
        ("a.jpg", ImageFormat::Jpeg),
        ("a.gif", ImageFormat::Gif),
        ("a.bmp", ImageFormat::Bmp),
        ("a.webp", ImageFormat::WebP),
        ("a.pgm", ImageFormat::Pnm),
    ];

    let receipt = app.accept(formats.map(|(name, format)| (name, file(1, format))).to_vec()).await;

    assert_eq!(receipt["jobs"].as_array().unwrap().len(), 6, "{receipt}");
}

#[tokio::test]
async fn an_upload_without_an_image_is_refused_with_every_reason() {
    let app = App::start().await;

    let response = app.upload("/v1/jobs", broken()).send().await.unwrap();

    assert_eq!(response.status(), 422);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["rejected"].as_array().unwrap().len(), 15);
    assert_eq!(accepted(&app).await, 0);
}

#[tokio::test]
async fn a_blank_picture_is_answered_and_marked() {
    let app = App::start().await;
    app.spawn_worker("pod-1");

    let request = app.upload("/v1/jobs?wait=30s", vec![("page.png", blank_page()), ("o.png", png(1))]);
    let receipt: Value = request.send().await.unwrap().json().await.unwrap();

    let jobs = receipt["jobs"].as_array().unwrap();
    assert_eq!((&jobs[0]["state"], &jobs[0]["blank"]), (&json!("done"), &json!(true)), "{receipt}");
    assert_eq!((&jobs[1]["state"], jobs[1].get("blank")), (&json!("done"), None), "{receipt}");
}

#[tokio::test]
async fn a_gateway_that_rejects_blank_pictures_names_them_and_accepts_the_others() {
    let app = App::with(|config| config.reject_blank = true).await;

    let receipt = app.accept(vec![("page.png", blank_page()), ("o.png", png(1))]).await;
    let alone = app.request(Method::POST, "/v1/classify").body(blank_page()).send().await.unwrap();

    assert_eq!(receipt["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(receipt["rejected"][0]["filename"], "page.png");
    assert!(receipt["rejected"][0]["error"].as_str().unwrap().contains("blank"), "{receipt}");
    assert_eq!(alone.status(), 422);
    assert!(alone.json::<Value>().await.unwrap()["detail"].as_str().unwrap().contains("blank"));
    assert_eq!(accepted(&app).await, 1);
}

#[tokio::test]
async fn an_unknown_part_is_refused_by_name() {
    let app = App::start().await;
    let form = Form::new().part("images", Part::bytes(png(1))).text("note", "hello");

    let response = app.request(Method::POST, "/v1/jobs").multipart(form).send().await.unwrap();

    assert_eq!(response.status(), 422);
    assert!(response.text().await.unwrap().contains("\\\"note\\\""));
    assert_eq!(accepted(&app).await, 0);
}

#[tokio::test]
async fn an_upload_without_parts_is_refused() {
    let app = App::start().await;

    let response = app.request(Method::POST, "/v1/jobs").multipart(Form::new()).send().await.unwrap();

    assert!(matches!(response.status().as_u16(), 400 | 422), "{}", response.status());
}

#[tokio::test]
async fn a_body_that_is_not_multipart_is_a_415() {
    let app = App::start().await;

    let response = app.request(Method::POST, "/v1/jobs").body(png(1)).send().await.unwrap();

    assert_eq!(response.status(), 415);
}

#[tokio::test]
async fn a_file_needs_no_name_and_keeps_only_a_harmless_one() {
    let app = App::start().await;
    let form = Form::new()
        .part("images", Part::bytes(png(1)))
        .part("images", Part::bytes(png(2)).file_name("../../etc/お.png"))
        .part("images", Part::bytes(png(3)).file_name("x".repeat(5_000)));

    let response = app.request(Method::POST, "/v1/jobs").multipart(form).send().await.unwrap();

    let receipt: Value = response.json().await.unwrap();
    assert_eq!(receipt["jobs"][0]["filename"], "image-1");
    assert_eq!(receipt["jobs"][1]["filename"], "お.png");
    assert_eq!(receipt["jobs"][2]["filename"].as_str().unwrap().len(), 255);
}

#[tokio::test]
async fn a_file_over_its_limit_is_refused_alone() {
    let app = App::with(|config| config.limits.file_bytes_max = 10_000).await;

    let receipt = app.accept(vec![("huge.png", vec![7; 10_001]), ("a.png", png(1))]).await;
    let alone = app.upload("/v1/jobs", vec![("huge.png", vec![7; 10_001])]).send().await.unwrap();

    assert_eq!(receipt["jobs"][0]["filename"], "a.png");
    assert_eq!(receipt["rejected"], json!([{"filename": "huge.png", "error": "the file is longer than 10000 bytes"}]));
    assert_eq!(alone.status(), 413);
}

#[tokio::test]
async fn more_files_than_allowed_are_refused_as_a_whole() {
    let app = App::with(|config| config.limits.files_max = 3).await;

    let response = app.upload("/v1/jobs", vec![("a.png", png(1)); 4]).send().await.unwrap();

    assert_eq!(response.status(), 413);
    assert_eq!(accepted(&app).await, 0);
}

#[tokio::test]
async fn a_body_whose_declared_length_is_too_long_is_refused_before_it_is_sent() {
    let app = App::start().await;
    let mut client = Raw::to(app.address).await;

    client.send(upload_head((64 << 20) + 1)).await;

    assert!(client.head().await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn a_body_that_turns_out_too_long_is_cut_off_with_a_413() {
    let app = App::with(|config| config.limits.request_bytes_max = 100_000).await;
    let mut client = Raw::to(app.address).await;
    let head = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\
                Content-Type: multipart/form-data; boundary=b\r\n\r\n";

    client.send(format!("{head}{:x}\r\n{HALF}\r\n", HALF.len())).await;
    let chunk = format!("{:x}\r\n{}\r\n", 30_000, "x".repeat(30_000));
    for _ in 0..4 {
        client.send(&chunk).await;
    }

    assert!(client.head().await.starts_with("HTTP/1.1 413 "));
    client.closed().await;
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing_behind() {
    let app = App::start().await;
    let mut client = Raw::to(app.address).await;
    client.send(upload_head(10_000)).await;
    client.send(HALF).await;

    drop(client);

    // Another request follows on the same loopback.
    app.accept(vec![("a.png", png(1))]).await;
    assert_eq!(accepted(&app).await, 1);
}

#[tokio::test]
async fn a_multipart_body_that_ends_too_early_is_malformed() {
    let app = App::start().await;
    let mut client = Raw::to(app.address).await;

    client.send(upload_head(HALF.len())).await;
    client.send(HALF).await;

    assert!(client.head().await.starts_with("HTTP/1.1 400 "));
    assert_eq!(accepted(&app).await, 0);
}

#[tokio::test]
async fn a_client_that_expects_a_100_gets_it_before_its_body() {
    let app = App::start().await;
    let mut client = Raw::to(app.address).await;
    let image = png(1);

    let head = "POST /v1/classify?wait=0 HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n";
    client.send(format!("{head}Content-Length: {}\r\n\r\n", image.len())).await;
    assert!(client.head().await.starts_with("HTTP/1.1 100 "));
    client.send(image).await;

    assert!(client.head().await.starts_with("HTTP/1.1 202 "));
}

#[tokio::test]
async fn a_client_that_expects_a_100_is_refused_without_its_body() {
    let app = App::start().await;
    let mut client = Raw::to(app.address).await;

    let head = "POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n";
    client.send(format!("{head}Content-Length: {}\r\n\r\n", 100 << 20)).await;

    assert!(client.head().await.starts_with("HTTP/1.1 413 "));
}
