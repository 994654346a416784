//! What does a browser see at `/` and at `/docs/`?
//!
//! Two pages, which Node.js builds and the binary embeds: the live view, and the documentation of the API. A gateway
//! that was built without them answers both addresses with a hint, and everything else works.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Redirect};
use rust_embed::{Embed, EmbeddedFile};

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
    match Page::get(path) {
        Some(file) => answer(path, file, &headers),
        None if path == INDEX || path == DOCS_INDEX => {
            let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, CACHE_REVALIDATE)];
            (kind, HINT).into_response()
        }
        None => not_found(),
    }
}

fn answer(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response<Body> {
    let tag = format!("\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let fresh = known.is_some_and(|known| known.split(',').any(|known| matches(known, &tag)));
    let (status, body) = if fresh {
        (StatusCode::NOT_MODIFIED, Body::empty())
    } else {
        (StatusCode::OK, Body::from(file.data.into_owned()))
    };
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let kind = if kind.type_() == "text" { format!("{kind}; charset=utf-8") } else { kind.to_string() };
    let cache = if path.starts_with(HASHED) { CACHE_FOREVER } else { CACHE_REVALIDATE };
    let mut response = (status, body).into_response();
    let values = [(header::CONTENT_TYPE, kind), (header::ETAG, tag), (header::CACHE_CONTROL, cache.into())];
    for (name, value) in values {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Whether a tag of `If-None-Match` matches this file; a proxy that compresses makes tags weak.
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
}
