//! Which responses are compressed, and how does a cache tell one encoding from another?
//!
//! A response is compressed as a whole, before its first byte is sent. A layer that compresses while it sends would keep
//! 300 kB of dictionary for as long as a client takes to read. The page's files are compressed once, for all requests.
//! Whether or not it is compressed, a response that could have been says `Vary: Accept-Encoding`.

use std::io::Write as _;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Body as _;

/// Sizes of responses that are compressed, in bytes. Below, compression costs more time than it saves; the largest is a
/// batch of 1,024 jobs three times over.
const COMPRESSED_BYTES: std::ops::RangeInclusive<u64> = 1_024..=(1 << 20);

/// Beginnings of media types whose content is text.
const TEXT: [&str; 5] =
    ["text/", "application/json", "application/problem+json", "application/javascript", "image/svg"];

/// Media type of event streams, which are sent as they come.
const EVENTS: &str = "text/event-stream";

/// Compresses a response whose request accepts it.
pub async fn compress(mut response: Response, is_accepted: bool) -> Response {
    let headers = response.headers_mut();
    if headers.contains_key(header::CONTENT_ENCODING) || !is_text(headers) {
        return response;
    }
    vary(headers);
    let is_worthwhile = response.body().size_hint().exact().is_some_and(|bytes| COMPRESSED_BYTES.contains(&bytes));
    if !is_accepted || !is_worthwhile {
        return response;
    }
    let (mut head, body) = response.into_parts();
    // A body of known length is in memory already, so this does not wait.
    let Ok(plain) = to_bytes(body, usize::MAX).await else { return Response::from_parts(head, Body::empty()) };
    let compressing = tokio::task::spawn_blocking(move || gzip(&plain)).await;
    let body = compressing.expect("BUG: compressing neither panics nor is cancelled");
    head.headers.remove(header::CONTENT_LENGTH);
    encoded(&mut head.headers);
    Response::from_parts(head, Body::from(body))
}

/// Compresses `plain`.
pub fn gzip(plain: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(plain).and_then(|()| encoder.finish());
    written.expect("BUG: writing to memory does not fail").into()
}

/// Says, once, that a response depends on the encodings that its request accepts.
pub fn vary(headers: &mut HeaderMap) {
    const NAME: HeaderValue = HeaderValue::from_static("accept-encoding");
    if !headers.get_all(header::VARY).into_iter().any(|named| *named == NAME) {
        headers.append(header::VARY, NAME);
    }
}

/// Says that the body of a response is compressed.
pub fn encoded(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
}

/// Whether the sender of these headers can read gzip (RFC 9110, section 12.5.3). The entry that names gzip counts before
/// `*`, and a weight of 0 refuses.
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    let mut by_star = false;
    for entry in values.flat_map(|value| value.split(',')) {
        let mut parts = entry.split(';').map(str::trim);
        let name = parts.next().unwrap_or("");
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let is_accepted = weight.is_none_or(|weight| weight.trim().parse::<f32>().is_ok_and(|weight| weight > 0.0));
        match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => return is_accepted,
            "*" => by_star = is_accepted,
            _ => {}
        }
    }
    by_star
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    !kind.starts_with(EVENTS) && TEXT.iter().any(|text| kind.starts_with(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_whoever_accepts_it() {
        let accepts = |value: &'static str| {
            accepts_gzip(&[(header::ACCEPT_ENCODING, HeaderValue::from_static(value))].into_iter().collect())
        };

        for value in ["gzip", "br, GZIP", "deflate, gzip;q=0.5", "*", "gzip; q=1.0", "*;q=0, gzip"] {
            assert!(accepts(value), "{value}");
        }
        for value in ["", "identity", "br", "gzip;q=0", "gzip; q=0.000, *", "*;q=0", "gzip;q=x"] {
            assert!(!accepts(value), "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn a_response_says_once_what_it_depends_on() {
        let mut headers: HeaderMap = [(header::VARY, HeaderValue::from_static("origin"))].into_iter().collect();

        vary(&mut headers);
        vary(&mut headers);

        assert_eq!(headers.get_all(header::VARY).into_iter().collect::<Vec<_>>(), ["origin", "accept-encoding"]);
    }
}
