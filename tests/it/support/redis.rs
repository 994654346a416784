//! What is a Redis server of a test's own?

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, mpsc};

use kana::clock::Timestamp;
use rand::RngExt;
use rustix::process::Signal;

use super::process::send;
use super::resp::{self, Address};
use super::time::ServerClock;

/// Below the ports that the kernel hands out by itself, so that no client sits on the port of a server that is away.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// Ports tried until one is free.
const TRIES_MAX: usize = 50;

/// What the server says once it has loaded its data and answers.
const READY: &str = "Ready to accept connections";

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
    /// Anything else, as on its command line.
    pub more: Vec<String>,
}

/// A real `redis-server` on a free port of the loopback, in a folder of its own; gone with this value.
pub struct RedisServer {
    folder: tempfile::TempDir,
    port: u16,
    options: Options,
    clock: Option<ServerClock>,
    child: Mutex<Child>,
    log: Arc<Mutex<String>>,
}

impl RedisServer {
    /// One that keeps nothing on disk and goes by the machine's clock.
    pub fn start() -> Self {
        Self::with(Options::default())
    }

    /// One whose clock stands still.
    pub fn stopped_in_time(now: Timestamp) -> Self {
        Self::with(Options { clock: Some(now), ..Options::default() })
    }

    pub fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = options.clock.map(|now| ServerClock::at(folder.path().join("clock"), now));
        let log = Arc::new(Mutex::new(String::new()));
        for _ in 0..TRIES_MAX {
            let port = rand::rng().random_range(PORTS);
            let mut command = command(folder.path(), port, &options);
            if let Some(clock) = &clock {
                clock.show_to(&mut command);
            }
            if let Ok(child) = run(command, &log) {
                return Self { folder, port, options, clock, child: Mutex::new(child), log };
            }
        }
        panic!("no Redis server starts; they say:\n{}", log.lock().expect("a log"));
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

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> u32 {
        self.child().id()
    }

    /// Where it keeps what it keeps.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("a log").clone()
    }

    /// Its clock, where that stands still.
    pub fn clock(&self) -> ServerClock {
        self.clock.as_ref().expect("a server started with a clock of its own").share()
    }

    /// SIGKILL, as a power cut would; what it kept on disk stays.
    pub fn kill(&self) {
        let mut child = self.child();
        child.kill().expect("our child");
        child.wait().expect("our child");
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
        *self.child() = run(self.command_again(more), &self.log).unwrap_or_else(|error| panic!("{error}"));
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

    fn command_again(&self, more: &[&str]) -> Command {
        let mut command = command(self.folder.path(), self.port, &self.options);
        if let Some(clock) = &self.clock {
            clock.show_to(&mut command);
        }
        command.args(more);
        command
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().expect("a child")
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

fn command(folder: &Path, port: u16, options: &Options) -> Command {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--dir"]).arg(folder);
    command.args(["--maxmemory-policy", "noeviction", "--enable-debug-command", "local"]);
    if let Some(append) = options.append {
        command.args(["--appendonly", "yes", "--appendfsync", append]);
    }
    if let Some(password) = options.password {
        command.args(["--requirepass", password]);
    }
    if let Some(bytes) = options.memory_max {
        command.args(["--maxmemory", &bytes.to_string()]);
    }
    command.args(&options.more);
    command
}

/// Runs a server and waits until it answers; what it says goes to `log`.
fn run(mut command: Command, log: &Arc<Mutex<String>>) -> io::Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = spawn(command)?;
    let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
    if listen(&mut said, log) {
        let log = Arc::clone(log);
        std::thread::spawn(move || while listen(&mut said, &log) {});
        return Ok(child);
    }
    child.wait()?;
    Err(io::Error::other("the server ended before it answered"))
}

/// Writes down what a server says until it says that it is ready; `false` where it ends instead.
fn listen(said: &mut BufReader<ChildStdout>, log: &Mutex<String>) -> bool {
    let mut line = String::new();
    while said.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        log.lock().expect("a log").push_str(&line);
        if line.contains(READY) {
            return true;
        }
        line.clear();
    }
    false
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// Starts a process that the kernel kills when this one is gone, however it goes. The kernel takes the *thread* that
/// started it for its parent, so that is one which lives as long as this process.
fn spawn(command: Command) -> io::Result<Child> {
    static NURSERY: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
        let (orders, taken) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (command, answer) in taken {
                let _ = answer.send(spawn_here(command));
            }
        });
        orders
    });
    let (answer, child) = mpsc::channel();
    NURSERY.send((command, answer)).expect("a thread that never ends");
    child.recv().expect("a thread that never ends")
}

#[cfg(target_os = "linux")]
fn spawn_here(mut command: Command) -> io::Result<Child> {
    use std::os::unix::process::CommandExt;

    let die_with_parent = || Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?);
    // SAFETY: between fork and exec only system calls may be made, and this makes one.
    unsafe { command.pre_exec(die_with_parent) };
    command.spawn()
}

#[cfg(not(target_os = "linux"))]
fn spawn_here(mut command: Command) -> io::Result<Child> {
    command.spawn()
}
