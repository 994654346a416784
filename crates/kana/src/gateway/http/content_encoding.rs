//! What happens to a body that arrives compressed?
//!
//! It is refused before it is read: images are compressed already, and a small body that becomes a large one is a way to
//! fill the memory. The response says which encoding is read (RFC 9110, RFC 7694).

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::problem::Problem;

/// Name of the encoding that changes nothing.
const IDENTITY: &str = "identity";

/// Refuses a request whose body has an encoding: 415 with `Accept-Encoding: identity`. `None` lets it through.
pub fn refusal(headers: &HeaderMap) -> Option<Response> {
    let values = headers.get_all(header::CONTENT_ENCODING).iter();
    let encodings = values.flat_map(|value| value.to_str().unwrap_or("unreadable").split(',')).map(str::trim);
    let name = encodings.filter(|name| !name.is_empty()).find(|name| !name.eq_ignore_ascii_case(IDENTITY))?;
    let why = format!("the body's Content-Encoding is {name:?}; send the body without one");
    let mut response = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response();
    response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static(IDENTITY));
    Some(response)
}
