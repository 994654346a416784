//! What does a browser see at `/` and at `/docs/`?
//!
//! Two pages, which Node.js builds and the binary embeds: the live view, and the documentation of the API. A gateway
//! that was built without them answers both addresses with a hint, and everything else works. Every request for a file
//! gets the same bytes: none is copied, and each file is compressed once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Redirect};
use rust_embed::Embed;

use crate::gateway::http::compression;
use crate::gateway::http::exchange::Shared;
use crate::gateway::http::problem::Problem;

/// Content security policy: the page may load only from its own origin, and images also from data and blob URLs.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' \
    'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Cache control of files whose names change with their content.
const CACHE_FOREVER: &str = "public, max-age=31536000, immutable";

/// Cache control of all other files: they are requested each time, and mostly answered with 304.
const CACHE_REVALIDATE: &str = "no-cache";

/// The file at `/`.
const INDEX: &str = "index.html";

/// The file at `/docs/`.
const DOCS_INDEX: &str = "docs/index.html";

/// Folder of files whose names contain a digest of their content.
const HASHED: &str = "assets/";

/// Response in place of a page that was not built.
const HINT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>kana</title>\
    <h1>kana is running</h1><p>This binary was built without its pages; <code>make build</code> builds them. \
    The service is complete without them: <code>/openapi.json</code> describes its API.</p></html>\n";

#[derive(Embed)]
#[folder = "../../ui/dist/"]
#[allow_missing = true]
struct Page;

/// The files of the pages by their paths. [`prepare`] compresses them before a request does.
static FILES: LazyLock<HashMap<String, File>> = LazyLock::new(|| {
    let read = |path: Cow<'static, str>| {
        let bytes = match Page::get(&path)?.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => bytes.into(),
        };
        let file = File::new(&path, bytes)?;
        Some((path.into_owned(), file))
    };
    Page::iter().filter_map(read).collect()
});

/// A file for browsers.
pub struct File {
    kind: HeaderValue,
    cache: HeaderValue,
    plain: Encoded,
    /// Its compressed form, where that is shorter.
    gzip: Option<Encoded>,
}

/// A file in one encoding.
struct Encoded {
    bytes: Bytes,
    /// Entity tag of this encoding: a strong tag stands for bytes, so each encoding has its own (RFC 9110, section 8.8.3.3).
    tag: String,
}

impl File {
    /// Compresses the file; `None` where its kind cannot be named in a header.
    pub fn new(path: &str, bytes: Bytes) -> Option<Self> {
        let kind = mime_guess::from_path(path).first_or_octet_stream();
        let kind = if kind.type_() == "text" { format!("{kind}; charset=utf-8") } else { kind.to_string() };
        let cache = if path.starts_with(HASHED) { CACHE_FOREVER } else { CACHE_REVALIDATE };
        let (digest, gzip) = (digest(&bytes), compression::gzip(&bytes));
        let gzip = (gzip.len() < bytes.len()).then(|| Encoded { bytes: gzip, tag: format!("\"{digest}-gzip\"") });
        let plain = Encoded { bytes, tag: format!("\"{digest}\"") };
        Some(Self { kind: HeaderValue::from_str(&kind).ok()?, cache: HeaderValue::from_static(cache), plain, gzip })
    }

    /// Answers a request: 304 where the client has these bytes.
    pub fn answer(&self, headers: &HeaderMap) -> Response<Body> {
        let is_gzip = self.gzip.is_some() && compression::accepts_gzip(headers);
        let encoded = self.gzip.as_ref().filter(|_| is_gzip).unwrap_or(&self.plain);
        let known = headers.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|tags| tags.to_str().ok());
        // What this client has is fresh in either encoding.
        let tags = [Some(&self.plain), self.gzip.as_ref()].into_iter().flatten().map(|encoded| encoded.tag.as_str());
        let is_known = |known: &str| tags.clone().any(|tag| matches(known, tag));
        let (status, body) = if known.flat_map(|tags| tags.split(',')).any(is_known) {
            (StatusCode::NOT_MODIFIED, Body::empty())
        } else {
            (StatusCode::OK, Body::from(encoded.bytes.clone()))
        };
        let mut response = (status, body).into_response();
        response.extensions_mut().insert(Shared);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.kind.clone());
        headers.insert(header::CACHE_CONTROL, self.cache.clone());
        if let Ok(tag) = HeaderValue::from_str(&encoded.tag) {
            headers.insert(header::ETAG, tag);
        }
        if self.gzip.is_some() {
            compression::vary(headers);
        }
        if is_gzip {
            compression::encoded(headers);
        }
        response
    }
}

/// Reads and compresses the files, on a thread for blocking work.
pub fn prepare() {
    tokio::task::spawn_blocking(|| LazyLock::force(&FILES));
}

/// Redirects `/docs` to `/docs/`, the only address of that page. The target is relative, because a proxy may serve the
/// gateway under a path.
pub async fn docs() -> Redirect {
    Redirect::to("docs/")
}

/// Returns a file of the pages.
pub async fn file(method: Method, uri: Uri, headers: HeaderMap) -> Response<Body> {
    let not_found = || Problem::not_found(format!("there is nothing at {:?}", uri.path())).into_response();
    if !method.is_safe() {
        return not_found();
    }
    let path = match uri.path().trim_start_matches('/') {
        "" => INDEX,
        "docs/" => DOCS_INDEX,
        path => path,
    };
    match FILES.get(path) {
        Some(file) => file.answer(&headers),
        None if path == INDEX || path == DOCS_INDEX => {
            let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, CACHE_REVALIDATE)];
            (kind, HINT).into_response()
        }
        None => not_found(),
    }
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(&sha2::Sha256::digest(bytes)[..16])
}

/// Whether a tag of `If-None-Match` matches this one; the comparison is weak (RFC 9110, section 13.1.2).
fn matches(known: &str, tag: &str) -> bool {
    let known = known.trim();
    known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weak_tag_matches_the_same_file() {
        assert!(matches(" W/\"a\"", "\"a\"") && matches("\"a\"", "\"a\"") && matches("*", "\"a\""));
        assert!(!matches("\"b\"", "\"a\""));
    }

    #[test]
    fn each_encoding_has_its_tag_and_every_answer_says_that_it_varies() {
        let file = File::new("a.js", b"let a = 0;".repeat(100).into()).unwrap();
        let answer = |pairs: &[(header::HeaderName, &str)]| {
            let headers = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
            file.answer(&headers.collect())
        };

        let (plain, gzip) = (answer(&[]), answer(&[(header::ACCEPT_ENCODING, "gzip")]));

        assert_eq!(
            (plain.headers().get("content-encoding"), gzip.headers()["content-encoding"].as_bytes()),
            (None, &b"gzip"[..])
        );
        assert_ne!(plain.headers()["etag"], gzip.headers()["etag"]);
        let again = answer(&[
            (header::ACCEPT_ENCODING, "gzip"),
            (header::IF_NONE_MATCH, gzip.headers()["etag"].to_str().unwrap()),
        ]);
        assert_eq!(again.status(), 304);
        for response in [plain, gzip, again] {
            assert_eq!(response.headers()["vary"], "accept-encoding");
        }
    }
}
