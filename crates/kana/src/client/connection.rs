//! How is a gateway spoken to?
//!
//! Over one client with kept-alive connections. A request that may be repeated is repeated until it is answered or
//! patience ends; a refusal is told in the gateway's own words.

use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::retry::Failure;
use super::{Error, Target};

/// How long a connection may take to open: a lost packet or two on a slow network.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long one request may take: the wait that it asks the gateway for, and as much again for a slow upload.
const REQUEST_MAX: Duration = Duration::from_secs(60);

/// A gateway that requests can be sent to.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    client: Client,
    server: Url,
}

/// What the gateway said.
pub(super) struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body.
    pub body: Vec<u8>,
    /// Which attempt was answered, from 1. Whether those before it arrived nobody knows.
    pub attempt: u32,
}

impl Connection {
    /// A connection to `target`, not opened yet.
    ///
    /// # Errors
    /// [`Error::Address`].
    pub fn to(target: &Target) -> Result<Self, Error> {
        let wrong = || Error::Address { server: target.server.clone() };
        // A path of its own keeps its last part only behind a slash.
        let server = Url::parse(&format!("{}/", target.server.trim_end_matches('/'))).map_err(|_| wrong())?;
        if !matches!(server.scheme(), "http" | "https") || !server.has_host() {
            return Err(wrong());
        }
        // The client asks for a provider even where all is plain HTTP. It is installed once a process; a second
        // installation is refused, and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        if let Some(token) = &target.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| wrong())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_MAX)
            .timeout(REQUEST_MAX)
            .redirect(reqwest::redirect::Policy::none())
            // Only the command line reads the environment, and a proxy named there does not reach a loopback address.
            .no_proxy()
            .build()
            .map_err(|source| Error::Malformed { action: "set up the client".into(), source: source.into() })?;
        Ok(Self { client, server })
    }

    /// A request for `path`, which does not begin with a slash.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.server.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(&format!("{}{path}", self.server.path()));
        url.set_query(query);
        self.client.request(method, url)
    }

    /// What the gateway answers to a request that may be sent any number of times; `build` makes it anew each time.
    ///
    /// # Errors
    /// [`Error::Unreachable`] where `patience` has ended before there was an answer, or the last answer was "later".
    pub async fn send(
        &self,
        action: &str,
        patience: Duration,
        build: impl Fn(&Self) -> RequestBuilder,
    ) -> Result<Answer, Error> {
        let start = Instant::now();
        let mut attempt = 1;
        loop {
            let (failure, source) = match once(build(self)).await {
                Ok((answer, retry_after)) => {
                    let failure = Failure::Status(answer.status.as_u16(), retry_after);
                    if !failure.may_pass() {
                        return Ok(Answer { attempt, ..answer });
                    }
                    (failure, refusal(action, &answer).into())
                }
                Err(source) => (Failure::Connection, source.into()),
            };
            attempt += 1;
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                let action = format!("{action} at {}", self.server);
                return Err(Error::Unreachable { action, waited: patience, source });
            }
            // Asked to wait longer than our patience lasts, we ask once more at its end: a guess may have been too long.
            let wait = failure.wait(attempt, rand::random()).min(left);
            tracing::debug!("could not {action}, attempt {attempt} follows in {} ms", wait.as_millis());
            tokio::time::sleep(wait).await;
        }
    }
}

/// Sends a request once and reads all of its answer.
pub(super) async fn once(request: RequestBuilder) -> reqwest::Result<(Answer, Option<Duration>)> {
    let response = request.send().await?;
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let body = response.bytes().await?.to_vec();
    Ok((Answer { status, body, attempt: 1 }, retry_after))
}

impl Answer {
    /// The body, read as JSON.
    ///
    /// # Errors
    /// [`Error::Refused`] where the status is no success, [`Error::Malformed`].
    pub fn json<T: DeserializeOwned>(&self, action: &str) -> Result<T, Error> {
        if !self.status.is_success() {
            return Err(refusal(action, self));
        }
        serde_json::from_slice(&self.body)
            .map_err(|source| Error::Malformed { action: action.into(), source: source.into() })
    }
}

/// A problem document (RFC 9457), as far as it is shown.
#[derive(Deserialize)]
struct Problem {
    detail: Option<String>,
    title: Option<String>,
}

/// The refusal that an answer is, in its own words where it has any.
pub(super) fn refusal(action: &str, answer: &Answer) -> Error {
    let problem = serde_json::from_slice::<Problem>(&answer.body).ok();
    let words = problem.and_then(|problem| problem.detail.or(problem.title));
    let detail = words.or_else(|| answer.status.canonical_reason().map(str::to_owned)).unwrap_or_default();
    Error::Refused { action: action.into(), status: answer.status.as_u16(), detail }
}
