//! How do the published data sets come to this machine?
//!
//! File by file, from the official address or a stable mirror, each beside its place until its SHA-256 is the published
//! one, then renamed: a file under its own name is whole and right. What was cut off goes on where it stopped. The digest
//! vouches for the bytes, whatever the connection.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::GzDecoder;
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode};
use sha2::{Digest, Sha256};

use super::published::{Proof, Published, PublishedFile, published};

/// Waiting for a server to accept.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);
/// Waiting for the next bytes.
const READ_PATIENCE: Duration = Duration::from_secs(60);
/// Attempts at a file without a byte of progress in between.
const ATTEMPTS_MAX: usize = 3;
/// Bytes of a file. The largest published one has 18 million; a server that sends more sends something else.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of a file when unpacked: 60,000 images of 28×28 are 47 million.
const UNPACKED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The folder that `--data` means: `given`, or where it is the name of a published data set, that one's folder in
/// `cache`.
///
/// # Errors
/// Where the data set was named and is not in `cache`.
pub fn locate(given: &Path, cache: &Path) -> Result<PathBuf, Error> {
    let Some(set) = given.to_str().and_then(published) else { return Ok(given.to_owned()) };
    let folder = cache.join(set.name);
    let is_whole = set.files.iter().all(|file| folder.join(file.name).is_file());
    if is_whole { Ok(folder) } else { Err(Error::NotFetched { name: set.name }) }
}

/// What may go wrong with fetching.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A data set was named that is not on this machine. Caller: fetch it.
    #[error("{name} is not on this machine: `kana data fetch {name}` fetches it")]
    NotFetched {
        /// The data set.
        name: &'static str,
    },
    /// The connection failed or broke off. What came stays; caller: try again.
    #[error("{address} broke off after {bytes} bytes; the next try goes on from there")]
    BrokenOff {
        /// The file's address.
        address: String,
        /// Bytes on this machine.
        bytes: u64,
        /// Why.
        source: reqwest::Error,
    },
    /// The server does not give the file. Caller: look at the address.
    #[error("{address} was refused: {status}")]
    Refused {
        /// The file's address.
        address: String,
        /// The server's answer.
        status: StatusCode,
    },
    /// The file is another than the published one, and was removed.
    #[error("{address} is not the published file and was removed: SHA-256 is {found}, expected {expected}")]
    WrongDigest {
        /// The file's address.
        address: String,
        /// Its digest.
        found: String,
        /// The published digest.
        expected: &'static str,
    },
    /// The server sends without an end; what came was removed.
    #[error("{address} is larger than any published file ({BYTES_MAX} bytes) and was removed")]
    TooLarge {
        /// The file's address.
        address: String,
    },
    /// The disk refuses.
    #[error("could not write {path}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What [`fetch`] tells on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A file is there already, whole and right.
    Present {
        /// Its name.
        file: &'a str,
    },
    /// A file begins, or goes on.
    Begun {
        /// Its name.
        file: &'a str,
        /// Bytes that were there before.
        had: u64,
        /// Bytes of the whole file, where the server says so.
        bytes: Option<u64>,
    },
    /// So many more bytes have come.
    Came(u64),
    /// The file is whole and right.
    Done {
        /// Its name.
        file: &'a str,
    },
}

/// Brings the files of `set` from `address` into `out`; `hear` is told how it goes.
///
/// # Errors
/// At the first file that does not come or is not the published one. What came before stays, and is not fetched again.
pub async fn fetch(
    set: &Published,
    address: &str,
    out: &Path,
    hear: &mut (dyn FnMut(Event<'_>) + Send),
) -> Result<(), Error> {
    // Without a provider no client can be built; another part of this process may have come first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let disk = |source| Error::Disk { path: out.to_owned(), source };
    std::fs::create_dir_all(out).map_err(disk)?;
    let client = Client::builder().connect_timeout(CONNECT_PATIENCE).read_timeout(READ_PATIENCE).build();
    let client = client.map_err(|source| Error::BrokenOff { address: address.to_owned(), bytes: 0, source })?;
    for file in set.files {
        Download::new(file, address, out).run(&client, hear).await?;
    }
    Ok(())
}

/// One file on its way.
struct Download<'a> {
    file: &'a PublishedFile,
    address: String,
    /// Its place.
    path: PathBuf,
    /// Beside its place.
    part: PathBuf,
}

impl<'a> Download<'a> {
    fn new(file: &'a PublishedFile, address: &str, out: &Path) -> Self {
        let path = out.join(file.name);
        let part = out.join(format!("{}.part", file.name));
        Self { file, address: format!("{address}{}", file.name), path, part }
    }

    async fn run(&self, client: &Client, hear: &mut (dyn FnMut(Event<'_>) + Send)) -> Result<(), Error> {
        let name = self.file.name;
        if self.path.is_file() && self.proved(&self.path).is_ok() {
            hear(Event::Present { file: name });
            return Ok(());
        }
        let mut attempts = 0;
        loop {
            let had = self.bytes_here();
            match self.attempt(client, hear).await {
                Ok(()) => break,
                Err(Error::BrokenOff { .. }) if self.bytes_here() > had => attempts = 0,
                Err(Error::BrokenOff { .. }) if attempts + 1 < ATTEMPTS_MAX => attempts += 1,
                Err(error) => return Err(error),
            }
        }
        if let Err(wrong) = self.proved(&self.part) {
            std::fs::remove_file(&self.part).map_err(|source| self.disk(source))?;
            return Err(wrong);
        }
        std::fs::rename(&self.part, &self.path).map_err(|source| self.disk(source))?;
        hear(Event::Done { file: name });
        Ok(())
    }

    fn disk(&self, source: io::Error) -> Error {
        Error::Disk { path: self.part.clone(), source }
    }

    fn broken_off(&self, source: reqwest::Error) -> Error {
        Error::BrokenOff { address: self.address.clone(), bytes: self.bytes_here(), source }
    }

    fn bytes_here(&self) -> u64 {
        std::fs::metadata(&self.part).map_or(0, |file| file.len())
    }

    /// One request, from where the last one stopped.
    async fn attempt(&self, client: &Client, hear: &mut (dyn FnMut(Event<'_>) + Send)) -> Result<(), Error> {
        let mut had = self.bytes_here();
        let mut request = client.get(&self.address);
        if had > 0 {
            request = request.header(RANGE, format!("bytes={had}-"));
        }
        let response = request.send().await.map_err(|source| self.broken_off(source))?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if begins_at(&response, had) => {}
            StatusCode::OK => had = 0,
            // Nothing behind what is here: the file is whole, or its digest will tell.
            StatusCode::RANGE_NOT_SATISFIABLE if had > 0 => return Ok(()),
            status => return Err(Error::Refused { address: self.address.clone(), status }),
        }
        let bytes = response.content_length().map(|rest| had + rest);
        hear(Event::Begun { file: self.file.name, had, bytes });
        self.receive(response, had, hear).await
    }

    async fn receive(
        &self,
        mut response: Response,
        had: u64,
        hear: &mut (dyn FnMut(Event<'_>) + Send),
    ) -> Result<(), Error> {
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&self.part);
        let mut file = opened.map_err(|source| self.disk(source))?;
        file.set_len(had).and_then(|()| file.seek(SeekFrom::End(0))).map_err(|source| self.disk(source))?;
        let mut bytes = had;
        while let Some(chunk) = response.chunk().await.map_err(|source| self.broken_off(source))? {
            bytes += chunk.len() as u64;
            if bytes > BYTES_MAX {
                std::fs::remove_file(&self.part).map_err(|source| self.disk(source))?;
                return Err(Error::TooLarge { address: self.address.clone() });
            }
            file.write_all(&chunk).map_err(|source| self.disk(source))?;
            hear(Event::Came(chunk.len() as u64));
        }
        file.sync_all().map_err(|source| self.disk(source))
    }

    /// Whether the bytes in `path` are the published ones.
    fn proved(&self, path: &Path) -> Result<(), Error> {
        let file = File::open(path).map_err(|source| self.disk(source))?;
        let (found, expected) = match self.file.proof {
            Proof::Packed(expected) => (digest(file.take(BYTES_MAX)).map_err(|source| self.disk(source))?, expected),
            Proof::Unpacked(expected) => {
                // What cannot be unpacked has no digest at all, and so a wrong one.
                let unpacked = digest(GzDecoder::new(file).take(UNPACKED_BYTES_MAX));
                (unpacked.unwrap_or_else(|broken| format!("none: {broken}")), expected)
            }
        };
        let address = self.address.clone();
        if found == expected { Ok(()) } else { Err(Error::WrongDigest { address, found, expected }) }
    }
}

fn digest(mut bytes: impl Read) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut piece = [0; 64 * 1024];
    loop {
        match bytes.read(&mut piece)? {
            0 => return Ok(hex::encode(digest.finalize())),
            count => digest.update(&piece[..count]),
        }
    }
}

/// Whether a partial answer begins where it was asked to.
fn begins_at(response: &Response, start: u64) -> bool {
    let range = response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {start}-")))
}
