//! What does one client cost the others that takes as much as it can?

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Bytes;
use h2::client::SendRequest;
use serde_json::Value;
use tokio::net::TcpStream;

use super::raw::{Raw, upload_head};
use crate::support::app::App;
use crate::support::eventually;
use crate::support::pictures::png;

/// Short enough to be waited for.
const SOON: Duration = Duration::from_millis(300);

/// Longer than any answer takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// Opens an HTTP/2 connection that takes `window` bytes of each response before it says more.
async fn http2(address: SocketAddr, window: u32) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, connection) =
        h2::client::Builder::new().initial_window_size(window).handshake::<_, Bytes>(stream).await.unwrap();
    tokio::spawn(connection);
    client.ready().await.unwrap()
}

fn get(address: SocketAddr, path: &str) -> axum::http::Request<()> {
    axum::http::Request::get(format!("http://{address}{path}")).body(()).unwrap()
}

/// Reads a response to its end, taking each piece where `takes` is set.
async fn body(
    client: &mut SendRequest<Bytes>,
    request: axum::http::Request<()>,
    takes: bool,
) -> Result<Vec<u8>, h2::Error> {
    let reading = async {
        let (response, _) = client.send_request(request, true)?;
        let mut body = response.await?.into_body();
        let mut bytes = Vec::new();
        while let Some(piece) = body.data().await {
            let piece = piece?;
            if takes {
                body.flow_control().release_capacity(piece.len())?;
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    };
    tokio::time::timeout(DEADLINE, reading).await.expect("an end in time")
}

#[tokio::test]
async fn a_stream_whose_client_takes_nothing_is_reset() {
    let app = App::with(|config| config.limits.stall_max = SOON).await;
    let length = app.get("/openapi.json").await.bytes().await.unwrap().len() as u32;

    for window in [0, 1, 20_000, length - 1] {
        let mut client = http2(app.address, window).await;
        let stalled = body(&mut client, get(app.address, "/openapi.json"), false).await;

        assert!(stalled.as_ref().is_err_and(|error| error.is_reset()), "{window}: {stalled:?}");
    }
}

#[tokio::test]
async fn a_stream_whose_client_takes_little_at_a_time_gets_all_of_it() {
    let app = App::with(|config| config.limits.stall_max = SOON).await;
    let whole = app.get("/openapi.json").await.bytes().await.unwrap();

    for window in [100, 20_000, whole.len() as u32] {
        let mut client = http2(app.address, window).await;

        assert_eq!(body(&mut client, get(app.address, "/openapi.json"), true).await.unwrap(), whole, "{window}");
    }
}

#[tokio::test]
async fn a_connection_has_few_streams() {
    let app = App::start().await;
    let mut client = http2(app.address, 10_000).await;

    // The first answer comes after the server's settings.
    body(&mut client, get(app.address, "/v1/scale"), true).await.unwrap();

    assert!(client.current_max_send_streams() <= 32);
}

#[tokio::test]
async fn a_part_whose_head_does_not_end_is_refused_before_it_fills_the_memory() {
    let app = App::start().await;
    let mut client = Raw::to(app.address).await;

    client.send(upload_head(60_000_000)).await;
    client.send("--b\r\nContent-Disposition: form-data; name=\"images\"; x=\"").await;
    client.send(vec![b'x'; 10_000]).await;

    let head = client.head().await;
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
}

#[tokio::test]
async fn half_sent_requests_make_room_for_whole_ones() {
    let app = App::with(|config| {
        config.limits.connections_max = 8;
        config.limits.connections_per_client_max = 8;
    })
    .await;
    let mut half = Vec::new();
    for _ in 0..20 {
        let mut client = Raw::to(app.address).await;
        client.send("GET /livez HTTP/1.1\r\nHost: loc").await;
        half.push(client);
    }

    // Each has a moment to send the rest.
    eventually("room", async || (app.get("/v1/scale").await.status() == 200).then_some(())).await;
    half[0].closed().await;
    let metrics = app.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("kana_http_connections_turned_away_total{reason=\"evicted\"} 1"), "{metrics}");
}

#[tokio::test]
async fn an_idle_connection_of_a_client_beyond_its_share_is_closed() {
    let app = App::with(|config| config.limits.connections_per_client_max = 2).await;
    let (mut first, _second) = (Raw::to(app.address).await, Raw::to(app.address).await);

    // Not at once: a client has a moment to send.
    let further = async || app.get("/livez").await.status();
    assert_eq!(further().await, 429);
    eventually("room", async || (further().await == 200).then_some(())).await;
    first.closed().await;
}

#[tokio::test]
async fn of_more_connections_than_a_client_may_have_none_is_cut_off_without_an_answer() {
    let app = App::with(|config| config.limits.connections_per_client_max = 8).await;
    let clients = (0..100).map(async |number| {
        let mut client = Raw::to(app.address).await;
        // Connected at one time, and some of them let in: their requests come a little later.
        tokio::task::yield_now().await;
        client.send(format!("GET /v1/scale?{number} HTTP/1.1\r\nHost: {}\r\n\r\n", app.address)).await;
        client.head().await
    });

    let heads = futures::future::join_all(clients).await;

    let count = |status: &str| heads.iter().filter(|head| head.starts_with(&format!("HTTP/1.1 {status} "))).count();
    assert_eq!(count("200") + count("429"), 100, "{heads:?}");
    assert!(count("200") >= 8, "{heads:?}");
    assert!(heads.iter().filter(|head| head.starts_with("HTTP/1.1 429")).all(|head| head.contains("Retry-After: ")));
}

#[tokio::test]
async fn probes_are_answered_while_every_connection_is_taken() {
    let app = App::with(|config| {
        config.limits.connections_max = 4;
        config.limits.connections_per_client_max = 4;
        config.health_listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    })
    .await;
    let uploads: Vec<_> = (0..4).map(|number| app.upload("/v1/jobs?wait=1m", vec![("a.png", png(number))])).collect();
    uploads.into_iter().for_each(|upload| drop(tokio::spawn(upload.send())));
    eventually("four requests that wait", async || {
        (app.queue.behind_the_scenes().depth().await.ok()?.waiting == 4).then_some(())
    })
    .await;

    let mut further = Raw::to(app.address).await;
    assert!(further.head().await.starts_with("HTTP/1.1 429 "), "the connections are being worked for");
    let health = app.health_address.unwrap();
    for path in ["/livez", "/metrics", "/readyz?exclude=queue"] {
        let answer = reqwest::get(format!("http://{health}{path}")).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    assert_eq!(reqwest::get(format!("http://{health}/v1/scale")).await.unwrap().status(), 404);
}

#[tokio::test]
async fn probes_cost_the_queue_nothing() {
    let app = App::start().await;
    eventually("ready", async || (app.get("/readyz").await.status() == 200).then_some(())).await;
    let before = app.queue.looks();

    for _ in 0..200 {
        assert_eq!(app.get("/readyz").await.status(), 200);
    }

    // The gateway itself looks four times a second at most.
    assert!(app.queue.looks() - before < 100);
}

#[tokio::test]
async fn a_gateway_that_has_seen_its_queue_is_ready_without_it_where_a_probe_asks_so() {
    let app = App::start().await;
    eventually("ready", async || (app.get("/readyz").await.status() == 200).then_some(())).await;
    app.queue.fail();
    eventually("not ready", async || (app.get("/readyz").await.status() == 503).then_some(())).await;

    assert_eq!(app.get("/readyz?exclude=queue").await.status(), 200);
    let verbose = app.get("/readyz?verbose").await;
    assert_eq!(verbose.status(), 503);
    let detail = verbose.json::<Value>().await.unwrap()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("[-]queue failed: ") && detail.contains("[+]model ok"), "{detail}");
    let excluded = app.get("/readyz?exclude=queue&verbose").await.text().await.unwrap();
    assert!(excluded.contains("[+]queue excluded: ok"), "{excluded}");
    assert_eq!(app.get("/readyz?exclude=model").await.status(), 422);
}

#[tokio::test]
async fn a_gateway_that_has_never_seen_its_queue_is_not_ready_at_all() {
    let queue = App::failing().await;

    assert_eq!(queue.get("/readyz?exclude=queue").await.status(), 503);
}

#[tokio::test]
async fn an_upload_leaves_its_memory_to_the_next_one() {
    let app = App::with(|config| config.limits.buffered_bytes_max = 30_000).await;

    for number in 0..5 {
        let files = vec![("a.png", png(number)), ("b.txt", vec![7; 20_000])];
        assert_eq!(app.upload("/v1/jobs", files).send().await.unwrap().status(), 202);
    }
}
