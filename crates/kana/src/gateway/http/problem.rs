//! How does a client learn that its request failed?
//!
//! By a problem document (RFC 9457). Its `detail` names the value that was wrong and never quotes an error's cause: the
//! cause goes to the log, once, because it may name files and hosts that no client should learn.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tracing::warn;
use utoipa::ToSchema;

use crate::gateway::view::Rejection;
use crate::pod;
use crate::telemetry::Chain;
use kana_queue as queue;

/// Media type of problem documents.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Time that a client is asked to wait when the queue or the cluster does not answer, in seconds: about as long as a
/// restart takes.
pub const UNAVAILABLE_RETRY_SECONDS: u32 = 2;

/// Problem document (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document {
    /// Type of the problem; always `about:blank`, which means that the status says enough.
    #[serde(rename = "type")]
    pub kind: String,
    /// HTTP status in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Explanation of this problem, with the wrong value.
    pub detail: String,
    /// Files that were refused, if the upload had no other files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Rejection>,
}

/// The part of every route's description that covers failures without a line of their own.
#[derive(utoipa::IntoResponses)]
#[response(status = "default", description = "Any other failure", content_type = "application/problem+json")]
pub struct Otherwise(
    #[expect(dead_code, reason = "only the API's description reads it")]
    #[to_schema]
    Document,
);

/// Response to a failed request.
#[derive(Clone, Debug)]
pub struct Problem {
    document: Box<Document>,
    retry_after_seconds: Option<u32>,
    challenge: Option<Cow<'static, str>>,
}

impl Problem {
    /// Creates a problem with this status; `detail` is about this request.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let document = Document {
            kind: "about:blank".into(),
            title: status.canonical_reason().unwrap_or("Error").into(),
            status: status.as_u16(),
            detail: detail.into(),
            rejected: Vec::new(),
        };
        Self { document: Box::new(document), retry_after_seconds: None, challenge: None }
    }

    /// 400: the request could not be read.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404: there is no such thing, or no longer.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409: the job's state does not allow it any more.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 413: more bytes, or files, than one request may have.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// 422: the request was read, and a value in it is wrong.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 429: the queue has no room, or the sender has sent too much, and should try again in `seconds`.
    pub fn busy(detail: impl Into<String>, seconds: u32) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, detail);
        Self { retry_after_seconds: Some(seconds), ..problem }
    }

    /// 503: the queue or the cluster does not answer, or the gateway has no room.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        Self { retry_after_seconds: Some(UNAVAILABLE_RETRY_SECONDS), ..problem }
    }

    /// 401: the request has no known token. `challenge` is the `WWW-Authenticate` header.
    pub fn unauthorized(detail: impl Into<String>, challenge: &'static str) -> Self {
        let problem = Self::new(StatusCode::UNAUTHORIZED, detail);
        Self { challenge: Some(challenge.into()), ..problem }
    }

    /// 403: the request's token lacks `scope`, which the `WWW-Authenticate` header names, too (RFC 6750).
    pub fn insufficient_scope(scope: &str) -> Self {
        let problem = Self::new(StatusCode::FORBIDDEN, format!("this token lacks the scope {scope}"));
        let challenge = format!("Bearer realm=\"kana\", error=\"insufficient_scope\", scope=\"{scope}\"");
        Self { challenge: Some(challenge.into()), ..problem }
    }

    /// 403: the sender may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// Adds the files that were refused.
    pub fn with_rejected(mut self, rejected: Vec<Rejection>) -> Self {
        self.document.rejected = rejected;
        self
    }

    /// Returns the HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.document.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Returns the explanation of the problem.
    pub fn detail(&self) -> &str {
        &self.document.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status(), axum::Json(&*self.document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.challenge.and_then(|challenge| HeaderValue::from_str(&challenge).ok()) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Translates every error of a queue. A caller that knows the drain rate translates [`queue::Error::Full`] itself.
impl From<queue::Error> for Problem {
    fn from(error: queue::Error) -> Self {
        match &error {
            queue::Error::Full { .. } => Self::busy(error.to_string(), UNAVAILABLE_RETRY_SECONDS),
            queue::Error::KeyReused { .. } => Self::unprocessable(error.to_string()),
            queue::Error::NoSpace { action, source } => {
                warn!(error = %Chain(source.as_ref()), "the queue could not {action}: no space left");
                Self::new(
                    StatusCode::INSUFFICIENT_STORAGE,
                    "no space left for the queue: nothing of this request was accepted; free some space and try again",
                )
            }
            queue::Error::Unavailable { action, source } => {
                warn!(error = %Chain(source.as_ref()), "the queue could not {action}");
                Self::unavailable("the queue does not answer; nothing is known to have happened")
            }
        }
    }
}

impl From<pod::Error> for Problem {
    fn from(error: pod::Error) -> Self {
        match &error {
            pod::Error::Unknown { .. } => Self::not_found(error.to_string()),
            pod::Error::Refused { .. } => Self::unprocessable(error.to_string()),
            pod::Error::Misconfigured { .. } => Self::new(StatusCode::BAD_GATEWAY, error.to_string()),
            pod::Error::Unavailable { action, source } => {
                warn!(error = %Chain(source.as_ref()), "the cluster could not {action}");
                Self::unavailable("the cluster does not answer; nothing is known to have happened")
            }
        }
    }
}

/// Turns every failed response into a problem document, those of the router and of the extractors included.
pub fn everywhere(response: Response) -> Response {
    let status = response.status();
    let is_problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE);
    if is_problem || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let detail = match status {
        StatusCode::NOT_FOUND => "there is nothing at this address",
        StatusCode::METHOD_NOT_ALLOWED => "this address does not answer this method",
        StatusCode::BAD_REQUEST => "the request's address or parameters could not be read",
        _ => "the request could not be answered",
    };
    let mut problem = Problem::new(status, detail).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}
