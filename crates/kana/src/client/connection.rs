//! How does a request get an answer from a gateway?
//!
//! Over one client that keeps connections alive. A request that fails for a temporary reason is sent again until it is
//! answered or patience ends, so only requests that are safe to repeat belong here. A refusal is reported in the
//! gateway's own words.

use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Error, Target};
use kana_queue::backoff::{Backoff, Bounds};

/// Time that a connection may take to open: a lost packet or two on a slow network.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Time that one request may take: the wait that it asks the gateway for, and as much again for a slow upload.
const REQUEST_MAX: Duration = Duration::from_secs(60);

/// Waits between attempts where the gateway names none: a restarted gateway is found within the longest.
const RETRY_BACKOFF: Bounds = Bounds { first: Duration::from_millis(100), longest: Duration::from_secs(5) };

/// A gateway that requests can be sent to.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    client: Client,
    server: Url,
}

/// A response with its whole body.
pub(super) struct Response {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body.
    pub body: Vec<u8>,
    /// Number of the attempt that was answered, from 1. Earlier attempts may have arrived or not.
    pub attempt: u32,
    /// Time that the gateway asks the client to wait before another attempt.
    retry_after: Option<Duration>,
}

impl Connection {
    /// Creates a connection to `target` and does not open it yet.
    ///
    /// # Errors
    /// [`Error::Address`], and [`Error::Tls`] where this machine has no certificate authorities for `https://`.
    pub fn to(target: &Target) -> Result<Self, Error> {
        let wrong = || Error::Address { server: target.server.clone() };
        // A path of its own keeps its last part only before a slash.
        let server = Url::parse(&format!("{}/", target.server.trim_end_matches('/'))).map_err(|_| wrong())?;
        if !matches!(server.scheme(), "http" | "https") || !server.has_host() {
            return Err(wrong());
        }
        let mut headers = HeaderMap::new();
        if let Some(token) = &target.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| wrong())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = trusting(server.scheme())
            .default_headers(headers)
            .connect_timeout(CONNECT_MAX)
            .timeout(REQUEST_MAX)
            .redirect(reqwest::redirect::Policy::none())
            // Only the command line reads the environment, and a proxy named there does not reach a loopback address.
            .no_proxy()
            .build()
            .map_err(|source| Error::Tls { server: target.server.clone(), source: source.into() })?;
        Ok(Self { client, server })
    }

    /// Creates a request for `path`, which must not begin with a slash.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.server.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(&format!("{}{path}", self.server.path()));
        url.set_query(query);
        self.client.request(method, url)
    }

    /// Sends a request again and again until it is answered; `build` makes it anew for each attempt.
    ///
    /// # Errors
    /// [`Error::Unreachable`] where `patience` ends before there is a response that is not temporary.
    pub async fn send(
        &self,
        action: &str,
        patience: Duration,
        build: impl Fn(&Self) -> RequestBuilder,
    ) -> Result<Response, Error> {
        let start = Instant::now();
        let mut backoff = Backoff::new(RETRY_BACKOFF);
        loop {
            let (retry_after, source) = match once(build(self)).await {
                Ok(response) if is_temporary(response.status) => {
                    (response.retry_after, refusal(action, &response).into())
                }
                Ok(response) => return Ok(Response { attempt: backoff.failures() + 1, ..response }),
                Err(source) => (None, source.into()),
            };
            let wait = record_failure(retry_after, &mut backoff);
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                let action = format!("{action} at {}", self.server);
                return Err(Error::Unreachable { action, waited: patience, source });
            }
            // A wait beyond our patience is cut to one last attempt at its end: the gateway may have guessed too long.
            let wait = wait.min(left);
            let attempt = backoff.failures() + 1;
            tracing::debug!("could not {action}, attempt {attempt} follows in {} ms", wait.as_millis());
            tokio::time::sleep(wait).await;
        }
    }
}

/// Begins a client that trusts the certificate authorities of this machine, and none for a scheme without TLS: they may
/// be missing, as in a container with nothing but kana.
fn trusting(scheme: &str) -> ClientBuilder {
    // The client asks for a provider even where all is plain HTTP. It is installed once a process; a second installation
    // is refused, and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match scheme {
        "http" => Client::builder().tls_certs_only([]),
        _ => Client::builder(),
    }
}

/// Sends a request once and reads all of its response.
pub(super) async fn once(request: RequestBuilder) -> reqwest::Result<Response> {
    let response = request.send().await?;
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    let body = response.bytes().await?.to_vec();
    Ok(Response { status, body, attempt: 1, retry_after })
}

/// Whether the same request may succeed later: a full queue (429) or disk (507), or a server beyond the gateway that
/// does not answer (502, 503, 504; a proxy says the same of the gateway).
fn is_temporary(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504 | 507)
}

/// Counts a failed attempt, and returns the wait before the next one: the gateway's own, where it names one.
fn record_failure(retry_after: Option<Duration>, backoff: &mut Backoff) -> Duration {
    let wait = backoff.fail();
    retry_after.unwrap_or(wait)
}

impl Response {
    /// Parses the body as JSON.
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

/// Problem document (RFC 9457), reduced to the properties that are shown.
#[derive(Deserialize)]
struct Problem {
    detail: Option<String>,
    title: Option<String>,
}

/// Turns a response into a refusal, in the gateway's own words where the body has any.
pub(super) fn refusal(action: &str, response: &Response) -> Error {
    let problem = serde_json::from_slice::<Problem>(&response.body).ok();
    let words = problem.and_then(|problem| problem.detail.or(problem.title));
    let detail = words.or_else(|| response.status.canonical_reason().map(str::to_owned)).unwrap_or_default();
    Error::Refused { action: action.into(), status: response.status.as_u16(), detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_the_gateway_asks_for_is_obeyed_and_counts_as_an_attempt() {
        let mut backoff = Backoff::new(RETRY_BACKOFF);

        let asked = record_failure(Some(Duration::from_secs(7)), &mut backoff);

        assert_eq!(asked, Duration::from_secs(7));
        assert_eq!(backoff.failures(), 1);
    }

    #[test]
    fn without_such_a_wait_the_backoff_decides() {
        let mut backoff = Backoff::new(RETRY_BACKOFF);

        assert!((0..100).all(|_| record_failure(None, &mut backoff) <= RETRY_BACKOFF.longest));
    }

    #[test]
    fn only_a_status_that_may_pass_is_tried_again() {
        let again = |status: &u16| is_temporary(StatusCode::from_u16(*status).unwrap());

        assert!([429, 502, 503, 504, 507].iter().all(again));
        assert!(![200, 202, 400, 401, 404, 413, 422, 500].iter().any(again));
    }
}
