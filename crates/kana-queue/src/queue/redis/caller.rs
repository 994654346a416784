//! What becomes of a read of jobs whose caller is gone?
//!
//! The read is not dropped. Redis takes a moment to notice that a connection is closed, and until then gives the next
//! job to whoever waited on it: to nobody, after what nobody has was released. So the wait is ended, by Redis where
//! this user may ask for that, and otherwise by itself within a second. Then it is known what to release.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::sleep;

use super::connection::Connection;

/// Time between two attempts to end a wait: one that comes before Redis has begun to wait ends nothing.
const UNBLOCK_AGAIN: Duration = Duration::from_millis(20);

/// A connection as its server knows it.
#[derive(Clone)]
pub struct Client {
    /// The run of the server, whose numbers mean nothing to another.
    pub run: Arc<str>,
    /// Its number.
    pub id: u64,
}

/// Whether somebody still waits for a claim, and where Redis keeps it waiting.
#[derive(Default)]
pub struct Caller {
    is_gone: AtomicBool,
    blocked: Mutex<Option<Client>>,
}

impl Caller {
    /// Whether nobody waits any more: nothing more is to be read for this caller.
    pub fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Relaxed)
    }

    /// Records on which connection the claim waits from now on; `None` where it waits on none.
    pub fn record_wait(&self, client: Option<Client>) {
        *self.blocked.lock() = client;
    }

    /// Finishes what was begun for a caller that is gone, and ends its wait.
    pub async fn finish<T>(&self, connection: &Connection, claiming: impl Future<Output = T>) -> T {
        self.is_gone.store(true, Ordering::Relaxed);
        let mut claiming = pin!(claiming);
        loop {
            let unblock = async {
                let blocked = self.blocked.lock().clone();
                if let Some(client) = blocked {
                    connection.unblock(&client).await;
                }
                sleep(UNBLOCK_AGAIN).await;
            };
            tokio::select! {
                biased;
                claimed = &mut claiming => return claimed,
                () = unblock => {}
            }
        }
    }
}
