//! Do the client's commands get their results from a gateway that is busy, restarts, or closes connections?

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use kana::client::bench::{self, Load, Until};
use kana::client::dead::{self, Action, Selection};
use kana::client::submit::{self, Summary};
use kana::client::{Error, Target};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::script::{Gateway, Received, Reply};

fn target(gateway: &Gateway) -> Target {
    Target { server: gateway.url.clone(), token: None }
}

/// A folder with files of these names; each file contains its name.
fn folder(names: &[&str]) -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().expect("a folder");
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.path().join(name)).collect();
    paths.iter().zip(names).for_each(|(path, name)| std::fs::write(path, name).expect("a file"));
    (folder, paths)
}

fn job(name: &str, state: &str) -> Value {
    json!({ "id": format!("id-of-{name}"), "filename": name, "state": state, "label": "お" })
}

/// The response of a gateway that accepts all files of a request and finishes them at once.
fn finished(received: &Received) -> Reply {
    let jobs: Vec<Value> = received.filenames().iter().map(|name| job(name, "done")).collect();
    Reply::Json(200, json!({ "batch": "b", "jobs": jobs, "rejected": [] }))
}

/// Runs `submit`. Returns its result and the lines that it wrote.
async fn submitted(config: &submit::Config) -> (Result<Summary, Error>, Vec<Value>) {
    let mut output = Vec::new();
    let result = submit::run(config, &mut output).await;
    let text = String::from_utf8(output).expect("UTF-8");
    (result, text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect())
}

fn names(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["filename"].as_str()).collect()
}

#[tokio::test]
async fn results_come_in_the_order_in_which_the_files_were_named() {
    let (_folder, files) = folder(&["c.png", "a.png", "d.png", "b.png", "e.png"]);
    let gateway = Gateway::with_script(finished).await;
    let mut config = submit::Config::new(target(&gateway), files);
    config.limits.files_max = 2;

    let (result, lines) = submitted(&config).await;

    assert_eq!(result.expect("results"), Summary { done: 5, failed: 0, rejected: 0, unexpected: 0 });
    assert_eq!(names(&lines), ["c.png", "a.png", "d.png", "b.png", "e.png"]);
    assert_eq!(lines[0], job("c.png", "done"));
    assert_eq!(gateway.requests().len(), 3, "two files in a request at most");
}

#[tokio::test]
async fn a_file_with_another_label_than_expected_is_a_failure() {
    let (_folder, files) = folder(&["a.png", "b.png"]);
    let gateway = Gateway::with_script(finished).await;
    let config = submit::Config::new(target(&gateway), files);

    let (as_expected, _) = submitted(&submit::Config { expected: Some("お".into()), ..config.clone() }).await;
    let (as_another, _) = submitted(&submit::Config { expected: Some("す".into()), ..config }).await;

    assert!(as_expected.expect("results").is_complete());
    let summary = as_another.expect("results");
    assert_eq!(summary, Summary { done: 2, failed: 0, rejected: 0, unexpected: 2 });
    assert!(!summary.is_complete());
}

#[tokio::test]
async fn unfinished_jobs_are_polled_until_they_finish() {
    let (_folder, files) = folder(&["a.png", "b.png"]);
    let mut looks = 0;
    let gateway = Gateway::with_script(move |received| {
        if received.line.starts_with("POST") {
            let jobs = [job("a.png", "queued"), job("b.png", "done")];
            return Reply::Json(202, json!({ "batch": "b-1", "jobs": jobs, "rejected": [] }));
        }
        assert_eq!(received.line, "GET /v1/batches/b-1");
        looks += 1;
        let state = ["queued", "running", "done"][looks.min(3) - 1];
        Reply::Json(200, json!({ "batch": "b-1", "jobs": [job("a.png", state), job("b.png", "failed")] }))
    })
    .await;

    let (result, lines) = submitted(&submit::Config::new(target(&gateway), files)).await;

    assert_eq!(result.expect("results"), Summary { done: 1, failed: 1, rejected: 0, unexpected: 0 });
    assert_eq!(lines, [job("a.png", "done"), job("b.png", "failed")]);
}

#[tokio::test]
async fn a_busy_or_broken_gateway_gets_the_same_request_again_under_the_same_key() {
    let (_folder, files) = folder(&["a.png", "b.png"]);
    let mut answers = vec![
        Reply::With(429, json!({ "detail": "queue is full" }), ("retry-after", "0")),
        Reply::With(503, json!({ "detail": "queue does not answer" }), ("retry-after", "0")),
        Reply::Cut,
    ]
    .into_iter();
    let gateway = Gateway::with_script(move |received| answers.next().unwrap_or_else(|| finished(received))).await;

    let (result, lines) = submitted(&submit::Config::new(target(&gateway), files)).await;

    assert_eq!(result.expect("results").done, 2);
    assert_eq!(names(&lines), ["a.png", "b.png"]);
    let received = gateway.requests();
    assert_eq!(received.len(), 4);
    assert!(!received[0].header("idempotency-key").is_empty());
    for again in &received[1..] {
        assert_eq!(again.header("idempotency-key"), received[0].header("idempotency-key"));
        assert_eq!(
            (again.header("content-type"), &again.body),
            (received[0].header("content-type"), &received[0].body)
        );
    }
}

#[tokio::test]
async fn no_two_groups_of_files_share_a_key() {
    let (_folder, files) = folder(&["a.png", "b.png", "c.png"]);
    let gateway = Gateway::with_script(finished).await;
    let mut config = submit::Config::new(target(&gateway), files);
    config.limits.files_max = 1;

    submitted(&config).await.0.expect("results");

    let keys: BTreeSet<String> =
        gateway.requests().iter().map(|received| received.header("idempotency-key").into()).collect();
    assert_eq!(keys.len(), 3);
}

#[tokio::test]
async fn a_rejected_file_has_a_line_and_is_counted() {
    let (_folder, files) = folder(&["a.png", "notes.txt", "b.png"]);
    let rejected = json!({ "filename": "notes.txt", "error": "file looks like plain text" });
    let reply = rejected.clone();
    let gateway = Gateway::with_script(move |_| {
        let jobs = [job("a.png", "done"), job("b.png", "done")];
        Reply::Json(200, json!({ "batch": "b", "jobs": jobs, "rejected": [reply] }))
    })
    .await;

    let (result, lines) = submitted(&submit::Config::new(target(&gateway), files)).await;

    let summary = result.expect("results");
    assert_eq!(summary, Summary { done: 2, failed: 0, rejected: 1, unexpected: 0 });
    assert!(!summary.is_complete());
    assert_eq!(lines, [job("a.png", "done"), rejected, job("b.png", "done")]);
}

#[tokio::test]
async fn a_request_of_which_every_file_is_rejected_is_no_error() {
    let (_folder, files) = folder(&["notes.txt"]);
    let rejected = json!({ "filename": "notes.txt", "error": "file looks like plain text" });
    let reply = rejected.clone();
    let gateway = Gateway::with_script(move |_| {
        Reply::Json(422, json!({ "detail": "no file is an image", "rejected": [reply] }))
    })
    .await;

    let (result, lines) = submitted(&submit::Config::new(target(&gateway), files)).await;

    assert_eq!(result.expect("a summary").rejected, 1);
    assert_eq!(lines, [rejected]);
}

#[tokio::test]
async fn a_group_that_is_too_large_for_the_gateway_is_halved_until_it_is_not() {
    let (_folder, files) = folder(&["a.png", "b.png", "huge.png", "c.png", "d.png"]);
    let gateway = Gateway::with_script(|received| {
        let names = received.filenames();
        if names.len() > 2 || names.iter().any(|name| name == "huge.png") {
            return Reply::Json(413, json!({ "detail": "request is larger than 1 MB" }));
        }
        finished(received)
    })
    .await;

    let (result, lines) = submitted(&submit::Config::new(target(&gateway), files)).await;

    assert_eq!(result.expect("results"), Summary { done: 4, failed: 0, rejected: 1, unexpected: 0 });
    assert_eq!(names(&lines), ["a.png", "b.png", "huge.png", "c.png", "d.png"]);
    assert_eq!(lines[2]["error"], "request is larger than 1 MB");
}

#[tokio::test]
async fn a_missing_file_is_named_before_anything_is_sent() {
    let (folder, mut files) = folder(&["a.png"]);
    files.push(folder.path().join("missing.png"));
    let gateway = Gateway::with_script(finished).await;

    let (result, lines) = submitted(&submit::Config::new(target(&gateway), files)).await;

    let error = result.expect_err("a missing file");
    assert!(matches!(&error, Error::File { path, .. } if path.ends_with("missing.png")), "{error:?}");
    assert!(lines.is_empty() && gateway.requests().is_empty());
}

#[tokio::test]
async fn a_folder_is_refused_as_a_file() {
    let (folder, _) = folder(&[]);
    let gateway = Gateway::with_script(finished).await;

    let (result, _) = submitted(&submit::Config::new(target(&gateway), vec![folder.path().to_owned()])).await;

    assert!(matches!(result, Err(Error::File { .. })));
}

#[tokio::test]
async fn a_refusal_is_reported_in_the_gateways_words_and_not_retried() {
    let (_folder, files) = folder(&["a.png"]);
    let gateway =
        Gateway::with_script(|_| Reply::Json(401, json!({ "title": "Unauthorized", "detail": "token is wrong" })))
            .await;

    let (result, _) = submitted(&submit::Config::new(target(&gateway), files)).await;

    let error = result.expect_err("a refusal");
    assert!(matches!(&error, Error::Refused { status: 401, detail, .. } if detail == "token is wrong"), "{error:?}");
    assert_eq!(gateway.requests().len(), 1);
}

#[tokio::test]
async fn retries_end_with_patience() {
    let (_folder, files) = folder(&["a.png"]);
    // A port that was free a moment ago, and is given to nobody by its number.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let server = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let mut config = submit::Config::new(Target { server, token: None }, files);
    config.patience = Duration::from_millis(250);

    let (result, _) = submitted(&config).await;

    assert!(matches!(result, Err(Error::Unreachable { .. })), "{result:?}");
}

#[tokio::test]
async fn a_token_is_sent_and_never_shown() {
    let (_folder, files) = folder(&["a.png"]);
    let gateway = Gateway::with_script(finished).await;
    let target = Target { server: format!("{}/", gateway.url), token: Some("s3cret".into()) };
    let config = submit::Config::new(target, files);

    submitted(&config).await.0.expect("results");

    assert_eq!(gateway.requests()[0].header("authorization"), "Bearer s3cret");
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[tokio::test]
async fn an_invalid_address_is_an_error() {
    for server in ["", "localhost:8080", "ftp://example.org", "http://"] {
        let config = submit::Config::new(Target { server: server.into(), token: None }, Vec::new());

        let (result, _) = submitted(&config).await;

        assert!(matches!(result, Err(Error::Address { .. })), "{server:?}");
    }
}

/// The responses of a gateway that has these dead letters.
fn dead_letters(mut letters: Vec<Value>) -> impl FnMut(&Received) -> Reply {
    move |received| {
        let (method, path) = received.line.split_once(' ').expect("a method and a path");
        if path.starts_with("/v1/dead?") {
            return Reply::Json(200, json!(letters));
        }
        let id = path.trim_start_matches("/v1/dead/").trim_end_matches("/replay").to_owned();
        let before = letters.len();
        letters.retain(|letter| letter["id"] != id);
        match (letters.len() < before, method) {
            (false, _) => Reply::Json(404, json!({ "detail": format!("there is no dead letter {id}") })),
            (true, "POST") => Reply::Json(202, json!({ "id": id, "state": "queued" })),
            (true, _) => Reply::Json(204, Value::Null),
        }
    }
}

fn letter(id: &str) -> Value {
    json!({ "id": id, "filename": format!("{id}.png"), "attempts": 3, "reason": "classifier panicked" })
}

async fn run_dead(gateway: &Gateway, action: Action, json: bool) -> (Result<(), Error>, String) {
    let mut output = Vec::new();
    let result = dead::run(&dead::Config { target: target(gateway), action, json }, &mut output).await;
    (result, String::from_utf8(output).expect("UTF-8"))
}

#[tokio::test]
async fn dead_letters_are_listed_and_shown() {
    let gateway = Gateway::with_script(dead_letters(vec![letter("one"), letter("two")])).await;

    let (_, words) = run_dead(&gateway, Action::List, false).await;
    let (_, list) = run_dead(&gateway, Action::List, true).await;
    let (_, shown) = run_dead(&gateway, Action::Show("two".into()), true).await;
    let (unknown, _) = run_dead(&gateway, Action::Show("three".into()), true).await;

    assert_eq!(words.lines().count(), 2);
    assert!(words.contains("one.png") && words.contains("classifier panicked"), "{words}");
    assert_eq!(serde_json::from_str::<Value>(&list).expect("JSON"), json!([letter("one"), letter("two")]));
    assert_eq!(serde_json::from_str::<Value>(&shown).expect("JSON"), letter("two"));
    assert!(matches!(unknown, Err(Error::Refused { status: 404, .. })));
}

#[tokio::test]
async fn dead_letters_are_queued_again_or_dropped_one_by_one_or_all() {
    let gateway = Gateway::with_script(dead_letters(["one", "two", "three", "four"].map(letter).to_vec())).await;

    let (_, replayed) = run_dead(&gateway, Action::Replay(Selection::Jobs(vec!["one".into()])), false).await;
    let (again, _) = run_dead(&gateway, Action::Replay(Selection::Jobs(vec!["one".into()])), false).await;
    let (_, dropped) = run_dead(&gateway, Action::Drop(Selection::Jobs(vec!["two".into()])), false).await;
    let (_, all) = run_dead(&gateway, Action::Drop(Selection::All), false).await;
    let (_, rest) = run_dead(&gateway, Action::List, false).await;

    assert_eq!((replayed.as_str(), dropped.as_str()), ("queued one\n", "dropped two\n"));
    assert!(matches!(again, Err(Error::Refused { status: 404, .. })));
    assert_eq!(all, "dropped three\ndropped four\n");
    assert_eq!(rest, "no dead letters\n");
}

#[tokio::test]
async fn a_replay_whose_first_response_was_lost_counts_as_done() {
    let mut script = dead_letters(vec![letter("one")]);
    let mut is_first = true;
    let gateway = Gateway::with_script(move |received| {
        let reply = script(received);
        if std::mem::take(&mut is_first) { Reply::Cut } else { reply }
    })
    .await;

    let (result, printed) = run_dead(&gateway, Action::Replay(Selection::Jobs(vec!["one".into()])), false).await;

    result.expect("it is queued again");
    assert_eq!(printed, "queued one\n");
}

fn bench_of(gateway: &Gateway, load: Load, until: Until) -> bench::Config {
    let images = vec![Bytes::from_static(b"first"), Bytes::from_static(b"second")];
    bench::Config { target: target(gateway), load, until, images, json: false }
}

#[tokio::test]
async fn a_closed_loop_sends_the_configured_number_of_requests() {
    let gateway = Gateway::with_script(|_| Reply::Json(200, job("a.png", "done"))).await;
    let config = bench_of(&gateway, Load::Closed { concurrency: 3 }, Until::Requests(20));
    let mut output = Vec::new();

    let report = bench::run(&config, &mut output).await.expect("a report");

    assert_eq!((report.done, report.errors.len()), (20, 0));
    assert!(report.latency_ms.p50 > 0.0 && report.latency_ms.p50 <= report.latency_ms.max);
    let received = gateway.requests();
    assert_eq!(received.iter().filter(|received| received.body == "first").count(), 10);
    assert!(received.iter().all(|received| received.line.starts_with("POST /v1/classify?")));
    assert!(String::from_utf8(output).expect("UTF-8").contains("errors     none"));
}

#[tokio::test]
async fn errors_are_counted_by_kind_and_are_no_latencies() {
    let mut kinds = [200, 429, 503, 202].into_iter().cycle();
    let gateway = Gateway::with_script(move |_| Reply::Json(kinds.next().expect("endless"), Value::Null)).await;
    let mut config = bench_of(&gateway, Load::Closed { concurrency: 1 }, Until::Requests(8));
    config.json = true;
    let mut output = Vec::new();

    bench::run(&config, &mut output).await.expect("a report");

    let report: Value = serde_json::from_slice(&output).expect("JSON");
    assert_eq!(report["done"], 2);
    assert_eq!(report["errors"], json!({ "429": 2, "503": 2, "unfinished": 2 }));
}

#[tokio::test]
async fn the_latency_of_an_open_loop_counts_from_the_moment_that_a_request_was_due() {
    // The first answer takes 300 ms, in which the gateway, one request after the other, answers nobody else.
    let mut is_first = true;
    let gateway = Gateway::with_script(move |_| {
        if std::mem::take(&mut is_first) {
            let (_hold, never) = std::sync::mpsc::channel::<()>();
            let _ = never.recv_timeout(Duration::from_millis(300));
        }
        Reply::Json(200, Value::Null)
    })
    .await;
    let config = bench_of(&gateway, Load::Open { per_second: 100.0 }, Until::Requests(30));

    let report = bench::run(&config, &mut Vec::new()).await.expect("a report");

    // All thirty were due within 300 ms: half of them waited for 150 ms or more.
    assert_eq!(report.done, 30);
    assert!(report.latency_ms.p50 > 100.0, "{report:?}");
}

#[tokio::test]
async fn a_run_that_reaches_no_gateway_is_an_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let server = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let config = bench::Config {
        target: Target { server, token: None },
        load: Load::Closed { concurrency: 2 },
        until: Until::Requests(4),
        images: vec![Bytes::new()],
        json: false,
    };

    let error = bench::run(&config, &mut Vec::new()).await.expect_err("no gateway");

    assert!(matches!(error, Error::Unreachable { .. }));
}
