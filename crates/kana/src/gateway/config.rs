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
    /// Whether to listen without tokens on an address that other machines can reach.
    pub insecure: bool,
    /// Time that requests are still accepted after the shutdown begins and `/readyz` fails, so that load balancers
    /// notice.
    pub drain_delay: Duration,
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
            insecure: false,
            drain_delay: Duration::ZERO,
            limits: Limits::default(),
        }
    }
}

/// Limits on what a client may request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest number of open connections; a further one waits until another closes.
    pub connections_max: usize,
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
    /// Longest time that a request may wait for its jobs.
    pub wait_max: Duration,
    /// Number of events kept: a stream that lags by more is ended, and a stream that broke off can be resumed if it
    /// missed no more.
    pub events_kept: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // 64 KiB of buffer each make 256 MiB at worst.
            connections_max: 4_096,
            // Each is woken at every event; a page opens one.
            streams_max: 256,
            // Twice what a slow mobile network needs for a head of some hundred bytes, with a lost packet in it.
            head_time_max: Duration::from_secs(30),
            body_pause_max: Duration::from_secs(10),
            // The largest request in two minutes is 0.5 MB a second.
            body_time_max: Duration::from_secs(120),
            stall_max: Duration::from_secs(30),
            request_bytes_max: 64 << 20,
            // 25 megapixels of raw RGB would be 75 MB, but files of that size are compressed: a camera's are 10 MB.
            file_bytes_max: 32 << 20,
            // A folder's worth; more go in several requests.
            files_max: 1_024,
            // Four of the largest requests at once.
            buffered_bytes_max: 256 << 20,
            // Proxies in between give up no later.
            wait_max: Duration::from_secs(5 * 60),
            // Ten seconds at 400 jobs a second; some 2 MB.
            events_kept: 4_096,
        }
    }
}
