//! How does a test run, stop and kill a Redis server of its own?

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

use kana_queue::clock::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use rand::RngExt;
use rustix::process::Signal;

use super::process::{send, spawn_bound};
use super::resp::{self, Address};
use super::shim;
use super::time::ServerClock;
use super::tls;

/// Below the ports that the kernel hands out by itself, so that no client sits on the port of a server that is away.
/// The port above each is for TLS, or for the other members of a cluster.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// Ports tried until one is free.
const TRIES_MAX: usize = 50;

/// What the server says once it has loaded its data and answers.
const READY: &str = "Ready to accept connections";

/// Where it says how much of its log the disk was asked to keep.
const SYNCED: &str = "synced";

/// How a server differs from one that keeps nothing and asks nobody who they are.
#[derive(Default)]
pub struct Options {
    /// `appendfsync`, where the server keeps what it has on disk: `always` or `everysec`.
    pub append: Option<&'static str>,
    pub password: Option<&'static str>,
    /// Bytes; it refuses to write beyond them, and evicts nothing.
    pub memory_max: Option<u64>,
    /// Its clock stands still from here on, until it is set.
    pub clock: Option<Timestamp>,
    /// Listens for TLS, too, with certificates of its own.
    pub tls: bool,
    /// May lose its power: [`RedisServer::cut_power`].
    pub on_mains: bool,
}

/// What a server's disk keeps of its log.
pub struct Synced {
    /// When the server asked the disk, the time before the last.
    pub asked_before: SystemTime,
    /// When it asked, the last time that the disk has answered.
    pub asked: SystemTime,
    /// Bytes of the log, of that time.
    pub bytes: u64,
}

/// A real `redis-server` on a free port of the loopback, in a folder of its own; gone with this value.
pub struct RedisServer {
    folder: tempfile::TempDir,
    port: u16,
    options: Options,
    clock: Option<ServerClock>,
    child: Mutex<Option<Child>>,
    log: Arc<Mutex<String>>,
}

impl RedisServer {
    /// Starts a server that keeps nothing on disk and goes by the machine's clock.
    pub fn start() -> Self {
        Self::with(Options::default())
    }

    /// Starts a server whose clock stands still until the test sets it.
    pub fn with_manual_clock(now: Timestamp) -> Self {
        Self::with(Options { clock: Some(now), ..Options::default() })
    }

    pub fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = options.clock.map(|now| ServerClock::at(folder.path().join("clock"), now));
        if options.tls {
            tls::certificates(folder.path());
        }
        if options.on_mains {
            shim::build("disk.c", folder.path());
        }
        let mut server = Self { folder, port: 0, options, clock, child: Mutex::new(None), log: Arc::default() };
        for _ in 0..TRIES_MAX {
            server.port = 2 * rand::rng().random_range(PORTS.start / 2..PORTS.end / 2);
            if server.begin(&[]).recv().is_ok() {
                return server;
            }
            server.kill();
        }
        panic!("no Redis server starts");
    }

    /// What `--queue` takes.
    pub fn url(&self) -> String {
        self.url_by(self.port)
    }

    /// The same, by way of another port of the loopback.
    pub fn url_by(&self, port: u16) -> String {
        match self.options.password {
            Some(password) => format!("redis://:{password}@127.0.0.1:{port}"),
            None => format!("redis://127.0.0.1:{port}"),
        }
    }

    /// The same, by TLS.
    pub fn tls_url(&self) -> String {
        let authority = self.folder.path().join(tls::AUTHORITY);
        format!("rediss://127.0.0.1:{}?ca={}", self.port_above(), authority.display())
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// A second port that no other server of the tests takes.
    pub fn port_above(&self) -> u16 {
        self.port + 1
    }

    pub fn pid(&self) -> u32 {
        self.child().as_ref().expect("a server").id()
    }

    /// Where it keeps what it keeps.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        self.log.lock().clone()
    }

    /// Its clock, where that stands still.
    pub fn clock(&self) -> ServerClock {
        self.clock.as_ref().expect("a server started with a clock of its own").share()
    }

    /// SIGKILL, as its own fault or the kernel's would; what it wrote to disk stays.
    pub fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            child.kill().expect("our child");
            child.wait().expect("our child");
        }
    }

    /// Kills it, and takes from its log what the disk has not said that it keeps.
    pub fn cut_power(&self) {
        self.kill();
        let logs = fs::read_dir(self.folder.path().join("appendonlydir")).expect("a log");
        let logs = logs.map(|log| log.expect("an entry").path());
        let log = logs.filter(|path| path.to_string_lossy().ends_with(".incr.aof")).max().expect("a log");
        let log = fs::OpenOptions::new().write(true).open(log).expect("a log");
        let kept = self.synced().bytes;
        assert!(log.metadata().expect("a log").len() >= kept, "the disk keeps more than was written");
        log.set_len(kept).expect("a log");
    }

    /// What its disk has said, where it is on mains.
    pub fn synced(&self) -> Synced {
        let said = fs::read(self.folder.path().join(SYNCED)).expect("it synced before");
        let number = |nth: usize| u64::from_ne_bytes(said[8 * nth..8 * nth + 8].try_into().expect("8 bytes"));
        let time = |nth| SystemTime::UNIX_EPOCH + Duration::from_micros(number(nth));
        Synced { asked_before: time(0), asked: time(1), bytes: number(2) }
    }

    /// SIGSTOP: connections stay, and nothing answers.
    pub fn stop(&self) {
        send(self.pid(), Signal::STOP);
    }

    /// SIGCONT.
    pub fn cont(&self) {
        send(self.pid(), Signal::CONT);
    }

    /// Kills it if it runs, and starts it again on the same port and in the same folder. It answers again after this.
    pub fn restart(&self) {
        self.restart_with(&[]);
    }

    /// The same, with more on its command line this time.
    pub fn restart_with(&self, more: &[&str]) {
        self.kill();
        self.begin(more).recv().expect("a server that answers");
    }

    /// The same, but while this returns, it may still be loading what it keeps.
    pub fn restart_and_load(&self, more: &[&str]) {
        self.kill();
        drop(self.begin(more));
    }

    /// Sends one command on a connection of its own, and answers as `redis-cli` would print it without a terminal: one
    /// line an element, errors as they come (`-NOGROUP …`), nothing as `(nil)`.
    pub fn command(&self, words: &[&str]) -> String {
        self.ask(words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// The same, where the server may be away.
    pub fn ask(&self, words: &[&str]) -> io::Result<String> {
        resp::ask(&Address { port: self.port, password: self.options.password }, words)
    }

    /// Starts it; the receiver hears when it answers, or that it ended instead.
    fn begin(&self, more: &[&str]) -> mpsc::Receiver<()> {
        let mut command = self.command_line();
        command.args(more).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = spawn_bound(command).expect("a redis-server on the path");
        let said = BufReader::new(child.stdout.take().expect("a pipe"));
        *self.child() = Some(child);
        let (ready, answers) = mpsc::channel();
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                if line.contains(READY) {
                    let _ = ready.send(());
                }
                log.lock().push_str(&format!("{line}\n"));
            }
        });
        answers
    }

    fn command_line(&self) -> Command {
        let Options { append, password, memory_max, tls, on_mains, clock: _ } = &self.options;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", ""]);
        command.args(["--maxmemory-policy", "noeviction", "--dir"]).arg(self.folder.path());
        if let Some(append) = append {
            command.args(["--appendonly", "yes", "--appendfsync", append]);
        }
        if let Some(password) = password {
            command.args(["--requirepass", password]);
        }
        if let Some(bytes) = memory_max {
            command.args(["--maxmemory", &bytes.to_string()]);
        }
        if *tls {
            command.args(["--tls-port", &self.port_above().to_string()]).args(tls::options(self.folder.path()));
        }
        if *on_mains {
            command.env("LD_PRELOAD", self.folder.path().join("disk.so"));
            command.env("KANA_TEST_SYNCED", self.folder.path().join(SYNCED));
        }
        if let Some(clock) = &self.clock {
            clock.show_to(&mut command);
        }
        command
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the log of Redis at port {}:\n{}", self.port, self.log());
        }
    }
}
