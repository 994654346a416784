//! What happens to a client that sends nothing, reads nothing, or is refused while it sends?
//!
//! hyper limits the time of a request's head. Three cases are left: a connection that never sends enough to distinguish
//! HTTP/1 from HTTP/2, a client that does not read its response, and a client that is still sending when it is refused,
//! which would lose the response if the connection were reset.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// Length of the HTTP/2 preface in bytes (RFC 9113), which distinguishes HTTP/2 from HTTP/1.
const PREFACE_BYTES: usize = 24;

/// Time that a closed connection is still read, so that bytes in transit do not reset it.
const LINGER: Duration = Duration::from_millis(500);

/// Number of bytes discarded per read while lingering.
const LINGER_BYTES: usize = 16 << 10;

/// A client's connection.
pub struct Socket {
    stream: TcpStream,
    stall_max: Duration,
    /// Number of bytes of the preface that have arrived.
    preface: usize,
    /// The deadline of the whole preface.
    preface_due: Pin<Box<Sleep>>,
    /// The deadline by which the client must read some of the response.
    stalled: Option<Pin<Box<Sleep>>>,
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    /// Wraps a connection whose client must send something within `head_time_max`, and read something within
    /// `stall_max`.
    pub fn new(stream: TcpStream, head_time_max: Duration, stall_max: Duration) -> Self {
        Self {
            stream,
            stall_max,
            preface: 0,
            preface_due: Box::pin(sleep_until(Instant::now() + head_time_max)),
            stalled: None,
            lingering: None,
        }
    }

    /// Fails a pending write when the client has read nothing for `stall_max`.
    fn timed<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stall_max = self.stall_max;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(stall_max)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if self.preface < PREFACE_BYTES {
            self.preface += buf.filled().len() - before;
            if read.is_pending() {
                return self.preface_due.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.timed(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.timed(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Closes the sending side, and then discards what the client sends for [`LINGER`].
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            match Pin::new(&mut self.stream).poll_shutdown(cx) {
                Poll::Ready(Ok(())) => self.lingering = Some(Box::pin(sleep(LINGER))),
                other => return other,
            }
        }
        let mut chunk = [0u8; LINGER_BYTES];
        loop {
            let mut buf = ReadBuf::new(&mut chunk);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => break,
            }
        }
        match &mut self.lingering {
            Some(lingering) => lingering.as_mut().poll(cx).map(Ok),
            None => Poll::Ready(Ok(())),
        }
    }
}
