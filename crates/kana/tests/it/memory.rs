//! Does a gateway stay within the memory that it states, whatever its clients send at once?
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::eventually;
use crate::support::http::client;
use crate::support::process::{kana, spawn_bound};

/// Limits of the gateway under test, smaller than the defaults where they can be.
const FLAGS: [&str; 4] = ["--body-memory=32MiB", "--decode-memory=240MiB", "--connections-max=128", "--finish-max=0"];

/// What these limits add up to, in MiB.
const BOUND_MIB: usize = 112 + 32 + 240 + 128 * 64 / 1_024;

/// Clients of each kind at once.
const CLIENTS: usize = 8;

/// Writes a PNG of 25 megapixels with 16 bits in each of four samples, which takes 200 MB to decode.
fn large_png() -> Vec<u8> {
    use std::io::Write as _;

    let mut rows = ZlibEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..5_000 {
        rows.write_all(&[0; 1 + 5_000 * 8]).unwrap();
    }
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let head = [&5_000_u32.to_be_bytes()[..], &5_000_u32.to_be_bytes(), &[16, 6, 0, 0, 0]].concat();
    for (kind, data) in [(b"IHDR", head), (b"IDAT", rows.finish().unwrap()), (b"IEND", Vec::new())] {
        let mut checksum = flate2::Crc::new();
        checksum.update(kind);
        checksum.update(&data);
        file.extend_from_slice(&(data.len() as u32).to_be_bytes());
        file.extend_from_slice(kind);
        file.extend_from_slice(&data);
        file.extend_from_slice(&checksum.sum().to_be_bytes());
    }
    file
}

/// Sends most of a large upload, and keeps the rest.
async fn stall(address: String) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let head = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n\
                Content-Length: 60000000\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"images\"\r\n\r\n";
    stream.write_all(head.as_bytes()).await.ok()?;
    // The gateway may cut it off at any time, for another one.
    tokio::time::timeout(Duration::from_secs(3), stream.write_all(&vec![0; 24 << 20])).await.ok()?.ok()?;
    Some(stream)
}

/// The largest resident memory of a process so far, in MiB.
fn peak_mib(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1_024
}

#[tokio::test]
async fn bodies_decoders_and_connections_at_their_limits_stay_within_the_stated_memory() {
    let data = tempfile::tempdir().unwrap();
    let mut command = kana();
    command.args(["gateway", "--listen=127.0.0.1:0"]).args(FLAGS);
    command.arg(format!("--queue=sqlite:{}", data.path().join("queue.db").display()));
    let mut gateway = spawn_bound({
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        command
    })
    .unwrap();
    let mut line = String::new();
    BufReader::new(gateway.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().to_owned();
    let address = url.trim_start_matches("http://").to_owned();

    let stalled: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(stall(address.clone()))).collect();
    let picture = large_png();
    let decoded: Vec<_> = (0..CLIENTS)
        .map(|_| client().post(format!("{url}/v1/classify?wait=0")).body(picture.clone()).send())
        .map(tokio::spawn)
        .collect();
    let unread: Vec<_> = futures::future::join_all((0..64).map(|_| TcpStream::connect(address.clone()))).await;
    for mut stream in unread.into_iter().flatten() {
        stream.write_all("GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(50).as_bytes()).await.unwrap();
    }

    for answer in decoded {
        let status = answer.await.unwrap().unwrap().status().as_u16();
        assert!([202, 429, 503].contains(&status), "{status}");
    }
    drop(stalled);
    eventually("it goes on", async || client().get(format!("{url}/livez")).send().await.ok()).await;
    let peak = peak_mib(gateway.id());
    gateway.kill().unwrap();
    gateway.wait().unwrap();
    assert!(peak <= BOUND_MIB, "{peak} MiB, and the gateway states {BOUND_MIB} MiB");
}
