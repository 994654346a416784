//! How much may a client send, and how slowly?
//!
//! Every byte of a body passes through a [`Meter`]. A body whose declared length is too long is refused before a byte
//! is read, and a body that turns out to be too long, or that pauses for too long, is cut off. The bytes that all
//! requests together hold are counted, so that many large bodies at once are refused instead of filling the memory.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use futures::{Stream, StreamExt as _};
use tokio::time::Instant;

use super::problem::Problem;
use crate::gateway::config::Limits;

/// Reader of request bodies within their limits.
#[derive(Clone)]
pub struct Bodies {
    buffers: Arc<Buffers>,
    limits: Limits,
}

impl Bodies {
    /// Creates a reader of bodies that holds no bytes yet.
    pub fn new(limits: Limits) -> Self {
        Self { buffers: Arc::new(Buffers { used: AtomicUsize::new(0), max: limits.buffered_bytes_max }), limits }
    }

    /// Creates the meter for a body of at most `max` bytes.
    ///
    /// # Errors
    /// 413 where the declared length is longer.
    pub fn meter(&self, headers: &HeaderMap, max: usize) -> Result<Arc<Meter>, Problem> {
        let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > max as u64) {
            return Err(Problem::too_large(BodyError::TooLarge { max }.to_string()));
        }
        let (buffers, limits) = (self.buffers.clone(), self.limits);
        Ok(Arc::new(Meter { buffers, limits, held: AtomicUsize::new(0), error: OnceLock::new(), max }))
    }

    /// Reads a whole body of at most `max` bytes. The bytes count as held until the returned meter is dropped.
    ///
    /// # Errors
    /// 400, 408, 413, 503.
    pub async fn read(&self, request: Request, max: usize) -> Result<(Bytes, Arc<Meter>), Problem> {
        let meter = self.meter(request.headers(), max)?;
        let body = meter.metered(request.into_body());
        let read = axum::body::to_bytes(body, max).await;
        let bytes = read.map_err(|_| meter.problem(|| Problem::bad_request("the body could not be read")))?;
        Ok((bytes, meter))
    }
}

/// Number of bytes that all bodies together hold, with its limit.
struct Buffers {
    used: AtomicUsize,
    max: usize,
}

impl Buffers {
    /// Counts `bytes` as held if they fit.
    ///
    /// # Errors
    /// [`BodyError::Crowded`] if they do not fit.
    fn try_hold(&self, bytes: usize) -> Result<(), BodyError> {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.max);
        let held = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        held.map(|_| ()).map_err(|_| BodyError::Crowded)
    }
}

/// Reason why a body was not read to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum BodyError {
    #[error("the body is longer than {max} bytes")]
    TooLarge { max: usize },
    #[error("the body paused for too long, or took too long as a whole")]
    TooSlow,
    #[error("the body broke off")]
    Broken,
    #[error("too many large requests are being read at once")]
    Crowded,
}

/// Meter of one request's body. The bytes that it has counted are freed when it is dropped.
pub struct Meter {
    buffers: Arc<Buffers>,
    limits: Limits,
    held: AtomicUsize,
    error: OnceLock<BodyError>,
    max: usize,
}

impl Meter {
    /// Wraps a body so that its bytes are counted and its time is limited.
    pub fn metered(self: &Arc<Self>, body: Body) -> Body {
        Body::from_stream(chunks(self.clone(), body))
    }

    /// Returns the problem that ended the body; the result of `otherwise` if it was not the meter that ended it.
    pub fn problem(&self, otherwise: impl FnOnce() -> Problem) -> Problem {
        let Some(error) = self.error.get() else { return otherwise() };
        match error {
            BodyError::TooLarge { .. } => Problem::too_large(error.to_string()),
            BodyError::TooSlow => Problem::new(StatusCode::REQUEST_TIMEOUT, error.to_string()),
            BodyError::Broken => Problem::bad_request(error.to_string()),
            BodyError::Crowded => Problem::unavailable(error.to_string()),
        }
    }

    fn hold(&self, bytes: usize) -> Result<(), BodyError> {
        if self.held.load(Ordering::Relaxed).saturating_add(bytes) > self.max {
            return Err(BodyError::TooLarge { max: self.max });
        }
        self.buffers.try_hold(bytes)?;
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn fail(&self, error: BodyError) -> BodyError {
        self.error.get_or_init(|| error).clone()
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.buffers.used.fetch_sub(*self.held.get_mut(), Ordering::Relaxed);
    }
}

fn chunks(meter: Arc<Meter>, body: Body) -> impl Stream<Item = Result<Bytes, BodyError>> + Send {
    let deadline = Instant::now() + meter.limits.body_time_max;
    let body = Some(body.into_data_stream());
    futures::stream::unfold((meter, body), move |(meter, body)| async move {
        let mut body = body?;
        let due = deadline.min(Instant::now() + meter.limits.body_pause_max);
        let error = match tokio::time::timeout_at(due, body.next()).await {
            Ok(Some(Ok(chunk))) => match meter.hold(chunk.len()) {
                Ok(()) => return Some((Ok(chunk), (meter, Some(body)))),
                Err(error) => error,
            },
            Ok(Some(Err(_))) => BodyError::Broken,
            Ok(None) => return None,
            Err(_) => BodyError::TooSlow,
        };
        Some((Err(meter.fail(error)), (meter, None)))
    })
}
