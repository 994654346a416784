//! How does a test break the network between a client and a server?
//!
//! A [`Proxy`] in front of the server cuts, stalls, delays, discards and resets on demand, also in the middle of an
//! answer. It has a thread of its own, so that it works whatever the test's own tasks wait for.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, Runtime};
use tokio::sync::watch;
use tokio::time::Instant;

/// First port tried: below the ports that the kernel assigns by itself, so that no other process takes the port of a
/// proxy that was cut.
const PORTS: std::ops::Range<u16> = 2_000..12_000;

/// Number of ports tried until one is free.
const TRIES_MAX: usize = 50;

/// Bytes forwarded at once: more than any request or answer of these tests.
const CHUNK: usize = 256 * 1024;

/// Direction of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
}

/// State of the network, for every connection.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    is_cut: bool,
    is_stalled: bool,
    swallowed: Option<Way>,
    /// Whether the server does not learn that a client has closed its connection.
    are_ends_held: bool,
    /// Number of times that every client was reset.
    client_resets: usize,
    /// Delay of all bytes, in both directions.
    latency: Duration,
}

/// A reset that waits for its moment.
#[derive(Clone, Copy, Debug)]
struct Trap {
    /// Bytes in the request whose answer is cut off; empty for any request.
    word: &'static str,
    /// Number of bytes of the answer that still arrive.
    after: usize,
}

/// Resets at moments that follow from a seed.
struct Dice {
    random: StdRng,
    /// Average number of requests and answers between two resets.
    mean: u32,
}

#[derive(Default)]
struct Plans {
    trap: Option<Trap>,
    dice: Option<Dice>,
    resets: usize,
    connections: usize,
}

/// A TCP proxy on a port of the loopback. Dropping it closes its connections.
pub struct Proxy {
    port: u16,
    weather: watch::Sender<Weather>,
    plans: Arc<Mutex<Plans>>,
    runtime: Option<Runtime>,
}

impl Proxy {
    /// Starts a proxy that forwards to `port` of the loopback.
    pub fn before(port: u16) -> Self {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let (weather, plans) = (watch::Sender::new(Weather::default()), Arc::new(Mutex::default()));
        let bind = |_| std::net::TcpListener::bind(("127.0.0.1", rand::rng().random_range(PORTS))).ok();
        let listener = (0..TRIES_MAX).find_map(bind).expect("a free port");
        let own = listener.local_addr().expect("an address").port();
        let listener = {
            let _at_hand = runtime.enter();
            listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener)).expect("a listener")
        };
        let gate = Gate { own, port, weather: weather.subscribe(), plans: Arc::clone(&plans) };
        runtime.spawn(gate.stand(listener));
        Self { port: own, weather, plans, runtime: Some(runtime) }
    }

    /// Returns the value of `--queue` for a Redis without a password that this proxy forwards to.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the number of connections accepted so far.
    pub fn connections(&self) -> usize {
        self.plans().connections
    }

    /// Returns the number of connections reset so far.
    pub fn resets(&self) -> usize {
        self.plans().resets
    }

    /// Closes every connection and refuses new ones.
    pub fn cut(&self) {
        self.weather.send_modify(|weather| weather.is_cut = true);
    }

    /// Accepts connections and holds back all bytes, in both directions, until [`Proxy::heal`].
    pub fn stall(&self) {
        self.weather.send_modify(|weather| weather.is_stalled = true);
    }

    /// Discards the bytes of one direction. A connection that lost bytes is reset by [`Proxy::heal`].
    pub fn half_open(&self, swallowed: Way) {
        self.weather.send_modify(|weather| weather.swallowed = Some(swallowed));
    }

    /// Keeps connections open to the server that clients close, until [`Proxy::heal`].
    pub fn hold_ends(&self) {
        self.weather.send_modify(|weather| weather.are_ends_held = true);
    }

    /// Resets every connection to a client, and keeps those to the server open until [`Proxy::heal`].
    pub fn reset_clients(&self) {
        self.weather.send_modify(|weather| {
            weather.are_ends_held = true;
            weather.client_resets += 1;
        });
    }

    /// Delays all bytes, in both directions.
    pub fn latency(&self, latency: Duration) {
        self.weather.send_modify(|weather| weather.latency = latency);
    }

    /// Resets one connection after this number of bytes of the next answer.
    pub fn reset_mid_reply(&self, after: usize) {
        self.lose_reply_to("", after);
    }

    /// Resets one connection in the answer to the next request that contains `word`.
    pub fn lose_reply_to(&self, word: &'static str, after: usize) {
        self.plans().trap = Some(Trap { word, after });
    }

    /// Resets connections in the middle of requests and answers from now on, one in `mean` of them.
    pub fn reset_at_random(&self, seed: u64, mean: u32) {
        self.plans().dice = Some(Dice { random: StdRng::seed_from_u64(seed), mean });
    }

    /// Ends every disturbance: bytes are forwarded at once.
    pub fn heal(&self) {
        let mut plans = self.plans();
        (plans.trap, plans.dice) = (None, None);
        let healed = |weather: &Weather| Weather { client_resets: weather.client_resets, ..Weather::default() };
        self.weather.send_modify(|weather| *weather = healed(weather));
    }

    fn plans(&self) -> MutexGuard<'_, Plans> {
        self.plans.lock()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may be dropped inside of another runtime, where nobody may wait.
        self.runtime.take().expect("a runtime until now").shutdown_background();
    }
}

/// Accepts connections.
struct Gate {
    own: u16,
    port: u16,
    weather: watch::Receiver<Weather>,
    plans: Arc<Mutex<Plans>>,
}

impl Gate {
    async fn stand(mut self, listener: TcpListener) {
        let mut open = Some(listener);
        loop {
            if self.weather.wait_for(|weather| !weather.is_cut).await.is_err() {
                return;
            }
            let listener = match open.take() {
                Some(listener) => listener,
                None => match TcpListener::bind(("127.0.0.1", self.own)).await {
                    Ok(listener) => listener,
                    Err(_) => {
                        tokio::task::yield_now().await;
                        continue;
                    }
                },
            };
            loop {
                let mut weather = self.weather.clone();
                tokio::select! {
                    _ = weather.wait_for(|weather| weather.is_cut) => break,
                    Ok((client, _)) = listener.accept() => {
                        self.plans.lock().connections += 1;
                        tokio::spawn(Connection::serve(client, self.port, self.weather.clone(), self.plans.clone()));
                    }
                }
            }
        }
    }
}

/// Connection of one client, and that to the server.
struct Connection {
    weather: watch::Receiver<Weather>,
    plans: Arc<Mutex<Plans>>,
    /// Number of bytes of the next answer that still arrive before a reset.
    doom: Mutex<Option<usize>>,
    /// Whether bytes were discarded, which leaves the connection useless.
    has_gap: watch::Sender<bool>,
}

impl Connection {
    async fn serve(
        mut client: TcpStream,
        port: u16,
        weather: watch::Receiver<Weather>,
        plans: Arc<Mutex<Plans>>,
    ) -> io::Result<()> {
        let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let connection = Self { weather, plans, doom: Mutex::default(), has_gap: watch::Sender::new(false) };
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let is_over = tokio::select! {
            ended = async {
                tokio::try_join!(
                    connection.carry(Way::ToServer, from_client, to_server),
                    connection.carry(Way::ToClient, from_server, to_client),
                )
            } => ended.is_ok(),
            () = connection.is_broken() => false,
        };
        if !is_over {
            client.set_zero_linger()?;
            drop(client);
            drop(connection.weather().wait_for(|weather| !weather.are_ends_held).await);
        }
        Ok(())
    }

    /// Forwards one direction until the sender ends; an error is a reset.
    async fn carry(&self, way: Way, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = from.read(&mut buffer).await?;
            if read == 0 {
                let mut weather = self.weather();
                drop(weather.wait_for(|weather| way == Way::ToClient || !weather.are_ends_held).await);
                return to.shutdown().await;
            }
            let arrived = Instant::now();
            let chunk = &buffer[..read];
            let weather = *self.weather().wait_for(|weather| !weather.is_stalled).await.map_err(io::Error::other)?;
            tokio::time::sleep_until(arrived + weather.latency).await;
            if weather.swallowed == Some(way) || *self.has_gap.borrow() {
                self.has_gap.send_replace(true);
                continue;
            }
            let spared = self.spared(way, chunk);
            to.write_all(&chunk[..spared.unwrap_or(read)]).await?;
            if spared.is_some() {
                to.flush().await?;
                return Err(io::ErrorKind::ConnectionReset.into());
            }
        }
    }

    /// Returns how many of these bytes still arrive, where the connection is to be reset in the middle of them.
    fn spared(&self, way: Way, chunk: &[u8]) -> Option<usize> {
        let mut plans = self.plans.lock();
        let mut doom = self.doom.lock();
        let says = |word: &str| word.is_empty() || chunk.windows(word.len()).any(|some| some == word.as_bytes());
        let spared = match way {
            Way::ToServer => {
                if let Some(trap) = plans.trap.take_if(|trap| says(trap.word)) {
                    *doom = Some(trap.after);
                }
                None
            }
            Way::ToClient => doom.take(),
        };
        let spared = spared.or_else(|| {
            let Dice { random, mean } = plans.dice.as_mut()?;
            (random.random_range(0..*mean) == 0).then(|| random.random_range(0..chunk.len()))
        });
        plans.resets += usize::from(spared.is_some());
        spared.map(|spared| spared.min(chunk.len()))
    }

    /// Waits until the connection is cut or its client reset, or until it turns out that bytes of it are missing.
    async fn is_broken(&self) {
        let (mut cut, mut healed, mut has_gap) = (self.weather(), self.weather(), self.has_gap.subscribe());
        let found_out = async {
            let _ = has_gap.wait_for(|has_gap| *has_gap).await;
            let _ = healed.wait_for(|weather| weather.swallowed.is_none()).await;
        };
        let resets = cut.borrow().client_resets;
        tokio::select! {
            _ = cut.wait_for(|weather| weather.is_cut || weather.client_resets != resets) => {}
            () = found_out => {}
        }
    }

    fn weather(&self) -> watch::Receiver<Weather> {
        self.weather.clone()
    }
}
