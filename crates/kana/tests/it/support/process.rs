//! How does a test run `kana` as a process of its own?
//!
//! Every process ends with the value that started it, or with the test binary, however that ends.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, mpsc};
use std::time::Duration;

use kana::gateway::view::{Batch, Phase, Pod, Receipt, Scale};
use kana_queue::job::BatchId;
use parking_lot::Mutex;
use rustix::process::{Pid, Signal};

use super::eventually;
use super::http::client;

/// Time that the next event may take: several times that between two starts of a worker that crashes.
const EVENT_MAX: Duration = Duration::from_secs(30);

/// The program under test.
pub const KANA: &str = env!("CARGO_BIN_EXE_kana");

/// A `kana` command without the `KANA_` variables of this environment, but for the one that asks for logs.
pub fn kana() -> Command {
    kana_at(Path::new(KANA))
}

/// The same command for a copy of the program under test.
pub fn kana_at(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("KANA_") && name != "KANA_LOG" {
            command.env_remove(&*name);
        }
    }
    command
}

/// A running `kana up`, killed when this value is dropped; its log is printed where the test fails.
pub struct Up {
    child: Child,
    pub url: String,
    log: Arc<Mutex<String>>,
}

impl Up {
    /// Starts `kana up` on a free port and the data directory `data`, and waits until it serves and `min` pods are ready.
    pub async fn start(data: &Path, flags: &[&str]) -> Self {
        Self::run(kana(), data, flags).await
    }

    /// Starts `command` as [`Up::start`] does: a kana in another place, or with an environment of its own.
    pub async fn run(mut command: Command, data: &Path, flags: &[&str]) -> Self {
        command.args(["up", "--listen", "127.0.0.1:0"]).arg("--data-dir").arg(data).args(flags);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kana runs");
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let kept = log.clone();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut log = kept.lock();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap_or_default().to_owned();
        let up = Self { child, url, log };
        assert!(!up.url.is_empty(), "{line:?} names no address; the log:\n{}", up.log());
        eventually("the first pods", async || {
            let (ready, scale) = (up.ready().await.len(), up.scale().await);
            (ready >= scale.min as usize).then_some(())
        })
        .await;
        up
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        self.log.lock().clone()
    }

    /// Waits until the log contains `text`, which a thread reads and so may come later than its event. Returns the log.
    pub async fn logged(&self, text: &str) -> String {
        let found = async || Some(self.log()).filter(|log| log.contains(text));
        eventually(&format!("a log with {text:?}"), found).await
    }

    /// The names and process numbers of all workers started so far, read from the log of either format.
    pub fn workers(&self) -> Vec<(String, u32)> {
        let started = |line: &str| {
            let (name, rest) = line.split_once("started pod ")?.1.split_once(" as process ")?;
            let pid = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
            Some((name.to_owned(), pid.parse().ok()?))
        };
        self.log().lines().filter_map(started).collect()
    }

    /// The process number of the worker with this name.
    pub fn worker(&self, name: &str) -> u32 {
        self.workers().into_iter().find(|(started, _)| started == name).expect("a worker of this name").1
    }

    pub async fn submit(&self, files: Vec<(String, Vec<u8>)>) -> Receipt {
        self.try_submit(files).await.expect("status 202")
    }

    /// Submits files. Returns the status where they are not accepted.
    pub async fn try_submit(&self, files: Vec<(String, Vec<u8>)>) -> Result<Receipt, u16> {
        let mut form = reqwest::multipart::Form::new();
        for (name, bytes) in files {
            form = form.part("images", reqwest::multipart::Part::bytes(bytes).file_name(name));
        }
        let answer = client().post(format!("{}/v1/jobs", self.url)).multipart(form).send().await.expect("an answer");
        match answer.status().as_u16() {
            202 => Ok(answer.json().await.expect("a receipt")),
            refused => Err(refused),
        }
    }

    pub async fn batch(&self, batch: BatchId) -> Batch {
        self.read(&format!("/v1/batches/{batch}")).await
    }

    /// Waits until every job of the batch has finished.
    pub async fn finished(&self, batch: BatchId) -> Batch {
        eventually("a batch to finish", async || {
            let batch = self.batch(batch).await;
            (batch.counts.done + batch.counts.failed == batch.accepted).then_some(batch)
        })
        .await
    }

    /// Waits until at least `count` jobs of the batch are done.
    pub async fn under_way(&self, batch: BatchId, count: usize) -> Batch {
        eventually("some jobs to be done", async || {
            let batch = self.batch(batch).await;
            (batch.counts.done >= count).then_some(batch)
        })
        .await
    }

    /// The names of the pods that are ready.
    pub async fn ready(&self) -> Vec<String> {
        let pods: Vec<Pod> = self.read("/v1/pods").await;
        pods.into_iter().filter(|pod| pod.phase == Phase::Ready).map(|pod| pod.name).collect()
    }

    pub async fn scale(&self) -> Scale {
        self.read("/v1/scale").await
    }

    /// Reads the last lines of a pod's log.
    pub async fn pod_log(&self, pod: &str, lines: u32) -> String {
        let url = format!("{}/v1/pods/{pod}/logs?lines={lines}", self.url);
        reqwest::get(url).await.expect("an answer").text().await.expect("text")
    }

    /// Stops a pod over HTTP; `how` is `delete` or `kill`.
    pub async fn stop(&self, pod: &str, how: &str) -> u16 {
        let url = format!("{}/v1/pods/{pod}?mode={how}", self.url);
        client().delete(url).send().await.expect("an answer").status().as_u16()
    }

    pub async fn set_range(&self, min: u32, max: u32) -> u16 {
        let request = client().put(format!("{}/v1/scale", self.url));
        let range = serde_json::json!({ "min": min, "max": max });
        request.json(&range).send().await.expect("an answer").status().as_u16()
    }

    /// Waits for the first event of this name on the stream of events. Returns its data.
    pub async fn event(&self, name: &str) -> serde_json::Value {
        let mut stream = client().get(format!("{}/v1/events", self.url)).send().await.expect("a stream");
        let mut text = String::new();
        loop {
            let chunk = tokio::time::timeout(EVENT_MAX, stream.chunk()).await.expect("an event in time");
            text.push_str(&String::from_utf8_lossy(&chunk.expect("a stream").expect("a stream that goes on")));
            let event = text.split("\n\n").find(|event| event.contains(&format!("event: {name}\n")));
            let data = event.and_then(|event| event.lines().find_map(|line| line.strip_prefix("data: ")));
            if let Some(Ok(data)) = data.map(serde_json::from_str) {
                return data;
            }
        }
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, route: &str) -> T {
        let answer = client().get(format!("{}{route}", self.url)).send().await.expect("an answer");
        answer.error_for_status().expect("success").json().await.expect("what was asked for")
    }

    /// Kills the service with SIGKILL, as a power cut would. Returns its workers.
    pub fn kill(mut self) -> Vec<(String, u32)> {
        self.child.kill().expect("it was alive");
        self.child.wait().expect("it was our child");
        self.workers()
    }

    /// Ends the service with SIGTERM. Returns its exit status.
    pub fn terminate(mut self) -> ExitStatus {
        send(self.pid(), Signal::TERM);
        self.child.wait().expect("it was our child")
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // Through the child's handle, so that no other process can be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the log of {}:\n{}", self.url, self.log());
        }
    }
}

/// Sends a signal to a process that this test has started.
pub fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().expect("a process number")).expect("a process number");
    rustix::process::kill_process(pid, signal).expect("it is alive");
}

/// Whether a process has ended, a zombie included.
pub fn is_gone(pid: u32) -> bool {
    if cfg!(target_os = "linux") {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        return matches!(state, None | Some('Z' | 'X'));
    }
    let pid = Pid::from_raw(pid.try_into().expect("a process number")).expect("a process number");
    rustix::process::test_kill_process(pid).is_err()
}

/// A command to start, and where its process is sent.
struct Start {
    command: Command,
    started: mpsc::Sender<io::Result<Child>>,
}

/// Starts a process that the kernel kills when this process ends, however that happens. For the kernel the parent is the
/// *thread* that started it, so a thread that lives as long as this process does that.
pub fn spawn_bound(command: Command) -> io::Result<Child> {
    static PARENT: LazyLock<mpsc::Sender<Start>> = LazyLock::new(|| {
        let (sender, commands) = mpsc::channel::<Start>();
        std::thread::spawn(move || {
            for Start { command, started } in commands {
                let _ = started.send(spawn_here(command));
            }
        });
        sender
    });
    let (started, child) = mpsc::channel();
    PARENT.send(Start { command, started }).expect("a thread that never ends");
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
