//! How are connections accepted and closed?
//!
//! Each connection has a task. The number of connections is bounded (`connections` says which one makes room), and
//! everything that a client can make its task wait for has a deadline. When the shutdown begins, idle connections are
//! closed, and the others after their response.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::connections::{Admission, Connection, Connections, Refusal, Room};
use super::exchange::{self, Exchange, Slices};
use super::peer::Peer;
use super::socket::Socket;
use super::streams::{Executor, Streams};
use crate::gateway::config::Limits;
use crate::gateway::metrics::{Metrics, Turn};
use crate::gateway::routes;
use crate::gateway::state::AppState;
use crate::shutdown::Shutdown;

/// Time that a request may keep waiting for its jobs after the shutdown begins; then it is answered with their current
/// states. Most jobs take less, so their clients do not notice the shutdown.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Pause after a failed accept, as when all file descriptors are in use.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Longest head of a request, in bytes: four times what browsers and proxies send. hyper buffers no more of a body either.
const HEAD_BYTES_MAX: usize = 32 << 10;

/// Concurrent requests on one HTTP/2 connection, at most: as many as a page and a proxy need.
const STREAMS_PER_CONNECTION_MAX: u32 = 32;

/// Concurrent HTTP/2 requests on all connections, at most. Each takes some 4 kB, and up to 16 kB for its head.
const STREAMS_MAX: usize = 2_048;

/// Bytes of a request's body that an HTTP/2 connection may send before the gateway has read them: the smallest window of
/// RFC 9113, section 6.9.2, because every connection may fill it.
const WINDOW_BYTES: u32 = 65_535;

/// Bytes of a response that HTTP/2 takes from it before the client does.
const SEND_BUFFER_BYTES: usize = 64 << 10;

/// Responses that are being sent may take this much memory together, in bytes: some hundred batches of 1,024 jobs.
const RESPONSE_BYTES_MAX: usize = 32 << 20;

/// Time that the request of a connection that is refused has to begin: a round trip to the other side of the earth.
const REQUEST_WAIT: Duration = Duration::from_millis(250);

/// Connections that were refused and are not closed yet, at most: what they send is discarded for half a second. Any
/// further ones are answered and closed at once.
pub const PARTING_MAX: usize = 256;

/// Answer to a connection that is not let in because of all others.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Answer to a connection that is not let in because of others of its address.
const CLIENT_FULL: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A listener, with what it needs for each connection.
pub struct Server {
    listener: TcpListener,
    service: Router,
    connections: Connections,
    streams: Streams,
    memory: exchange::Memory,
    parting: Arc<Semaphore>,
    limits: Limits,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
}

impl Server {
    /// Creates a server of `service`, with room for so many connections.
    pub fn new(listener: TcpListener, service: Router, room: Room, state: &AppState, shutdown: &Shutdown) -> Self {
        let limits = state.config.limits;
        Self {
            listener,
            service,
            connections: Connections::new(room),
            streams: Streams::new(STREAMS_MAX, limits.stall_max, shutdown.clone()),
            memory: exchange::Memory::new(RESPONSE_BYTES_MAX),
            parting: Arc::new(Semaphore::new(PARTING_MAX)),
            limits,
            metrics: state.metrics.clone(),
            shutdown: shutdown.clone(),
        }
    }

    /// Accepts connections until `end`. Returns how to wait for those that are open.
    pub async fn accept(&self, end: impl Future<Output = ()>, cut: &CancellationToken) -> GracefulShutdown {
        let graceful = GracefulShutdown::new();
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return graceful,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, address)) => match self.connections.admit(Peer::of(address), Instant::now()) {
                        Ok(admission) => self.serve(stream, admission, &graceful, cut),
                        Err(refusal) => self.refuse(stream, refusal),
                    },
                    Err(error) => {
                        warn!(error = %error, "could not accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }

    /// Serves a connection in a task of its own.
    fn serve(&self, stream: TcpStream, admission: Admission, graceful: &GracefulShutdown, cut: &CancellationToken) {
        // Responses are small and complete: waiting to fill a packet would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(error = %error, "could not turn off Nagle's algorithm");
        }
        if admission.has_evicted {
            self.metrics.record_turned_away(Turn::Evicted);
        }
        let (connection, executor) = (admission.connection, self.streams.executor());
        let front = Front {
            service: TowerToHyperService::new(self.service.clone()),
            connection: connection.clone(),
            executor: executor.clone(),
            memory: self.memory.clone(),
        };
        let socket = TokioIo::new(Socket::new(stream, self.limits.head_time_max, self.limits.stall_max));
        let served = graceful.watch(builder(executor, &self.limits).serve_connection(socket, front).into_owned());
        let (cut, metrics) = (cut.clone(), self.metrics.clone());
        self.shutdown.spawn(async move {
            metrics.connections.inc();
            tokio::select! {
                () = cut.cancelled() => {}
                () = connection.evicted() => debug!("closed a connection for another one"),
                served = served => if let Err(error) = served {
                    debug!(error = %error, "a connection broke off");
                }
            }
            metrics.connections.dec();
        });
    }

    /// Answers a connection that is not let in: after its request has begun to arrive, because clients take an answer to
    /// nothing for an error; and closes it so that the rest of the request does not reset the answer.
    fn refuse(&self, stream: TcpStream, refusal: Refusal) {
        let (answer, turn) = match refusal {
            Refusal::Full => (FULL, Turn::Full),
            Refusal::ClientFull => (CLIENT_FULL, Turn::ClientFull),
        };
        self.metrics.record_turned_away(turn);
        let Ok(parting) = self.parting.clone().try_acquire_owned() else {
            // Most clients read this even so.
            drop(stream.try_write(answer));
            return;
        };
        let limits = self.limits;
        self.shutdown.spawn(async move {
            // Whether or not something has come.
            drop(tokio::time::timeout(REQUEST_WAIT, stream.peek(&mut [0])).await);
            let mut socket = Socket::new(stream, limits.head_time_max, limits.stall_max);
            let answered = socket.write_all(answer).await;
            if let Err(error) = answered.and(socket.shutdown().await) {
                debug!(error = %error, "could not answer a connection that was refused");
            }
            drop(parting);
        });
    }
}

/// Serves the gateway until `shutdown` begins and running requests have finished.
pub async fn serve(listener: TcpListener, state: &AppState, shutdown: &Shutdown) {
    let limits = state.config.limits;
    let room = Room { connections_max: limits.connections_max, per_client_max: limits.connections_per_client_max };
    let server = Server::new(listener, routes::service(state), room, state, shutdown);
    let cut = CancellationToken::new();
    let graceful = server.accept(drained(state, shutdown), &cut).await;
    drop(server);
    state.drain.closing.cancel();
    let finished = graceful.shutdown();
    tokio::pin!(finished);
    if tokio::time::timeout(WAIT_MAX.min(limits.finish_max), &mut finished).await.is_err() {
        state.drain.waiting.cancel();
        if tokio::time::timeout(limits.finish_max.saturating_sub(WAIT_MAX), finished).await.is_err() {
            warn!("cut off requests that did not finish within {:?}", limits.finish_max);
        }
    }
    state.drain.waiting.cancel();
    state.drain.ending.cancel();
    cut.cancel();
}

/// Waits until the shutdown has begun and load balancers have had time to notice.
async fn drained(state: &AppState, shutdown: &Shutdown) {
    shutdown.begun().await;
    state.drain.unready.cancel();
    let delay = state.config.drain_delay;
    if !delay.is_zero() {
        info!("no longer ready; serving for another {delay:?}");
        tokio::time::sleep(delay).await;
    }
}

/// Service of one connection: begins an exchange for each request.
#[derive(Clone)]
struct Front {
    service: TowerToHyperService<Router>,
    connection: Arc<Connection>,
    executor: Executor,
    memory: exchange::Memory,
}

impl hyper::service::Service<Request<Incoming>> for Front {
    type Response = Response<Slices>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Slices>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let exchange = Exchange::begin(&self.connection);
        self.executor.announce(&exchange);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(exchange.clone());
        request.extensions_mut().insert(self.connection.peer());
        let (answer, memory) = (self.service.call(request), self.memory.clone());
        Box::pin(async move { Ok(exchange.respond(answer.await?, &memory)) })
    }
}

fn builder(executor: Executor, limits: &Limits) -> Builder<Executor> {
    let mut builder = Builder::new(executor);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.head_time_max).max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32 / 2)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(limits.head_time_max)
        .keep_alive_timeout(limits.head_time_max);
    builder
}
