//! How much may a client send, and how slowly?
//!
//! Every byte of a body passes through a [`Meter`]. It refuses a body that says it is too long before a byte is read,
//! cuts off one that turns out to be, does not wait for one that pauses, and counts what all requests together hold, so
//! that many large bodies at once are refused instead of filling the memory.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use futures::{Stream, StreamExt as _};
use tokio::time::Instant;

use crate::gateway::config::Limits;
use crate::gateway::http::problem::Problem;
use crate::gateway::state::App;

/// The bytes that all bodies together may hold.
pub struct Buffers {
    used: AtomicUsize,
    max: usize,
}

impl Buffers {
    /// Room for `max` bytes.
    pub fn new(max: usize) -> Self {
        Self { used: AtomicUsize::new(0), max }
    }

    fn take(&self, bytes: usize) -> bool {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.max);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }
}

/// Why a body was not read to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("the body is longer than {max} bytes")]
    TooLarge { max: usize },
    #[error("the body paused for too long, or took too long as a whole")]
    TooSlow,
    #[error("the body broke off")]
    Broken,
    #[error("too many large requests are being read at once")]
    Crowded,
}

/// One request's use of the buffers; gives its bytes back when dropped.
pub struct Meter {
    buffers: Arc<Buffers>,
    held: AtomicUsize,
    fault: OnceLock<Fault>,
    max: usize,
}

impl Meter {
    /// A meter for a body of at most `max` bytes.
    ///
    /// # Errors
    /// 413 where the body says that it is longer.
    pub fn new(app: &App, headers: &HeaderMap, max: usize) -> Result<Arc<Self>, Problem> {
        let says = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if says.is_some_and(|length| length > max as u64) {
            return Err(Problem::too_large(Fault::TooLarge { max }.to_string()));
        }
        Ok(Arc::new(Self { buffers: app.buffers.clone(), held: AtomicUsize::new(0), fault: OnceLock::new(), max }))
    }

    /// The same body, metered.
    pub fn metered(self: &Arc<Self>, body: Body, limits: &Limits) -> Body {
        Body::from_stream(chunks(self.clone(), body, *limits))
    }

    /// What to answer where the body could not be read; `otherwise` where that was not the meter's doing.
    pub fn problem(&self, otherwise: impl FnOnce() -> Problem) -> Problem {
        let Some(fault) = self.fault.get() else { return otherwise() };
        match fault {
            Fault::TooLarge { .. } => Problem::too_large(fault.to_string()),
            Fault::TooSlow => Problem::new(axum::http::StatusCode::REQUEST_TIMEOUT, fault.to_string()),
            Fault::Broken => Problem::bad_request(fault.to_string()),
            Fault::Crowded => Problem::unavailable(fault.to_string()),
        }
    }

    fn take(&self, bytes: usize) -> Result<(), Fault> {
        if self.held.load(Ordering::Relaxed).saturating_add(bytes) > self.max {
            return Err(Fault::TooLarge { max: self.max });
        }
        if !self.buffers.take(bytes) {
            return Err(Fault::Crowded);
        }
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn fail(&self, fault: Fault) -> Fault {
        self.fault.get_or_init(|| fault).clone()
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.buffers.used.fetch_sub(*self.held.get_mut(), Ordering::Relaxed);
    }
}

fn chunks(meter: Arc<Meter>, body: Body, limits: Limits) -> impl Stream<Item = Result<Bytes, Fault>> + Send {
    let deadline = Instant::now() + limits.body_time_max;
    let body = Some(body.into_data_stream());
    futures::stream::unfold((meter, body), move |(meter, body)| async move {
        let mut body = body?;
        let patience = deadline.min(Instant::now() + limits.body_pause_max);
        let fault = match tokio::time::timeout_at(patience, body.next()).await {
            Ok(Some(Ok(chunk))) => match meter.take(chunk.len()) {
                Ok(()) => return Some((Ok(chunk), (meter, Some(body)))),
                Err(fault) => fault,
            },
            Ok(Some(Err(_))) => Fault::Broken,
            Ok(None) => return None,
            Err(_) => Fault::TooSlow,
        };
        Some((Err(meter.fail(fault)), (meter, None)))
    })
}

/// Reads a whole body of at most `max` bytes. The meter keeps them counted until it is dropped.
///
/// # Errors
/// 400, 408, 413, 503.
pub async fn whole(app: &App, request: axum::extract::Request, max: usize) -> Result<(Bytes, Arc<Meter>), Problem> {
    let meter = Meter::new(app, request.headers(), max)?;
    let body = meter.metered(request.into_body(), &app.config.limits);
    let read = axum::body::to_bytes(body, max).await;
    let bytes = read.map_err(|_| meter.problem(|| Problem::bad_request("the body could not be read")))?;
    Ok((bytes, meter))
}
