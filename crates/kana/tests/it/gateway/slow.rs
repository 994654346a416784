//! Do slow clients delay other requests?

use std::time::Duration;

use super::raw::{HALF, Raw, upload_head};
use crate::support::app::App;
use crate::support::eventually;
use crate::support::pictures::png;

/// Short enough to be waited for.
const SOON: Duration = Duration::from_millis(300);

#[tokio::test]
async fn three_hundred_half_sent_requests_delay_no_other_request() {
    let app = App::start().await;
    app.spawn_worker("pod-1");
    let mut clients = Vec::new();
    for number in 0..300 {
        let mut client = Raw::to(app.address).await;
        match number % 3 {
            0 => {}
            1 => client.send("POST /v1/jobs HTTP/1.1\r\nHost: loc").await,
            _ => {
                client.send(upload_head(10_000)).await;
                client.send(HALF).await;
            }
        }
        clients.push(client);
    }

    let response = app.upload("/v1/jobs?wait=30s", vec![("a.png", png(1))]).send().await.unwrap();

    assert_eq!(response.status(), 200);
    assert_eq!(clients.len(), 300);
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_disconnected() {
    let app = App::with(|config| config.limits.head_time_max = SOON).await;

    for beginning in ["", "PRI", "GET /v1/status HTTP/1.1\r\nHost: local"] {
        let mut client = Raw::to(app.address).await;
        client.send(beginning).await;

        client.closed().await;
    }
}

#[tokio::test]
async fn a_body_that_pauses_is_a_408() {
    let app = App::with(|config| config.limits.body_pause_max = SOON).await;
    let mut client = Raw::to(app.address).await;

    client.send(upload_head(10_000)).await;
    client.send(HALF).await;

    assert!(client.head().await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test]
async fn a_body_that_arrives_too_slowly_is_a_408() {
    let app = App::with(|config| config.limits.body_time_max = SOON).await;
    let mut client = Raw::to(app.address).await;
    client.send(upload_head(10_000_000)).await;
    client.send(HALF).await;

    let (mut reading, mut writing) = client.0.into_split();
    let writing_slowly = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            if tokio::io::AsyncWriteExt::write_all(&mut writing, b"x").await.is_err() {
                return;
            }
        }
    });
    let mut answer = [0; 13];
    tokio::io::AsyncReadExt::read_exact(&mut reading, &mut answer).await.unwrap();

    assert_eq!(&answer, b"HTTP/1.1 408 ");
    writing_slowly.abort();
}

#[tokio::test]
async fn slow_uploads_that_fill_the_memory_are_cut_off_for_others() {
    let app = App::with(|config| config.limits.buffered_bytes_max = 50_000).await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut client = Raw::to(app.address).await;
        client.send(upload_head(1_000_000)).await;
        client.send(HALF).await;
        client.send(vec![b'x'; 12_000]).await;
        slow.push(client);
    }

    for number in 0..10 {
        let response = app.upload("/v1/jobs", vec![("a.png", png(number)), ("b.txt", vec![7; 20_000])]).send().await;
        assert_eq!(response.unwrap().status(), 202);
    }

    assert!(slow[0].head().await.starts_with("HTTP/1.1 429 "), "the first has held the most for longest");
}

#[tokio::test]
async fn an_upload_that_alone_fills_the_memory_is_a_429_with_the_reason() {
    let app = App::with(|config| config.limits.buffered_bytes_max = 50_000).await;

    let response = app.upload("/v1/jobs", vec![("a.png", vec![7; 80_000])]).send().await.unwrap();

    assert_eq!(response.status(), 429);
    assert!(response.headers().contains_key("retry-after"));
    assert!(response.text().await.unwrap().contains("memory"));
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_disconnected() {
    let app = App::with(|config| config.limits.stall_max = SOON).await;
    let mut reader = Raw::to(app.address).await;
    reader.send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(reader.head().await.starts_with("HTTP/1.1 200 "));

    let line = "x".repeat(50_000);
    eventually("the stream is closed", async || {
        (0..4).for_each(|_| app.cluster.publish_command(&line));
        let text = app.get("/metrics").await.text().await.unwrap();
        text.contains("kana_event_streams 0").then_some(())
    })
    .await;
    drop(reader);
}

#[tokio::test]
async fn a_connection_can_be_used_again() {
    let app = App::start().await;
    let mut client = Raw::to(app.address).await;

    for _ in 0..3 {
        client.send("HEAD /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await;

        assert!(client.head().await.starts_with("HTTP/1.1 200 "));
    }
}
