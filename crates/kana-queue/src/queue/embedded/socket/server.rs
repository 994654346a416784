//! Who makes the calls of other processes?
//!
//! One task accepts connections, one reads each, and every call is a task of its own, because many wait. Answers that are
//! ready together leave together.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tracing::{debug, warn};

use crate::queue::{Error, Queue};

use super::address;
use super::wire::{self, Failure, Hello, Request, Response, VERSION};

/// Pause after a connection could not be accepted, as when there are too many open files.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Answers that may wait to be sent to one peer.
const ANSWERS_MAX: usize = 1_024;

/// Serves a queue to other processes until it is dropped.
pub struct Server {
    accepting: JoinHandle<()>,
    socket: PathBuf,
}

impl Server {
    /// Listens on the socket of the queue at `path`, which this process holds.
    pub fn start(path: &Path, queue: Arc<dyn Queue>, lease: Duration) -> io::Result<Self> {
        let listen = |place: &Path| {
            // Only the holder is here, so that whatever is there was left by one that is gone.
            match fs::remove_file(place) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(place)?;
            fs::set_permissions(place, fs::Permissions::from_mode(0o600))?;
            Ok(listener)
        };
        let beside = address::beside(path);
        let (listener, socket) = match listen(&beside) {
            Ok(listener) => (listener, beside),
            Err(error) => {
                let elsewhere = address::elsewhere(path)?;
                debug!(%error, "no socket can be in the queue's folder: it is at {}", elsewhere.display());
                (listen(&elsewhere)?, elsewhere)
            }
        };
        let hello = Hello { version: VERSION, lease };
        #[expect(clippy::disallowed_methods, reason = "ends when the server is dropped")]
        let accepting = tokio::spawn(accept(listener, queue, hello));
        Ok(Self { accepting, socket })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        // What stays is removed by the next holder.
        drop(fs::remove_file(&self.socket));
    }
}

async fn accept(listener: UnixListener, queue: Arc<dyn Queue>, hello: Hello) {
    let user = rustix::process::getuid().as_raw();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) if stream.peer_cred().is_ok_and(|peer| peer.uid() == user) => {
                connections.spawn(serve(stream, queue.clone(), hello));
            }
            Ok(_) => warn!("refused a process of another user at the queue's socket"),
            Err(error) => {
                warn!(%error, "could not accept a connection to the queue's socket");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

/// Makes one peer's calls until it is gone.
async fn serve(stream: UnixStream, queue: Arc<dyn Queue>, hello: Hello) {
    let (from, to) = stream.into_split();
    let (answers, ready) = mpsc::channel(ANSWERS_MAX);
    let mut calls = JoinSet::new();
    let mut handles: HashMap<u64, AbortHandle> = HashMap::new();
    let reading = async {
        let mut from = BufReader::new(from);
        loop {
            let (call, request) = match wire::read::<Request>(&mut from).await {
                Ok(Some(message)) => message,
                Ok(None) => return,
                Err(error) => return warn!(%error, "a process at the queue's socket said what cannot be read"),
            };
            while calls.try_join_next().is_some() {}
            handles.retain(|_, handle| !handle.is_finished());
            if let Request::Drop = request {
                if let Some(handle) = handles.remove(&call) {
                    handle.abort();
                }
                continue;
            }
            let (queue, answers) = (queue.clone(), answers.clone());
            let handle = calls.spawn(async move {
                let response = respond(&*queue, request, hello).await;
                let response = response.unwrap_or_else(|error| Response::Failed(Failure::from(error)));
                // A peer that is gone needs no answer.
                drop(answers.send(wire::frame(call, &response)).await);
            });
            handles.insert(call, handle);
        }
    };
    tokio::select! {
        () = reading => {}
        sent = send(ready, to) => {
            if let Err(error) = sent {
                debug!(%error, "a process at the queue's socket is gone");
            }
        }
    }
}

/// Sends what is ready, all at once.
async fn send(mut ready: mpsc::Receiver<Vec<u8>>, mut to: OwnedWriteHalf) -> io::Result<()> {
    while let Some(mut frames) = ready.recv().await {
        while let Ok(next) = ready.try_recv() {
            frames.extend(next);
        }
        to.write_all(&frames).await?;
    }
    Ok(())
}

async fn respond(queue: &dyn Queue, request: Request, hello: Hello) -> Result<Response, Error> {
    Ok(match request {
        Request::Hello(_) | Request::Drop => Response::Hello(hello),
        Request::Submit(submission) => Response::Submit(queue.submit(submission).await?),
        Request::Claim { worker, limit, wait } => Response::Claim(queue.claim(&worker, limit, wait).await?),
        Request::Extend(leases) => Response::Holds(queue.extend(&leases).await?),
        Request::Release(leases) => Response::Holds(queue.release(&leases).await?),
        Request::Settle(settlements) => Response::Settle(queue.settle(settlements).await?),
        Request::Reclaim { worker, cause } => Response::Reclaim(queue.reclaim(&worker, cause).await?),
        Request::Sweep => {
            queue.sweep().await?;
            Response::Sweep
        }
        Request::Statuses(jobs) => Response::Statuses(queue.statuses(&jobs).await?),
        Request::Batch(batch) => Response::Batch(queue.batch(batch).await?),
        Request::Lost(jobs) => Response::Lost(queue.lost(&jobs).await?),
        Request::Runs { before, limit } => Response::Runs(queue.runs(before, limit).await?),
        Request::Image(job) => Response::Image(queue.image(job).await?),
        Request::Cancel(job) => Response::Cancel(queue.cancel(job).await?),
        Request::Depth => Response::Depth(queue.depth().await?),
        Request::Latest => Response::Latest(queue.latest().await?),
        Request::Changes { after, wait } => Response::Changes(queue.changes(after, wait).await?),
        Request::Dead { limit } => Response::Dead(queue.dead(limit).await?),
        Request::Replay(job) => Response::Flag(queue.replay(job).await?),
        Request::Discard(job) => Response::Flag(queue.discard(job).await?),
    })
}
