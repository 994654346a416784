//! How do the published data sets get onto this machine?
//!
//! Each file is downloaded next to its final path and renamed only when its SHA-256 is the published one: a file under
//! its own name is complete and verified. An interrupted download continues where it stopped. The checksum protects the
//! contents, so the connection may be unencrypted.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::GzDecoder;
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode};
use sha2::{Digest, Sha256};

use super::published::{self, Checksum, PublishedDataset, PublishedFile};

/// Time limit for connecting to the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Time limit for the next bytes of a response.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Consecutive attempts at one file that receive no byte before the download fails.
const ATTEMPTS_MAX: usize = 3;
/// Largest file in bytes. The largest published file has 18 million; a server that sends more sends something else.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Largest decompressed file in bytes: 60,000 images of 28×28 are 47 million.
const DECOMPRESSED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Returns the folder that `--data` names: `given` itself or, when it is the name of a published data set, the folder of
/// that data set in `cache`.
///
/// # Errors
/// [`Error::NotFetched`] when the named data set is not in `cache`.
pub fn locate(given: &Path, cache: &Path) -> Result<PathBuf, Error> {
    let Some(dataset) = given.to_str().and_then(published::find) else { return Ok(given.to_owned()) };
    let folder = cache.join(dataset.name);
    let is_complete = dataset.files.iter().all(|file| folder.join(file.name).is_file());
    if is_complete { Ok(folder) } else { Err(Error::NotFetched { name: dataset.name }) }
}

/// Reasons why a download fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The named data set is not on this machine. Caller: fetch it.
    #[error("data set {name} is not on this machine: run `kana data fetch {name}` to download it")]
    NotFetched {
        /// Name of the data set.
        name: &'static str,
    },
    /// Missing certificate authorities on this machine. Caller: install them, or name a file of them.
    #[error(
        "could not set up TLS for {address}: it needs certificate authorities, as of the package ca-certificates or in \
         the file that SSL_CERT_FILE names"
    )]
    Tls {
        /// URL of the data set.
        address: String,
        /// Error of the HTTP client.
        source: reqwest::Error,
    },
    /// The connection failed or was lost. The received bytes are kept. Caller: try again.
    #[error(
        "could not download all of {address}: the connection failed after {bytes} bytes, which are kept for the next attempt"
    )]
    Disconnected {
        /// URL of the file.
        address: String,
        /// Bytes of the file on this machine.
        bytes: u64,
        /// Error of the HTTP client.
        source: reqwest::Error,
    },
    /// The server does not serve the file. Caller: check the address.
    #[error("could not download {address}: the server returned {status}")]
    Refused {
        /// URL of the file.
        address: String,
        /// Status of the response.
        status: StatusCode,
    },
    /// The file is not the published one. A newly downloaded file was removed.
    #[error("{address} is not the published file and was removed: SHA-256 is {found}, expected {expected}")]
    WrongChecksum {
        /// URL of the file.
        address: String,
        /// SHA-256 of the file, or why there is none.
        found: String,
        /// SHA-256 of the published file.
        expected: &'static str,
    },
    /// The server sends more than any published file has. The received bytes were removed.
    #[error("{address} is larger than any published file ({BYTES_MAX} bytes) and was removed")]
    TooLarge {
        /// URL of the file.
        address: String,
    },
    /// The file could not be read or written. Caller: check the disk.
    #[error("could not read or write {path}")]
    Disk {
        /// Path of the file.
        path: PathBuf,
        /// Error of the file system.
        source: io::Error,
    },
}

/// Progress of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The file is already on this machine, complete and verified.
    Present {
        /// Name of the file.
        file: &'a str,
    },
    /// The download of a file starts or continues.
    Started {
        /// Name of the file.
        file: &'a str,
        /// Bytes from earlier attempts.
        offset: u64,
        /// Bytes of the whole file, when the server announces them.
        bytes: Option<u64>,
    },
    /// Further bytes of the file were received.
    Received {
        /// Number of further bytes.
        bytes: u64,
    },
    /// The file is complete and verified.
    Done {
        /// Name of the file.
        file: &'a str,
    },
}

/// Downloads the files of `dataset` from `address` into the folder `out`. `notify` receives the progress.
///
/// # Errors
/// [`Error`] at the first file that cannot be downloaded or verified. Files completed before stay and are not downloaded
/// again.
pub async fn fetch(
    dataset: &PublishedDataset,
    address: &str,
    out: &Path,
    notify: &mut (dyn FnMut(Event<'_>) + Send),
) -> Result<(), Error> {
    // The client needs a process-wide TLS provider. It fails when one is installed already, which is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let disk = |source| Error::Disk { path: out.to_owned(), source };
    std::fs::create_dir_all(out).map_err(disk)?;
    let client = Client::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
    let client = client.map_err(|source| Error::Tls { address: address.to_owned(), source })?;
    for file in dataset.files {
        Download::new(file, address, out).run(&client, notify).await?;
    }
    Ok(())
}

/// Download of one file.
struct Download<'a> {
    file: &'a PublishedFile,
    address: String,
    /// Final path of the file.
    path: PathBuf,
    /// Path of the incomplete file.
    part: PathBuf,
}

impl<'a> Download<'a> {
    fn new(file: &'a PublishedFile, address: &str, out: &Path) -> Self {
        let path = out.join(file.name);
        let part = out.join(format!("{}.part", file.name));
        Self { file, address: format!("{address}{}", file.name), path, part }
    }

    async fn run(&self, client: &Client, notify: &mut (dyn FnMut(Event<'_>) + Send)) -> Result<(), Error> {
        let name = self.file.name;
        if self.path.is_file() && self.verify(&self.path).is_ok() {
            notify(Event::Present { file: name });
            return Ok(());
        }
        let mut attempts = 0;
        loop {
            let offset = self.bytes_received();
            match self.attempt(client, notify).await {
                Ok(()) => break,
                Err(Error::Disconnected { .. }) if self.bytes_received() > offset => attempts = 0,
                Err(Error::Disconnected { .. }) if attempts + 1 < ATTEMPTS_MAX => attempts += 1,
                Err(error) => return Err(error),
            }
        }
        if let Err(error) = self.verify(&self.part) {
            std::fs::remove_file(&self.part).map_err(|source| self.disk(source))?;
            return Err(error);
        }
        std::fs::rename(&self.part, &self.path).map_err(|source| self.disk(source))?;
        notify(Event::Done { file: name });
        Ok(())
    }

    fn disk(&self, source: io::Error) -> Error {
        Error::Disk { path: self.part.clone(), source }
    }

    fn disconnected(&self, source: reqwest::Error) -> Error {
        Error::Disconnected { address: self.address.clone(), bytes: self.bytes_received(), source }
    }

    fn bytes_received(&self) -> u64 {
        std::fs::metadata(&self.part).map_or(0, |file| file.len())
    }

    /// Sends one request, for the bytes after those already received.
    async fn attempt(&self, client: &Client, notify: &mut (dyn FnMut(Event<'_>) + Send)) -> Result<(), Error> {
        let mut offset = self.bytes_received();
        let mut request = client.get(&self.address);
        if offset > 0 {
            request = request.header(RANGE, format!("bytes={offset}-"));
        }
        let response = request.send().await.map_err(|source| self.disconnected(source))?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(&response, offset) => {}
            StatusCode::OK => offset = 0,
            // No bytes are left: the file is complete, or its checksum will be wrong.
            StatusCode::RANGE_NOT_SATISFIABLE if offset > 0 => return Ok(()),
            status => return Err(Error::Refused { address: self.address.clone(), status }),
        }
        let bytes = response.content_length().map(|rest| offset + rest);
        notify(Event::Started { file: self.file.name, offset, bytes });
        self.receive(response, offset, notify).await
    }

    async fn receive(
        &self,
        mut response: Response,
        offset: u64,
        notify: &mut (dyn FnMut(Event<'_>) + Send),
    ) -> Result<(), Error> {
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&self.part);
        let mut file = opened.map_err(|source| self.disk(source))?;
        file.set_len(offset).and_then(|()| file.seek(SeekFrom::End(0))).map_err(|source| self.disk(source))?;
        let mut bytes = offset;
        while let Some(chunk) = response.chunk().await.map_err(|source| self.disconnected(source))? {
            bytes += chunk.len() as u64;
            if bytes > BYTES_MAX {
                std::fs::remove_file(&self.part).map_err(|source| self.disk(source))?;
                return Err(Error::TooLarge { address: self.address.clone() });
            }
            file.write_all(&chunk).map_err(|source| self.disk(source))?;
            notify(Event::Received { bytes: chunk.len() as u64 });
        }
        file.sync_all().map_err(|source| self.disk(source))
    }

    /// Compares the checksum of the file at `path` with the published one.
    fn verify(&self, path: &Path) -> Result<(), Error> {
        let file = File::open(path).map_err(|source| self.disk(source))?;
        let (found, expected) = match self.file.checksum {
            Checksum::Compressed(expected) => {
                (sha256(file.take(BYTES_MAX)).map_err(|source| self.disk(source))?, expected)
            }
            Checksum::Decompressed(expected) => {
                // A file that cannot be decompressed has no checksum, which is a wrong checksum.
                let decompressed = sha256(GzDecoder::new(file).take(DECOMPRESSED_BYTES_MAX));
                (decompressed.unwrap_or_else(|_| "none, as the file cannot be decompressed".to_owned()), expected)
            }
        };
        let address = self.address.clone();
        if found == expected { Ok(()) } else { Err(Error::WrongChecksum { address, found, expected }) }
    }
}

fn sha256(mut bytes: impl Read) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut buffer = [0; 64 * 1024];
    loop {
        match bytes.read(&mut buffer)? {
            0 => return Ok(hex::encode(digest.finalize())),
            count => digest.update(&buffer[..count]),
        }
    }
}

/// Returns whether a partial response begins at the requested byte.
fn starts_at(response: &Response, start: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {start}-")))
}
