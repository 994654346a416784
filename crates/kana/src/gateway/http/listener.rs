//! How are connections taken in, and let go?
//!
//! One task a connection, a bound on their number, a deadline on everything that a client may keep it waiting with.
//! When the end begins, connections that are idle are closed, and those with a request are closed behind its answer.

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

use crate::gateway::http::socket::Socket;
use crate::gateway::routes;
use crate::gateway::state::App;
use crate::shutdown::Shutdown;

/// How long a request may go on waiting for its jobs once the end has begun; then it is told where they stand. Most jobs
/// take less, and their senders see nothing of the end.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// How long requests may take to finish after that; then their connections are cut.
const FINISH_MAX: Duration = Duration::from_secs(3);

/// How long to wait when no connection can be accepted, as when all file descriptors are in use.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Requests that one HTTP/2 connection may have open at once.
const STREAMS_MAX: u32 = 128;

/// File descriptors kept for everything that is no connection: the queue's files, pipes to pods, the page.
const DESCRIPTORS_KEPT: u64 = 128;

/// Serves until `shutdown` begins and running requests have finished.
pub async fn serve(listener: TcpListener, app: &Arc<App>, shutdown: &Shutdown) {
    let service = routes::service(app);
    let builder = builder(app);
    let room = Arc::new(Semaphore::new(connections_max(app)));
    let graceful = GracefulShutdown::new();
    let cut = CancellationToken::new();
    let ended = drained(app, shutdown);
    tokio::pin!(ended);
    loop {
        let (stream, permit) = tokio::select! {
            () = &mut ended => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let limits = app.config.limits;
        let socket = TokioIo::new(Socket::new(stream, limits.head_time_max, limits.stall_max));
        let connection = builder.serve_connection(socket, TowerToHyperService::new(service.clone())).into_owned();
        let (connection, cut, app) = (graceful.watch(connection), cut.clone(), app.clone());
        shutdown.spawn(async move {
            app.metrics.connections.inc();
            tokio::select! {
                () = cut.cancelled() => {}
                served = connection => if let Err(error) = served {
                    debug!(error = %error, "a connection broke off");
                }
            }
            app.metrics.connections.dec();
            drop(permit);
        });
    }
    drop(listener);
    app.closing.cancel();
    let finished = graceful.shutdown();
    tokio::pin!(finished);
    if tokio::time::timeout(WAIT_MAX, &mut finished).await.is_err() {
        app.ending.cancel();
        if tokio::time::timeout(FINISH_MAX, finished).await.is_err() {
            warn!("cut off requests that did not finish in time");
        }
    }
    app.ending.cancel();
    cut.cancel();
}

/// Waits until the end has begun and load balancers have had time to notice.
async fn drained(app: &App, shutdown: &Shutdown) {
    shutdown.begun().await;
    app.draining.store(true, std::sync::atomic::Ordering::Relaxed);
    if !app.config.drain_delay.is_zero() {
        info!("no longer ready; serving on for {:?}", app.config.drain_delay);
        tokio::time::sleep(app.config.drain_delay).await;
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, Option<tokio::sync::OwnedSemaphorePermit>) {
    // The semaphore is never closed, so there always is a permit.
    let permit = room.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small and complete: waiting to fill a packet would only make them late.
                if let Err(error) = stream.set_nodelay(true) {
                    debug!(error = %error, "could not turn off packet filling");
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

fn builder(app: &App) -> Builder<TokioExecutor> {
    let limits = &app.config.limits;
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

/// As many connections as asked for, where this process may have that many files open.
fn connections_max(app: &App) -> usize {
    let wanted = app.config.limits.connections_max;
    let mut limit = getrlimit(Resource::Nofile);
    let enough = wanted as u64 + DESCRIPTORS_KEPT;
    if limit.current.is_some_and(|current| current < enough) {
        let raised = limit.maximum.map_or(enough, |maximum| maximum.min(enough));
        let before = limit.current.replace(raised);
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            debug!(error = %error, "could not raise the number of open files");
            limit.current = before;
        }
    }
    let room = limit.current.map_or(u64::MAX, |current| current.saturating_sub(DESCRIPTORS_KEPT).max(1));
    wanted.min(usize::try_from(room).unwrap_or(usize::MAX))
}
