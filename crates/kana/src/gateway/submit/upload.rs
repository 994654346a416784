//! Which images does an upload hold?
//!
//! Files are read one after the other into bounded buffers, and their bytes are added to the upload's fingerprint as
//! they arrive. An upload that breaks off is refused as a whole. A file that is too large or not an image is refused
//! alone, and the others are accepted.

use std::time::Instant;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use futures::StreamExt as _;
use multer::{Field, Multipart};
use sha2::{Digest as _, Sha256};

use super::disposition::Disposition;
use super::part_head::{self, HeadTooLong};
use super::{Submitter, decoder};
use crate::gateway::http::auth::Caller;
use crate::gateway::http::problem::Problem;
use crate::gateway::metrics::UploadPhase;
use crate::gateway::view::Rejection;
use kana_engine::image::Image;

/// Name of the parts that hold images.
const PART: &str = "images";

/// Longest filename kept, in bytes: as many as file systems allow.
const FILENAME_BYTES_MAX: usize = 255;

/// Longest quotation of an unknown part's name, in characters.
const PART_NAME_QUOTED: usize = 64;

/// Longest idempotency key, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// The content of an upload.
pub struct Upload {
    /// The images with their filenames, in the order sent.
    pub images: Vec<(String, Image)>,
    /// The files that were refused.
    pub rejected: Vec<Rejection>,
    /// SHA-256 of the files, however they were encoded in the body.
    pub fingerprint: [u8; 32],
}

struct File {
    filename: String,
    content: Result<Bytes, String>,
}

/// Reads a multipart upload.
///
/// # Errors
/// 400, 408, 413, 415, 422, 429, 503. Where no file is an image: 422 (413 where all are too large) with the reasons.
pub async fn read_multipart(submitter: &Submitter, caller: &Caller, request: Request) -> Result<Upload, Problem> {
    let limits = &submitter.limits;
    let kind = content_type(&request);
    if !is_form(kind) {
        let wanted = "the body must be multipart/form-data with one part named images a file";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, wanted));
    }
    submitter.rates.begin(caller)?;
    let started = Instant::now();
    let boundary = multer::parse_boundary(kind);
    let boundary = boundary.map_err(|_| Problem::bad_request("the multipart boundary is missing or malformed"))?;
    let meter = submitter.bodies.meter(&request, limits.request_bytes_max)?;
    let body = part_head::bounded(meter.metered(request.into_body()), &boundary);
    let mut parts = Multipart::new(body.into_data_stream(), boundary);
    let mut hash = Fingerprint::new("jobs");
    let mut files = Vec::new();
    let broken = |error| meter.problem(|| Problem::bad_request(malformed(&error)));
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        let names = Disposition::of(part.headers())
            .map_err(|error| Problem::bad_request(format!("part {} cannot be read: {error}", files.len() + 1)))?;
        if names.name.as_deref() != Some(PART) {
            let name: String = names.name.unwrap_or_default().chars().take(PART_NAME_QUOTED).collect();
            return Err(Problem::unprocessable(format!("part {name:?} is unknown; images go in parts named images")));
        }
        if files.len() == limits.files_max {
            return Err(Problem::too_large(format!("a request may have {} files at most", limits.files_max)));
        }
        if !files.is_empty() {
            submitter.rates.add(caller);
        }
        let filename = filename(names.filename.as_deref(), files.len() + 1);
        hash.begin(&filename);
        let content = content(part, limits.file_bytes_max, &mut hash).await.map_err(broken)?;
        files.push(File { filename, content });
    }
    if files.is_empty() {
        return Err(Problem::unprocessable("the upload has no part named images"));
    }
    submitter.metrics.detail.record_upload(UploadPhase::Receive, started.elapsed());
    // The bytes count as held until the last file is decoded.
    meter.complete();
    let upload = decode(submitter, files, hash.finish()).await;
    drop(meter);
    upload
}

/// The media type that a request says its body has; empty where it says none.
fn content_type(request: &Request) -> &str {
    request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("")
}

/// Whether a media type is that of a form with files.
fn is_form(kind: &str) -> bool {
    kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data")
}

/// Reads a body that is one image.
///
/// # Errors
/// 400, 408, 413, 415, 422, 429, 503.
pub async fn read_single(
    submitter: &Submitter,
    caller: &Caller,
    request: Request,
    name: Option<&str>,
) -> Result<Upload, Problem> {
    if is_form(content_type(&request)) {
        let wanted =
            "the body must be the image itself, as of curl --data-binary @FILE; /v1/jobs takes multipart/form-data";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, wanted));
    }
    let filename = filename(name, 1);
    submitter.rates.begin(caller)?;
    let started = Instant::now();
    let (bytes, meter) = submitter.bodies.read(request, submitter.limits.file_bytes_max).await?;
    submitter.metrics.detail.record_upload(UploadPhase::Receive, started.elapsed());
    if bytes.is_empty() {
        return Err(Problem::unprocessable("the body is empty; it should be an image"));
    }
    let mut hash = Fingerprint::new("classify");
    hash.begin(&filename);
    hash.add(&bytes);
    let upload = decode(submitter, vec![File { filename, content: Ok(bytes) }], hash.finish()).await;
    drop(meter);
    upload
}

/// Reads the `Idempotency-Key` header; `None` where there is none.
///
/// # Errors
/// 422 where it is empty, too long or not printable ASCII.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let fits = |key: &&str| (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(|b| (b' '..=b'~').contains(&b));
    let key = value.to_str().ok().filter(fits).ok_or_else(|| {
        Problem::unprocessable(format!("Idempotency-Key must be 1 to {KEY_BYTES_MAX} printable ASCII characters"))
    })?;
    Ok(Some(key.to_owned()))
}

/// Reads the content of a part. The inner error is the reason why this file is refused; the outer one means that the
/// body as a whole could not be read.
async fn content(
    mut part: Field<'_>,
    max: usize,
    hash: &mut Fingerprint,
) -> Result<Result<Bytes, String>, multer::Error> {
    let mut bytes = Vec::new();
    let mut length = 0usize;
    while let Some(chunk) = part.chunk().await? {
        hash.add(&chunk);
        length += chunk.len();
        if length <= max {
            bytes.extend_from_slice(&chunk);
        } else {
            bytes = Vec::new();
        }
    }
    Ok(if length <= max { Ok(bytes.into()) } else { Err(format!("the file is longer than {max} bytes")) })
}

/// Says why a body is no multipart upload.
fn malformed(error: &multer::Error) -> String {
    let source = std::error::Error::source(error);
    match source.and_then(|source| find::<HeadTooLong>(source)) {
        Some(too_long) => format!("{too_long}; nothing was accepted"),
        None => "the multipart body is malformed or broke off; nothing was accepted".into(),
    }
}

/// Finds an error of a type among an error and its causes.
fn find<'a, E: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
}

async fn decode(submitter: &Submitter, files: Vec<File>, fingerprint: [u8; 32]) -> Result<Upload, Problem> {
    let started = Instant::now();
    let all_too_large = files.iter().all(|file| file.content.is_err());
    let decoding = files.into_iter().map(async |File { filename, content }| match content {
        Ok(bytes) => (filename, submitter.decoder.decode(bytes).await),
        Err(reason) => (filename, Err(reason)),
    });
    let mut decoded = futures::stream::iter(decoding).buffered(decoder::parallel());
    let (mut images, mut rejected) = (Vec::new(), Vec::new());
    while let Some((filename, result)) = decoded.next().await {
        match result {
            Ok(image) => images.push((filename, image)),
            Err(error) => rejected.push(Rejection { filename, error }),
        }
    }
    submitter.metrics.detail.record_upload(UploadPhase::Decode, started.elapsed());
    submitter.metrics.rejected.inc_by(rejected.len() as u64);
    if images.is_empty() {
        let problem = if all_too_large { Problem::too_large } else { Problem::unprocessable };
        let first = rejected.first().map_or("", |rejection| rejection.error.as_str());
        let why = if rejected.len() == 1 { first.to_owned() } else { "no file is an image".into() };
        return Err(problem(why).with_rejected(rejected));
    }
    Ok(Upload { images, rejected, fingerprint })
}

/// Reduces a file's name to its last component, without control characters, of bounded length. A file without a name is
/// called by its position.
fn filename(name: Option<&str>, position: usize) -> String {
    let last = name.unwrap_or("").rsplit(['/', '\\']).next().unwrap_or("");
    let mut name = String::new();
    for character in last.chars().filter(|character| !character.is_control()) {
        if name.len() + character.len_utf8() > FILENAME_BYTES_MAX {
            break;
        }
        name.push(character);
    }
    let name = name.trim();
    if name.is_empty() { format!("image-{position}") } else { name.to_owned() }
}

/// A digest of files with their names, in which no file's end can be mistaken for another's beginning.
struct Fingerprint {
    whole: Sha256,
    file: Option<Sha256>,
}

impl Fingerprint {
    fn new(route: &str) -> Self {
        Self { whole: Sha256::new_with_prefix(route), file: None }
    }

    fn begin(&mut self, filename: &str) {
        self.close();
        self.whole.update(Sha256::digest(filename));
        self.file = Some(Sha256::new());
    }

    fn add(&mut self, bytes: &[u8]) {
        if let Some(file) = &mut self.file {
            file.update(bytes);
        }
    }

    fn close(&mut self) {
        if let Some(file) = self.file.take() {
            self.whole.update(file.finalize());
        }
    }

    fn finish(mut self) -> [u8; 32] {
        self.close();
        self.whole.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn fingerprint(files: &[(&str, &[&[u8]])]) -> [u8; 32] {
        let mut hash = Fingerprint::new("jobs");
        for (name, chunks) in files {
            hash.begin(name);
            chunks.iter().for_each(|chunk| hash.add(chunk));
        }
        hash.finish()
    }

    #[test]
    fn a_fingerprint_does_not_depend_on_how_a_file_was_split() {
        assert_eq!(fingerprint(&[("a", &[b"xy", b"z"])]), fingerprint(&[("a", &[b"x", b"", b"yz"])]));
    }

    #[test]
    fn a_fingerprint_differs_with_every_name_and_byte() {
        let base = fingerprint(&[("a", &[b"xy"]), ("b", &[b"z"])]);

        assert_ne!(base, fingerprint(&[("a", &[b"x"]), ("b", &[b"yz"])]));
        assert_ne!(base, fingerprint(&[("b", &[b"xy"]), ("a", &[b"z"])]));
        assert_ne!(base, fingerprint(&[("a", &[b"xy"])]));
    }

    #[test]
    fn a_filename_loses_its_folders_its_control_characters_and_its_excess() {
        assert_eq!(filename(Some("C:\\photos\\お.png"), 1), "お.png");
        assert_eq!(filename(Some("../../etc/passwd"), 1), "passwd");
        assert_eq!(filename(Some("a\r\nb\u{7}.png"), 1), "ab.png");
        assert_eq!(filename(Some(&"お".repeat(200)), 1).len(), 255);
    }

    #[test]
    fn a_file_without_a_name_is_called_by_its_position() {
        assert_eq!(filename(None, 3), "image-3");
        assert_eq!(filename(Some("folder/"), 4), "image-4");
    }

    #[test]
    fn a_key_is_printable_and_bounded() {
        let key = |value: &[u8]| {
            let value = HeaderValue::from_bytes(value).unwrap();
            idempotency_key(&[(header::HeaderName::from_static("idempotency-key"), value)].into_iter().collect())
        };

        assert_eq!(key(b"a key").unwrap(), Some("a key".into()));
        assert!(key(b"").is_err() && key("お".as_bytes()).is_err());
        assert!(key(&[b'k'; 255]).is_ok() && key(&[b'k'; 256]).is_err());
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }
}
