//! How does the gateway listen, and how much may a client ask of it?

use std::net::SocketAddr;
use std::time::Duration;

use super::Tokens;

/// How the gateway listens.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who may do what. Without any token, everybody may do everything.
    pub tokens: Tokens,
    /// Listens on an address that other machines can reach although there are no tokens.
    pub insecure: bool,
    /// How long requests are served as before, though no longer ready, once the end has begun: time for load balancers
    /// to notice.
    pub drain_delay: Duration,
    /// What a client may ask of the gateway.
    pub limits: Limits,
}

impl Config {
    /// Listens on `listen` with no tokens and the default limits.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tokens: Tokens::default(),
            insecure: false,
            drain_delay: Duration::ZERO,
            limits: Limits::default(),
        }
    }
}

/// What a client may ask of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once; later ones wait until one closes.
    pub connections_max: usize,
    /// Event streams open at once.
    pub streams_max: usize,
    /// How long a request's head may take, and an idle connection may stay open.
    pub head_time_max: Duration,
    /// How long a body may pause.
    pub body_pause_max: Duration,
    /// How long a body may take as a whole.
    pub body_time_max: Duration,
    /// How long a client may read nothing of a response that is being sent.
    pub stall_max: Duration,
    /// Bytes of one request's body.
    pub request_bytes_max: usize,
    /// Bytes of one image file.
    pub file_bytes_max: usize,
    /// Files in one request.
    pub files_max: usize,
    /// Bytes of all bodies that are held at once.
    pub buffered_bytes_max: usize,
    /// How long a request may wait for its jobs.
    pub wait_max: Duration,
    /// Events kept: a stream that falls further behind is ended, and one that broke off can be resumed across as many.
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
