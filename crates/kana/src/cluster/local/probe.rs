//! Does a child process still make progress?
//!
//! Its `/livez` is requested every [`PROBE_EVERY`]. A single failed probe is normal on a busy machine, so a child
//! counts as unhealthy only after [`FAILURES_MAX`] failures in a row.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Time that a healthy worker may take to answer on a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Time between two probes.
const PROBE_EVERY: Duration = Duration::from_secs(2);

/// Failed probes in a row after which a child is unhealthy.
const FAILURES_MAX: u32 = 3;

/// Waits until the worker whose health is served at `address` is unhealthy.
pub async fn until_unhealthy(address: SocketAddr) {
    let mut failures = 0;
    while failures < FAILURES_MAX {
        tokio::time::sleep(PROBE_EVERY).await;
        failures = if is_alive(address).await { 0 } else { failures + 1 };
    }
}

/// Whether the worker whose health is served at `address` responds with 200 in time.
async fn is_alive(address: SocketAddr) -> bool {
    // One request of a fixed form to one known server: a client library would add more than it saves.
    let probe = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET /livez HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut status = [0; "HTTP/1.1 200".len()];
        stream.read_exact(&mut status).await?;
        Ok::<_, std::io::Error>(status.ends_with(b" 200"))
    };
    matches!(tokio::time::timeout(ANSWER_MAX, probe).await, Ok(Ok(true)))
}
