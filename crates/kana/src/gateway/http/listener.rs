//! How are connections accepted and closed?
//!
//! Each connection has a task. The number of connections is bounded, and everything that a client can make its task
//! wait for has a deadline. When the shutdown begins, idle connections are closed, and the others after their response.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::peer::Peer;
use super::socket::Socket;
use crate::gateway::config::Limits;
use crate::gateway::routes;
use crate::gateway::state::AppState;
use crate::shutdown::Shutdown;

/// Time that a request may keep waiting for its jobs after the shutdown begins; then it is answered with their current
/// states. Most jobs take less, so their clients do not notice the shutdown.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Time that requests may take to finish after [`WAIT_MAX`]; then their connections are cut.
const FINISH_MAX: Duration = Duration::from_secs(3);

/// Pause after a failed accept, as when all file descriptors are in use.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Largest number of concurrent requests on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;

/// Number of file descriptors reserved for everything but connections: the queue's files, pipes to pods, the page.
const DESCRIPTORS_RESERVED: u64 = 128;

/// Serves until `shutdown` begins and running requests have finished.
pub async fn serve(listener: TcpListener, state: &AppState, shutdown: &Shutdown) {
    let service = routes::service(state);
    let limits = state.config.limits;
    let builder = builder(&limits);
    let permits = Arc::new(Semaphore::new(raise_file_limit(&limits)));
    let graceful = GracefulShutdown::new();
    let cut = CancellationToken::new();
    let drained = drained(state, shutdown);
    tokio::pin!(drained);
    loop {
        let (stream, permit) = tokio::select! {
            () = &mut drained => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let peer = Peer::of(&stream);
        let socket = TokioIo::new(Socket::new(stream, limits.head_time_max, limits.stall_max));
        let service = TowerToHyperService::new(peer.identify(service.clone()));
        let connection = builder.serve_connection(socket, service).into_owned();
        let (connection, cut, metrics) = (graceful.watch(connection), cut.clone(), state.metrics.clone());
        shutdown.spawn(async move {
            metrics.connections.inc();
            tokio::select! {
                () = cut.cancelled() => {}
                served = connection => if let Err(error) = served {
                    debug!(error = %error, "a connection broke off");
                }
            }
            metrics.connections.dec();
            drop(permit);
        });
    }
    drop(listener);
    state.drain.closing.cancel();
    let finished = graceful.shutdown();
    tokio::pin!(finished);
    if tokio::time::timeout(WAIT_MAX, &mut finished).await.is_err() {
        state.drain.ending.cancel();
        if tokio::time::timeout(FINISH_MAX, finished).await.is_err() {
            warn!("cut off requests that did not finish in time");
        }
    }
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

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> (TcpStream, Option<tokio::sync::OwnedSemaphorePermit>) {
    // The semaphore is never closed, so there always is a permit.
    let permit = permits.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Responses are small and complete: waiting to fill a packet would only delay them.
                if let Err(error) = stream.set_nodelay(true) {
                    debug!(error = %error, "could not turn off Nagle's algorithm");
                }
                return (stream, permit);
            }
            Err(error) => {
                warn!(error = %error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time_max)
        .max_buf_size(HEAD_BYTES_MAX)
        .pipeline_flush(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .keep_alive_interval(limits.head_time_max)
        .keep_alive_timeout(limits.head_time_max);
    builder
}

/// Raises this process's limit on open files as far as the configured connections need. Returns the largest number of
/// connections that fit.
fn raise_file_limit(limits: &Limits) -> usize {
    let wanted = limits.connections_max;
    let mut limit = getrlimit(Resource::Nofile);
    let enough = wanted as u64 + DESCRIPTORS_RESERVED;
    if limit.current.is_some_and(|current| current < enough) {
        let raised = limit.maximum.map_or(enough, |maximum| maximum.min(enough));
        let before = limit.current.replace(raised);
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            debug!(error = %error, "could not raise the number of open files");
            limit.current = before;
        }
    }
    let room = limit.current.map_or(u64::MAX, |current| current.saturating_sub(DESCRIPTORS_RESERVED).max(1));
    wanted.min(usize::try_from(room).unwrap_or(usize::MAX))
}
