//! Where does the gateway listen, and which limits do its clients have?

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::http::host::Host;
use super::http::tokens::Tokens;

/// Configuration of the gateway.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on; port 0 takes a free port.
    pub listen: SocketAddr,
    /// Tokens and their scopes. Without any token, everybody may do everything.
    pub tokens: Tokens,
    /// File that the tokens were read from, whose changes take effect while the gateway runs.
    pub tokens_file: Option<PathBuf>,
    /// Names under which clients reach the gateway besides its own addresses, such as that of a proxy in front of it.
    pub allowed_hosts: Vec<Host>,
    /// Largest number of images that one token may submit a second; without tokens, one client address.
    pub rate_limit: Option<f64>,
    /// Whether to refuse pictures that show nothing.
    pub reject_blank: bool,
    /// Whether to listen without tokens on an address that other machines can reach.
    pub insecure: bool,
    /// Time that requests are still accepted after the shutdown begins and `/readyz` fails, so that load balancers
    /// notice.
    pub drain_delay: Duration,
    /// Address of a second port for `/livez`, `/readyz` and `/metrics` alone; port 0 takes a free port.
    pub health_listen: Option<SocketAddr>,
    /// Limits on what a client may request.
    pub limits: Limits,
}

impl Config {
    /// Creates a configuration that listens on `listen`, with no tokens and the default limits.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tokens: Tokens::default(),
            tokens_file: None,
            allowed_hosts: Vec::new(),
            rate_limit: None,
            reject_blank: false,
            insecure: false,
            drain_delay: Duration::ZERO,
            health_listen: None,
            limits: Limits::default(),
        }
    }
}

/// Limits on what a client may request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest number of open connections. A further one takes the place of the one whose client has kept the gateway
    /// waiting for longest, and is refused where there is none.
    pub connections_max: usize,
    /// Largest number of open connections from one address.
    pub connections_per_client_max: usize,
    /// Largest number of open event streams.
    pub streams_max: usize,
    /// Time that the head of a request may take, and that a connection may stay idle.
    pub head_time_max: Duration,
    /// Longest pause between two parts of a body.
    pub body_pause_max: Duration,
    /// Time that a body may take as a whole.
    pub body_time_max: Duration,
    /// Time that a client may read nothing while a response is sent to it.
    pub stall_max: Duration,
    /// Longest body of a request, in bytes.
    pub request_bytes_max: usize,
    /// Largest image file, in bytes.
    pub file_bytes_max: usize,
    /// Largest number of files in one request.
    pub files_max: usize,
    /// Largest sum of all bodies held at once, in bytes.
    pub buffered_bytes_max: usize,
    /// Largest sum of what decoders allocate at once, in bytes.
    pub decode_bytes_max: usize,
    /// Longest time that a request may wait for its jobs.
    pub wait_max: Duration,
    /// Time that running requests may take to finish after the shutdown begins; then their connections are cut.
    pub finish_max: Duration,
    /// Number of events kept: a stream that lags by more is ended, and a stream that broke off can be resumed if it
    /// missed no more.
    pub events_kept: usize,
}

/// Memory of a gateway apart from what its limits allow, in bytes: 48 MiB for the program, its model and what allocators
/// keep; 32 MiB for responses; 32 MiB for 2,048 HTTP/2 streams.
const MEMORY_BASE: usize = 112 << 20;

/// Memory of a connection, in bytes: a head of 32 KiB being read and a response being written; or a window of HTTP/2.
const CONNECTION_BYTES: usize = 64 << 10;

impl Limits {
    /// Returns the memory that a gateway with these limits takes at most, in bytes, whatever its clients send.
    pub fn memory_bound(&self) -> usize {
        let connections = self.connections_max.saturating_mul(CONNECTION_BYTES);
        [self.buffered_bytes_max, self.decode_bytes_max, connections]
            .into_iter()
            .fold(MEMORY_BASE, usize::saturating_add)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // 64 KiB of buffers each make 64 MiB at worst.
            connections_max: 1_024,
            // Half: a proxy has one address for all of its clients.
            connections_per_client_max: 512,
            // Each is woken at every event; a page opens one.
            streams_max: 256,
            // Longer than the minute for which load balancers keep an idle connection: where the gateway closes first,
            // it may do so while a request is under way, which the balancer then answers with 502.
            head_time_max: Duration::from_secs(75),
            body_pause_max: Duration::from_secs(10),
            // The largest request in two minutes is 0.5 MB a second.
            body_time_max: Duration::from_secs(120),
            stall_max: Duration::from_secs(30),
            request_bytes_max: 64 << 20,
            // 25 megapixels of raw RGB would be 75 MB, but files of that size are compressed: a camera's are 10 MB.
            file_bytes_max: 32 << 20,
            // A folder's worth; more go in several requests.
            files_max: 1_024,
            // The largest request, and half as much for all others beside it.
            buffered_bytes_max: 96 << 20,
            // The largest picture, and 16 MiB for small ones beside it.
            decode_bytes_max: 240 << 20,
            // Proxies in between give up no later.
            wait_max: Duration::from_secs(5 * 60),
            // Kubernetes allows 30 s in all, of which some pass before.
            finish_max: Duration::from_secs(5),
            // Ten seconds at 400 jobs a second; some 2 MB.
            events_kept: 4_096,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_keep_a_gateway_below_half_a_gibibyte() {
        assert_eq!(Limits::default().memory_bound() >> 20, 512);
    }
}
