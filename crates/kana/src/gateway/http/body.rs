//! How much may a client send, and how slowly?
//!
//! Every byte of a body passes through a [`Meter`]. A body whose declared length is too long is refused before a byte
//! is read, and a body that turns out to be too long, or that pauses for too long, is cut off. The bytes that all
//! requests together hold are counted. Where a further piece does not fit, the body that has cost the most is cut off:
//! the one with the largest product of bytes held and time since its beginning. So a few slow uploads cannot keep
//! everybody else out.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use futures::{Stream, StreamExt as _};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::exchange::Exchange;
use super::problem::Problem;
use crate::gateway::config::Limits;

/// Time that a piece of a body waits for memory after another body was cut off for it: its handler has to notice.
const ROOM_WAIT: Duration = Duration::from_secs(2);

/// Time that the sender of a body that was cut off is asked to wait, in seconds.
const CUT_RETRY_SECONDS: u32 = 5;

/// Reader of request bodies within their limits.
#[derive(Clone)]
pub struct Bodies {
    buffers: Arc<Buffers>,
    limits: Limits,
}

impl Bodies {
    /// Creates a reader of bodies that holds no bytes yet.
    pub fn new(limits: Limits) -> Self {
        let buffers = Buffers { max: limits.buffered_bytes_max, held: Mutex::default(), freed: Notify::new() };
        Self { buffers: Arc::new(buffers), limits }
    }

    /// Creates the meter for the body of a request, of at most `max` bytes.
    ///
    /// # Errors
    /// 413 where the declared length is longer.
    pub fn meter<B>(&self, request: &axum::http::Request<B>, max: usize) -> Result<Arc<Meter>, Problem> {
        let headers: &HeaderMap = request.headers();
        let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > max as u64) {
            return Err(Problem::too_large(BodyError::TooLarge { max }.to_string()));
        }
        let (buffers, limits) = (self.buffers.clone(), self.limits);
        let exchange = request.extensions().get::<Arc<Exchange>>().cloned();
        let (id, cut) = buffers.enter();
        Ok(Arc::new(Meter { buffers, limits, exchange, id, cut, error: OnceLock::new(), max }))
    }

    /// Reads a whole body of at most `max` bytes. The bytes count as held until the returned meter is dropped.
    ///
    /// # Errors
    /// 400, 408, 413, 429, 503.
    pub async fn read(&self, request: Request, max: usize) -> Result<(Bytes, Arc<Meter>), Problem> {
        let meter = self.meter(&request, max)?;
        let body = meter.metered(request.into_body());
        let read = axum::body::to_bytes(body, max).await;
        let bytes = read.map_err(|_| meter.problem(|| Problem::bad_request("the body could not be read")))?;
        meter.complete();
        Ok((bytes, meter))
    }
}

/// The bytes that all bodies hold, with their limit.
struct Buffers {
    max: usize,
    held: Mutex<Held>,
    freed: Notify,
}

#[derive(Default)]
struct Held {
    total: usize,
    latest: u64,
    bodies: HashMap<u64, Holder>,
}

/// A body that holds bytes.
struct Holder {
    bytes: usize,
    begun: Instant,
    cut: CancellationToken,
    /// Whether all of it has arrived, so that it is not cut off any more.
    is_complete: bool,
}

impl Buffers {
    fn enter(&self) -> (u64, CancellationToken) {
        let (mut held, cut) = (self.held.lock(), CancellationToken::new());
        held.latest += 1;
        let id = held.latest;
        held.bodies.insert(id, Holder { bytes: 0, begun: Instant::now(), cut: cut.clone(), is_complete: false });
        (id, cut)
    }

    /// Counts `bytes` as held by the body `id` if they fit; otherwise cuts off the body that has cost the most.
    fn try_hold(&self, id: u64, bytes: usize, max: usize) -> Result<bool, BodyError> {
        let mut held = self.held.lock();
        let (total, now) = (held.total, Instant::now());
        let Some(own) = held.bodies.get_mut(&id) else { return Err(BodyError::Broken) };
        if own.bytes.saturating_add(bytes) > max {
            return Err(BodyError::TooLarge { max });
        }
        if total + bytes <= self.max {
            own.bytes += bytes;
            held.total += bytes;
            return Ok(true);
        }
        let cost = |holder: &Holder| (holder.bytes as u128) * now.duration_since(holder.begun).as_millis();
        let cuttable = held.bodies.values().filter(|holder| !holder.is_complete && holder.bytes > 0);
        // Where there is none, everything that is held is being decoded, which takes a moment.
        if let Some(dearest) = cuttable.max_by_key(|holder| cost(holder)) {
            dearest.cut.cancel();
        }
        Ok(false)
    }

    /// Counts `bytes` as held by the body `id` as soon as they fit.
    async fn hold(&self, id: u64, bytes: usize, max: usize) -> Result<(), BodyError> {
        let fits = async {
            loop {
                let freed = self.freed.notified();
                tokio::pin!(freed);
                freed.as_mut().enable();
                if self.try_hold(id, bytes, max)? {
                    return Ok(());
                }
                freed.await;
            }
        };
        tokio::time::timeout(ROOM_WAIT, fits).await.unwrap_or(Err(BodyError::Crowded))
    }

    fn complete(&self, id: u64) {
        if let Some(holder) = self.held.lock().bodies.get_mut(&id) {
            holder.is_complete = true;
        }
    }

    fn leave(&self, id: u64) {
        let mut held = self.held.lock();
        let bytes = held.bodies.remove(&id).map_or(0, |holder| holder.bytes);
        held.total -= bytes;
        drop(held);
        self.freed.notify_waiters();
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
    #[error(
        "there is no memory left for uploads, and this one has held the most for longest: send fewer bytes at once, or faster"
    )]
    Cut,
    #[error("there is no memory left for uploads")]
    Crowded,
}

/// Meter of one request's body. The bytes that it has counted are freed when it is dropped.
pub struct Meter {
    buffers: Arc<Buffers>,
    limits: Limits,
    exchange: Option<Arc<Exchange>>,
    id: u64,
    cut: CancellationToken,
    error: OnceLock<BodyError>,
    max: usize,
}

impl Meter {
    /// Wraps a body so that its bytes are counted and its time is limited.
    pub fn metered(self: &Arc<Self>, body: Body) -> Body {
        Body::from_stream(chunks(self.clone(), body))
    }

    /// Records that the whole body has arrived.
    pub fn complete(&self) {
        self.buffers.complete(self.id);
    }

    /// Returns the problem that ended the body; the result of `otherwise` if it was not the meter that ended it.
    pub fn problem(&self, otherwise: impl FnOnce() -> Problem) -> Problem {
        let Some(error) = self.error.get() else { return otherwise() };
        match error {
            BodyError::TooLarge { .. } => Problem::too_large(error.to_string()),
            BodyError::TooSlow => Problem::new(StatusCode::REQUEST_TIMEOUT, error.to_string()),
            BodyError::Broken => Problem::bad_request(error.to_string()),
            BodyError::Cut => Problem::busy(error.to_string(), CUT_RETRY_SECONDS),
            BodyError::Crowded => Problem::unavailable(error.to_string()),
        }
    }

    /// Waits for the next piece of a body, which the client sends in its own time.
    async fn next(
        &self,
        body: &mut (impl Stream<Item = Result<Bytes, axum::Error>> + Unpin),
    ) -> Option<Result<Bytes, BodyError>> {
        let _receiving = self.exchange.as_ref().map(|exchange| exchange.receive());
        tokio::select! {
            biased;
            () = self.cut.cancelled() => Some(Err(BodyError::Cut)),
            piece = body.next() => piece.map(|piece| piece.map_err(|_| BodyError::Broken)),
        }
    }

    /// Counts a piece of the body as held.
    async fn hold(&self, bytes: usize) -> Result<(), BodyError> {
        tokio::select! {
            biased;
            () = self.cut.cancelled() => Err(BodyError::Cut),
            held = self.buffers.hold(self.id, bytes, self.max) => held,
        }
    }

    fn fail(&self, error: BodyError) -> BodyError {
        self.error.get_or_init(|| error).clone()
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.buffers.leave(self.id);
    }
}

fn chunks(meter: Arc<Meter>, body: Body) -> impl Stream<Item = Result<Bytes, BodyError>> + Send {
    let deadline = Instant::now() + meter.limits.body_time_max;
    let body = Some(body.into_data_stream());
    futures::stream::unfold((meter, body), move |(meter, body)| async move {
        let mut body = body?;
        let due = deadline.min(Instant::now() + meter.limits.body_pause_max);
        let error = match tokio::time::timeout_at(due, meter.next(&mut body)).await {
            Ok(Some(Ok(chunk))) => match meter.hold(chunk.len()).await {
                Ok(()) => return Some((Ok(chunk), (meter, Some(body)))),
                Err(error) => error,
            },
            Ok(Some(Err(error))) => error,
            Ok(None) => return None,
            Err(_) => BodyError::TooSlow,
        };
        Some((Err(meter.fail(error)), (meter, None)))
    })
}
