//! Is a child still making progress?

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a healthy worker may take to answer on a machine that is busy with everything else.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// How often a child's health is asked after.
const PROBE_EVERY: Duration = Duration::from_secs(2);

/// Unhealthy answers in a row that a child is allowed.
const PROBES_MAX: u32 = 3;

/// Waits until the worker whose health is served at `address` has ailed for too long.
pub async fn until_ailing(address: SocketAddr) {
    let mut failures = 0;
    while failures < PROBES_MAX {
        tokio::time::sleep(PROBE_EVERY).await;
        failures = if is_alive(address).await { 0 } else { failures + 1 };
    }
}

/// Whether the worker whose health is served at `address` says that it is alive. Silence counts as no.
async fn is_alive(address: SocketAddr) -> bool {
    // One request of a fixed form to one known server: a client library would add more than it saves.
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET /livez HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut status = [0; "HTTP/1.1 200".len()];
        stream.read_exact(&mut status).await?;
        Ok::<_, std::io::Error>(status.ends_with(b" 200"))
    };
    matches!(tokio::time::timeout(ANSWER_MAX, ask).await, Ok(Ok(true)))
}
