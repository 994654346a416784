//! Does the gateway wait for the client of a request, and for how long has it?
//!
//! An exchange is a request with its response. Its body is read in pieces, and the response is lent to the connection in
//! slices, which come back when the client has taken them. So the exchange knows at any time whether it waits for its
//! client, and its memory counts as used until the last slice is back. hyper alone does not know: an HTTP/2 stream whose
//! window stays closed keeps its response for ever.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use futures::task::AtomicWaker;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use super::connections::Connection;
use super::problem::Problem;

/// Longest slice of a response, in bytes: a frame of HTTP/2, and what a client with 1.6 kB a second takes in ten seconds.
const SLICE_BYTES: usize = 16 << 10;

/// Time between two looks at a stream that waits for its client.
const LOOK: Duration = Duration::from_secs(1);

/// Mark of a response whose bytes all requests share, so that it takes no memory of its own.
#[derive(Clone, Copy)]
pub struct Shared;

/// Memory that responses may take together.
#[derive(Clone)]
pub struct Memory(Arc<Semaphore>);

impl Memory {
    /// Creates a memory of `bytes`, at most 4 GiB.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(u32::MAX as usize))))
    }

    fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        self.0.clone().try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
    }
}

/// A request that has begun, until its response is taken.
pub struct Exchange {
    connection: Arc<Connection>,
    sending: Mutex<Sending>,
    returned: AtomicWaker,
}

/// Slices that are with the connection.
struct Sending {
    lent: usize,
    /// When the client last took one, or the first of them was lent.
    moved: Instant,
    /// Memory of the response.
    memory: Option<OwnedSemaphorePermit>,
}

impl Exchange {
    /// Begins a request on a connection.
    pub fn begin(connection: &Arc<Connection>) -> Arc<Self> {
        connection.begin(Instant::now().into_std());
        let sending = Sending { lent: 0, moved: Instant::now(), memory: None };
        Arc::new(Self { connection: connection.clone(), sending: Mutex::new(sending), returned: AtomicWaker::new() })
    }

    /// Waits for the client: while the returned guard lives, the connection may be closed for another one.
    pub fn receive(&self) -> Receiving<'_> {
        self.connection.pause();
        Receiving(&self.connection)
    }

    /// Makes the response of this request, whose body is lent in slices. Answers 503 where there is no memory for it.
    pub fn respond(self: &Arc<Self>, response: Response, memory: &Memory) -> Response<Slices> {
        let bytes = response.body().size_hint().exact().unwrap_or(0);
        let response = match response.extensions().get::<Shared>() {
            None if bytes > 0 => match memory.take(bytes) {
                Some(permit) => {
                    self.sending.lock().memory = Some(permit);
                    response
                }
                None => Problem::unavailable("too many responses wait for clients that do not read").into_response(),
            },
            _ => response,
        };
        let exchange = self.clone();
        response.map(|body| Slices { body, rest: Bytes::new(), is_over: false, exchange })
    }

    /// Waits until the client has taken nothing for `patience()`, which is asked anew at each look.
    pub async fn stalled(&self, patience: impl Fn() -> Duration) {
        loop {
            let (lent, moved) = self.moved();
            let now = Instant::now();
            let next = match lent {
                0 => patience(),
                _ if now.duration_since(moved) >= patience() => return,
                _ => LOOK.min(patience()),
            };
            sleep_until(now + next).await;
        }
    }

    fn moved(&self) -> (usize, Instant) {
        let sending = self.sending.lock();
        (sending.lent, sending.moved)
    }

    fn lend(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        let mut sending = self.sending.lock();
        if sending.lent == 0 {
            sending.moved = Instant::now();
            self.connection.pause();
        }
        sending.lent += 1;
        Bytes::from_owner(Slice { bytes, exchange: self.clone() })
    }

    fn take_back(&self) {
        let mut sending = self.sending.lock();
        sending.lent -= 1;
        sending.moved = Instant::now();
        if sending.lent == 0 {
            self.connection.resume();
        }
        drop(sending);
        self.returned.wake();
    }

    fn poll_returned(&self, cx: &Context<'_>) -> Poll<()> {
        self.returned.register(cx.waker());
        if self.sending.lock().lent == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.connection.end(Instant::now().into_std());
    }
}

/// Guard of an exchange that waits for the next piece of its body.
pub struct Receiving<'a>(&'a Connection);

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        self.0.resume();
    }
}

/// A part of a response that is with the connection.
struct Slice {
    bytes: Bytes,
    exchange: Arc<Exchange>,
}

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Slice {
    fn drop(&mut self) {
        self.exchange.take_back();
    }
}

/// Body of a response, in slices. It ends when the client has taken the last one.
pub struct Slices {
    body: Body,
    rest: Bytes,
    is_over: bool,
    exchange: Arc<Exchange>,
}

impl HttpBody for Slices {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        while self.rest.is_empty() && !self.is_over {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.is_over = true,
            }
        }
        if self.rest.is_empty() {
            return self.exchange.poll_returned(cx).map(|()| None);
        }
        let length = self.rest.len().min(SLICE_BYTES);
        let slice = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(self.exchange.lend(slice)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream() && self.exchange.sending.lock().lent == 0
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, mut hint) = (self.rest.len() as u64, self.body.size_hint());
        match hint.exact() {
            Some(bytes) => hint.set_exact(bytes + rest),
            None => hint.set_lower(hint.lower() + rest),
        }
        hint
    }
}
