//! Do published data sets arrive complete, also over a bad connection?

use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use flate2::Compression;
use flate2::write::GzEncoder;
use kana_train::data::fetch::{self, Error, Event, fetch};
use kana_train::data::published::{Checksum, KMNIST, PublishedDataset, PublishedFile};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Response of the server to one request.
#[derive(Clone, Copy)]
enum Response {
    /// The requested range.
    Requested,
    /// The whole file, whatever range was requested.
    Whole,
    /// The requested range, cut off after this number of bytes.
    CutAfter(usize),
    /// Status 404.
    NotFound,
    /// Other bytes of the same number.
    Falsified,
}

/// A server of one file on loopback.
struct Server {
    address: String,
    /// `Range` header of each request.
    ranges: Receiver<Option<String>>,
}

impl Server {
    /// Starts a server that responds as `script` says, and with the requested range after its end.
    fn start(file: Vec<u8>, script: &[Response]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let ((sender, ranges), mut script) = (channel(), VecDeque::from(script.to_vec()));
        // The thread ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let range = requested_range(&stream);
                let _ = sender.send(range.clone());
                let response = script.pop_front().unwrap_or(Response::Requested);
                // In some scripts the client disconnects early.
                let _ = respond(stream, &file, response, range);
            }
        });
        Self { address, ranges }
    }

    /// Returns the `Range` headers of all requests since the last call.
    fn ranges(&self) -> Vec<Option<String>> {
        self.ranges.try_iter().collect()
    }
}

/// Reads a request and returns its `Range` header.
fn requested_range(mut stream: &TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    head.lines().find_map(|line| line.strip_prefix("range: ")).map(str::to_owned)
}

fn respond(mut stream: TcpStream, file: &[u8], response: Response, range: Option<String>) -> std::io::Result<()> {
    let start = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let (start, sent) = match response {
        Response::NotFound => {
            return stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
        Response::Requested => (start, file.len()),
        Response::CutAfter(bytes) => (start, start.unwrap_or(0) + bytes),
        Response::Whole | Response::Falsified => (None, file.len()),
    };
    let from = start.unwrap_or(0);
    let status = match start {
        Some(from) => {
            format!("206 Partial Content\r\ncontent-range: bytes {from}-{}/{}", file.len() - 1, file.len())
        }
        None => "200 OK".into(),
    };
    let length = file.len() - from;
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n")?;
    let mut body = file[from..sent.min(file.len())].to_vec();
    if matches!(response, Response::Falsified) {
        body.reverse();
    }
    stream.write_all(&body)
}

/// Returns the contents of the served file.
fn bytes() -> Vec<u8> {
    (0..300_000_u32).map(|number| (number % 251) as u8).collect()
}

fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// Returns a data set of one file with the checksum of `contents`.
fn published(checksum: fn(&'static str) -> Checksum, contents: &[u8]) -> PublishedDataset {
    let digest: &'static str = Box::leak(hex::encode(Sha256::digest(contents)).into_boxed_str());
    let files: &'static [PublishedFile] =
        Box::leak(Box::new([PublishedFile { name: "file.gz", checksum: checksum(digest) }]));
    PublishedDataset { files, ..KMNIST }
}

/// Fetches `dataset` and returns the outcome with the number of bytes in the events.
async fn fetched(dataset: &PublishedDataset, server: &Server, out: &Path) -> (Result<(), Error>, u64) {
    let mut received = 0;
    let mut notify = |event: Event<'_>| {
        if let Event::Received { bytes } = event {
            received += bytes;
        }
    };
    let outcome = fetch(dataset, &server.address, out, &mut notify).await;
    (outcome, received)
}

#[tokio::test]
async fn a_complete_file_is_not_downloaded_again() {
    let (dataset, out) = (published(Checksum::Compressed, &bytes()), TempDir::new().unwrap());
    let server = Server::start(bytes(), &[]);

    let first = fetched(&dataset, &server, out.path()).await;
    let second = fetched(&dataset, &server, out.path()).await;

    assert!(first.0.is_ok() && second.0.is_ok());
    assert_eq!((first.1, second.1, server.ranges()), (300_000, 0, vec![None]));
    assert_eq!(fs::read(out.path().join("file.gz")).unwrap(), bytes());
    assert!(!out.path().join("file.gz.part").exists());
}

#[tokio::test]
async fn an_interrupted_download_continues_where_it_stopped() {
    let (dataset, out) = (published(Checksum::Compressed, &bytes()), TempDir::new().unwrap());
    let server = Server::start(bytes(), &[Response::CutAfter(100_000), Response::CutAfter(50_000)]);

    let (outcome, received) = fetched(&dataset, &server, out.path()).await;

    outcome.unwrap();
    assert_eq!(received, 300_000);
    let ranges = ["bytes=100000-", "bytes=150000-"].map(|range| Some(range.to_owned()));
    assert_eq!(server.ranges(), [&[None], &ranges[..]].concat());
    assert_eq!(fs::read(out.path().join("file.gz")).unwrap(), bytes());
}

#[tokio::test]
async fn a_download_without_progress_fails_and_keeps_the_received_bytes() {
    let (dataset, out) = (published(Checksum::Compressed, &bytes()), TempDir::new().unwrap());
    fs::write(out.path().join("file.gz.part"), &bytes()[..7]).unwrap();
    let server = Server::start(bytes(), &[Response::CutAfter(0); 8]);

    let (outcome, _) = fetched(&dataset, &server, out.path()).await;

    assert!(matches!(outcome, Err(Error::Disconnected { bytes: 7, .. })), "{outcome:?}");
    assert_eq!(fs::read(out.path().join("file.gz.part")).unwrap(), bytes()[..7]);
}

#[tokio::test]
async fn a_download_from_a_server_without_ranges_starts_again() {
    let (dataset, out) = (published(Checksum::Compressed, &bytes()), TempDir::new().unwrap());
    fs::write(out.path().join("file.gz.part"), &bytes()[..1000]).unwrap();
    let server = Server::start(bytes(), &[Response::Whole]);

    let (outcome, received) = fetched(&dataset, &server, out.path()).await;

    outcome.unwrap();
    assert_eq!(received, 300_000);
    assert_eq!(fs::read(out.path().join("file.gz")).unwrap(), bytes());
}

#[tokio::test]
async fn a_file_with_a_wrong_checksum_is_removed() {
    let (dataset, out) = (published(Checksum::Compressed, &bytes()), TempDir::new().unwrap());
    let server = Server::start(bytes(), &[Response::Falsified]);

    let (outcome, _) = fetched(&dataset, &server, out.path()).await;

    assert!(matches!(outcome, Err(Error::WrongChecksum { .. })), "{outcome:?}");
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_mirror_may_compress_a_file_again_but_not_change_its_contents() {
    let out = TempDir::new().unwrap();
    let server = Server::start(compress(&bytes()), &[]);

    let right = fetched(&published(Checksum::Decompressed, &bytes()), &server, out.path()).await.0;
    let wrong = fetched(&published(Checksum::Decompressed, b"another"), &server, out.path()).await.0;

    assert!(right.is_ok(), "{right:?}");
    assert!(matches!(wrong, Err(Error::WrongChecksum { .. })), "{wrong:?}");
}

#[tokio::test]
async fn an_absent_file_is_reported_with_the_status_of_the_server() {
    let (dataset, out) = (published(Checksum::Compressed, &bytes()), TempDir::new().unwrap());
    let server = Server::start(bytes(), &[Response::NotFound]);

    let (outcome, _) = fetched(&dataset, &server, out.path()).await;

    let error = outcome.unwrap_err();
    assert!(error.to_string().ends_with("file.gz: the server returned 404 Not Found"), "{error}");
}

#[test]
fn a_named_data_set_is_found_in_the_cache_or_reported_as_missing() {
    let cache = TempDir::new().unwrap();

    let missing = fetch::locate(Path::new("kmnist"), cache.path()).unwrap_err();
    fs::create_dir(cache.path().join("kmnist")).unwrap();
    for file in KMNIST.files {
        fs::write(cache.path().join("kmnist").join(file.name), "").unwrap();
    }
    let found = fetch::locate(Path::new("kmnist"), cache.path()).unwrap();

    assert!(missing.to_string().contains("kana data fetch kmnist"), "{missing}");
    assert_eq!(found, cache.path().join("kmnist"));
    assert_eq!(fetch::locate(Path::new("./kmnist"), cache.path()).unwrap(), Path::new("./kmnist"));
}
